"""The blocks of a miner that hears what the node makes of them, until it has heard it.

Share and block are judged apart: the pool answers for the share, and the node decides over the block. Either may come
first.
"""

from collections import OrderedDict

import trio

from stratum_miner.bitcoin.header import display_hash
from stratum_miner.work.share import Share
from stratum_miner.work.share_result import ShareOutcome, ShareResult

MAX_BLOCKS = 1024
"""Blocks remembered; the node may take one that it could not be given at first."""


class JudgedBlocks:
    """Blocks that the node has not judged or not taken yet, by their hashes in display order."""

    def __init__(self) -> None:
        self._shares: OrderedDict[str, Share] = OrderedDict()
        """Shares whose blocks the node has not taken."""
        self._awaited: set[str] = set()
        """Hashes of the blocks that the node has not judged."""
        self._changed = trio.Event()

    def submitted(self, share: Share) -> None:
        """Note that a share that solves a block goes to the pool."""
        block_hash = display_hash(share.digest)
        self._shares[block_hash] = share
        self._awaited.add(block_hash)
        if len(self._shares) > MAX_BLOCKS:
            oldest, _ = self._shares.popitem(last=False)
            self._no_longer_awaited(oldest)

    def settled(self, result: ShareResult) -> None:
        """The pool answered for the share; of one that it did not accept no more may be heard."""
        if result.outcome is not ShareOutcome.ACCEPTED:
            self._no_longer_awaited(display_hash(result.share.digest))

    def judged(self, block_hash: str, *, accepted: bool) -> Share | None:
        """The share whose block the node has just taken; None when it was refused, is no share of ours, or counted."""
        self._no_longer_awaited(block_hash)
        return self._shares.pop(block_hash, None) if accepted else None

    async def all_judged(self) -> None:
        """Wait until the node has judged every block whose share the pool accepted."""
        while self._awaited:
            await self._changed.wait()

    def _no_longer_awaited(self, block_hash: str) -> None:
        self._awaited.discard(block_hash)
        self._changed.set()
        self._changed = trio.Event()
