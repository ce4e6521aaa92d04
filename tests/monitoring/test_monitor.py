"""Tests the views of a miner whose figures the test sets. All displays show these figures, so each is checked here."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
import trio
import trio.testing
from structlog.testing import capture_logs

from stratum_miner.backends.statistics import DeviceStatistics, Hardware
from stratum_miner.bitcoin.header import display_hash
from stratum_miner.bitcoin.target import target_from_difficulty
from stratum_miner.client import PoolSettings, PoolUrl
from stratum_miner.client.group.failover import Condition
from stratum_miner.foreign_text import SENTENCE_CHARACTERS
from stratum_miner.miner import JobStarted, Miner, MinerSnapshot, ShareCounts
from stratum_miner.miner.snapshot import BackendSnapshot, JobSnapshot
from stratum_miner.monitoring.events import EventLog
from stratum_miner.monitoring.monitor import Monitor
from stratum_miner.monitoring.share_outcomes import BLOCKS_KEPT, SHARES_KEPT
from stratum_miner.monitoring.view import ProblemView
from stratum_miner.work.share import Share, verify
from stratum_miner.work.share_result import RejectReason, ShareOutcome, ShareResult
from stratum_miner.work.space import SearchSpace
from stratum_miner.work.unit import NonceFound
from tests.work.jobs import make_job

SETTINGS = PoolSettings(url=PoolUrl.parse("pool.example:3333"), worker_name="worker")
JOB = make_job(
    pool=SETTINGS.key,
    session=1, job_id="j1", previous_hash=bytes(range(32)), prefix=b"\x01" * 40 + b"\x02\x2a\x01",
    suffix=b"\x02" * 40, branch=(), version=0x20000000, nbits=0x207FFFFF, ntime=1_700_000_000,
    clean_jobs=True, extranonce1=b"\xa1\xb2", extranonce2_size=4,
    share_target=target_from_difficulty(1e-9), version_mask=0x1FFFE000,
)  # fmt: skip


class Bench:
    """A monitor over a snapshot and clocks that the test sets."""

    def __init__(self, **options: Any) -> None:
        self.snapshot: MinerSnapshot = Miner(SETTINGS, []).snapshot()
        self.now = 100.0
        self.monitor = Monitor(
            lambda: self.snapshot,
            EventLog(),
            clock=lambda: self.now,
            wall_clock=lambda: 1_700_000_000 + self.now,
            **options,
        )

    def set(self, **changes: Any) -> None:
        self.snapshot = replace(self.snapshot, **changes)

    def devices(self, *devices: DeviceStatistics) -> None:
        self.set(backends=(BackendSnapshot("cpu", "avx512, 2 threads", devices, "avx512", label="cpu"),))

    def later(self, seconds: float) -> None:
        self.now += seconds
        self.monitor.sample()


def shares(count: int, wanted: Callable[[Share], bool] = lambda share: True) -> list[Share]:
    space = SearchSpace()
    space.set_job(JOB)
    unit = space.next_unit(0.0)
    assert unit is not None
    found = []
    for nonce in range(100_000):
        verdict = verify(NonceFound(unit, nonce, unit.version, "t0"))
        if isinstance(verdict, Share) and wanted(verdict):
            found.append(replace(verdict, backend="cpu"))
        if len(found) == count:
            return found
    raise AssertionError("not enough shares")


def test_the_summary_has_the_figures_of_the_snapshot() -> None:
    bench = Bench(economics=lambda snapshot: {"electricity_per_day": 0.5}, power_w=lambda: 65.0)
    job = JobSnapshot.of(replace(JOB, received_at=40.0), now=100.0)
    bench.set(
        elapsed=120.0, hash_rate=1e8, hash_rate_5s=1.2e8, hash_rate_1m=1.1e8, hash_rate_5m=1.05e8, hash_rate_15m=1e8,
        shares=ShareCounts(10, 2, 1, 1), found=15, accepted_difficulty=20.0, reasons=(("rejected: duplicate", 2),),
        shares_found=10, expected=8.0, height=17, job=job, client=replace(bench.snapshot.client, difficulty=2.0),
    )  # fmt: skip
    bench.devices(DeviceStatistics("t0", 10_000_000, 3))
    summary = bench.monitor.view().summary
    assert (summary.state, summary.detail) == ("mining", "")
    assert (summary.shares.found, summary.shares.open) == (15, 1)
    assert summary.reasons == {"rejected: duplicate": 2}
    assert summary.implied_hash_rate is not None
    assert summary.implied_hash_rate.value == pytest.approx(20 * 2**32 / 120)
    assert summary.implied_hash_rate.low == pytest.approx(20 * 2**32 / 120 * 4.795 / 10, rel=1e-3)
    assert summary.implied_hash_rate.high == pytest.approx(20 * 2**32 / 120 * 18.39 / 10, rel=1e-3)
    assert summary.share_every_s == pytest.approx(2 * 2**32 / 1.1e8)
    assert summary.work_utility == pytest.approx(10.0)
    assert summary.luck.ratio == 1.25
    assert summary.luck.low == pytest.approx(0.599, abs=1e-3)
    assert summary.joules_per_terahash == pytest.approx(65 / 1.05e8 * 1e12)
    assert summary.economics == {"electricity_per_day": 0.5}
    assert summary.job is not None
    assert (summary.job.age_s, summary.job.version_mask) == (60.0, "1fffe000")
    assert summary.job.previous_hash == display_hash(JOB.previous_hash)
    assert (summary.pool, summary.worker_name) == ("stratum+tcp://pool.example:3333", "worker")


def test_time_that_the_process_did_not_run_is_in_no_rate_and_a_hole_in_the_history() -> None:
    bench = Bench()
    hashes, frozen = 0, 0.0
    for tick in range(90):
        bench.devices(DeviceStatistics("t0", hashes := hashes + 1000, 1))
        if tick == 60:
            frozen = 600.0
            bench.now += frozen
        bench.set(frozen=frozen, left_out=frozen)
        bench.later(1.0)
    view = bench.monitor.view()
    assert view.summary.frozen_s == 600.0
    [device] = view.devices
    assert device.hash_rate_1m == pytest.approx(1000, rel=0.05)
    assert device.frozen_s == 600.0
    average = device.hashes / (view.at - device.came_at - device.frozen_s)
    assert average == pytest.approx(1000, rel=0.05)
    assert [point.hash_rate for point in view.history[1:]] == pytest.approx([1000] * (len(view.history) - 1), rel=0.01)
    steps = [after.at - before.at for before, after in pairwise(view.history)]
    assert max(steps) > 600
    assert sorted(steps)[-2] < 3


def test_two_backends_of_one_kind_are_two() -> None:
    """The devices of two backends have the same names. Only the labels of the backends differ."""
    bench = Bench()

    def hashed(first: int, second: int) -> None:
        bench.set(
            backends=tuple(
                BackendSnapshot("simulated", "", (DeviceStatistics("sim0", hashes, 0),), "avx512", label=label)
                for label, hashes in (("simulated", first), ("simulated2", second))
            )
        )

    hashed(0, 0)
    bench.later(0)
    hashed(4_000_000, 1_000_000)
    bench.later(1)
    one, other, third = (replace(share, device="sim0") for share in shares(3))
    for share, label in ((one, "simulated"), (other, "simulated2"), (third, "simulated2")):
        bench.monitor.note(ShareResult(replace(share, backend=label), ShareOutcome.ACCEPTED, latency=0.002))
    view = bench.monitor.view()
    assert [device.backend for device in view.devices] == ["simulated", "simulated2"]
    assert [device.hash_rate for device in view.devices] == [4e6, 1e6]
    assert [device.accepted for device in view.devices] == [1, 2]
    assert [share.backend for share in view.shares] == ["simulated", "simulated2", "simulated2"]
    assert sum(device.difficulties["accepted"] for device in view.devices) == view.summary.difficulties["accepted"]


def test_the_state_is_that_of_pools_and_devices_together() -> None:
    bench = Bench(pauses=lambda: {"by hand": "for the night"})
    bench.devices(DeviceStatistics("t0", 0, 0), DeviceStatistics("t1", 0, 0))
    assert bench.monitor.view().summary.state == "no_pool"
    bench.set(job=JobSnapshot.of(JOB, 0.0))
    assert bench.monitor.view().summary.state == "no_device"
    bench.devices(DeviceStatistics("t0", 10, 0), DeviceStatistics("t1", 0, 0))
    view = bench.monitor.view()
    assert (view.summary.state, view.summary.detail) == ("degraded", "1 of 2 devices mine; t1 is starting")
    assert (view.summary.devices_mining, view.summary.devices_total) == (1, 2)
    assert [(device.mines, device.state) for device in view.devices] == [(True, "mining"), (False, "starting")]
    bench.set(paused=True)
    assert (bench.monitor.view().summary.state, bench.monitor.view().summary.detail) == (
        "paused",
        "paused by hand: for the night",
    )
    bench.set(stopping=True)
    assert bench.monitor.view().summary.state == "stopping"


def test_nothing_is_known_before_anything_happened() -> None:
    summary = Bench().monitor.view().summary
    assert summary.implied_hash_rate is None
    assert summary.share_every_s is None
    assert summary.last_share_age_s is None
    assert summary.power_w is None
    assert summary.joules_per_terahash is None
    assert summary.luck.ratio is None
    assert summary.job is None
    assert summary.work_utility == 0.0


def test_each_device_has_a_hash_rate_and_its_own_shares() -> None:
    bench = Bench()
    bench.set(job=JobSnapshot.of(JOB, 0.0))
    bench.devices(DeviceStatistics("t0", 0, 0), DeviceStatistics("t1", 0, 0))
    bench.later(0)
    bench.devices(DeviceStatistics("t0", 10_000_000, 3), DeviceStatistics("t1", 5_000_000, 0))
    bench.later(1)
    accepted, refused = shares(2)
    bench.monitor.note(ShareResult(accepted, ShareOutcome.ACCEPTED, latency=0.002))
    bench.monitor.note(ShareResult(refused, ShareOutcome.REJECTED, "23: low difficulty"))
    bench.now += 2
    first, second = bench.monitor.view().devices
    assert (first.hash_rate, second.hash_rate) == (1e7, 5e6)
    assert (first.accepted, first.refused, second.accepted) == (1, 1, 0)
    worth = {"stale": 0.0, "lost": 0.0} | {
        fate: min(share.difficulty, 1e-9) for fate, share in (("accepted", accepted), ("rejected", refused))
    }
    assert first.difficulties == bench.monitor.view().summary.difficulties == worth
    assert second.difficulties == dict.fromkeys(worth, 0.0)
    assert (first.reasons, second.reasons) == ({"rejected: 23: low difficulty": 1}, {})
    assert (first.best_share, second.best_share) == (max(accepted.difficulty, refused.difficulty), 0.0)
    bench.monitor.note(ShareResult(accepted, ShareOutcome.LOST, "no answer"))
    assert bench.monitor.view().devices[0].reasons == first.reasons, "a lost share was not refused"
    assert (first.last_nonce_age_s, second.last_nonce_age_s) == (2.0, None)
    assert (first.detail, first.state, first.product) == ("avx512", "mining", None)


def test_a_device_remembers_its_last_share_when_newer_ones_of_others_fill_the_list() -> None:
    bench = Bench()
    bench.set(job=JobSnapshot.of(JOB, 0.0))
    bench.devices(DeviceStatistics("t0", 0, 0), DeviceStatistics("t1", 0, 0))
    bench.later(5)
    first, other = shares(2)
    bench.monitor.note(ShareResult(first, ShareOutcome.ACCEPTED, latency=0.002))
    bench.now += 10
    bench.monitor.note(ShareResult(first, ShareOutcome.REJECTED, "23: low difficulty"))
    for _ in range(SHARES_KEPT + 1):
        bench.monitor.note(ShareResult(replace(other, device="t1"), ShareOutcome.LOST, "gone"))
    one, two = bench.monitor.view().devices
    assert (one.last_share_at, one.last_share_pool_id, one.last_share_difficulty) == (
        1_700_000_105.0,
        0,
        JOB.share_difficulty,
    )
    assert (two.last_share_at, two.last_share_pool_id, two.last_share_difficulty) == (None, None, 0.0)
    assert (one.came_at, two.came_at) == (1_700_000_105.0, 1_700_000_105.0)


def test_a_device_has_a_hash_rate_of_each_window() -> None:
    bench = Bench()
    bench.set(job=JobSnapshot.of(JOB, 0.0))
    hashes = 0
    bench.devices(DeviceStatistics("t0", 0, 0))
    bench.later(0)
    for second in range(1, 1001):  # ever faster, so that no two windows have the same mean
        hashes += second * 1_000_000
        bench.devices(DeviceStatistics("t0", hashes, 0))
        bench.later(1)
    [device] = bench.monitor.view().devices
    rates = (device.hash_rate, device.hash_rate_1m, device.hash_rate_5m, device.hash_rate_15m)
    assert rates == pytest.approx((998e6, 970.5e6, 850.5e6, 550.5e6), rel=0.005)


def test_it_is_counted_how_often_a_device_was_unwell() -> None:
    bench = Bench()
    bench.set(job=JobSnapshot.of(JOB, 0.0))
    for state, reason in (("mining", ""), ("sick", "silent"), ("sick", "silent"), ("mining", ""), ("sick", ""),
                          ("dead", "gone"), ("mining", "")):  # fmt: skip
        machine = Hardware(product="Compac", state=state, reason=reason)
        bench.devices(DeviceStatistics("c0", 0, 0, hardware=machine))
        bench.later(3)
    [device] = bench.monitor.view().devices
    assert device.spells == {"sick": 2, "dead": 1}
    assert (device.unwell_at, device.unwell_reason) == (1_700_000_118.0, "gone")


def test_blocks_are_seen_once_whatever_pool_tells_of_them() -> None:
    bench = Bench()
    assert (bench.monitor.view().summary.blocks_seen, bench.monitor.view().summary.block_at) == (0, None)
    first, second = (replace(JOB, previous_hash=bytes([number]) * 32) for number in (1, 2))
    for job in (first, replace(first, job_id="j2"), second, first):  # the last is of a pool that lags behind
        bench.monitor.note(JobStarted(replace(job, received_at=bench.now), 300, True))
        bench.now += 4
    assert (bench.monitor.view().summary.blocks_seen, bench.monitor.view().summary.block_at) == (2, 1_700_000_108.0)


def test_a_job_is_dated_by_its_arrival_and_not_by_the_begin_of_its_search() -> None:
    bench = Bench()
    dates: list[tuple[float | None, float | None]] = []
    for received_at, block in ((100.0, 1), (104.0, 2), (101.0, 1), (103.0, 3)):  # the last two had to wait
        bench.now = 106.0 + len(dates)
        job = replace(JOB, previous_hash=bytes([block]) * 32, received_at=received_at)
        bench.monitor.note(JobStarted(job, 300, True))
        summary = bench.monitor.view().summary
        dates.append((summary.last_job_at, summary.block_at))
    moments = ((100, 100), (104, 104), (104, 104), (104, 103))
    assert dates == [(1_700_000_000.0 + job_at, 1_700_000_000.0 + block_at) for job_at, block_at in moments]


def test_the_best_share_is_known_of_the_run_and_from_any_time_on() -> None:
    bench = Bench()
    best, middle, least = sorted(shares(3), key=lambda share: -share.difficulty)
    dates = []
    for share in (middle, best, least, middle, least):
        dates.append(1_700_000_000 + bench.now)
        bench.monitor.note(ShareResult(share, ShareOutcome.LOST, "gone"))
        bench.now += 1
    bests = [bench.monitor.best_share_since(date) for date in dates]
    assert bests == [best.difficulty, best.difficulty, middle.difficulty, middle.difficulty, least.difficulty]
    assert bench.monitor.best_share_since(dates[-1] + 0.5) == 0.0
    assert bench.monitor.best_share_since(0.0, 0) == best.difficulty
    assert bench.monitor.best_share_since(0.0, 7) == 0.0


def test_a_machine_tells_what_it_measures() -> None:
    bench = Bench()
    bench.set(job=JobSnapshot.of(JOB, 0.0))
    machine = Hardware(
        product="Bitaxe Gamma", chip="BM1370", state="throttled", reason="72 C", frequency=450.0,
        chip_temperature=72.0, power=15.0, core_voltage_asked=1.15, is_overheated=True, chips=(3,), crc_errors=2,
    )  # fmt: skip
    bench.devices(DeviceStatistics("bitaxe-1", 0, 0, hardware=machine))
    bench.later(0)
    bench.devices(DeviceStatistics("bitaxe-1", 10**12, 3, hardware=machine))
    bench.later(2)
    view = bench.monitor.view()
    [device] = view.devices
    assert (device.state, device.reason, device.detail) == ("throttled", "72 C", "Bitaxe Gamma")
    assert (device.chip_temperature_c, device.power_w, device.crc_errors) == (72.0, 15.0, 2)
    assert (device.chip, device.core_voltage_asked_v, device.is_overheated) == ("BM1370", 1.15, True)
    assert device.joules_per_terahash == pytest.approx(15.0 / 0.5)
    assert (view.summary.power_w, view.summary.power_is_partial) == (15.0, False)
    assert (view.history[-1].temperature_c, view.history[-1].power_w) == (72.0, 15.0)
    bench.devices(DeviceStatistics("bitaxe-1", 10**12, 3, hardware=machine), DeviceStatistics("t0", 0, 0))
    summary = bench.monitor.view().summary
    assert (summary.power_w, summary.power_is_partial) == (15.0, True)  # nobody measures what the processor uses
    assert summary.joules_per_terahash is None


async def test_at_the_end_of_a_run_the_power_is_the_last_that_was_measured() -> None:
    bench = Bench()
    mining = DeviceStatistics("bitaxe-1", 10**12, 3, hardware=Hardware(product="Bitaxe Gamma", power=15.0))
    off = DeviceStatistics("bitaxe-1", 10**12, 3, hardware=Hardware(product="Bitaxe Gamma", state="off"))
    bench.devices(mining)
    async with trio.open_nursery() as beside:
        beside.start_soon(bench.monitor.run)
        await trio.testing.wait_all_tasks_blocked()
        bench.devices(off)
        assert bench.monitor.view().summary.power_w is None  # it is off now, and mining goes on
        beside.cancel_scope.cancel()
    bench.now += 30
    assert bench.monitor.view().summary.power_w == 15.0
    bench.now += 31
    assert bench.monitor.view().summary.power_w is None


def test_each_device_has_its_averages_of_ten_minutes_and_of_an_hour() -> None:
    bench, hashes = Bench(), 0
    bench.devices(DeviceStatistics("t0", 0, 0))
    bench.later(0)
    for rate in (1000, 2000, 4000):  # for 20 minutes each
        for _ in range(120):
            hashes += 10 * rate
            bench.devices(DeviceStatistics("t0", hashes, 0))
            bench.later(10)
    [device] = bench.monitor.view().devices
    assert device.hash_rate_10m == 4000.0
    assert device.hash_rate_1h == pytest.approx(7000 / 3)


def test_shares_and_blocks_are_remembered_the_newest_last() -> None:
    bench = Bench()
    first, second = shares(2, lambda share: share.is_block)
    bench.monitor.note(ShareResult(first, ShareOutcome.ACCEPTED, latency=0.002))
    bench.monitor.note(ShareResult(second, ShareOutcome.ACCEPTED, latency=0.002))  # a sibling
    bench.now += 7
    view = bench.monitor.view()
    assert [share.block for share in view.shares] == [display_hash(first.digest), display_hash(second.digest)]
    assert view.shares[0].latency_ms == pytest.approx(2.0)
    assert view.shares[0].pool == view.pools[0].name == "stratum+tcp://pool.example:3333"
    assert [block.hash for block in view.blocks] == [display_hash(first.digest)]
    assert view.summary.last_share_age_s == 7
    bench.devices(DeviceStatistics("t0", 0, 2))
    assert [device.blocks_accepted for device in bench.monitor.view().devices] == [1]
    for _ in range(SHARES_KEPT + BLOCKS_KEPT):
        bench.monitor.note(ShareResult(first, ShareOutcome.LOST, "gone"))
    view = bench.monitor.view()
    assert len(view.shares) == SHARES_KEPT
    assert view.shares[-1].reason == "gone"


def test_the_history_has_the_rate_between_its_points() -> None:
    bench = Bench()
    bench.devices(DeviceStatistics("t0", 0, 0))
    bench.later(0)
    for second in range(1, 8):
        bench.devices(DeviceStatistics("t0", second * 1000, 0))
        bench.later(1)
    points = bench.monitor.view().history
    assert [point.at - 1_700_000_100 for point in points] == [0, 2, 4, 6]
    assert [point.hash_rate for point in points] == [0.0, 1000.0, 1000.0, 1000.0]


def test_the_luck_and_the_implied_rate_of_many_shares_are_those_of_the_shares_beside_them() -> None:
    bench = Bench()
    bench.set(elapsed=1e5, shares=ShareCounts(100_000), accepted_difficulty=1e5, shares_found=100_000, expected=1e5)
    assert bench.monitor.view().summary.luck.found == 100_000
    bench.set(shares=ShareCounts(100_001), accepted_difficulty=100_001.0, shares_found=100_001)
    summary = bench.monitor.view().summary
    assert summary.luck.found == summary.shares.accepted == 100_001
    assert summary.implied_hash_rate is not None
    assert summary.implied_hash_rate.value == 100_001 * 2**32 / 1e5


def test_a_search_thread_that_stops_is_a_warning_once_each_time() -> None:
    bench = Bench()
    bench.set(job=JobSnapshot.of(JOB, 0.0))
    bench.devices(DeviceStatistics("t0", 0, 0))
    with capture_logs() as logged:
        bench.later(0)
        assert not bench.monitor.has_mined
        for hashes in (10, 20):
            bench.devices(DeviceStatistics("t0", hashes, 0))
            for _ in range(30):
                bench.later(0.5)
        bench.devices(DeviceStatistics("t0", 30, 0))
        bench.later(0.5)
    assert bench.monitor.has_mined
    told = [(entry["log_level"], entry["device"], entry["state"]) for entry in logged]
    assert told == [("warning", "t0", "dead"), ("info", "t0", "mining")] * 2


# ---- limits and edges -----------------------------------------------------------------------------------------------


async def test_a_sample_is_taken_twice_a_second(autojump_clock: trio.testing.MockClock) -> None:
    samples: list[float] = []
    bench = Bench()
    look = bench.monitor._snapshot

    def noted() -> MinerSnapshot:
        samples.append(trio.current_time())
        return look()

    bench.monitor._snapshot = noted
    with trio.move_on_after(2.25):
        await bench.monitor.run()
    assert samples == [0.0, 0.5, 1.0, 1.5, 2.0]


def test_a_share_of_a_device_that_no_sample_has_seen_has_an_id_at_once() -> None:
    bench = Bench()
    bench.devices(DeviceStatistics("t9", 0, 0), DeviceStatistics("t0", 0, 0))
    [share] = shares(1)
    bench.monitor.note(ShareResult(share, ShareOutcome.ACCEPTED, latency=0.002))
    assert [device.name for device in bench.monitor.view().devices] == ["t9", "t0"]
    assert [(shown.device_id, shown.pool_id) for shown in bench.monitor.view().shares] == [(1, 0)]


def test_answers_of_a_pool_are_judged_but_lost_shares_are_none() -> None:
    bench = Bench()
    status = replace(bench.snapshot.pools[0], condition=Condition.UP, active=True, name="A")
    bench.set(job=JobSnapshot.of(JOB, 0.0), pools=(status,))
    [share] = shares(1)

    def problem_after(count: int, outcome: ShareOutcome, **options: Any) -> list[str]:
        for _ in range(count):
            bench.monitor.note(ShareResult(share, outcome, **options))
        return [problem.text for problem in bench.monitor.view().summary.problems]

    assert problem_after(20, ShareOutcome.LOST, latency=0.1) == []
    assert problem_after(20, ShareOutcome.REJECTED) == [], "without a latency, nobody answered"
    assert problem_after(9, ShareOutcome.ACCEPTED, latency=0.1) == []
    text = "Pool A did not accept 10 of the last 19 shares, the newest of them for this reason: {}."
    assert problem_after(10, ShareOutcome.REJECTED, latency=0.1) == [text.format("none given")]
    told = problem_after(1, ShareOutcome.STALE, latency=0.1, refusal=RejectReason.JOB_NOT_FOUND)
    assert told == [text.format("job not found").replace("10 of the last 19", "11 of the last 20")]


def test_the_journal_that_cannot_be_written_is_a_problem() -> None:
    bench = Bench(problems=lambda: [ProblemView(severity="warning", kind="log_file", text="Full.", advice="")])
    bench.set(journal_problem="cannot write j: no space")
    journal, log_file = bench.monitor.view().summary.problems
    assert (journal.kind, journal.severity, journal.text) == ("journal", "warning", "Cannot write j: no space.")
    assert journal.advice.startswith("Free space on its disk.")
    assert log_file.text == "Full."
    bench.set(journal_problem="")
    assert [problem.kind for problem in bench.monitor.view().summary.problems] == ["log_file"]


def test_a_view_has_the_newest_200_shares_100_blocks_and_100_events_of_1000_blocks() -> None:
    bench = Bench()
    [block] = shares(1, lambda share: share.is_block)
    for number in range(1, 1003):
        job = replace(block.job, previous_hash=number.to_bytes(32, "big"))
        bench.monitor.note(ShareResult(replace(block, job=job), ShareOutcome.ACCEPTED, latency=0.1))
        bench.monitor.events.take("paused", "info", {}, 0.0)
        bench.now += 1
    view = bench.monitor.view()
    assert [share.at - 1_700_000_000 for share in view.shares] == list(range(902, 1102))
    assert [shown.at - 1_700_000_000 for shown in view.blocks] == list(range(1002, 1102))
    assert [event.number for event in view.events] == list(range(903, 1003))
    assert [shown.at - 1_700_000_000 for shown in bench.monitor.blocks()] == list(range(102, 1102))
    assert len(bench.monitor.report()["blocks"]) == 1000
    assert [event.number for event in bench.monitor.events.newest()] == list(range(503, 1003))


def test_a_block_is_forgotten_after_a_thousand_others() -> None:
    bench = Bench()
    [block] = shares(1, lambda share: share.is_block)

    def solved(number: int) -> int:
        job = replace(block.job, previous_hash=number.to_bytes(32, "big"))
        bench.monitor.note(ShareResult(replace(block, job=job), ShareOutcome.ACCEPTED, latency=0.1))
        bench.monitor.note(JobStarted(job, 300, True))
        return bench.monitor.view().summary.blocks_seen

    assert [solved(number) for number in range(1000)][-1] == 1000
    before = bench.monitor.blocks()[-1]
    assert solved(0) == 1000, "it is known"
    assert bench.monitor.blocks()[-1] == before
    assert solved(1000) == 1001
    assert solved(0) == 1002, "it is forgotten"


def test_the_first_point_of_the_history_counts_from_the_start() -> None:
    bench = Bench()
    bench.devices(DeviceStatistics("t0", 1000, 0))
    bench.later(2.0)
    bench.later(1.99)
    bench.later(0.01)
    assert [(point.at - 1_700_000_100, point.hash_rate) for point in bench.monitor.view().history] == [
        (2, 500.0), (4, 0.0)
    ]  # fmt: skip
    assert bench.monitor.history() == bench.monitor.view().history


def test_rates_of_the_summary_are_none_or_zero_only_while_there_is_no_time_or_rate() -> None:
    bench = Bench()
    bench.set(elapsed=0.0, hash_rate_1m=0.0, hash_rate_5m=0.0, accepted_difficulty=3.0, shares=ShareCounts(3),
              client=replace(bench.snapshot.client, difficulty=2.0))  # fmt: skip
    summary = bench.monitor.view().summary
    assert (summary.work_utility, summary.share_every_s, summary.implied_hash_rate) == (0.0, None, None)
    bench.set(elapsed=0.5, hash_rate_1m=0.5, hash_rate_5m=0.5)
    summary = bench.monitor.view().summary
    assert (summary.work_utility, summary.share_every_s) == (360.0, 2 * 2**32 / 0.5)
    assert summary.implied_hash_rate is not None
    assert summary.implied_hash_rate.value == 3 * 2**32 / 0.5
    bench = Bench(power_w=lambda: 3.0)
    bench.set(hash_rate_5m=0.0)
    assert bench.monitor.view().summary.joules_per_terahash is None
    bench.set(hash_rate_5m=0.5)
    assert bench.monitor.view().summary.joules_per_terahash == 6e12


def test_a_device_has_found_its_first_nonce_once() -> None:
    bench = Bench()
    bench.devices(DeviceStatistics("t0", 0, 1), DeviceStatistics("t1", 0, 0))
    bench.later(3)
    bench.devices(DeviceStatistics("t0", 0, 1), DeviceStatistics("t1", 0, 0))
    bench.later(4)
    assert [device.last_nonce_age_s for device in bench.monitor.view().devices] == [4, None]


def test_a_rate_reaches_back_at_most_ten_seconds_beyond_its_window() -> None:
    """A longer window has a sample every ten seconds. At most ten seconds too much are in its mean."""
    for first in range(0, 40, 5):
        bench = Bench()
        bench.devices(DeviceStatistics("t0", 0, 0))
        bench.later(0)
        for second in range(0, 400 + first, 5):
            bench.devices(DeviceStatistics("t0", 1000 * min(second, 50 + first), 0))
            bench.later(5)
        bench.now += 0
        stopped_s = 400 + first - (50 + first)
        [device] = bench.monitor.view().devices
        assert device.hash_rate_5m == 0.0, stopped_s


def test_a_computer_and_a_board_use_power_but_what_is_off_does_not() -> None:
    bench = Bench()
    board = Hardware(product="Bitaxe Gamma", power=15.0)
    for state, partial in (("mining", True), ("starting", True), ("sick", True), ("idle", False), ("dead", False),
                           ("off", False), ("absent", False), ("removed", False)):  # fmt: skip
        other = Hardware(product="Erupter", state=state)
        bench.devices(DeviceStatistics("a", 1, 0, hardware=board), DeviceStatistics("b", 1, 0, hardware=other))
        summary = bench.monitor.view().summary
        assert (summary.power_w, summary.power_is_partial) == (15.0, partial), state
    both = replace(board, power=2.5)
    bench.devices(DeviceStatistics("a", 1, 0, hardware=board), DeviceStatistics("b", 1, 0, hardware=both))
    assert bench.monitor.view().summary.power_w == 17.5


def test_the_hottest_chip_is_in_the_history() -> None:
    bench = Bench()
    hot = [Hardware(product="x", chip_temperature=celsius) for celsius in (41.0, 71.0, None, 51.0)]
    bench.devices(*(DeviceStatistics(f"d{index}", 0, 0, hardware=each) for index, each in enumerate(hot)))
    bench.later(2)
    assert [point.temperature_c for point in bench.monitor.history()] == [71.0]
    bench.devices(DeviceStatistics("t0", 0, 0))
    bench.later(2)
    assert bench.monitor.history()[-1].temperature_c is None


def test_a_device_without_a_known_product_says_so() -> None:
    bench = Bench()
    bench.devices(DeviceStatistics("port", 0, 0, hardware=Hardware(product="", state="starting")))
    [device] = bench.monitor.view().devices
    assert (device.detail, device.product, device.chip) == ("not known yet", None, "")
    assert (device.came_at, device.frozen_s, device.hash_rate) == (0.0, 0.0, 0.0), "no sample has seen it yet"
    bench.set(backends=(BackendSnapshot("gpu", "two cards", (DeviceStatistics("g0", 0, 0),), label="gpu"),))
    assert [device.detail for device in bench.monitor.view().devices] == ["two cards"]


async def test_after_the_end_the_last_power_is_used_for_a_minute_and_not_if_another_is_known() -> None:
    bench = Bench()
    mining = DeviceStatistics("bitaxe-1", 10**12, 3, hardware=Hardware(product="Bitaxe Gamma", power=15.0))
    off = DeviceStatistics("bitaxe-1", 10**12, 3, hardware=Hardware(product="Bitaxe Gamma", state="off"))
    bench.devices(off)
    with trio.move_on_after(0) as ended:
        ended.cancel()
        await bench.monitor.run()
    assert bench.monitor.view().summary.power_w is None, "it was never measured"
    bench.devices(mining)
    bench.later(1)
    bench.now += 60
    bench.devices(off)
    assert bench.monitor.view().summary.power_w == 15.0
    bench.now += 0.5
    assert bench.monitor.view().summary.power_w is None
    hot = replace(mining.hardware or Hardware(product=""), power=16.0)
    bench.devices(replace(mining, hardware=hot))
    assert bench.monitor.view().summary.power_w == 16.0
    bench.monitor._power_w = lambda: 99.0
    assert bench.monitor.view().summary.power_w == 99.0


def test_whether_it_has_mined_is_known_without_a_sample() -> None:
    bench = Bench()
    assert not bench.monitor.has_mined
    bench.devices(DeviceStatistics("t0", 1, 0))
    assert bench.monitor.has_mined
    boards = Bench()
    boards.set(job=JobSnapshot.of(JOB, 0.0))
    boards.devices(DeviceStatistics("b", 0, 0, hardware=Hardware(product="x", state="mining")))
    assert not boards.monitor.has_mined
    boards.later(1)
    boards.devices()
    boards.later(1)
    assert boards.monitor.has_mined, "it mined although no nonce was reported"


def test_names_of_jobs_and_pools_are_hidden_and_safe() -> None:
    bench = Bench(hide=lambda text: text.replace("j1", "***\x1b"))
    bench.set(job=JobSnapshot.of(JOB, 0.0))
    [share] = shares(1)
    bench.monitor.note(ShareResult(share, ShareOutcome.REJECTED, "\x1b" + "x" * 9999, latency=0.1))
    view = bench.monitor.view()
    assert view.summary.job is not None
    [shown] = view.shares
    assert shown.job_id == view.summary.job.job_id
    assert "j1" not in shown.job_id
    assert (shown.job_id + shown.reason).isprintable()
    assert len(shown.reason) == SENTENCE_CHARACTERS + 1
