"""Submits the pool's blocks to the node, records the results, and submits blocks again if the node has lost them.

A block is submitted to the node at once. If the node cannot be reached, or does not know the parent of the block, the
block is kept. ``resubmit`` submits the kept blocks again before the next job is made, each after its parent.

A node that crashed can also lose blocks that it had accepted. The pool notices this if the node's next template builds
on the parent of an accepted block instead of on the block. The lost block, and accepted blocks that build on it, are
then submitted again, too.
"""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import structlog
import trio

from stratum_miner.bitcoin.header import HEADER_SIZE
from stratum_miner.bitcoin.sha256d import sha256d
from stratum_miner.pool.events import BlockFound
from stratum_miner.pool.kept_blocks import KeptBlock, KeptBlocks
from stratum_miner.pool.nodes.base import ACCEPTED, PARENT_UNKNOWN, Node, NodeError, SubmitResult
from stratum_miner.pool.template import BlockTemplate

MAX_EXTENDED: Final = 16
"""Maximum number of blocks of this pool whose parent hashes are remembered (``_extended``). A reorganization of the
block chain usually removes fewer blocks than this number."""
MAX_FOUND: Final = 1000
"""Maximum number of blocks that are kept for snapshots."""
ANSWER_SECONDS: Final = 60.0
"""Maximum number of seconds for which the miner that found a block waits for the node's answer. A block that did not
reach the node is kept longer, and is reported again when the node has answered."""
RESUBMIT_SECONDS: Final = 10.0
"""Seconds to wait for the node's answer to a block that is submitted again. Until then, the next job is delayed."""
BUILD_SECONDS: Final = 10.0
"""Seconds that a node may need, after it accepted a block, to give a template that builds on this block. If a later
template still builds on the parent of the block, the node has lost the block."""
SIBLING: Final = SubmitResult(
    False, "sibling", "not submitted: the node has accepted another block of this pool on the same parent"
)

_log = structlog.get_logger(__name__)


class BlockDelivery:
    """Submits blocks to one node.

    ``on_found`` is called with the result of each block. ``refresh`` makes the pool ask the node for a template.
    """

    def __init__(self, node: Node, *, on_found: Callable[[BlockFound], None], refresh: Callable[[], None]) -> None:
        self.submitted = 0
        """Number of blocks that were found. Each was accepted, was rejected, waits for the node, or was not submitted
        because the node had accepted another block of this pool on the same parent (a sibling)."""
        self.accepted = 0
        """Number of blocks that the node accepted."""
        self.refused = 0
        """Number of blocks that the node rejected."""
        self.found: deque[BlockFound] = deque(maxlen=MAX_FOUND)
        """The latest blocks with their present results, the oldest first."""
        self._node = node
        self._on_found = on_found
        self._refresh = refresh
        self._extended: dict[bytes, None] = {}
        """The latest parent hashes on which the node accepted a block of this pool. A further block on the same parent
        is a sibling, and is not submitted."""
        self._accepted = KeptBlocks()
        """Blocks that the node accepted."""
        self._recent: list[KeptBlock] = []
        """The blocks in ``_accepted`` whose ``may_be_lost`` is still false."""
        self._undelivered = KeptBlocks()
        """Blocks to which the node has given no answer, or only the answer that it does not know their parent."""

    async def deliver(self, block: bytes, found: BlockFound) -> BlockFound:
        """Submit a block to the node, and count and report the node's answer. Return ``found`` with this answer.

        ``block`` is serialized with witnesses. If the node cannot be reached within 60 s, the result is "unreachable".
        The block is then kept, and reported again when the node has accepted or rejected it.
        """
        self.submitted += 1
        give_up_at = trio.current_time() + ANSWER_SECONDS
        while True:
            if _previous_hash(block) in self._extended:
                return self._skip_sibling(found)
            result = await self._submit(block)
            judged = _judged(found, result)
            if not result.undelivered or trio.current_time() >= give_up_at:
                self._report(judged, result, block)
                return judged
            _log.warning("block_submit_failed", error=result.explanation)
            kept = self._undelivered.keep(KeptBlock(judged, block))
            self._refresh()
            with trio.move_on_at(give_up_at):
                await kept.judged.wait()
            if kept.block == block:
                if not kept.judged.is_set():
                    self._report(judged, result, block)
                return kept.found

    async def resubmit(self, template: BlockTemplate) -> bool:
        """Submit the blocks that the node does not have. Return whether the node accepted any of them.

        The node lacks blocks that did not reach it when they were found, and may lack blocks that it had accepted. If
        ``template``, the node's newest template, builds on the parent of an accepted block, the node has lost this
        block and the blocks after it, or they are no longer in its best chain.
        """
        end = await self._resubmit_chain(template.previous_hash)
        accepted = end != template.previous_hash
        for kept in self._undelivered:
            # Leave out the block whose parent has the hash ``end``, because _resubmit_chain has just submitted it.
            if not kept.waits_for_parent and _previous_hash(kept.block) != end:
                accepted = await self._deliver_late(kept) or accepted
        if not accepted:
            kept_there = self._accepted.on(template.previous_hash)
            # The pool submits only one block on each parent. Allow a further block on this parent if the node has
            # accepted no block of the pool on it, or may have lost the accepted block.
            if kept_there is None or kept_there.may_be_lost:
                self._extended.pop(template.previous_hash, None)
            self._update_recent(template.height)
        return accepted

    def note_node_failure(self) -> None:
        """Record that the node failed. The node may have lost any block that it had accepted before."""
        self._update_recent(math.inf)

    def log_lost(self) -> None:
        """Log the blocks that did not reach the node. They are lost, because the pool stops."""
        for kept in self._undelivered:
            _log.error("block_lost", hash=kept.found.hash, reason=kept.found.explanation)

    # ---- submitting -------------------------------------------------------------------------------------------------

    async def _submit(self, block: bytes, seconds: float = math.inf) -> SubmitResult:
        try:
            with trio.move_on_after(seconds):
                return await self._node.submit_block(block)
        except NodeError as error:
            return SubmitResult.unreachable(str(error))
        return SubmitResult.unreachable(f"the node did not answer within {seconds:g} s")

    async def _resubmit_chain(self, previous_hash: bytes) -> bytes:
        """Submit a chain of kept blocks: first the block whose parent has the hash ``previous_hash``, then the block
        that builds on that block, and so on. Stop when no kept block follows, or when the node does not accept a block.

        Return the hash of the last block that the node accepted, or ``previous_hash`` if it accepted none.
        """
        accepted: list[KeptBlock] = []
        while True:
            new, lost = self._undelivered.on(previous_hash), self._accepted.on(previous_hash)
            if new is not None and await self._deliver_late(new):
                accepted.append(new)
            # ``lost`` is a block that the node had accepted earlier. If ``accepted`` is not empty, the node did not
            # have the parent of ``lost`` until now, so it cannot have ``lost`` either.
            elif lost is not None and (lost.may_be_lost or accepted) and await self._resubmit_lost(lost):
                accepted.append(lost)
            else:
                break
            previous_hash = sha256d(accepted[-1].block[:HEADER_SIZE])
        if accepted:
            heights = [kept.found.height for kept in accepted]
            _log.warning("blocks_given_back", blocks=len(accepted), first=heights[0], last=heights[-1])
        return previous_hash

    async def _resubmit_lost(self, lost: KeptBlock) -> bool:
        result = await self._submit(lost.block, RESUBMIT_SECONDS)
        if result.result == ACCEPTED:
            lost.may_be_lost = False
            lost.accepted_at = trio.current_time()
            self._recent.append(lost)
        elif not result.undelivered:
            self._accepted.remove(lost)
            _log.warning("block_not_taken_back", hash=lost.found.hash, reason=result.explanation)
        return result.result == ACCEPTED

    async def _deliver_late(self, kept: KeptBlock) -> bool:
        result = await self._submit(kept.block, RESUBMIT_SECONDS)
        if result.undelivered:
            kept.waits_for_parent = result.result == PARENT_UNKNOWN
            return False
        self._undelivered.remove(kept)
        if kept.found in self.found:
            self.found.remove(kept.found)
        kept.found = _judged(kept.found, result)
        kept.judged.set()
        self._report(kept.found, result, kept.block)
        return result.accepted

    # ---- results ----------------------------------------------------------------------------------------------------

    def _update_recent(self, height: float) -> None:
        accepted_before = trio.current_time() - BUILD_SECONDS
        for kept in self._recent:
            kept.may_be_lost = kept.found.height < height or kept.accepted_at <= accepted_before
        self._recent = [kept for kept in self._recent if not kept.may_be_lost]

    def _skip_sibling(self, found: BlockFound) -> BlockFound:
        """Report a block as a sibling, without submitting it. The node has already accepted another block of this pool
        with the same parent.

        A sibling earns nothing, and the node takes some milliseconds to check one. On a test chain where every share is
        a block, the node could not check all siblings in time.
        """
        judged = _judged(found, SIBLING)
        self._on_found(judged)
        _log.debug("sibling_not_submitted", hash=judged.hash)
        return judged

    def _report(self, found: BlockFound, result: SubmitResult, block: bytes) -> None:
        """Count, keep and report the node's answer to a block."""
        if found.accepted:
            self._note_accepted(KeptBlock(found, block, accepted_at=trio.current_time()), _previous_hash(block))
        elif not result.undelivered:
            self.refused += 1
        self.found.append(found)
        self._on_found(found)
        if found.accepted or found.stale:
            log = _log.info
        else:
            log = _log.warning if result.undelivered or result.inconclusive else _log.error
        log(
            "block_accepted" if found.accepted else "block_undelivered" if result.undelivered else "block_refused",
            height=found.height,
            hash=found.hash,
            worker_name=found.worker_name,
            result=found.result,
            explanation=found.explanation,
            stale=found.stale,
        )

    def _note_accepted(self, kept: KeptBlock, previous_hash: bytes) -> None:
        self.accepted += 1
        before = self._accepted.on(previous_hash)
        if before is not None:
            self._accepted.remove(before)
        self._recent.append(self._accepted.keep(kept))
        self._extended[previous_hash] = None
        if len(self._extended) > MAX_EXTENDED:
            del self._extended[next(iter(self._extended))]
        self._refresh()


def _judged(found: BlockFound, result: SubmitResult) -> BlockFound:
    return replace(found, accepted=result.accepted, result=result.result, explanation=result.explanation)


def _previous_hash(block: bytes) -> bytes:
    return block[4:36]
