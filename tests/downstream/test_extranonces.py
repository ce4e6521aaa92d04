"""Leases of extranonce1: unique while they live or may come back, and found again in constant time."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.downstream import extranonces
from stratum_miner.downstream.extranonces import ExtranonceRegistry, ExtranoncesExhausted, Lease
from stratum_miner.pool.job_factory import PoolJob
from tests.downstream.cost import steps


def test_counter_wraps_and_skips_what_lives_or_may_come_back() -> None:
    registry = ExtranonceRegistry[PoolJob](first=0xFFFFFFFF)
    last, zero = registry.lease(0.0), registry.lease(0.0)
    assert (last.extranonce1, zero.extranonce1) == (b"\xff" * 4, bytes(4))
    again = ExtranonceRegistry[PoolJob](first=0xFFFFFFFF)
    again.release(again.lease(0.0), 0.0)
    again._next -= 1
    assert again.lease(1.0).extranonce1 == bytes(4)


def test_resume_by_session_id_once_and_only_in_time() -> None:
    registry = ExtranonceRegistry[PoolJob](resume_seconds=10.0)
    lease = registry.lease(0.0)
    assert registry.lease(0.0, lease.session_id).extranonce1 != lease.extranonce1, "it lives"
    registry.release(lease, 0.0)
    resumed = registry.lease(9.9, lease.session_id)
    assert resumed.extranonce1 == lease.extranonce1
    assert resumed.jobs is lease.jobs
    assert resumed.session_id != lease.session_id
    assert registry.lease(9.9, lease.session_id).extranonce1 != lease.extranonce1, "resumed already"
    registry.release(resumed, 10.0)
    assert registry.lease(20.0, resumed.session_id).extranonce1 != lease.extranonce1, "too late"


@pytest.mark.parametrize("spelling", [bytes.hex, lambda value: value.hex().upper(), lambda value: "0x" + value.hex()])
def test_an_extranonce1_resumes_nothing(spelling: Callable[[bytes], str]) -> None:
    registry = ExtranonceRegistry[PoolJob]()
    victim, attacker = registry.lease(0.0), registry.lease(0.0)
    registry.release(victim, 1.0)
    guess = (int.from_bytes(attacker.extranonce1, "big") - 1).to_bytes(4, "big")
    assert guess == victim.extranonce1
    assert not registry.remembers(spelling(guess))
    assert registry.lease(1.1, spelling(guess)).extranonce1 != victim.extranonce1
    assert registry.lease(1.2, victim.session_id).extranonce1 == victim.extranonce1


def test_a_session_that_was_forgotten_early_is_unknown() -> None:
    registry = ExtranonceRegistry[PoolJob](size=1)
    leases = [registry.lease(0.0) for _ in range(256)]
    registry.release(leases[3], 0.0)
    assert registry.lease(0.0).extranonce1 == leases[3].extranonce1, "the only one that is free"
    assert not registry.remembers(leases[3].session_id)


def test_retired_leases_are_bounded() -> None:
    registry = ExtranonceRegistry[PoolJob]()
    for lease in [registry.lease(0.0) for _ in range(extranonces.MAX_RETIRED + 5)]:
        registry.release(lease, 0.0)
    assert registry.live == 0
    assert len(registry._retired) == len(registry._taken) == extranonces.MAX_RETIRED


def retired(count: int) -> tuple[ExtranonceRegistry[PoolJob], list[str]]:
    registry = ExtranonceRegistry[PoolJob]()
    leases = [registry.lease(0.0) for _ in range(count)]
    for lease in leases:
        registry.release(lease, 1.0)
    session_ids = [lease.session_id for lease in leases]
    random.Random(1).shuffle(session_ids)
    return registry, session_ids


def test_ten_times_as_many_resumes_cost_ten_times_as_much() -> None:
    def cost(count: int) -> int:
        registry, session_ids = retired(count)
        return steps(lambda: [registry.lease(2.0, session_id) for session_id in session_ids])

    assert cost(2000) < 12 * cost(200)


def test_an_unknown_session_id_costs_the_same_however_many_sessions_ended() -> None:
    def cost(count: int) -> int:
        registry, _ = retired(count)
        return steps(lambda: [registry.lease(2.0, f"no such session {number}") for number in range(100)])

    assert cost(extranonces.MAX_RETIRED - 200) < 1.2 * cost(10)


@given(st.lists(st.tuples(st.sampled_from(["lease", "release", "resume"]), st.integers(0, 9)), max_size=60))
def test_no_two_live_leases_share_an_extranonce1(steps: list[tuple[str, int]]) -> None:
    registry = ExtranonceRegistry[PoolJob](resume_seconds=5.0)
    live: list[Lease[PoolJob]] = []
    gone: list[Lease[PoolJob]] = []
    for now, (step, index) in enumerate(steps):
        if step == "lease" or (step == "release" and not live) or (step == "resume" and not live + gone):
            live.append(registry.lease(now))
        elif step == "release":
            gone.append(live.pop(index % len(live)))
            registry.release(gone[-1], now)
        else:
            known = live + gone
            live.append(registry.lease(now, known[index % len(known)].session_id))
        assert len({lease.extranonce1 for lease in live}) == len(live) == registry.live


def test_without_more_said_it_counts_from_zero_in_four_bytes_and_a_session_rests_ten_minutes() -> None:
    registry = ExtranonceRegistry[PoolJob]()
    first, second = registry.lease(0.0), registry.lease(0.0)
    assert (first.extranonce1, second.extranonce1) == (bytes(4), b"\x00\x00\x00\x01")
    assert first.extranonce2_size == 8
    assert len(bytes.fromhex(first.session_id)) == 8, "a secret that nobody guesses"
    registry.release(first, 1000.0)
    registry.release(second, 1000.0)
    assert registry.lease(1599.9, first.session_id).extranonce1 == first.extranonce1
    assert registry.lease(1600.0, second.session_id).extranonce1 != second.extranonce1


def test_of_ten_thousand_sessions_that_ended_the_one_that_ended_first_is_forgotten_first() -> None:
    registry = ExtranonceRegistry[PoolJob]()
    leases = [registry.lease(0.0) for _ in range(10_001)]
    for lease in leases[:10_000]:
        registry.release(lease, 0.0)
    assert registry.remembers(leases[0].session_id)
    registry.release(leases[10_000], 0.0)
    assert [registry.remembers(leases[number].session_id) for number in (0, 1, 10_000)] == [False, True, True]
    assert registry.live == 0


def test_when_all_values_are_in_use_there_is_none_for_one_more() -> None:
    registry = ExtranonceRegistry[PoolJob](size=1, first=254)
    leases = [registry.lease(0.0) for _ in range(256)]
    assert [lease.extranonce1 for lease in leases[:3]] == [b"\xfe", b"\xff", b"\x00"]
    with pytest.raises(ExtranoncesExhausted, match=r"^all 256 values of extranonce1 are in use by connected miners$"):
        registry.lease(0.0)
    registry.release(leases[9], 0.0)
    registry.release(leases[7], 0.0)
    assert registry.lease(1.0).extranonce1 == leases[9].extranonce1, "the one that rested longest"
    assert registry.remembers(leases[7].session_id)
    assert registry.live == 255
