"""Blocks of ours, by the block they build on, for a node that does not have them.

A node that was killed comes back without its last blocks, and nobody else has those of a private chain. Bounded in
bytes: the oldest are forgotten.
"""

import math
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import trio

from stratum_miner.pool.events import BlockFound

MAX_BYTES: Final = 32 << 20
"""Eight of the largest blocks that consensus allows, or 100 000 of a chain without transactions."""


@dataclass(slots=True)
class KeptBlock:
    """A block and what was told of it."""

    found: BlockFound
    """What was told of it last."""
    block: bytes
    judged: trio.Event = field(default_factory=trio.Event)
    """Set once the node has judged a block that it could not be given when it was found."""
    waits_for_parent: bool = False
    """Whether the node answers, but does not know the block before."""
    settled: bool = False
    """Whether the node has built on it, had trouble, or had long enough to build on it, since it took it; only then can
    it have lost the block."""
    taken_at: float = -math.inf
    """When the node took it last, on the clock of trio."""


class KeptBlocks:
    """The newest blocks; one for each block to build on."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._size = 0
        self._blocks: OrderedDict[bytes, KeptBlock] = OrderedDict()

    def __len__(self) -> int:
        return len(self._blocks)

    def __iter__(self) -> Iterator[KeptBlock]:
        """The oldest first; the blocks may be removed meanwhile."""
        return iter(list(self._blocks.values()))

    def keep(self, kept: KeptBlock) -> KeptBlock:
        """The block that is kept on the same block: this one, if there was none. The oldest beyond the limit go."""
        before = self._blocks.setdefault(_previous_hash(kept), kept)
        if before is kept:
            self._size += len(kept.block)
            while self._size > self._max_bytes:
                self.remove(next(iter(self._blocks.values())))
        return before

    def on(self, previous_hash: bytes) -> KeptBlock | None:
        """The block that builds on this one."""
        return self._blocks.get(previous_hash)

    def remove(self, kept: KeptBlock) -> None:
        """Forget a block."""
        if self._blocks.get(_previous_hash(kept)) is kept:
            del self._blocks[_previous_hash(kept)]
            self._size -= len(kept.block)


def _previous_hash(kept: KeptBlock) -> bytes:
    return kept.block[4:36]
