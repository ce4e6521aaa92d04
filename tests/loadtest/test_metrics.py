"""Metrics: unreliable samples, the spread of a job, the time line, and the sum of shards."""

import json

import pytest

from stratum_miner.loadtest.metrics import MAX_ERRORS, MAX_NOTIFIES, MAX_ROWS, BadCount, LatencyStatistics, Metrics


def filled(seed: int) -> Metrics:
    metrics = Metrics(10)
    for index in range(50):
        metrics.phases["connect"].add(0.001 * (index + seed), 0.0001)
        metrics.note_submit(0.002 * (index + 1), 0.0005)
        metrics.loop_lag.add(0.0001 * index)
    metrics.sent, metrics.accepted, metrics.lost, metrics.connections = 60, 50, 3, 50
    metrics.refused["duplicate share"] = seed
    metrics.endings["storm"] += 2
    metrics.bad["stale"] = BadCount(4, 3, 1, 2, "no block")
    metrics.row_at(3.5).sent = 7
    for miner in range(10):
        metrics.note_job("aa", True, 100.0 * seed + miner * 0.01, 0.0)
    return metrics


def test_a_sample_is_unreliable_if_most_of_it_may_be_overhead() -> None:
    phase = LatencyStatistics()
    for latency, overhead in ((0.010, 0.004), (0.010, 0.006), (0.0005, 0.0004), (0.010, 5.0)):
        phase.add(latency, overhead)
    assert phase.unreliable == 2  # the second and the last sample; the third is too short
    assert phase.overhead.maximum == 0.010  # never more than the latency itself


def test_the_spread_of_a_job_counts_from_the_first_miner() -> None:
    metrics = Metrics(10)
    for at in (5.0, 5.1, 5.4):
        metrics.note_job("a", True, at, 0.0)
    spread = metrics.notifies["a"]
    assert spread.miners == 3
    assert spread.seconds == pytest.approx(0.4)
    assert metrics.phases["notify"].latency.count == 2
    assert metrics.phases["notify"].latency.maximum == pytest.approx(0.4)


def test_old_jobs_are_forgotten() -> None:
    metrics = Metrics(10)
    for number in range(2 * MAX_NOTIFIES):
        metrics.note_job(str(number), False, float(number), 0.0)
    assert len(metrics.notifies) == MAX_NOTIFIES
    assert str(2 * MAX_NOTIFIES - 1) in metrics.notifies


def test_a_hostile_pool_makes_no_endless_list_of_errors() -> None:
    metrics = Metrics(10)
    for number in range(10 * MAX_ERRORS):
        metrics.note_error(str(number))
    assert len(metrics.errors) == MAX_ERRORS + 1
    assert metrics.errors.total() == 10 * MAX_ERRORS


def test_the_time_line_is_bounded_however_long_the_run() -> None:
    metrics = Metrics(86400)
    metrics.row_at(86399)
    assert len(metrics.rows) <= MAX_ROWS
    assert Metrics(5).row_seconds == 1.0


def test_shards_add_up() -> None:
    total = filled(1)
    total.merge(filled(2))
    assert (total.sent, total.accepted, total.lost, total.connections) == (120, 100, 6, 100)
    assert total.phases["connect"].latency.count == 100
    assert total.phases["submit"].latency.quantile(1.0) == 0.1
    assert total.refused["duplicate share"] == 3
    assert total.bad["stale"] == BadCount(8, 6, 2, 4, "no block")
    assert total.rows[3].sent == 14
    assert total.notifies["aa"].miners == 20
    assert total.notifies["aa"].seconds == pytest.approx(0.09)  # clocks of shards are not compared


def test_a_shard_of_another_length_adds_its_rows() -> None:
    total = Metrics(10)
    total.merge(filled(1))
    assert total.rows[3].sent == 7


def test_metrics_travel_as_plain_values() -> None:
    original = filled(1)
    plain = original.to_builtins()
    copy = Metrics.from_builtins(plain)
    assert copy.to_builtins() == plain
    assert json.loads(json.dumps(plain, allow_nan=False))["accepted"] == 50  # also of phases without a sample
    copy.merge(original)
    assert copy.accepted == 100
