"""The units that the scheduler hands out to any number of threads, and the changes that make work void."""

import threading
from dataclasses import replace
from typing import Any

import pytest

from stratum_miner.miner import Scheduler
from stratum_miner.miner.shared_visited import SharedVisited
from tests.work.jobs import make_job


@pytest.mark.parametrize(
    ("changes", "void"),
    [
        ({}, False),
        ({"clean_jobs": True}, True),
        ({"previous_hash": b"\x01" * 32}, True),
        ({"session": 2}, True),
        ({"prefix": b"other"}, False),
    ],
)
def test_what_makes_old_work_void(changes: dict[str, Any], void: bool) -> None:
    scheduler, changes_seen = Scheduler(), list[bool]()
    scheduler.on_change(changes_seen.append)
    scheduler.set_job(make_job())
    scheduler.set_job(make_job(**changes))
    assert changes_seen == [True, void]


def test_no_job_no_work() -> None:
    scheduler, changes = Scheduler(), list[bool]()
    unregister = scheduler.on_change(changes.append)
    scheduler.clear()
    assert changes == []
    scheduler.set_job(make_job())
    assert scheduler.next_unit() is not None
    scheduler.clear()
    assert scheduler.next_unit() is None
    assert changes == [True, True]
    unregister()
    scheduler.set_job(make_job())
    assert changes == [True, True]


def test_pause_holds_work_back() -> None:
    scheduler = Scheduler()
    scheduler.set_job(make_job())
    scheduler.pause(True)
    assert scheduler.next_unit() is None
    scheduler.pause(False)
    assert scheduler.next_unit() is not None


def headers(scheduler: Scheduler, count: int) -> list[bytes]:
    units = [scheduler.next_unit() for _ in range(count)]
    return [unit.header for unit in units if unit is not None]


def test_a_job_goes_on_where_it_stopped_whatever_came_between() -> None:
    scheduler, taken = Scheduler(), list[bytes]()
    pools = [make_job(session=number, extranonce1=b"%04d" % number) for number in range(3)]
    for index in (0, 1, 0, 0, 2, 1, 0):
        scheduler.set_job(pools[index])
        taken += headers(scheduler, 3)
        scheduler.clear()
    scheduler.set_job(make_job(pools[0], session=3))
    taken += headers(scheduler, 3)
    assert len(taken) == len(set(taken)) == 24


def test_schedulers_that_share_what_was_visited_hand_out_no_point_twice() -> None:
    visited = SharedVisited(start=0xFFFFFFFE)
    one, other = Scheduler(visited=visited), Scheduler(visited=visited)
    one.set_job(make_job(session=1))
    other.set_job(make_job(session=2))
    taken = headers(one, 2) + headers(other, 2) + headers(one, 2)
    assert len(set(taken)) == 6


def test_narrowing_is_for_one_previous_hash() -> None:
    scheduler, changes = Scheduler(weak_blocks=True), list[bool]()
    job = make_job()
    scheduler.on_change(changes.append)

    def target() -> int:
        unit = scheduler.next_unit()
        assert unit is not None
        return unit.target

    scheduler.set_job(job)
    assert target() == job.network_target
    scheduler.seek_weak_blocks(job.previous_hash, wanted=False)
    assert changes == [True, False]
    assert target() == job.share_target
    scheduler.set_job(replace(job, previous_hash=b"\x01" * 32))
    assert target() == job.network_target
    scheduler.seek_weak_blocks(b"\x01" * 32, wanted=False)
    assert target() == job.share_target
    scheduler.seek_weak_blocks(b"\x02" * 32, wanted=False)  # of a share that was on its way
    assert target() == job.share_target
    assert changes == [True, False, True, False]
    scheduler.set_job(job)
    assert target() == job.share_target
    scheduler.seek_weak_blocks(b"\x01" * 32, wanted=True)
    assert target() == job.share_target
    scheduler.seek_weak_blocks(job.previous_hash, wanted=True)
    assert target() == job.network_target
    assert changes == [True, False, True, False, True, False]


def test_weak_blocks_are_looked_for_where_a_block_takes_work() -> None:
    scheduler = Scheduler()
    for nbits, looked_for in ((0x207FFFFF, False), (0x1E0377AE, True)):
        job = make_job(nbits=nbits)
        scheduler.set_job(job)
        unit = scheduler.next_unit()
        assert unit is not None
        assert (unit.target == job.network_target) is looked_for


def test_a_space_that_is_used_up_disturbs_nobody_and_gives_more_work_a_second_later() -> None:
    now = 100.0
    scheduler, changes = Scheduler(clock=lambda: now), list[bool]()
    scheduler.on_change(changes.append)
    scheduler.set_job(make_job(extranonce2_size=0, received_at=now))
    assert scheduler.next_unit() is not None
    assert scheduler.next_unit() is None
    now = 101.0
    unit = scheduler.next_unit()
    assert unit is not None
    assert unit.ntime == 1_700_000_001
    assert changes == [True], "who searches goes on"


@pytest.mark.parametrize("lanes", [1, 2])
def test_many_threads_never_get_the_same_unit(lanes: int) -> None:
    visited, taken = SharedVisited(), list[tuple[bytes, int]]()
    schedulers = [Scheduler(visited=visited) for _ in range(lanes)]
    for scheduler in schedulers:
        scheduler.set_job(make_job(version_mask=0x1FFFE000))
    gate = threading.Barrier(8)

    def work(scheduler: Scheduler) -> None:
        gate.wait()
        for _ in range(500):
            unit = scheduler.next_unit()
            assert unit is not None
            taken.append((unit.extranonce2, unit.version))

    threads = [threading.Thread(target=work, args=(schedulers[index % lanes],)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == len(set(taken)) == 4000


def test_the_time_until_work_of_a_job_is_taken_is_told_once() -> None:
    now = 100.0
    scheduler = Scheduler(clock=lambda: now)
    scheduler.set_job(make_job())
    now = 100.25
    assert scheduler.next_unit() is not None
    now = 101.0
    assert scheduler.next_unit() is not None
    assert scheduler.take_switches() == [(make_job().origin.pool, 0.25)]
    assert scheduler.take_switches() == []
    scheduler.set_job(make_job(job_id="2"))
    scheduler.set_job(make_job(job_id="3"))
    assert scheduler.next_unit() is not None
    assert len(scheduler.take_switches()) == 1, "one that was replaced before was never worked on"


def test_units_are_counted_by_the_pool_of_their_job() -> None:
    scheduler = Scheduler(clock=lambda: 0.0)
    assert scheduler.next_unit() is None
    assert scheduler.take_units() == {}
    scheduler.set_job(make_job())
    for _ in range(3):
        assert scheduler.next_unit() is not None
    scheduler.pause(True)
    assert scheduler.next_unit() is None
    assert scheduler.take_units() == {make_job().origin.pool: 3}
    assert scheduler.take_units() == {}


def test_of_very_many_previous_hashes_the_oldest_is_forgotten() -> None:
    scheduler = Scheduler(weak_blocks=True)
    tips = [bytes([number]) * 32 for number in range(1, 18)]
    for tip in tips[:16]:
        scheduler.seek_weak_blocks(tip, wanted=False)
        scheduler.seek_weak_blocks(tip, wanted=False)
    assert not any(scheduler.wants_weak_block(make_job(previous_hash=tip)) for tip in tips[:16]), "16 are remembered"
    scheduler.seek_weak_blocks(tips[16], wanted=False)
    assert [scheduler.wants_weak_block(make_job(previous_hash=tip)) for tip in tips] == [True] + [False] * 16


def test_without_a_start_extranonce2_begins_at_0() -> None:
    for scheduler in (Scheduler(clock=lambda: 0.0), Scheduler(clock=lambda: 0.0, visited=SharedVisited())):
        scheduler.set_job(make_job())
        unit = scheduler.next_unit()
        assert unit is not None
        assert unit.extranonce2 == bytes(4)


def test_weak_blocks_are_looked_for_from_a_network_target_of_2_to_the_240th() -> None:
    """nbits of 0x1f00ffff stand for 0xffff * 2^224, just below 2^240."""
    for nbits, looked_for in ((0x1F00FFFF, True), (0x1F010000, False)):
        assert Scheduler().wants_weak_block(make_job(nbits=nbits)) is looked_for


def test_of_very_many_job_changes_the_oldest_are_dropped() -> None:
    now = 0.0
    scheduler = Scheduler(clock=lambda: now)
    for number in range(1001):
        scheduler.set_job(make_job(job_id=str(number), extranonce1=number.to_bytes(4, "big")))
        now += number
        assert scheduler.next_unit() is not None
    assert [seconds for _, seconds in scheduler.take_switches()] == [float(number) for number in range(1, 1001)]


def test_a_pause_is_told_once_each_way() -> None:
    scheduler, changes = Scheduler(), list[bool]()
    scheduler.on_change(changes.append)
    scheduler.pause(False)
    assert (changes, scheduler.paused) == ([], False)
    for _ in range(2):
        scheduler.pause(True)
    assert (changes, scheduler.paused) == ([True], True)
    for _ in range(2):
        scheduler.pause(False)
    assert (changes, scheduler.paused) == ([True, False], False)


def test_who_hears_of_a_change_may_stop_hearing_of_further_ones() -> None:
    scheduler, heard = Scheduler(), list[str]()

    def first(void: bool) -> None:
        heard.append("first")
        unregister()

    unregister = scheduler.on_change(first)
    scheduler.on_change(lambda void: heard.append("second"))
    scheduler.set_job(make_job())
    scheduler.set_job(make_job())
    assert heard == ["first", "second", "second"]


def test_the_bits_that_a_backend_rolls_and_its_units_at_once_are_its_own() -> None:
    """A device that rolls four bits gets units of sixteen versions, and the next unit has the next extranonce2."""
    scheduler = Scheduler(clock=lambda: 0.0)
    scheduler.set_job(make_job(version_mask=0xFFFFFFFF))
    rolling = scheduler.next_unit(rollable=0x0001E000, at_once=4)
    plain = scheduler.next_unit()
    assert rolling is not None
    assert plain is not None
    assert (rolling.version_mask, plain.version_mask) == (0x0001E000, 0)
