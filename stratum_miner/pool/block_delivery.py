"""Blocks of ours on their way to the node, what became of them, and those that it has to get again.

It must not know miners. Theory of operation: a block is given to the node at once. One that the node cannot be given,
or whose parent it does not know, is kept, and given to it before the next job is made (``give_back``), in the order of
the chain. So are blocks that the node took before and has lost: its template then builds where a block of ours does.
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
"""Previous hashes remembered; more than a chain can go back in one breath."""
MAX_FOUND: Final = 1000
"""Blocks kept for snapshots."""
PATIENCE: Final = 60.0
"""Seconds for which the finder of a block may have to wait for the node's word. A block that the node cannot be given
is kept beyond that, and is reported again when the node has judged it."""
GIVE_BACK_SECONDS: Final = 10.0
"""Seconds to wait for the node's answer to a block that it gets again; the next job waits for it."""
SETTLE_SECONDS: Final = 10.0
"""A node that took a block and still builds where the block does after this long does not have it any more."""
SIBLING: Final = SubmitResult(
    False, "sibling", "the node took another block of ours there; this one was not given to it"
)

_log = structlog.get_logger(__name__)


class BlockDelivery:
    """One node's blocks. ``on_found`` hears what became of each; ``refresh`` has the node asked for a template."""

    def __init__(self, node: Node, *, on_found: Callable[[BlockFound], None], refresh: Callable[[], None]) -> None:
        self.submitted = 0
        """Blocks that were found; each is accepted, refused, passed over as a sibling, or waits for the node."""
        self.accepted = 0
        """The number of blocks that the node took."""
        self.refused = 0
        """The number of blocks that the node judged and did not take."""
        self.found: deque[BlockFound] = deque(maxlen=MAX_FOUND)
        """The latest ones, as they stand."""
        self._node = node
        self._on_found = on_found
        self._refresh = refresh
        self._extended: dict[bytes, None] = {}
        """Previous hashes, the newest few, on which the node took a block of ours: another one there is its sibling."""
        self._kept = KeptBlocks()
        """Blocks that the node took."""
        self._unsettled: list[KeptBlock] = []
        """The newest of them, on which the node has not built yet."""
        self._undelivered = KeptBlocks()

    async def deliver(self, block: bytes, found: BlockFound) -> BlockFound:
        """Give a block to the node, count and tell what it says, and return that."""
        self.submitted += 1
        give_up_at = trio.current_time() + PATIENCE
        while True:
            if _previous_hash(block) in self._extended:
                return self._pass_over(found)
            result = await self._offer(block)
            judged = _judged(found, result)
            if not result.undelivered or trio.current_time() >= give_up_at:
                self._tell(judged, result, block)
                return judged
            _log.warning("block_submit_failed", error=result.explanation)
            kept = self._undelivered.keep(KeptBlock(judged, block))
            self._refresh()
            with trio.move_on_at(give_up_at):
                await kept.judged.wait()
            if kept.block == block:
                if not kept.judged.is_set():
                    self._tell(judged, result, block)
                return kept.found

    async def give_back(self, template: BlockTemplate) -> bool:
        """Offer the node the blocks of ours that it does not have; whether it took any.

        It builds where a block of ours does that it took before: it has lost that block and those after it, or has
        found them to be off the best chain. Others it could not be given when they were found.
        """
        end = await self._give_chain(template.previous_hash)
        taken = end != template.previous_hash
        for kept in self._undelivered:
            if not kept.waits_for_parent and _previous_hash(kept.block) != end:  # that one was offered just now
                taken = await self._deliver_late(kept) or taken
        if not taken:
            ours = self._kept.on(template.previous_hash)
            if ours is None or ours.settled:  # the node has gone back: our block there is undone
                self._extended.pop(template.previous_hash, None)
            self._settle(template.height)
        return taken

    def node_failed(self) -> None:
        """Note that the node may have lost any block."""
        self._settle(math.inf)

    def tell_lost(self) -> None:
        """The pool stops: what the node could not be given is lost."""
        for kept in self._undelivered:
            _log.error("block_lost", hash=kept.found.hash, reason=kept.found.explanation)

    # ---- giving ---------------------------------------------------------------------------------------------------

    async def _offer(self, block: bytes, seconds: float = math.inf) -> SubmitResult:
        try:
            with trio.move_on_after(seconds):
                return await self._node.submit_block(block)
        except NodeError as error:
            return SubmitResult.unreachable(str(error))
        return SubmitResult.unreachable(f"the node did not answer within {seconds:g} s")

    async def _give_chain(self, previous_hash: bytes) -> bytes:
        """Offer the blocks that follow on this one; returns the last one the node has then."""
        given: list[KeptBlock] = []
        while True:
            new, lost = self._undelivered.on(previous_hash), self._kept.on(previous_hash)
            if new is not None and await self._deliver_late(new):
                given.append(new)
            elif lost is not None and (lost.settled or given) and await self._give_again(lost):
                given.append(lost)  # one after a lost block is lost as well
            else:
                break
            previous_hash = sha256d(given[-1].block[:HEADER_SIZE])
        if given:
            heights = [kept.found.height for kept in given]
            _log.warning("blocks_given_back", blocks=len(given), first=heights[0], last=heights[-1])
        return previous_hash

    async def _give_again(self, lost: KeptBlock) -> bool:
        result = await self._offer(lost.block, GIVE_BACK_SECONDS)
        if result.result == ACCEPTED:
            lost.settled = False
            lost.taken_at = trio.current_time()
            self._unsettled.append(lost)
        elif not result.undelivered:
            self._kept.remove(lost)
            _log.warning("block_not_taken_back", hash=lost.found.hash, reason=result.explanation)
        return result.result == ACCEPTED

    async def _deliver_late(self, kept: KeptBlock) -> bool:
        result = await self._offer(kept.block, GIVE_BACK_SECONDS)
        if result.undelivered:
            kept.waits_for_parent = result.result == PARENT_UNKNOWN
            return False
        self._undelivered.remove(kept)
        if kept.found in self.found:
            self.found.remove(kept.found)
        kept.found = _judged(kept.found, result)
        kept.judged.set()
        self._tell(kept.found, result, kept.block)
        return result.accepted

    # ---- books ----------------------------------------------------------------------------------------------------

    def _settle(self, height: float) -> None:
        taken_before = trio.current_time() - SETTLE_SECONDS
        for kept in self._unsettled:
            kept.settled = kept.found.height < height or kept.taken_at <= taken_before
        self._unsettled = [kept for kept in self._unsettled if not kept.settled]

    def _pass_over(self, found: BlockFound) -> BlockFound:
        """A sibling of a block that the node took from us can win nothing, and checking it costs the node milliseconds:
        on a chain where every share is a block, more than there are.
        """
        judged = _judged(found, SIBLING)
        self._on_found(judged)
        _log.debug("sibling_not_submitted", hash=judged.hash)
        return judged

    def _tell(self, found: BlockFound, result: SubmitResult, block: bytes) -> None:
        """Count, keep and report what became of a block."""
        if found.accepted:
            self._take(KeptBlock(found, block, taken_at=trio.current_time()), _previous_hash(block))
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

    def _take(self, kept: KeptBlock, previous_hash: bytes) -> None:
        self.accepted += 1
        before = self._kept.on(previous_hash)
        if before is not None:
            self._kept.remove(before)
        self._unsettled.append(self._kept.keep(kept))
        self._extended[previous_hash] = None
        if len(self._extended) > MAX_EXTENDED:
            del self._extended[next(iter(self._extended))]
        self._refresh()


def _judged(found: BlockFound, result: SubmitResult) -> BlockFound:
    return replace(found, accepted=result.accepted, result=result.result, explanation=result.explanation)


def _previous_hash(block: bytes) -> bytes:
    return block[4:36]
