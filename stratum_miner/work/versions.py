"""Sets of header versions: some bits are fixed, the other bits may have any value.

A ``Versions`` is a set of 2^n versions, where n is the number of bits in its mask. A set that is not of this form is
written as several ``Versions``.
"""

from collections.abc import Iterator
from typing import NamedTuple

ALL_BITS = 0xFFFFFFFF
VERSION_BITS = ALL_BITS.bit_count()
"""Number of bits of a version."""


class Versions(NamedTuple):
    """A set of versions. Outside ``mask``, the bits of these versions are equal to ``bits``. Inside ``mask``, they can
    have any value; the field ``bits`` is zero there."""

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

        ``part`` must be a subset of this set. The first set is as large as ``part``, and each further set is twice as
        large as the one before it. ``first`` is a mask of version bits. The sets whose versions differ from those of
        ``part`` only in bits of ``first`` come before the other sets.

        If the bits of ``first`` are 0 in ``part``, the values of these bits ascend from set to set: the first set has
        the value 1, the second has 2 and 3, the third has 4 to 7, and so on. So a caller that always takes the first
        set uses up the values in ascending order.
        """
        split = self.mask & ~part.mask
        free = part.mask
        for bit in (*each_bit(split & first), *each_bit(split & ~first)):
            yield Versions((part.bits ^ bit) & ~free, free)
            free |= bit


ALL_VERSIONS = Versions(0, ALL_BITS)


def each_bit(mask: int) -> Iterator[int]:
    """Yield the bits of a mask, the lowest first, each as a mask with only this bit."""
    while mask:
        yield mask & -mask
        mask &= mask - 1


def lowest_bits(mask: int, count: int) -> int:
    """Return the lowest ``count`` bits of a mask, or the whole mask if it has fewer bits."""
    for bit in each_bit(mask):
        if count <= 0:
            mask &= bit - 1
            break
        count -= 1
    return mask
