"""Keeps blocks of this pool, so that they can be submitted again to a node that does not have them.

A node that crashed starts again without its last blocks. On a private block chain, no other node can give it these
blocks. The kept blocks are found by the hash of their parent. If they take too much memory, the oldest are removed.
"""

import math
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import trio

from stratum_miner.pool.events import BlockFound

MAX_BYTES: Final = 32 << 20
"""Maximum number of bytes of all kept blocks together. This is enough for 8 of the largest blocks that consensus
allows, or for 100,000 blocks without transactions."""


@dataclass(slots=True)
class KeptBlock:
    """A block of this pool, with the last event that was reported for it."""

    found: BlockFound
    """The last event that was reported for the block."""
    block: bytes
    """The block, serialized with witnesses."""
    judged: trio.Event = field(default_factory=trio.Event)
    """For a block that did not reach the node at first: a trio event that is set as soon as the node has accepted or
    rejected the block."""
    waits_for_parent: bool = False
    """Whether the node answered that it does not know the parent of the block."""
    may_be_lost: bool = False
    """If this is true and the node gives a template that builds on the parent of the block, the node has lost the
    block. It is true if, since accepting the block, the node has built on it, has had enough time to build on it, or
    has failed. As long as it is false, such a template may have been made before the node accepted the block."""
    accepted_at: float = -math.inf
    """Time on trio's clock at which the node last accepted the block."""


class KeptBlocks:
    """The latest blocks of this pool, at most one for each parent block."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._size = 0
        self._blocks: OrderedDict[bytes, KeptBlock] = OrderedDict()

    def __len__(self) -> int:
        return len(self._blocks)

    def __iter__(self) -> Iterator[KeptBlock]:
        """Iterate over the blocks, the oldest first. Blocks may be removed during the iteration."""
        return iter(list(self._blocks.values()))

    def keep(self, kept: KeptBlock) -> KeptBlock:
        """Keep a block, unless another block with the same parent is kept already. Return the block that is kept.

        If all blocks together have more than ``max_bytes``, the oldest are removed.
        """
        before = self._blocks.setdefault(_previous_hash(kept), kept)
        if before is kept:
            self._size += len(kept.block)
            while self._size > self._max_bytes:
                self.remove(next(iter(self._blocks.values())))
        return before

    def on(self, previous_hash: bytes) -> KeptBlock | None:
        """Return the kept block with this parent hash (internal byte order), or None."""
        return self._blocks.get(previous_hash)

    def remove(self, kept: KeptBlock) -> None:
        """Remove a block, if it is kept."""
        if self._blocks.get(_previous_hash(kept)) is kept:
            del self._blocks[_previous_hash(kept)]
            self._size -= len(kept.block)


def _previous_hash(kept: KeptBlock) -> bytes:
    return kept.block[4:36]
