"""Metrics of a miner for Prometheus, made from a new ``View`` of the miner at each scrape.

Units are base units, such as seconds and watts. Totals never fall. The value of a label is the name of a configured
pool, the name of a device, or one of a few fixed words, but never text from another computer. To add a metric of the
miner, a pool or a device, add a line to the table ``MINER``, ``POOL`` or ``DEVICE``, and a row to
docs/reference/metrics.md.
"""

from collections.abc import Iterator, Sequence

from prometheus_client.core import Metric

from stratum_miner.monitoring.health import STATES
from stratum_miner.monitoring.http.exposition import (
    Family,
    Samples,
    counter,
    counters,
    gauge,
    gauges,
    histogram,
    info,
    metrics_of,
    metrics_of_each,
)
from stratum_miner.monitoring.problems import KINDS
from stratum_miner.monitoring.view import DeviceView, PoolView, SharesView, Summary, View

PREFIX = "stratum_miner_"


def families(view: View) -> Iterator[Metric]:
    """Yield the present metrics of the miner, its pools and its devices."""
    yield from metrics_of(PREFIX, MINER, view.summary)
    yield from metrics_of_pools(PREFIX, (*POOL, *SEARCHED_POOL), view.pools)
    devices = [((device.backend, device.name), device) for device in view.devices]
    yield from metrics_of_each(PREFIX + "device_", DEVICE, devices, "backend", "device")


def metrics_of_pools(prefix: str, table: Sequence[Family[PoolView]], pools: Sequence[PoolView]) -> Iterator[Metric]:
    """Return the metrics of the pools to which a miner or a proxy is connected."""
    return metrics_of_each(prefix + "pool_", table, [((pool.name,), pool) for pool in pools], "pool")


def _by_outcome(shares: SharesView | PoolView) -> Samples:
    return [((outcome,), getattr(shares, outcome)) for outcome in ("accepted", "rejected", "stale", "lost")]


def _by_state(summary: Summary) -> Samples:
    return [((name,), float(summary.state == name)) for name in STATES]


def _by_kind(summary: Summary) -> Samples:
    return [((kind,), sum(problem.kind == kind for problem in summary.problems)) for kind in KINDS]


def _by_window(summary: Summary) -> Samples:
    return (
        (("5s",), summary.hash_rate_5s),
        (("1m",), summary.hash_rate_1m),
        (("5m",), summary.hash_rate_5m),
        (("15m",), summary.hash_rate_15m),
        (("start",), summary.hash_rate),
    )


MINER: tuple[Family[Summary], ...] = (
    info("build", "Version of the miner", lambda it: {"version": it.version}),
    gauges("state", "1 for the state that the miner is in, 0 for all others", _by_state, "state"),
    gauge("devices_mining", "Devices and search threads that mine at their proper rate", lambda it: it.devices_mining),
    gauge("devices", "Devices and search threads that should mine", lambda it: it.devices_total),
    gauges("problems", "Number of present problems of each kind", _by_kind, "kind"),
    gauge("start_time_seconds", "Unix time at which the miner started", lambda it: it.started_at),
    counter("frozen_seconds", "Time in which the process did not run; hash rates leave it out", lambda it: it.frozen_s),
    gauges("hash_rate", "Hashes per second, averaged over a window", _by_window, "window"),
    counters("shares", "Shares by outcome", lambda it: _by_outcome(it.shares), "fate"),
    gauge("shares_open", "Shares without an outcome so far", lambda it: it.shares.open),
    counter("blocks_accepted", "Shares that solve a block and that a pool accepted", lambda it: it.blocks_accepted),
    counter("hardware_errors", "Wrong nonces that drivers or the miner found", lambda it: it.hardware_errors),
    gauge("best_share_difficulty", "Difficulty of the best share of this run", lambda it: it.best_share),
    gauge("expected_shares", "Shares that the work done was expected to find", lambda it: it.luck.expected),
    gauge("luck_ratio", "Number of shares found divided by the number expected", lambda it: it.luck.ratio),
    gauge(
        "share_difficulty",
        "Share difficulty of the present job",
        lambda it: it.job.share_difficulty if it.job else None,
    ),
    gauge("job_age_seconds", "Age of the present job", lambda it: it.job.age_s if it.job else None),
    gauge("network_difficulty", "Network difficulty of the newest job", lambda it: it.network_difficulty),
    gauge("block_height", "Height of the block that the newest job works on", lambda it: it.height),
    gauge("power_watts", "Electric power used for mining, as configured or measured", lambda it: it.power_w),
    gauge("joules_per_terahash", "Energy per 10^12 hashes", lambda it: it.joules_per_terahash),
)
POOL: tuple[Family[PoolView], ...] = (
    gauge("active", "1 for the pool mined on", lambda it: float(it.active)),
    gauge("up", "1 for a pool that is up, which means that it sends valid jobs", lambda it: float(it.state == "up")),
    gauge("enabled", "1 for a pool that may be used", lambda it: float(it.enabled)),
    counters("shares", "Shares by outcome", _by_outcome, "fate"),
    counter("jobs", "Valid jobs received", lambda it: it.jobs),
    counter("connects", "Connections made", lambda it: it.connects),
    counter("received_bytes", "Bytes received", lambda it: it.bytes_received),
    counter("sent_bytes", "Bytes sent", lambda it: it.bytes_sent),
    histogram("answer_seconds", "Time from submitting a share to the pool's reply", lambda it: it.answers),
)
SEARCHED_POOL: tuple[Family[PoolView], ...] = (
    histogram(
        "job_switch_seconds", "Time from the arrival of a job until a device works on it", lambda it: it.job_switches
    ),
)
"""Further metrics of the pools of a miner. A proxy does not have them, because it does not search for shares."""
DEVICE: tuple[Family[DeviceView], ...] = (
    counter("hashes", "Hashes computed, or implied by nonces if the device does not count them", lambda it: it.hashes),
    gauge("hash_rate", "Hashes per second, averaged over 1 min", lambda it: it.hash_rate_1m),
    gauge(
        "expected_hash_rate",
        "Hashes per second that the device should reach at its present frequency",
        lambda it: it.expected_hash_rate,
    ),
    counter("nonces", "Nonces found", lambda it: it.nonces_found),
    counter("hardware_errors", "Wrong nonces that the driver or the miner found", lambda it: it.hardware_errors),
    gauge("mining", "1 for a device that mines at its proper rate", lambda it: float(it.mines)),
    counter("restarts", "Restarts after a failure", lambda it: it.restarts),
    gauge("temperature_celsius", "Temperature of the chip", lambda it: it.chip_temperature_c),
    gauge("power_watts", "Electric power that the device measures", lambda it: it.power_w),
    gauge("frequency_hertz", "Clock frequency of the chips", lambda it: it.frequency_mhz and it.frequency_mhz * 1e6),
    gauge("core_volts", "Core voltage of the chips", lambda it: it.core_voltage_v),
    gauge("fan_rpm", "Fan speed in revolutions per minute", lambda it: it.fan_rpm),
)
