"""How a pool's extranonce2 is divided into the prefix of a miner and the miner's own extranonce2. Sans-IO.

The prefix is different for each miner, and the miner gets it as its extranonce1. The module ``downstream.extranonces``
decides which miner gets which prefix. The bytes of the pool's extranonce2 that are left over are called the padding.

    pool's coinbase:     coinb1 | extranonce1 | extranonce2 ------------------------ | coinb2
    what a miner sees:   coinb1 ------------------------- | prefix      | extranonce2 | coinb2
                                              padding        extranonce1

The module ``job_translator`` chooses the values of the padding.

The pool's extranonce1 and the padding become part of the coinb1 that miners get. A miner's subscribe reply contains
neither of them, only the miner's prefix and the size of its own extranonce2. The reply therefore stays valid when the
pool's extranonce1 changes, or when the proxy switches to a pool with a longer extranonce2.
"""

from dataclasses import dataclass

MINER_SIZE = 3
"""Number of bytes of the miner's own extranonce2. With 3 bytes, a job has 2^24 extranonce2 values with 2^32 nonces
each. Without version rolling, this is enough work for 6 minutes at 200 TH/s."""
LEAST_MINER_SIZE = 2
"""Minimum number of bytes of extranonce2 that cgminer accepts (docs/reference/stratum.md#extranonce-sizes)."""


@dataclass(frozen=True, slots=True)
class ExtranonceSplit:
    """How a pool's extranonce2 is divided, in bytes."""

    prefix_size: int
    """Bytes of a miner's extranonce prefix, which the miner gets as its extranonce1."""
    extranonce2_size: int
    """Bytes of the miner's own extranonce2."""

    @property
    def size(self) -> int:
        """Bytes of the prefix and of the miner's own extranonce2 together. The pool's extranonce2 must have at least
        this size.
        """
        return self.prefix_size + self.extranonce2_size

    @property
    def miners(self) -> int:
        """Number of miners that can have different prefixes, which is the number of values of a prefix."""
        return 1 << 8 * self.prefix_size


def split_extranonce2(extranonce2_size: int, miners: int) -> ExtranonceSplit:
    """Divide a pool's extranonce2 of ``extranonce2_size`` bytes so that ``miners`` miners can have different prefixes.
    If the extranonce2 is too short for this number of miners, as many miners as possible can have a prefix of their
    own.

    The split uses no more bytes than needed, so that it also fits a pool with a shorter extranonce2. If
    ``extranonce2_size`` is less than 3, the prefix has 0 bytes, so only one miner can mine. All bytes are then the
    extranonce2 of this miner.
    """
    wanted = max(1, ((miners - 1).bit_length() + 7) // 8)
    for own in (MINER_SIZE, LEAST_MINER_SIZE):
        if wanted + own <= extranonce2_size:
            return ExtranonceSplit(wanted, own)
    prefix = extranonce2_size - LEAST_MINER_SIZE
    return ExtranonceSplit(prefix, LEAST_MINER_SIZE) if prefix > 0 else ExtranonceSplit(0, extranonce2_size)
