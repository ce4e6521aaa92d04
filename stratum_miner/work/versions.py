"""Sets of header versions: some bits fixed, the others free to be rolled.

Every set here is written as one or several ``Versions``, each of which counts as many versions as its mask has subsets.
"""

from collections.abc import Iterator
from typing import NamedTuple

ALL_BITS = 0xFFFFFFFF


class Versions(NamedTuple):
    """All versions that have ``bits`` outside ``mask`` and anything inside it; ``bits`` is zero inside the mask."""

    bits: int
    mask: int

    def common(self, other: "Versions") -> "Versions | None":
        """The versions that are in both; None when there are none."""
        if (self.bits ^ other.bits) & ~self.mask & ~other.mask:
            return None
        mask = self.mask & other.mask
        return Versions((self.bits | other.bits) & ~mask, mask)

    def without(self, part: "Versions", first: int) -> Iterator["Versions"]:
        """The versions that are not in ``part``, which must lie inside this set, as sets that do not overlap.

        The smaller sets come first. Those that differ from ``part`` in bits of ``first`` only come before the others,
        so that whoever always takes the first set counts these bits upwards.
        """
        split = self.mask & ~part.mask
        free = part.mask
        for bit in (*each_bit(split & first), *each_bit(split & ~first)):
            yield Versions((part.bits ^ bit) & ~free, free)
            free |= bit


ALL_VERSIONS = Versions(0, ALL_BITS)


def each_bit(mask: int) -> Iterator[int]:
    """The bits of a mask, each as a mask of its own, the lowest first."""
    while mask:
        yield mask & -mask
        mask &= mask - 1


def lowest_bits(mask: int, count: int) -> int:
    """The lowest ``count`` bits of a mask; all of them when it has no more."""
    for bit in each_bit(mask):
        if count <= 0:
            mask &= bit - 1
            break
        count -= 1
    return mask
