"""Plans: settings that are refused, and splitting into shards."""

from typing import Any

import pytest

from stratum_miner.loadtest import limits
from stratum_miner.loadtest.plan import MAX_MINERS, LoadPlan, PlanError
from stratum_miner.loadtest.spec import SpecError


def plan(**settings: Any) -> LoadPlan:
    return LoadPlan(**{"host": "127.0.0.1", "port": 3333, "miners": 10, **settings})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"miners": 0}, "miners: expected 1 to"),
        ({"miners": 10**9}, "miners: expected 1 to 1000000, got 1000000000"),
        ({"duration": 1e9}, "duration: expected a time from 100ms to 1d"),
        ({"duration": float("nan")}, "duration"),
        ({"ramp": 61}, "ramp: expected a time from 0s to 1m"),
        ({"share_rate": -1}, "share rate"),
        ({"hash_rate": 0}, "hash rate"),
        ({"storms": (5, 61)}, "storm: expected a time from 0s to 1m"),
        ({"churn": 0}, "churn"),
        ({"pause": 0}, "pause: expected a time from 10ms to 1m"),
        ({"reconnect": "always"}, "reconnect: expected one of fresh, resume, never"),
        ({"slow_readers": 1.5}, "slow readers"),
        ({"bad": {"stael": 0.1}}, "did you mean 'stale'"),
        ({"bad": {"stale": 0.6, "ntime": 0.6}}, "expected at most 100 % in total"),
        ({"profile": "wobble"}, "profile"),
        ({"distribution": "wobble"}, "distribution"),
    ],
)
def test_what_makes_no_sense_is_told(settings: dict[str, Any], message: str) -> None:
    with pytest.raises((PlanError, SpecError), match=message):
        plan(**settings)


@pytest.mark.parametrize(("miners", "count", "sizes"), [(10, 3, [4, 3, 3]), (2, 5, [1, 1]), (9, 1, [9])])
def test_shards_are_the_whole_run(miners: int, count: int, sizes: list[int]) -> None:
    shards = plan(miners=miners, seed=4).shards(count)
    assert [shard.miners for shard in shards] == sizes
    names = [shard.worker_name_of(shard.first + index) for shard in shards for index in range(shard.miners)]
    assert names == [f"load.{number}" for number in range(miners)]
    assert len({shard.seed for shard in shards}) == len(shards)
    assert {shard.total_miners for shard in shards} == {miners}


def test_one_process_takes_no_more_than_its_cap() -> None:
    with pytest.raises(PlanError, match=f"expected 1 to {MAX_MINERS}"):
        plan(miners=4 * MAX_MINERS).shards(2)
    assert len(plan(miners=4 * MAX_MINERS).shards(4)) == 4


def test_a_plan_travels_as_plain_values() -> None:
    original = plan(bad={"stale": 0.1}, storms=(1.0,), password="secret", churn=5.0)
    assert LoadPlan.from_builtins(original.to_builtins()) == original


def test_the_password_is_not_shown() -> None:
    assert "hunter2" not in repr(plan(password="hunter2"))


def test_many_miners_get_several_source_addresses() -> None:
    assert limits.source_address("127.0.0.1", 9_999, 10_000) is None
    assert limits.source_address("192.0.2.1", 40_000, 50_000) is None
    addresses = {limits.source_address("127.0.0.1", number, 50_000) for number in range(0, 50_000, 1000)}
    assert addresses == {"127.0.0.1", "127.0.0.2"}


def test_too_few_open_files_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stratum_miner.network.files.allow", lambda needed: min(needed, 1024))
    with pytest.raises(limits.LoadError, match="2000 miners need 2064 open files and this process may have 1024"):
        limits.raise_file_limit(2000)
