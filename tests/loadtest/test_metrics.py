"""Metrics: unreliable samples, the spread of a job, the time line, and the sum of shards."""

import json

import pytest

from stratum_miner.loadtest.metrics import MAX_ERRORS, MAX_NOTIFIES, MAX_ROWS, BadCount, LatencyStatistics, Metrics
from stratum_miner.stratum.pool_messages import Notify


def job_on(block: int, job_id: str = "a") -> Notify:
    """Return a job on the block whose hash is ``block``."""
    return Notify(
        job_id=job_id,
        previous_hash=block.to_bytes(32, "little"),
        coinbase_prefix=b"",
        coinbase_suffix=b"",
        merkle_branch=(),
        version=0x20000000,
        nbits=0x207FFFFF,
        ntime=1,
        clean_jobs=True,
    )


def hash_of(block: int) -> str:
    return f"{block:064x}"


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
        metrics.note_block(job_on(0xAA), 100.0 * seed + miner * 0.01, 0.0)
    return metrics


def test_a_sample_is_unreliable_if_most_of_it_may_be_overhead() -> None:
    phase = LatencyStatistics()
    for latency, overhead in ((0.010, 0.004), (0.010, 0.006), (0.0005, 0.0004), (0.010, 5.0)):
        phase.add(latency, overhead)
    assert phase.unreliable == 2  # the second and the last sample; the third is too short
    assert phase.overhead.maximum == 0.010  # never more than the latency itself


def test_the_spread_of_a_block_counts_from_the_first_miner_whatever_the_ids_of_its_jobs() -> None:
    metrics = Metrics(10)
    for job_id, at in (("a", 5.0), ("b", 5.1), ("c", 5.4)):
        metrics.note_block(job_on(0xFF, job_id), at, 0.0)
    spread = metrics.notifies[hash_of(0xFF)]
    assert spread.miners == 3
    assert spread.seconds == pytest.approx(0.4)
    assert metrics.phases["notify"].latency.count == 2
    assert metrics.phases["notify"].latency.maximum == pytest.approx(0.4)


def test_a_spread_that_one_miner_saw_is_not_measured() -> None:
    metrics, other = Metrics(10), Metrics(10)
    metrics.note_block(job_on(1), 5.0, 0.0)
    assert metrics.notifies[hash_of(1)].seconds is None
    other.note_block(job_on(1), 900.0, 0.0)
    metrics.merge(other)  # another computer, with another clock
    assert metrics.notifies[hash_of(1)].miners == 2
    assert metrics.notifies[hash_of(1)].seconds is None


def test_the_spreads_of_two_processes_on_one_computer_are_one() -> None:
    metrics, other = Metrics(10), Metrics(10)
    metrics.note_block(job_on(1), 5.0, 0.0)
    other.note_block(job_on(1), 4.5, 0.0)
    other.note_block(job_on(1), 5.25, 0.0)
    metrics.merge(other, same_clock=True)
    assert metrics.notifies[hash_of(1)].seconds == 0.75
    assert metrics.notifies[hash_of(1)].miners == 3


def test_old_jobs_are_forgotten() -> None:
    metrics = Metrics(10)
    for number in range(2 * MAX_NOTIFIES):
        metrics.note_block(job_on(number), float(number), 0.0)
    assert len(metrics.notifies) == MAX_NOTIFIES
    assert hash_of(2 * MAX_NOTIFIES - 1) in metrics.notifies


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
    assert total.notifies[hash_of(0xAA)].miners == 20
    assert total.notifies[hash_of(0xAA)].seconds == pytest.approx(0.09)  # clocks of shards are not compared


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
