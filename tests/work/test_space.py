"""The search space: never a point twice, whatever the pool does; honest limits; nothing wasted when it need not be."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stratum_miner.bitcoin.header import GENERAL_PURPOSE_MASK
from stratum_miner.bitcoin.target import target_from_difficulty
from stratum_miner.work import visited as visited_module
from stratum_miner.work.job import Job
from stratum_miner.work.space import MAX_NTIME_ROLL, SearchSpace
from stratum_miner.work.unit import WorkUnit
from stratum_miner.work.versions import ALL_BITS
from stratum_miner.work.visited import MAX_TEMPLATES, Visited
from tests.work.jobs import make_job as made


def make_job(**changes: Any) -> Job:
    return made(**{"received_at": 100.0, **changes})


def take(space: SearchSpace, count: int, now: float = 100.0, rollable: int = 0, at_once: int = 32) -> list[WorkUnit]:
    units = [space.next_unit(now, rollable, at_once) for _ in range(count)]
    return [unit for unit in units if unit is not None]


def headers_of(unit: WorkUnit) -> set[bytes]:
    """Every header of a unit but for the nonce: all subsets of its own version mask."""
    result, bits = set(), unit.version_mask
    while True:
        result.add((unit.version | bits).to_bytes(4, "little") + unit.header[4:76])
        if not bits:
            return result
        bits = (bits - 1) & unit.version_mask


def test_without_a_job_there_is_nothing() -> None:
    assert SearchSpace().next_unit(0.0) is None


def test_units_are_complete_headers() -> None:
    space = SearchSpace()
    job = make_job()
    space.set_job(job)
    [unit] = take(space, 1)
    assert unit.header == job.header(unit.extranonce2, job.ntime, 0, job.version).to_bytes()
    assert unit.target == job.search_target
    assert unit.hashes == 1 << 32


def test_version_bits_are_spent_before_extranonce2() -> None:
    space = SearchSpace()
    space.set_job(make_job(version_mask=0x00006000))
    units = take(space, 8)
    assert [unit.version for unit in units[:4]] == [0x20000000, 0x20002000, 0x20004000, 0x20006000]
    assert [unit.extranonce2.hex() for unit in units] == ["00000000"] * 4 + ["00000001"] * 4


def test_backend_that_rolls_itself_gets_the_low_bits() -> None:
    space = SearchSpace()
    space.set_job(make_job(version_mask=0x1FFFE000))
    [unit] = take(space, 1, rollable=ALL_BITS, at_once=4)
    assert unit.version_mask == 0x0001E000
    assert unit.version & unit.version_mask == 0
    assert unit.hashes == 1 << 36


def test_bits_of_the_job_itself_are_never_touched() -> None:
    space = SearchSpace()
    space.set_job(make_job(version=0x20002000, version_mask=0x00006000))
    assert {unit.version for unit in take(space, 6)} == {0x20002000, 0x20006000}


def test_repeated_job_goes_on_where_it_stopped() -> None:
    space = SearchSpace()
    space.set_job(make_job(job_id="1"))
    first = take(space, 3)
    space.set_job(make_job(job_id="2", share_target=target_from_difficulty(2.0)))
    assert [unit.extranonce2 for unit in take(space, 1)] == [b"\x00\x00\x00\x03"]
    assert first[-1].extranonce2 == b"\x00\x00\x00\x02"


@pytest.mark.parametrize(
    "changes",
    [
        {"prefix": b"another"},
        {"suffix": b"another"},
        {"extranonce1": b"another"},
        {"branch": (bytes(32),)},
        {"previous_hash": b"\x01" * 32},
        {"nbits": 0x1D00FFFF},
        {"ntime": 1_700_000_001},
    ],
)
def test_another_header_starts_over(changes: dict[str, object]) -> None:
    space = SearchSpace()
    space.set_job(make_job())
    take(space, 3)
    space.set_job(make_job(**changes))
    assert take(space, 1)[0].extranonce2 == bytes(4)


@pytest.mark.parametrize("size", [0, 1])
def test_small_extranonce2_falls_back_to_time_and_then_ends(size: int) -> None:
    space = SearchSpace()
    job = make_job(extranonce2_size=size)
    space.set_job(job)
    values = 256**size
    assert len(take(space, values + 5, now=100.9)) == values
    assert space.next_unit(100.9) is None
    rolled = take(space, values + 5, now=101.0)
    assert {unit.ntime for unit in rolled} == {job.ntime + 1}
    assert len(rolled) == values


def test_time_is_rolled_ten_minutes_at_most() -> None:
    space = SearchSpace()
    job = make_job(extranonce2_size=0)
    space.set_job(job)
    units = take(space, 2000, now=100.0 + 86400)
    assert [unit.ntime - job.ntime for unit in units] == list(range(600 + 1))


def test_time_does_not_leave_32_bits() -> None:
    space = SearchSpace()
    space.set_job(make_job(extranonce2_size=0, ntime=0xFFFFFFFF))
    assert len(take(space, 5, now=1000.0)) == 1


def test_flood_of_jobs_is_not_repeated() -> None:
    space, seen = SearchSpace(), set[bytes]()
    for number in (*range(MAX_TEMPLATES + 10), 0, 1):
        space.set_job(make_job(prefix=b"%d" % number, previous_hash=bytes([number % 7] * 32)))
        headers = {unit.header for unit in take(space, 2)}
        assert len(headers) == 2
        assert not headers & seen
        seen |= headers


def test_a_job_that_comes_back_goes_on_whatever_came_between() -> None:
    space = SearchSpace()
    pools = [make_job(session=number, extranonce1=bytes([number] * 4)) for number in range(4)]
    seen = set[bytes]()
    for index in (0, 1, 0, 1, 2, 3, 0, 0, 3, 2, 1):
        space.set_job(made(pools[index], session=index))
        headers = {unit.header for unit in take(space, 3)}
        assert len(headers) == 3
        assert not headers & seen
        seen |= headers


def test_a_new_session_with_the_same_extranonce1_goes_on() -> None:
    space = SearchSpace()
    space.set_job(make_job(session=1))
    take(space, 2)
    space.set_job(make_job(session=2))
    assert take(space, 1)[0].extranonce2 == b"\x00\x00\x00\x02"


def test_two_spaces_that_share_what_was_visited_never_meet() -> None:
    visited = Visited()
    one, other = SearchSpace(visited), SearchSpace(visited)
    job = make_job(extranonce2_size=1)
    one.set_job(job)
    other.set_job(made(job, session=2))
    units = [*take(one, 100), *take(other, 100), *take(one, 100)]
    assert len({unit.header for unit in units}) == 256


def test_without_extranonce2_there_is_work_for_hours_on_one_tip() -> None:
    """A device that uses up one header a second, and a job every half minute."""
    space = SearchSpace()
    for second in range(7200):
        if second % 30 == 0:
            job = make_job(extranonce2_size=0, prefix=b"%d" % second, ntime=second, received_at=float(second))
            space.set_job(job)
        assert space.next_unit(float(second)) is not None, f"at second {second}"


def test_time_that_never_advances_leaves_work_too() -> None:
    """The same with a pool that never changes ntime."""
    space = SearchSpace()
    for second in range(7200):
        if second % 30 == 0:
            space.set_job(make_job(extranonce2_size=0, prefix=b"%d" % second, received_at=float(second)))
        assert space.next_unit(float(second)) is not None, f"at second {second}"


def test_time_goes_on_where_a_pool_repeats_its_job() -> None:
    space, job = SearchSpace(), make_job(extranonce2_size=0)
    space.set_job(job)
    assert len(take(space, 40, now=130.0)) == 31
    space.set_job(replace(job, job_id="2", received_at=130.0))
    assert take(space, 1, now=130.0) == []
    [unit] = take(space, 1, now=131.0)
    assert unit.ntime == job.ntime + 31


def test_a_job_that_is_returned_to_is_finished_before_its_time_is_rolled() -> None:
    space = SearchSpace()
    job, other = make_job(extranonce2_size=0, version_mask=0x6000), make_job(extranonce1=b"b")
    versions = []
    for _ in range(4):
        space.set_job(job)
        versions += [unit.version for unit in take(space, 1)]
        space.set_job(other)
    assert versions == [0x20000000, 0x20002000, 0x20004000, 0x20006000]


def test_a_wider_mask_opens_points_of_the_same_second() -> None:
    space = SearchSpace()
    space.set_job(make_job(extranonce2_size=0))
    assert len(take(space, 2)) == 1
    space.set_job(make_job(extranonce2_size=0, version_mask=0x6000))
    assert [unit.version for unit in take(space, 5)] == [0x20002000, 0x20004000, 0x20006000]


def test_the_mask_of_bip_323_for_a_chip_that_rolls_the_bits_of_bip_320() -> None:
    space = SearchSpace()
    space.set_job(make_job(version_mask=0x1FFFFFE0))
    units = take(space, 300, rollable=GENERAL_PURPOSE_MASK)
    assert {unit.version_mask for unit in units} == {GENERAL_PURPOSE_MASK}
    assert {unit.hashes for unit in units} == {1 << 48}
    assert {unit.version for unit in units} == {0x20000000 | bits << 5 for bits in range(256)}
    assert [unit.extranonce2[-1] for unit in (units[0], units[255], units[256])] == [0, 0, 1]


jobs = st.builds(
    make_job,
    session=st.sampled_from([1, 2]),
    job_id=st.sampled_from("12"),
    previous_hash=st.sampled_from([bytes(32), b"\x01" * 32]),
    prefix=st.sampled_from([b"a", b"b"]),
    extranonce1=st.sampled_from([b"a", b"b"]),
    version=st.sampled_from([0x20000000, 0x20002000, 0x20004000, 0x30000000]),
    version_mask=st.sampled_from([0, 0x2000, 0x6000, 0xE000, 0x4000, 0x10002000]),
    extranonce2_size=st.sampled_from([0, 1, 4]),
    ntime=st.sampled_from([1_700_000_000, 1_700_000_001]),
    share_target=st.sampled_from([target_from_difficulty(1), target_from_difficulty(0.5)]),
)
callers = st.tuples(st.sampled_from([0, 0x2000, 0xC000, 0x1000E000, ALL_BITS]), st.sampled_from([0, 1, 2, 32]))


@settings(max_examples=150)
@given(
    st.lists(st.tuples(jobs, st.lists(st.tuples(callers, st.floats(0, 5)), max_size=12)), min_size=1, max_size=12),
    st.integers(0, 2**64),
    st.sampled_from([1, 3, 512]),
)
def test_no_point_is_ever_visited_twice(
    script: list[tuple[Job, list[tuple[tuple[int, int], float]]]], start: int, max_templates: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(visited_module, "MAX_TEMPLATES", max_templates)
        play(script, Visited(start))


def play(script: list[tuple[Job, list[tuple[tuple[int, int], float]]]], visited: Visited) -> None:
    space, seen, now = SearchSpace(visited), set[bytes](), 100.0
    for job, requests in script:
        space.set_job(job)
        for (rollable, at_once), step in requests:
            now += step
            unit = space.next_unit(now, rollable, at_once)
            if unit is None:
                continue
            assert unit.version_mask & ~rollable == 0
            assert unit.version_mask.bit_count() <= at_once
            assert job.ntime <= unit.ntime <= job.ntime + min(now - job.received_at, MAX_NTIME_ROLL)
            assert (unit.version ^ job.version | unit.version_mask) & ~job.version_mask == 0
            assert len(unit.extranonce2) == job.extranonce2_size
            headers = headers_of(unit)
            assert not headers & seen
            seen |= headers


@pytest.mark.parametrize(
    ("changes", "needle"),
    [
        ({"previous_hash": b"short"}, "of 32 bytes"),
        ({"branch": (b"short",)}, "of 32 bytes"),
        ({"extranonce2_size": 33}, "0 to 32"),
        ({"share_target": 0}, "share_target"),
        ({"share_target": 1 << 256}, "share_target"),
        ({"nbits": 0}, "nbits"),
    ],
)
def test_jobs_that_cannot_be(changes: dict[str, object], needle: str) -> None:
    with pytest.raises(ValueError, match=needle):
        make_job(**changes)


def test_extranonce2_of_a_wrong_size() -> None:
    with pytest.raises(ValueError, match="expected 4 bytes"):
        make_job().merkle_root(b"\x00")


def test_jobs_at_the_edge_of_what_can_be() -> None:
    assert make_job(extranonce2_size=32).merkle_root(bytes(32)) != make_job(extranonce2_size=0).merkle_root(b"")
    assert make_job(share_target=1).share_target == 1
    with pytest.raises(ValueError, match="0 to 32"):
        make_job(extranonce2_size=-1)


def test_the_chance_of_a_share_is_its_part_of_all_hashes() -> None:
    assert make_job(share_target=(1 << 256) - 1).share_chance == 1
    assert make_job(share_target=(1 << 255) - 1).share_chance == 0.5
    assert make_job(share_target=1).share_chance == 2**-255


def test_a_job_permits_no_version_bits_unless_it_says_so() -> None:
    space = SearchSpace()
    space.set_job(made())
    unit = space.next_unit(0.0, ALL_BITS)
    assert unit is not None
    assert unit.version_mask == 0


def test_a_caller_rolls_no_bits_unless_it_says_so_and_then_all_that_it_names() -> None:
    space = SearchSpace()
    space.set_job(make_job(version=0, version_mask=ALL_BITS))
    plain, rolled = space.next_unit(100.0), space.next_unit(100.0, ALL_BITS)
    assert plain is not None
    assert rolled is not None
    assert (plain.version_mask, plain.version) == (0, 0)
    assert rolled.version_mask == ALL_BITS, "of the next extranonce2"


def test_looser_of_both_targets_is_searched() -> None:
    def easy(job: Job) -> bool:
        return job.search_target == job.network_target

    assert easy(make_job())
    assert not easy(make_job(nbits=0x1D00FFFF, share_target=target_from_difficulty(0.5)))
