"""A miner with twelve devices that find nonces and shares all the time. No measurement has the same value twice."""

import random
from dataclasses import replace

from stratum_miner.backends.statistics import DeviceStatistics, Hardware
from stratum_miner.miner import ShareCounts
from stratum_miner.miner.snapshot import BackendSnapshot, JobSnapshot
from stratum_miner.work.job import PoolKey
from stratum_miner.work.share_result import ShareOutcome, ShareResult

from ..test_monitor import JOB, Bench, shares

DEVICES = 12
RATE = 1.2e12
SHARE_EVERY_S = 2
JOB_EVERY_S = 30
REASON = "21: job not found"


class BusyMiner(Bench):
    """A miner in which each call of ``second`` changes everything: nonces, heat, fans, power, shares, jobs, events."""

    def __init__(self) -> None:
        super().__init__(power_w=lambda: None)
        self._random = random.Random(1)
        self._seconds = 0
        self._found = shares(40)
        self._hashes = [0] * DEVICES
        self._chips = [[0, 0, 0, 0] for _ in range(DEVICES)]
        pool = self.snapshot.pools[0]
        self._pools = (
            replace(pool, active=True, latency_p50=0.02, latency_p99=0.05),
            replace(pool, key=PoolKey("another"), active=False),
        )
        self.second()

    def second(self) -> None:
        """Change everything that changes in one second."""
        noise = self._random.gauss
        self._seconds += 1
        for index in range(DEVICES):
            self._hashes[index] += int(RATE * noise(1, 0.2))
            self._chips[index][self._random.randrange(4)] += 1
        total = sum(self._hashes)
        rates = [total / max(1, self._seconds) * noise(1, spread) for spread in (0.0001, 0.1, 0.02, 0.01, 0.005)]
        accepted = self._seconds // SHARE_EVERY_S
        counts = ShareCounts(accepted - accepted // 20, accepted // 20, 0, 0)
        self.set(
            elapsed=float(self._seconds), hash_rate=rates[0], hash_rate_5s=rates[1], hash_rate_1m=rates[2],
            hash_rate_5m=rates[3], hash_rate_15m=rates[4], shares=counts, found=accepted, shares_found=accepted,
            accepted_difficulty=counts.accepted * 65536.0, expected=self._seconds / SHARE_EVERY_S * noise(1, 0.001),
            reasons=((REASON, counts.rejected),), height=900_000,
            job=replace(JobSnapshot.of(JOB, 0.0), age=self._seconds % JOB_EVERY_S + noise(0.5, 0.1)),
            pools=tuple(
                replace(
                    pool, since=self._seconds * 1.0, accepted=counts.accepted, latency_p50=0.02 * noise(1, 0.1),
                    latency_p99=0.05 * noise(1, 0.1),
                    client=replace(
                        pool.client, bytes_received=self._seconds * 300, bytes_sent=self._seconds * 90,
                        jobs=self._seconds // JOB_EVERY_S,
                    ),
                )
                for pool in self._pools
            ),
            backends=(BackendSnapshot("asic", "", tuple(map(self._device, range(DEVICES))), label="asic"),),
        )  # fmt: skip
        self.later(1.0)
        if self._seconds % SHARE_EVERY_S == 0:
            self._share(accepted)
        if self._seconds % JOB_EVERY_S == 0:
            told = {"job_id": f"{self._seconds:08x}", "height": 900_000, "difficulty": "65536", "clean": False}
            self.monitor.events.take("new_job", "info", told, self._date)

    @property
    def _date(self) -> float:
        return 1_700_000_000 + self.now

    def _device(self, index: int) -> DeviceStatistics:
        noise = self._random.gauss
        hardware = Hardware(
            product="Bitaxe Gamma", expected_hash_rate=RATE, frequency=525.0,
            chip_temperature=round(60 + noise(0, 0.3), 3), regulator_temperature=round(65 + noise(0, 0.3), 3),
            core_voltage=round(1.15 + noise(0, 0.003), 4), input_voltage=round(5.1 + noise(0, 0.02), 4),
            power=round(17 + noise(0, 0.2), 3), fan_rpm=4200 + int(noise(0, 30)), fan_percent=60,
            chips=tuple(self._chips[index]),
        )  # fmt: skip
        nonces = sum(self._chips[index])
        return DeviceStatistics(f"bitaxe-{index}", self._hashes[index], nonces, nonces // 300, hardware)

    def _share(self, number: int) -> None:
        rejected = number % 20 == 19
        share = self._found[number % len(self._found)]
        share = replace(share, backend="asic", device=f"bitaxe-{number % DEVICES}")
        latency = 0.02 * self._random.gauss(1, 0.2)
        fate, reason = (ShareOutcome.REJECTED, REASON) if rejected else (ShareOutcome.ACCEPTED, "")
        result = ShareResult(share, fate, reason, latency=latency)
        self.monitor.note(result)
        told = {"job_id": share.job.job_id, "difficulty": "72891", "latency_ms": round(latency * 1000, 1)}
        self.monitor.events.take(f"share_{result.outcome.value}", "info", told, self._date)
