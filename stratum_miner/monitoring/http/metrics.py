"""Metrics of a miner for Prometheus, made of a view at each scrape: base units, and totals that only grow.

A label is the name of a configured pool, of a device, or one of a few words; nothing that a peer makes up. To add a
metric, add a line to the table of what it is about, and its row to docs/watching.md.
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
    """Everything of this moment."""
    yield from metrics_of(PREFIX, MINER, view.summary)
    yield from metrics_of_pools(PREFIX, (*POOL, *SEARCHED_POOL), view.pools)
    devices = [((device.backend, device.name), device) for device in view.devices]
    yield from metrics_of_each(PREFIX + "device_", DEVICE, devices, "backend", "device")


def metrics_of_pools(prefix: str, table: Sequence[Family[PoolView]], pools: Sequence[PoolView]) -> Iterator[Metric]:
    """Metrics of the pools that a miner, or a proxy, is connected to."""
    return metrics_of_each(prefix + "pool_", table, [((pool.name,), pool) for pool in pools], "pool")


def _by_fate(shares: SharesView | PoolView) -> Samples:
    return [((fate,), getattr(shares, fate)) for fate in ("accepted", "rejected", "stale", "lost")]


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
    gauges("state", "What the miner does, 1 for the state it is in", _by_state, "state"),
    gauge("devices_mining", "Devices and search threads that mine as they should", lambda it: it.devices_mining),
    gauge("devices", "Devices and search threads to mine with", lambda it: it.devices_total),
    gauges("problems", "What is wrong now, counted by its kind", _by_kind, "kind"),
    gauge("start_time_seconds", "When the miner started, in Unix time", lambda it: it.started_at),
    counter("frozen_seconds", "Time in which the process did not run, left out of rates", lambda it: it.frozen_s),
    gauges("hash_rate", "Hashes per second over a window", _by_window, "window"),
    counters("shares", "Shares by what became of them", lambda it: _by_fate(it.shares), "fate"),
    gauge("shares_open", "Shares not answered yet", lambda it: it.shares.open),
    counter("blocks_accepted", "Shares that solve a block and that a pool accepted", lambda it: it.blocks_accepted),
    counter("hardware_errors", "Claimed nonces that failed re-hashing", lambda it: it.hardware_errors),
    gauge("best_share_difficulty", "Difficulty of the best share of this run", lambda it: it.best_share),
    gauge("expected_shares", "Shares that the work done was expected to find", lambda it: it.luck.expected),
    gauge("luck_ratio", "Shares found per share expected", lambda it: it.luck.ratio),
    gauge("share_difficulty", "Difficulty that a share needs", lambda it: it.job.share_difficulty if it.job else None),
    gauge("job_age_seconds", "Age of the job being searched", lambda it: it.job.age_s if it.job else None),
    gauge("network_difficulty", "Difficulty of the network mined on", lambda it: it.network_difficulty),
    gauge("block_height", "Height of the block being searched for", lambda it: it.height),
    gauge("power_watts", "Power of this mining, configured or measured", lambda it: it.power_w),
    gauge("joules_per_terahash", "Energy for 10^12 hashes", lambda it: it.joules_per_terahash),
)
POOL: tuple[Family[PoolView], ...] = (
    gauge("active", "1 for the pool mined on", lambda it: float(it.active)),
    gauge("up", "1 for a pool that has sent a valid job", lambda it: float(it.state == "up")),
    gauge("enabled", "1 for a pool that may be used", lambda it: float(it.enabled)),
    counters("shares", "Shares by what became of them", _by_fate, "fate"),
    counter("jobs", "Valid jobs received", lambda it: it.jobs),
    counter("connects", "Connections made", lambda it: it.connects),
    counter("received_bytes", "Bytes received", lambda it: it.bytes_received),
    counter("sent_bytes", "Bytes sent", lambda it: it.bytes_sent),
    histogram("answer_seconds", "From submit to the pool's reply", lambda it: it.answers),
)
SEARCHED_POOL: tuple[Family[PoolView], ...] = (
    histogram("job_switch_seconds", "From a job's arrival until work of it is taken", lambda it: it.job_switches),
)
"""What there is besides of a pool whose jobs are searched here: a proxy passes them on."""
DEVICE: tuple[Family[DeviceView], ...] = (
    counter("hashes", "Hashes computed, or implied", lambda it: it.hashes),
    gauge("hash_rate", "Hashes per second over a minute", lambda it: it.hash_rate_1m),
    gauge("expected_hash_rate", "What it makes when all is well", lambda it: it.expected_hash_rate),
    counter("nonces", "Nonces found", lambda it: it.nonces_found),
    counter("hardware_errors", "Nonces that failed re-hashing", lambda it: it.hardware_errors),
    gauge("mining", "1 for a device that mines as it should", lambda it: float(it.mines)),
    counter("restarts", "Restarts after trouble", lambda it: it.restarts),
    gauge("temperature_celsius", "Of the chip", lambda it: it.chip_temperature_c),
    gauge("power_watts", "As the device measures it", lambda it: it.power_w),
    gauge("frequency_hertz", "Clock of the chips", lambda it: it.frequency_mhz and it.frequency_mhz * 1e6),
    gauge("core_volts", "Of the chips", lambda it: it.core_voltage_v),
    gauge("fan_rpm", "Turns per minute", lambda it: it.fan_rpm),
)
