"""Reports as JSON, limits that fail a run, and the comparison of two runs."""

import json
from typing import Any

import pytest

from stratum_miner.loadtest import thresholds
from stratum_miner.loadtest.metrics import PHASES, BadCount, Metrics
from stratum_miner.loadtest.plan import LoadPlan
from stratum_miner.loadtest.report import LoadReport, Shard
from stratum_miner.loadtest.spec import SpecError
from stratum_miner.loadtest.thresholds import Threshold
from tests.loadtest.test_metrics import hash_of, job_on


def report(*, slow: float = 1.0, **settings: Any) -> LoadReport:
    metrics = Metrics(10)
    for index in range(1, 101):
        metrics.note_submit(index / 1000 * slow, 0.0001)
        metrics.phases["connect"].add(0.002, 0.002)
        metrics.loop_lag.add(0.0002)
    metrics.sent, metrics.accepted, metrics.most_mining = 110, 98, 10
    metrics.refused["duplicate share"] = 2
    metrics.bad["stale"] = BadCount(5, 4, 1)
    metrics.errors["connect: Connection refused"] = 3
    metrics.note_block(job_on(0xFF), 1.0, 0.0)
    metrics.note_block(job_on(0xFF), 1.25, 0.0)
    plan = LoadPlan(
        **{"host": "127.0.0.1", "port": 3333, "miners": 10, "share_rate": 0.1, "password": "hunter2", **settings}
    )
    shards = (Shard(worker="", miners=10, duration=10.0, memory_per_miner=2048.0),)
    return LoadReport(plan=plan, metrics=metrics, shards=shards)


def test_the_json_has_what_it_promises_and_no_secret() -> None:
    result = report().to_json()
    text = json.dumps(result)
    assert "hunter2" not in text
    assert {"miners", "duration_s", "shares", "phases", "loop_lag_ms", "memory_per_miner_bytes"} <= set(result)
    assert tuple(result["phases"]) == PHASES
    submit = result["phases"]["submit"]
    assert submit["count"] == 100
    assert 50 <= submit["p50_ms"] <= 50.5
    assert submit["max_ms"] == 100
    assert result["phases"]["connect"]["marked"] == 100
    assert result["shares"]["per_second"] == pytest.approx(9.8)
    assert result["memory_per_miner_bytes"] == 2048
    assert result["notifies"] == [
        {"previous_block": hash_of(0xFF), "job_id": "a", "clean": True, "miners": 2, "spread_ms": 250.0}
    ]
    assert result["timeline"][0]["submit_p50_ms"] == pytest.approx(50, rel=0.1)


def test_memory_is_the_mean_over_miners_and_duration_the_longest() -> None:
    shards = (
        Shard(worker="a", miners=30, duration=9.0, memory_per_miner=1000.0),
        Shard(worker="b", miners=10, duration=10.0, memory_per_miner=2000.0),
        Shard(worker="c", miners=10, duration=4.0, memory_per_miner=None, lost_at=4.0, reason="gone"),
    )
    base = report()
    merged = LoadReport(plan=base.plan, metrics=base.metrics, shards=shards)
    assert merged.memory_per_miner == 1250
    assert merged.duration == 10
    assert [shard.worker for shard in merged.lost] == ["c"]
    assert merged.to_json()["shards"][2]["lost_at_s"] == 4.0


@pytest.mark.parametrize(
    ("text", "fails"),
    [
        ("submit_p99>50ms", True),
        ("submit_p99>0.05s", True),
        ("submit_p99 > 200ms", False),
        ("submit_p50>50500us", False),
        ("submit_max>=100", True),
        ("spread_max>249ms", True),
        ("memory_per_miner>2KiB", False),
        ("memory_per_miner>=2KiB", True),
        ("shares_per_second<10", True),
        ("shares_per_second<9", False),
        ("refused>1%", True),
        ("refused>2%", False),
        ("errors>0", True),
        ("bad_accepted>0", True),
        ("loop_lag_p99>1ms", False),
        ("subscribe_p99>1ms", True),  # there was none: a limit that cannot be judged is not kept
    ],
)
def test_limits(text: str, fails: bool) -> None:
    failure = Threshold.parse(text).failure(thresholds.figures_of(report().to_json()))
    assert (failure is not None) is fails
    if failure is not None:
        assert failure.startswith(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("submit_p98>50ms", "expected connect_p50, "),
        ("sumbit_p99>50ms", "did you mean 'submit_p99'"),
        ("submit_p99>50", None),
        ("submit_p99>50sec", "unit: expected us, µs, ms, s, got 'sec'"),
        ("errors>3ms", "unit: expected no unit"),
        ("submit_p99=50ms", "expected FIGURE>VALUE"),
        ("submit_p99>fast", "expected FIGURE>VALUE"),
        ("submit_p99>1e999ms", "expected a number from 0"),
        ("", "expected FIGURE>VALUE"),
    ],
)
def test_a_limit_that_makes_no_sense_is_told(text: str, message: str | None) -> None:
    if message is None:
        assert Threshold.parse(text).value == 50
        return
    with pytest.raises(SpecError, match=message):
        Threshold.parse(text)


def test_two_runs_side_by_side() -> None:
    before, after = report().to_json(), report(slow=2.0, share_rate=0.5).to_json()
    changes = {change.figure: change for change in thresholds.compare(before, after)}
    assert changes["submit_p50"].ratio == pytest.approx(2.0, rel=0.02)
    assert changes["connect_p50"].ratio == 1.0
    assert "authorize_p50" not in changes  # neither has it
    assert thresholds.different_settings(before, after) == ["share_rate: 0.1 then, 0.5 now"]


@pytest.mark.parametrize("other", [{}, {"phases": {}}, {"phases": None}, {"phases": []}])
def test_what_is_no_report_is_told(other: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match="expected the JSON that stratum-miner load --json prints"):
        thresholds.compare(other, report().to_json())
