"""Sets of header versions: some bits are fixed, the other bits may have any value.

A ``Versions`` describes 2^n versions, where n is the number of bits in its mask. Other sets are sequences of
``Versions``.
"""

from collections.abc import Iterator
from typing import NamedTuple

ALL_BITS = 0xFFFFFFFF


class Versions(NamedTuple):
    """All versions that equal ``bits`` outside ``mask``; inside the mask any value is allowed and ``bits`` is zero."""

    bits: int
    mask: int

    def common(self, other: "Versions") -> "Versions | None":
        """Return the versions that are in both sets, or None if there are none."""
        if (self.bits ^ other.bits) & ~self.mask & ~other.mask:
            return None
        mask = self.mask & other.mask
        return Versions((self.bits | other.bits) & ~mask, mask)

    def without(self, part: "Versions", first: int) -> Iterator["Versions"]:
        """Yield the versions of this set that are not in ``part``, as sets that do not overlap.

        ``part`` must be a subset of this set. The smaller sets come first. Sets that differ from ``part`` only in bits
        of ``first`` come before the others, so that a caller that always uses the first set counts these bits upwards.
        """
        split = self.mask & ~part.mask
        free = part.mask
        for bit in (*each_bit(split & first), *each_bit(split & ~first)):
            yield Versions((part.bits ^ bit) & ~free, free)
            free |= bit


ALL_VERSIONS = Versions(0, ALL_BITS)


def each_bit(mask: int) -> Iterator[int]:
    """Yield each bit of a mask as a mask of its own, the lowest first."""
    while mask:
        yield mask & -mask
        mask &= mask - 1


def lowest_bits(mask: int, count: int) -> int:
    """Return the lowest ``count`` bits of a mask, or the whole mask if it has fewer."""
    for bit in each_bit(mask):
        if count <= 0:
            mask &= bit - 1
            break
        count -= 1
    return mask
