"""A scene: a miner of which no two figures are equal, so that a figure in the place of another is seen."""

from dataclasses import replace

from stratum_miner.backends.statistics import DeviceStatistics, Hardware
from stratum_miner.client import PoolSettings, PoolUrl
from stratum_miner.client.events import ConnectionState
from stratum_miner.client.group.failover import Condition
from stratum_miner.client.snapshot import WorkerSnapshot
from stratum_miner.miner import JobStarted, Miner, MinerSnapshot, ShareCounts
from stratum_miner.miner.snapshot import BackendSnapshot, JobSnapshot
from stratum_miner.monitoring.events import EventLog
from stratum_miner.monitoring.monitor import Monitor
from stratum_miner.monitoring.view import View
from stratum_miner.work.durations import DurationMeter
from stratum_miner.work.job import PoolKey
from stratum_miner.work.share_result import RejectReason, ShareOutcome, ShareResult

from .test_monitor import JOB, shares

DATE = 1_700_000_000
"""Unix time at which the scene's other clock shows 0."""


def durations(*seconds: float) -> DurationMeter:
    meter = DurationMeter()
    for each in seconds:
        meter.add(each)
    return meter


def snapshot() -> MinerSnapshot:
    settings = PoolSettings(url=PoolUrl.parse("pool.example:3333"), worker_name="w")
    empty = Miner(settings, []).snapshot()
    client = replace(
        empty.client, url=PoolUrl.parse("stratum+tcp://one.example:3331"), worker_name="me.rig",
        state=ConnectionState.MINING, difficulty=2.25, version_mask=0x1FFFE000, jobs=71, connects=72,
        bytes_received=3001, bytes_sent=4002,
        workers=(
            WorkerSnapshot(name="me.rig", refusal="", accepted=81, rejected=82, stale=83),
            WorkerSnapshot(name="me.two", refusal="nobody", accepted=84, rejected=85, stale=86),
        ),
    )  # fmt: skip
    first = replace(
        empty.pools[0], key=JOB.origin.pool, name="first", active=True, enabled=True, condition=Condition.UP,
        reason="", since=701.0, accepted=101, rejected=12, stale=25, lost=14,
        reasons=(("rejected: duplicate", 11), ("stale: job not found", 25)),
        difficulties={"accepted": 202.0, "rejected": 24.0, "stale": 50.0, "lost": 28.0}, work_units=88,
        best_share=555.5, last_accepted_at=DATE + 79.0, last_accepted_difficulty=2.5, latency_p50=0.021,
        latency_p99=0.089, quota=17, work_share=0.75, client=client, switch_p50=0.0031, switch_p99=0.0097,
        answers=durations(0.00005, 0.02, 0.02).counts, switches=durations(0.003, 70.0).counts, bound=("boards",),
    )  # fmt: skip
    second = replace(
        first, key=PoolKey("second"), name="second", active=False, enabled=False, condition=Condition.DOWN,
        reason="refused", latency_p50=None, latency_p99=None, switch_p50=None, switch_p99=None, bound=(),
        client=replace(client, workers=(), difficulty=3.25),
    )  # fmt: skip
    board = Hardware(
        product="Bitaxe Gamma", chip="BM1370", state="throttled", reason="72 C", expected_hash_rate=1.02e12,
        frequency=525.0, chip_temperature=61.25, regulator_temperature=55.5, core_voltage=1.147,
        core_voltage_asked=1.15, input_voltage=5.06, power=17.5, fan_rpm=4200, fan_percent=60, duplicate_nonces=901,
        stale_nonces=902, crc_errors=903, restarts=904, safety_shutdowns=905, is_overheated=True, chips=(31, 29),
    )  # fmt: skip
    return replace(
        empty,
        elapsed=600.0, frozen=31.0, left_out=31.0, hash_rate_5s=5.1e9, hash_rate_1m=5.2e9, hash_rate_5m=5.3e9,
        hash_rate_15m=5.4e9, hash_rate=5.5e9, shares=ShareCounts(211, 32, 33, 34),
        journalled=ShareCounts(1211, 112, 113, 114), found=317, reasons=(("rejected: low difficulty", 32),),
        blocks_accepted=3, best_share=987.5, hardware_errors=47, below_target=18, withheld=19, work_units=20,
        accepted_difficulty=422.0, shares_found=221, expected=442.0, network_difficulty=123.5, height=800_001,
        job=JobSnapshot(
            job_id="j1", age=41.0, previous_hash=bytes(range(32)), share_difficulty=2.75, network_difficulty=122.5,
            version_mask=0x00FFE000, version=0x20400000,
        ),
        client=replace(client, url=PoolUrl.parse("one.example:3331")),
        pools=(second, first),
        backends=(
            BackendSnapshot(
                "asic", "one board", (DeviceStatistics("bitaxe-1", 7_200_000_000, 61, 6, board),), label="boards",
                bound_to="first",
            ),
            BackendSnapshot("cpu", "2 threads", (DeviceStatistics("cpu0", 1_200_000, 62, 7),), "avx512", label="cpu"),
        ),
    )  # fmt: skip


def monitor() -> Monitor:
    """Return a monitor that has seen the scene begin at the monotonic time 100 and is looked at 9 s later. From second
    to second, the board computed 1 GH and the thread 0.2 MH."""
    now = 100.0
    seen = snapshot()
    clocked = Monitor(
        lambda: seen, EventLog(), clock=lambda: now, wall_clock=lambda: DATE + now, economics=lambda summary: {"a": 1.5}
    )
    whole = seen
    for second in range(7):
        backends = tuple(
            replace(
                backend,
                devices=tuple(
                    replace(
                        device, hashes=second * device.hashes // 6, nonces_found=device.nonces_found * (second >= 4)
                    )
                    for device in backend.devices
                ),
            )
            for backend in whole.backends
        )
        seen = replace(whole, backends=backends)
        clocked.sample()
        now += 1
    clocked.note(JobStarted(replace(JOB, previous_hash=b"\1" * 32, received_at=now - 3), 300, True))
    best, second_best, third, least = sorted(shares(4), key=lambda share: -share.difficulty)
    for share, outcome, cause in (
        (replace(second_best, backend="boards", device="bitaxe-1"), ShareOutcome.ACCEPTED, None),
        (replace(best, backend="boards", device="bitaxe-1"), ShareOutcome.REJECTED, RejectReason.DUPLICATE),
        (replace(third, backend="cpu", device="cpu0"), ShareOutcome.STALE, RejectReason.JOB_NOT_FOUND),
        (replace(least, backend="cpu", device="cpu0"), ShareOutcome.LOST, None),
    ):
        latency = None if outcome is ShareOutcome.LOST else 0.025
        clocked.note(ShareResult(share, outcome, refusal=cause, latency=latency))
        now += 0.25
    now += 1
    return clocked


def view() -> View:
    return monitor().view()
