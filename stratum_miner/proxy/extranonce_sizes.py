"""How many bytes of a pool's extranonce2 name a miner, and how many the miner counts in. Sans-IO.

``downstream.extranonces`` decides which miner gets which prefix.

    pool's coinbase:     coinb1 | extranonce1 | extranonce2 ------------------------ | coinb2
    what a miner sees:   coinb1 ------------------------- | prefix      | extranonce2 | coinb2
                                              padding        extranonce1

The pool's extranonce1 and the padding, which ``job_translator`` counts, move into the coinb1 that miners get, so what a
miner was told in its subscribe reply stays true when the pool's extranonce1 changes, or when another pool takes over
that gives more extranonce2.
"""

from dataclasses import dataclass

MINER_SIZE = 3
"""Bytes a miner counts in: 2^24 headers of 2^32 nonces last six minutes at 200 TH/s, without rolling versions."""
LEAST_MINER_SIZE = 2
"""The least that cgminer takes (docs/reference/stratum.md#extranonce-sizes)."""


@dataclass(frozen=True, slots=True)
class ExtranonceSplit:
    """Sizes in bytes: of a miner's own prefix, and of the extranonce2 that it counts in."""

    prefix_size: int
    extranonce2_size: int

    @property
    def size(self) -> int:
        """The size in bytes of the smallest extranonce2 of a pool that this fits into."""
        return self.prefix_size + self.extranonce2_size

    @property
    def miners(self) -> int:
        """The number of miners that can be told apart."""
        return 1 << 8 * self.prefix_size


def split_extranonce2(extranonce2_size: int, miners: int) -> ExtranonceSplit:
    """The split for a pool that gives so many bytes, and for so many miners if that is possible.

    No more is used than needed, so that the split also fits a pool that gives less. With fewer than three bytes there
    is room for one miner only: it gets all of them.
    """
    wanted = max(1, ((miners - 1).bit_length() + 7) // 8)
    for own in (MINER_SIZE, LEAST_MINER_SIZE):
        if wanted + own <= extranonce2_size:
            return ExtranonceSplit(wanted, own)
    prefix = extranonce2_size - LEAST_MINER_SIZE
    return ExtranonceSplit(prefix, LEAST_MINER_SIZE) if prefix > 0 else ExtranonceSplit(0, extranonce2_size)
