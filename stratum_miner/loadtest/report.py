"""The results of a run, as a frozen object and as JSON. ``thresholds`` compares the JSON of two runs.

All latencies and overheads in the JSON are in milliseconds.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from stratum_miner import __version__
from stratum_miner.loadtest.histogram import Histogram
from stratum_miner.loadtest.metrics import PHASES, LatencyStatistics, Metrics, Row
from stratum_miner.loadtest.plan import DEFAULT_SHARE_RATE, LoadPlan

QUANTILES: Mapping[str, float] = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999, "max": 1.0}
"""The reported quantiles, by name. Each value is the fraction (0 to 1) of the latencies that do not exceed the
quantile."""

LATE_FROM = 0.01
"""The search for shares fell behind if it found more than this fraction of the shares after they were due."""
LAG_FROM = 0.05
"""The loop of the load generator fell behind if a tenth of its loop lags are longer than this many seconds."""
UNRELIABLE_SAMPLES_FROM = 0.1
"""The report warns of the share latencies if more than this fraction of them is unreliable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """The part of a run that one process executed."""

    worker: str
    """Address of the Dask worker or name of the process; empty if this process executed the run itself."""
    miners: int
    duration: float
    """Seconds that this part of the run took."""
    memory_per_miner: float | None
    """Bytes of memory per miner; None if they were not measured."""
    lost_at: float | None = None
    """Seconds into the run at which the figures of this shard (part of the run) end because its process was lost or
    failed; None if the figures are complete."""
    reason: str = ""
    """Why the figures of this shard (part of the run) end early; empty if they are complete."""
    loop_use: float = 0.0
    """Fraction of the run, 0 to 1, during which the event loop of the process did not sleep."""
    pool_failure: str = ""
    """Why this shard (part of the run) ended early because of the pool; empty if it did not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadReport:
    """The results of a run that has ended."""

    plan: LoadPlan
    metrics: Metrics
    shards: tuple[Shard, ...]
    interrupted: bool = False
    """Whether the user stopped the run before its end."""
    failures: tuple[str, ...] = field(default=())
    """The limits of ``--fail-if`` that this run violates, each as a text with the measured value."""

    @property
    def duration(self) -> float:
        """Duration in seconds of the longest shard (a part of the run that a process of its own executed)."""
        return max((shard.duration for shard in self.shards), default=0.0)

    @property
    def lost(self) -> tuple[Shard, ...]:
        """The shards (parts of the run) whose figures are incomplete, because their process was lost or failed during
        the run."""
        return tuple(shard for shard in self.shards if shard.lost_at is not None)

    @property
    def memory_per_miner(self) -> float | None:
        """Mean number of bytes of memory per miner, over all shards (parts of the run) that measured it; None if no
        shard did."""
        measured = [
            (shard.memory_per_miner, shard.miners) for shard in self.shards if shard.memory_per_miner is not None
        ]
        return (
            sum(size * miners for size, miners in measured) / sum(miners for _, miners in measured)
            if measured
            else None
        )

    @property
    def shares_per_second(self) -> float:
        """Number of accepted valid shares per second."""
        return self.metrics.accepted / self.duration if self.duration else 0.0

    @property
    def pool_failure(self) -> str:
        """Why the run ended early because of the pool; empty if it did not."""
        return next((shard.pool_failure for shard in self.shards if shard.pool_failure), "")

    @property
    def processor_per_share(self) -> float | None:
        """Seconds of processor time that the load generator took for each valid share that it sent; None without
        shares."""
        return self.metrics.processor_s / self.metrics.sent if self.metrics.sent else None

    @property
    def used_share_rate(self) -> float | None:
        """Shares per second of one miner on average, at the first difficulty, if the plan left the choice of the rate
        to the load generator; otherwise None. Also None if no miner got a job."""
        metrics = self.metrics
        if self.plan.share_rate is not None or self.plan.hash_rate is not None or not metrics.needed_hash_rate:
            return None
        return DEFAULT_SHARE_RATE * metrics.hash_rate / metrics.needed_hash_rate

    @property
    def bounds(self) -> tuple[str, ...]:
        """What fell behind on this computer, so that the figures say less about the pool; empty if nothing did."""
        return tuple(self._bounds())

    def _bounds(self) -> Iterator[str]:
        metrics, loop_use = self.metrics, max((shard.loop_use for shard in self.shards), default=0.0)
        if metrics.late > metrics.sent * LATE_FROM:
            searched = metrics.hashes / self.duration if self.duration else 0.0
            yield (
                f"the search for shares fell behind: {metrics.late:,} shares were due before they were found. The run "
                f"needed {metrics.hash_rate / 1e6:,.3g} MH/s, and this computer searched {searched / 1e6:,.3g} MH/s"
            )
        lag = metrics.loop_lag.quantile(0.9)
        if lag is not None and lag > LAG_FROM:
            yield (
                f"the loop that sends and receives fell behind: it was at work for {loop_use:.0%} of the run, and a "
                f"tenth of the time it was late by {lag * 1e3:,.0f} ms or more"
            )
        submit = metrics.phases["submit"]
        if submit.unreliable > submit.latency.count * UNRELIABLE_SAMPLES_FROM:
            yield (
                f"{submit.unreliable / submit.latency.count:.0%} of the share latencies are mostly the load "
                "generator's own"
            )

    def to_json(self) -> dict[str, Any]:
        """Return the results as one JSON object."""
        plan, metrics = self.plan, self.metrics
        return {
            "version": __version__,
            "target": f"{plan.host}:{plan.port}",
            "miners": plan.miners,
            "mining": metrics.most_mining,
            "duration_s": round(self.duration, 3),
            "interrupted": self.interrupted,
            "pool_failure": self.pool_failure or None,
            "settings": _settings(plan)
            | ({"share_rate": chosen} if (chosen := self.used_share_rate) is not None else {}),
            "shares": {
                "sent": metrics.sent,
                "accepted": metrics.accepted,
                "refused": dict(metrics.refused),
                "lost": metrics.lost,
                "unanswered": metrics.unanswered,
                "late": metrics.late,
                "per_second": round(self.shares_per_second, 3),
                "chosen_rate": self.used_share_rate,
                "bad": {kind: asdict(count) for kind, count in sorted(metrics.bad.items())},
            },
            "phases": {name: phase_json(metrics.phases[name]) for name in PHASES},
            "loop_lag_ms": _quantiles(metrics.loop_lag),
            "memory_per_miner_bytes": None if self.memory_per_miner is None else round(self.memory_per_miner),
            "processor_s": round(metrics.processor_s, 3),
            "hash_rate": {
                "needed": round(metrics.needed_hash_rate),
                "simulated": round(metrics.hash_rate),
                "searched": round(metrics.hashes / self.duration) if self.duration else 0,
            },
            "connections": metrics.connections,
            "endings": dict(metrics.endings),
            "errors": dict(metrics.errors),
            "notifies": [
                {
                    "previous_block": spread.previous_block,
                    "job_id": spread.job_id,
                    "clean": spread.clean,
                    "miners": spread.miners,
                    "spread_ms": milliseconds(spread.seconds),
                }
                for spread in metrics.notifies.values()
            ],
            "timeline": [row_json(row, index * metrics.row_seconds) for index, row in enumerate(metrics.rows)],
            "shards": [
                {
                    "worker": shard.worker,
                    "miners": shard.miners,
                    "duration_s": round(shard.duration, 3),
                    "memory_per_miner_bytes": None if shard.memory_per_miner is None else round(shard.memory_per_miner),
                    "lost_at_s": None if shard.lost_at is None else round(shard.lost_at, 3),
                    "reason": shard.reason,
                    "loop_use": round(shard.loop_use, 3),
                }
                for shard in self.shards
            ],
            "doubts": [metrics.doubt] if metrics.doubt else [],
            "bounds": list(self.bounds),
            "failures": list(self.failures),
        }


def phase_json(phase: LatencyStatistics) -> dict[str, Any]:
    """Return the figures of one phase of the connections as JSON values: the count, mean and quantiles of its
    latencies, the quantiles of the generator overhead (the part of the latencies that the load generator itself may
    have caused), and the number of unreliable latencies."""
    return {
        "count": phase.latency.count,
        "mean_ms": milliseconds(phase.latency.mean),
        **{f"{name}_ms": value for name, value in _quantiles(phase.latency).items()},
        **{f"own_{name}_ms": value for name, value in _quantiles(phase.overhead).items()},
        "marked": phase.unreliable,
    }


def row_json(row: Row, at: float) -> dict[str, Any]:
    """Return a row of the time line as JSON values. ``at`` is the time at which the row begins, in seconds since the
    start."""
    micros = sorted(row.submit.items())
    return {
        "at_s": round(at, 3),
        "mining": row.mining,
        "sent": row.sent,
        "accepted": row.accepted,
        "refused": row.refused,
        "submit_p50_ms": _of_counts(micros, 0.5),
        "submit_p99_ms": _of_counts(micros, 0.99),
        "lag_max_ms": milliseconds(row.lag),
    }


def milliseconds(seconds: float | None) -> float | None:
    """Convert seconds to milliseconds, rounded to 0.001 ms. None stays None."""
    return None if seconds is None else round(seconds * 1e3, 3)


def _quantiles(histogram: Histogram) -> dict[str, float | None]:
    values = histogram.quantiles(tuple(QUANTILES.values()))
    return {name: milliseconds(value) for name, value in zip(QUANTILES, values, strict=True)}


def _of_counts(counts: list[tuple[int, int]], fraction: float) -> float | None:
    rank = max(1, math.ceil(fraction * sum(count for _, count in counts)))
    for value, count in counts:
        rank -= count
        if rank <= 0:
            return value / 1e3
    return None


def _settings(plan: LoadPlan) -> dict[str, Any]:
    """Return the settings that must be the same in two runs whose figures are compared. The pool and the password are
    not among them."""
    hidden = ("password", "host", "port", "miners", "total", "first")
    return {name: value for name, value in plan.to_builtins().items() if name not in hidden}
