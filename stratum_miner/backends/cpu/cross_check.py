"""Checks a kernel against another one: both search the same nonces and versions, and must find the same hits (hashes
that meet the target). Users who suspect their hardware can run this check.

If the checked kernel can try several versions at the same time, the check covers this ability, too: the kernel with
which it is compared tries one version after the other.
"""

from dataclasses import dataclass

from stratum_miner.backends.cpu.kernels import Hit, Kernel, Search

POINTS = 1 << 24
HEADER = bytes(range(80))
TARGET = (1 << 244) - 1
"""About one hash in 4,096 meets this target. A kernel first compares 32 bits of each hash with the target, and then the
whole hash if these 32 bits are small enough. Both comparisons are thus tested often."""
ROLLED_FROM = 13
"""The lowest bit that is rolled, as in the mask of BIP 320."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The hits (hashes that meet the target) that only one of two kernels reports."""

    kernel: Kernel
    other: Kernel
    rolling: bool
    missed: frozenset[Hit]
    wrong: frozenset[Hit]

    def __str__(self) -> str:
        how = "rolling versions" if self.rolling else "nonces in lanes"
        example = min(self.missed | self.wrong)
        return (
            f"{self.kernel.name} ({how}) against {self.other.name}: {len(self.missed)} hits missed, "
            f"{len(self.wrong)} wrong, such as nonce {example.nonce:#010x} in version {example.version:#010x}"
        )


def cross_check(kernel: Kernel, other: Kernel, *, rolling: bool, points: int = POINTS) -> Difference | None:
    """Search the same ``points`` combinations of nonce and version with both kernels. Return the difference between
    their hits; None if both find the same hits."""
    mask = (kernel.versions - 1) << ROLLED_FROM if rolling else 0
    nonces = points >> mask.bit_count()
    got = _hits(kernel, HEADER, nonces, mask)
    expected = frozenset[Hit]().union(*(_hits(other, header, nonces, 0) for header in _headers(mask)))
    if got == expected:
        return None
    return Difference(kernel, other, rolling, frozenset(expected - got), frozenset(got - expected))


def _hits(kernel: Kernel, header: bytes, nonces: int, mask: int) -> frozenset[Hit]:
    search, position, found = Search(kernel), 0, set[Hit]()
    points = search.load(header, TARGET, nonce_count=nonces, version_mask=mask)
    while position < points:
        result = search.run(position, points - position)
        found.update(result.hits)
        position += result.done
    return frozenset(found)


def _headers(mask: int) -> list[bytes]:
    """Return one header for each combination of the version bits in ``mask``."""
    base = int.from_bytes(HEADER[:4], "little") & ~mask
    count = 1 << mask.bit_count()
    return (
        [(base | index << ROLLED_FROM).to_bytes(4, "little") + HEADER[4:] for index in range(count)]
        if mask
        else [HEADER]
    )
