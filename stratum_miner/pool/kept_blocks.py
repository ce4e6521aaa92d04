"""Blocks of ours, by the block they build on, for a node that does not have them.

A node that was killed comes back without its last blocks, and nobody else has those of a private chain. Bounded in
bytes: the oldest are forgotten.
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from stratum_miner.pool.events import BlockFound

MAX_BYTES: Final = 32 << 20
"""Eight of the largest blocks that consensus allows, or 100 000 of a chain without transactions."""


@dataclass(slots=True)
class KeptBlock:
    """A block and what was told of it."""

    found: BlockFound
    block: bytes
    settled: bool = False
    """Whether the node has built on it, or had trouble since; only then can it have lost the block."""
    given_again_at: float | None = None
    """When the node that had lost it was given it again, on trio's clock."""


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

    def add(self, kept: KeptBlock) -> None:
        """Keep a block, in place of another one on the same block, and forget the oldest beyond the limit."""
        self.remove(kept)
        self._blocks[_previous_hash(kept)] = kept
        self._size += len(kept.block)
        while self._size > self._max_bytes:
            self.remove(next(iter(self._blocks.values())))

    def on(self, previous_hash: bytes) -> KeptBlock | None:
        """The block that builds on this one."""
        return self._blocks.get(previous_hash)

    def remove(self, kept: KeptBlock) -> None:
        """Forget the block that builds where this one does, if there is one."""
        before = self._blocks.pop(_previous_hash(kept), None)
        if before is not None:
            self._size -= len(before.block)


def _previous_hash(kept: KeptBlock) -> bytes:
    return kept.block[4:36]
