"""Sets of versions against the same sets written out: what is common, what is left, in which order."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.work.versions import ALL_BITS, ALL_VERSIONS, Versions, each_bit, lowest_bits

BITS = 0b11111
"""Enough to overlap in every way, and few enough to write all versions out."""

few_bits = st.integers(0, BITS)
sets = st.builds(lambda bits, mask: Versions(bits & ~mask, mask), few_bits, few_bits)


def listed(versions: Versions | None) -> set[int]:
    if versions is None:
        return set()
    return {version for version in range(BITS + 1) if version & ~versions.mask == versions.bits}


@given(sets, sets)
def test_common_versions(one: Versions, other: Versions) -> None:
    assert listed(one.common(other)) == listed(one) & listed(other)


@given(sets, sets, few_bits)
def test_what_is_left_does_not_overlap_and_misses_nothing(whole: Versions, other: Versions, first: int) -> None:
    part = whole.common(other)
    if part is None:
        return
    rest = list(whole.without(part, first))
    assert all(versions.bits & versions.mask == 0 for versions in rest)
    assert all(not listed(one) & listed(two) for one, two in combinations([part, *rest], 2))
    assert set().union(*map(listed, rest)) == listed(whole) - listed(part)
    sizes = [versions.mask.bit_count() for versions in rest]
    assert sizes == sorted(sizes)


def test_the_smallest_set_first_counts_upwards() -> None:
    whole, counted = [Versions(0x20000000, 0x6000 | 0x80)], list[int]()
    while whole:
        first = whole.pop(0)
        part = Versions(first.bits, 0)
        counted.append(part.bits)
        whole = [*first.without(part, 0x6000), *whole]
    assert counted[:4] == [0x20000000, 0x20002000, 0x20004000, 0x20006000]
    assert counted[4:] == [version | 0x80 for version in counted[:4]]


def test_all_versions_without_one_are_32_sets() -> None:
    rest = list(ALL_VERSIONS.without(Versions(0x20000000, 0), 0x1FFFE000))
    assert len(rest) == 32
    assert sum(1 << versions.mask.bit_count() for versions in rest) == ALL_BITS


def test_bits_of_a_mask() -> None:
    assert list(each_bit(0b10110)) == [0b10, 0b100, 0b10000]
    assert [lowest_bits(0b10110, count) for count in range(5)] == [0, 0b10, 0b110, 0b10110, 0b10110]
    assert lowest_bits(0, 3) == 0
    assert lowest_bits(1 << 31, 1) == 1 << 31
