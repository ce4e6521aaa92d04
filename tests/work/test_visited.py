"""What was handed out: each point once, all of them, for any order of questions; what is forgotten is not repeated."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stratum_miner.work import visited as visited_module
from stratum_miner.work.versions import ALL_BITS, Versions
from stratum_miner.work.visited import MAX_TEMPLATES, Visited

ROW = b"\x01" * 32
BITS = 0b111 << 13


def listed(versions: Versions) -> set[int]:
    result, bits = set(), versions.mask
    while True:
        result.add(versions.bits | bits)
        if not bits:
            return result
        bits = (bits - 1) & versions.mask


def name(number: int) -> bytes:
    return number.to_bytes(4, "big") * 8


few_bits = st.integers(0, 7).map(lambda bits: bits << 13)
jobs = st.builds(lambda version, mask: Versions(version & ~mask, mask), few_bits, few_bits)
callers = st.tuples(st.sampled_from([0, BITS, 0b011 << 13, 0b101 << 13]), st.sampled_from([0, 1, 2, 32]))


@settings(max_examples=60)
@given(
    st.lists(st.tuples(jobs, callers), min_size=1, max_size=12),
    st.sampled_from([0, 1]),
    st.integers(0, 2**64),
    st.data(),
)
def test_every_point_once_and_all_of_them(
    questions: list[tuple[Versions, tuple[int, int]]], size: int, start: int, data: st.DataObject
) -> None:
    visited, seen = Visited(start), set[tuple[bytes, int]]()

    def take(job: Versions, rollable: int, at_once: int) -> bool:
        taken = visited.take(ROW, size, job, rollable, at_once)
        if taken is None:
            return False
        extranonce2, unit = taken
        assert len(extranonce2) == size
        assert unit.mask & ~rollable == 0
        assert unit.mask.bit_count() <= at_once
        points = {(extranonce2, version) for version in listed(unit)}
        assert {version for _, version in points} <= listed(job)
        assert not points & seen
        seen.update(points)
        return True

    for job, caller in questions:
        take(job, *caller)
    job, caller = data.draw(st.sampled_from(questions))
    while take(job, *caller):
        pass
    values = {value.to_bytes(size, "big") for value in range(256**size)}
    assert {(value, version) for value in values for version in listed(job)} <= seen, "nothing is left over"


def test_a_row_begins_at_the_start_and_wraps_round() -> None:
    visited = Visited(start=0x1234_FFFE)
    first = [visited.take(ROW, 2, Versions(0, 0)) for _ in range(4)]
    assert [taken and taken[0].hex() for taken in first] == ["fffe", "ffff", "0000", "0001"]
    values = [taken[0] for _ in range(300) if (taken := visited.take(name(2), 1, Versions(0, 0)))]
    assert values[:3] == [b"\xfe", b"\xff", b"\x00"]
    assert len(values) == len(set(values)) == 256


def test_one_row_is_finished_before_the_next_value_is_begun() -> None:
    visited, job = Visited(), Versions(0x20000000, 0x6000)
    taken = [visited.take(ROW, 4, job) for _ in range(5)]
    assert [(item[0][-1], item[1].bits) for item in taken if item] == [
        (0, 0x20000000),
        (0, 0x20002000),
        (0, 0x20004000),
        (0, 0x20006000),
        (1, 0x20000000),
    ]


def test_who_rolls_itself_gets_a_whole_unit_and_who_comes_late_the_largest_there_is() -> None:
    visited, job = Visited(), Versions(0, 0x1FFFE000)
    assert visited.take(ROW, 0, job, 0x6000) == (b"", Versions(0, 0x6000))
    taken = visited.take(ROW, 0, job, 0x1FFFE000)
    assert taken == (b"", Versions(0x10000000, 0x0FFFE000)), "half of it: the other half was begun"
    with_room = Visited()
    with_room.take(ROW, 1, job, 0x6000)
    assert with_room.take(ROW, 1, job, 0x1FFFE000) == (b"\x01", Versions(0, 0x1FFFE000))


def test_a_wider_mask_opens_what_was_used_up_under_the_narrow_one() -> None:
    visited, narrow, wide = Visited(), Versions(0x20000000, 0x2000), Versions(0x20000000, 0x6000)
    seen = [visited.take(ROW, 1, narrow) for _ in range(513)]
    assert seen[-1] is None
    opened = [visited.take(ROW, 1, wide) for _ in range(513)]
    assert opened[-1] is None
    assert len(set(seen + opened)) == 1025


def test_a_row_stays_small_whatever_versions_a_pool_sends() -> None:
    visited = Visited()
    for number in range(1000):
        visited.take(ROW, 2, Versions(number * 2654435761 % 2**32 & ~0xF00, number % 16 << 8))
        assert sum(len(entry.left) for entry in visited._templates[ROW].entries) <= 512
    assert visited.take(ROW, 2, Versions(0, 0)) is not None


@pytest.mark.parametrize(("size", "taken"), [(0, 1), (1, 256), (1, 100), (4, 5)])
def test_a_forgotten_row_is_not_repeated_and_a_new_one_not_held_for_forgotten(
    size: int, taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visited_module, "MAX_TEMPLATES", 16)
    visited, job, seen = Visited(start=7), Versions(0, 0), set[tuple[int, bytes]]()
    rows = 48
    for number in range(rows):
        values = [item[0] for _ in range(taken) if (item := visited.take(name(number), size, job))]
        assert len(values) == taken, "a row that is new has all its points"
        seen |= {(number, value) for value in values}
    assert len(visited._templates) <= 16
    for number in range(rows):
        item = visited.take(name(number), size, job)
        assert item is None or (number, item[0]) not in seen
        assert item is not None or taken == 256**size, "there are points left"


def test_a_row_that_was_only_looked_at_is_new_when_it_is_forgotten() -> None:
    visited = Visited()
    for number in range(2 * MAX_TEMPLATES):
        visited.known_since(name(number), 0, 1.0)
        visited.take(name(1_000_000 + number), 0, Versions(0, 0))
    assert visited.take(name(0), 0, Versions(0, 0)) is not None


def test_a_row_in_use_is_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visited_module, "MAX_TEMPLATES", 4)
    visited = Visited()
    seen = {visited.take(ROW, 1, Versions(0, 0x2000 * number)) for number in range(3)}
    for number in range(9):
        for _ in range(20):
            visited.take(name(number), 1, Versions(0, 0))
        seen.add(visited.take(ROW, 1, Versions(0x20000000, 0)))
    assert len(seen) == 12
    assert {taken[0] for taken in seen if taken is not None} == {bytes([value]) for value in range(9)}, (
        "none is skipped"
    )


def test_what_was_used_up_between_two_equal_neighbours_stays_so() -> None:
    visited, one, every = Visited(), Versions(0, 0), Versions(0, ALL_BITS)
    assert visited.take(ROW, 1, one) == (b"\x00", one)
    assert visited.take(ROW, 1, every, ALL_BITS) == (b"\x01", every)
    assert visited.take(ROW, 1, one) == (b"\x02", one)
    rest = list(iter(lambda: visited.take(ROW, 1, every, ALL_BITS), None))
    assert b"\x01" not in {taken[0] for taken in rest if taken is not None}
    assert len(rest) == 253 + 2 * 32


def test_of_equal_units_the_one_of_the_smallest_set_is_taken() -> None:
    """So a begun set is finished before another is begun, and the table stays short."""
    visited = Visited()
    assert visited.take(ROW, 0, Versions(0, 0x6000), 0x2000) == (b"", Versions(0, 0x2000))
    assert visited.take(ROW, 0, Versions(1, 0)) == (b"", Versions(1, 0))
    taken = iter(lambda: visited.take(ROW, 0, Versions(0, 0x6001)), None)
    assert [item[1] for item in taken if item] == [
        Versions(version, 0) for version in (0x2001, 0x4000, 0x6000, 0x4001, 0x6001)
    ]


def test_a_larger_unit_is_better_than_an_earlier_one() -> None:
    visited = Visited()
    visited.take(ROW, 0, Versions(0, 0x6000), 0x2000)
    assert visited.take(ROW, 0, Versions(0, 0x6001), 0x6000) == (b"", Versions(1, 0x6000))
    assert visited.take(ROW, 0, Versions(0, 0x6001), 0x6000) == (b"", Versions(0x4000, 0x2000))


def test_512_rows_are_known_and_of_one_more_the_oldest_is_forgotten() -> None:
    visited, job = Visited(), Versions(0, 0)
    for _ in range(3):
        visited.take(ROW, 1, job)
    for number in range(511):
        visited.take(name(1000 + number), 1, job)
    other = Versions(1, 0)
    assert visited.take(ROW, 1, other) == (b"\x00", other), "it is known which versions were used"
    assert visited.take(ROW, 1, job) == (b"\x03", job)
    for number in range(511):
        visited.take(name(2000 + number), 1, job)
    visited.take(name(1), 1, job)
    visited.take(name(1), 1, job)
    assert visited.take(ROW, 1, job) == (b"\x04", job), "after the highest value that a forgotten row had reached"
    rest = list(iter(lambda: visited.take(ROW, 1, job), None))
    assert [item[0][0] for item in rest if item] == list(range(5, 256)), "it ends where it would have ended"


def test_a_row_has_512_sets_of_versions_and_no_more() -> None:
    """A version out of a set of 2^n versions leaves n sets."""
    visited = Visited()
    visited.take(ROW, 0, Versions(0, 0))
    while (missing := 512 - len(sets := visited._templates[ROW].entries[0].left)) > 0:
        largest = max((each for each in sets if each.mask.bit_count() <= missing + 1), key=lambda each: each.mask)
        assert visited.take(ROW, 0, Versions(largest.bits, 0)) == (b"", Versions(largest.bits, 0))
    small = next(each for each in sets if each.mask.bit_count() == 2)
    assert visited.take(ROW, 0, Versions(small.bits, 0)) is not None
    assert visited.take(ROW, 0, Versions(0, ALL_BITS)) is None, "the only value of this row was dropped"


def test_a_row_that_is_full_loses_the_values_with_the_fewest_unused_headers() -> None:
    visited, begun = Visited(), set[int]()
    for bit in range(24):
        for _ in range(24 - bit):
            taken = visited.take(ROW, 1, Versions(1 << bit, 0))
            assert taken is not None
            begun.add(taken[0][0])
    fresh = [value for value in range(256) if value not in begun]
    whole = [visited.take(ROW, 1, Versions(0, ALL_BITS), ALL_BITS) for _ in fresh]
    assert whole == [(bytes([value]), Versions(0, ALL_BITS)) for value in fresh]
    first = visited.take(ROW, 1, Versions(1 << 31, 0))
    assert first is not None
    assert first[0] > b"\x00", "of the value 0 the most headers were used"


def test_names_of_forgotten_rows_are_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visited_module, "MAX_FORGOTTEN", 100)
    visited, largest = Visited(), 0
    for number in range(MAX_TEMPLATES + 1000):
        assert visited.take(name(number), 0, Versions(0, 0)) is not None
        largest = max(largest, sum(map(len, visited._forgotten)))
    assert largest == 200
    assert all(visited.take(name(number), 0, Versions(0, 0)) is None for number in range(1000, 900, -1))


def test_when_a_row_was_first_seen() -> None:
    visited = Visited()
    assert visited.known_since(ROW, 4, 5.0) == 5.0
    assert visited.known_since(ROW, 4, 50.0) == 5.0
