"""Keeps the blocks that the miner has submitted and that the Bitcoin node has not accepted yet.

A share that solves a block gets two answers: the pool's result of the share, and the node's decision about the block.
Either of the two can come first.
"""

from collections import OrderedDict

import trio

from stratum_miner.bitcoin.header import display_hash
from stratum_miner.work.share import Share
from stratum_miner.work.share_result import ShareOutcome, ShareResult

MAX_BLOCKS = 1024
"""Maximum number of blocks that are remembered. A block is remembered even if the node refused it, because the node may
accept it later."""


class JudgedBlocks:
    """The blocks that the node has not accepted yet, by their hashes: 64 hex digits in display order."""

    def __init__(self) -> None:
        self._shares: OrderedDict[str, Share] = OrderedDict()
        """For each block hash, the share that solves the block."""
        self._awaited: set[str] = set()
        """Hashes of blocks. ``all_judged`` waits until the node has decided about all of them."""
        self._changed = trio.Event()

    def submitted(self, share: Share) -> None:
        """Remember that a block is submitted. ``share`` is the share that solves the block."""
        block_hash = display_hash(share.digest)
        self._shares[block_hash] = share
        self._awaited.add(block_hash)
        if len(self._shares) > MAX_BLOCKS:
            oldest, _ = self._shares.popitem(last=False)
            self._no_longer_awaited(oldest)

    def resolved(self, result: ShareResult) -> None:
        """Record the pool's result of a share. If the pool did not accept the share, ``all_judged`` does not wait for
        the node's decision about its block any more."""
        if result.outcome is not ShareOutcome.ACCEPTED:
            self._no_longer_awaited(display_hash(result.share.digest))

    def judged(self, block_hash: str, *, accepted: bool) -> Share | None:
        """Record the node's decision about a block. Return its share if the node accepted the block for the first time.

        Returns None if the node refused the block, the block is not from this miner, or it was accepted before.
        """
        self._no_longer_awaited(block_hash)
        return self._shares.pop(block_hash, None) if accepted else None

    async def all_judged(self) -> None:
        """Wait until the node has decided about every submitted block. Do not wait for a block if the pool did not
        accept its share."""
        while self._awaited:
            await self._changed.wait()

    def _no_longer_awaited(self, block_hash: str) -> None:
        self._awaited.discard(block_hash)
        self._changed.set()
        self._changed = trio.Event()
