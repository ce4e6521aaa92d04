"""Leases of extranonce1: unique while they live or may come back."""

from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.pool import extranonces
from stratum_miner.pool.extranonces import ExtranonceRegistry, Lease


def test_counter_wraps_and_skips_what_lives_or_may_come_back() -> None:
    registry = ExtranonceRegistry(first=0xFFFFFFFF)
    last, zero = registry.lease(0.0), registry.lease(0.0)
    assert (last.extranonce1, zero.extranonce1) == (b"\xff" * 4, bytes(4))
    again = ExtranonceRegistry(first=0xFFFFFFFF)
    again._live = {last.extranonce1: last}
    again.release(last, 0.0)
    assert again.lease(1.0).extranonce1 == bytes(4)


def test_resume_by_either_name_once_and_only_in_time() -> None:
    registry = ExtranonceRegistry(resume_seconds=10.0)
    lease = registry.lease(0.0)
    assert registry.lease(0.0, lease.session_id).extranonce1 != lease.extranonce1, "it lives"
    registry.release(lease, 0.0)
    resumed = registry.lease(9.9, lease.extranonce1.hex().upper())
    assert resumed.extranonce1 == lease.extranonce1
    assert resumed.jobs is lease.jobs
    assert resumed.session_id != lease.session_id
    registry.release(resumed, 10.0)
    assert registry.lease(20.0, resumed.session_id).extranonce1 != lease.extranonce1, "too late"


def test_retired_leases_are_bounded() -> None:
    registry = ExtranonceRegistry()
    for lease in [registry.lease(0.0) for _ in range(extranonces.MAX_RETIRED + 5)]:
        registry.release(lease, 0.0)
    assert registry.live == 0
    assert len(registry._retired) == extranonces.MAX_RETIRED


@given(st.lists(st.tuples(st.sampled_from(["lease", "release", "resume"]), st.integers(0, 9)), max_size=60))
def test_no_two_live_leases_share_an_extranonce1(steps: list[tuple[str, int]]) -> None:
    registry = ExtranonceRegistry(resume_seconds=5.0)
    live: list[Lease] = []
    gone: list[Lease] = []
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
