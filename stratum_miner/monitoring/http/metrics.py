"""Metrics of a miner for Prometheus, made of a view at each scrape: base units, and totals that only grow.

A label is the name of a configured pool, of a device, or one of a few words; nothing that a peer makes up.
"""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric

from stratum_miner.monitoring.health import STATES
from stratum_miner.monitoring.http.exposition import Exposition, histogram
from stratum_miner.monitoring.monitor import Monitor
from stratum_miner.monitoring.problems import KINDS
from stratum_miner.monitoring.view import DeviceView, PoolView, Summary, View

PREFIX = "stratum_miner_"
FATES = ("accepted", "rejected", "stale", "lost")


class Exporter(Exposition):
    """Makes the text of a scrape of a miner."""

    def __init__(self, monitor: Monitor) -> None:
        super().__init__(lambda: families(monitor.view()))


def families(view: View) -> Iterator[Metric]:
    """Everything of this moment."""
    yield from _summary(view.summary)
    yield from pool_families(PREFIX + "pool_", view.pools)
    switches = [([pool.name], pool.job_switches) for pool in view.pools]
    yield histogram(
        PREFIX + "pool_job_switch_seconds", "From a job's arrival until work of it is taken", switches, ["pool"]
    )
    yield from _devices(view.devices)


def _summary(summary: Summary) -> Iterator[Metric]:
    yield InfoMetricFamily(PREFIX + "build", "Version of the miner", value={"version": summary.version})
    state = GaugeMetricFamily(PREFIX + "state", "What the miner does, 1 for the state it is in", labels=["state"])
    for name in STATES:
        state.add_metric([name], float(summary.state == name))
    yield state
    yield _gauge("devices_mining", "Devices and search threads that mine as they should", summary.devices_mining)
    yield _gauge("devices", "Devices and search threads to mine with", summary.devices_total)
    problems = GaugeMetricFamily(PREFIX + "problems", "What is wrong now, counted by its kind", labels=["kind"])
    for kind in KINDS:
        problems.add_metric([kind], sum(problem.kind == kind for problem in summary.problems))
    yield problems
    yield _gauge("start_time_seconds", "When the miner started, in Unix time", summary.started_at)
    yield _counter("frozen_seconds", "Time in which the process did not run, left out of rates", summary.frozen_s)
    rates = GaugeMetricFamily(PREFIX + "hash_rate", "Hashes per second over a window", labels=["window"])
    for window, rate in (
        ("5s", summary.hash_rate_5s),
        ("1m", summary.hash_rate_1m),
        ("5m", summary.hash_rate_5m),
        ("15m", summary.hash_rate_15m),
        ("start", summary.hash_rate),
    ):
        rates.add_metric([window], rate)
    yield rates
    shares = CounterMetricFamily(PREFIX + "shares", "Shares by what became of them", labels=["fate"])
    for fate in FATES:
        shares.add_metric([fate], getattr(summary.shares, fate))
    yield shares
    yield _gauge("shares_open", "Shares not answered yet", summary.shares.open)
    yield _counter("blocks_accepted", "Shares that solve a block and that a pool accepted", summary.blocks_accepted)
    yield _counter("hardware_errors", "Claimed nonces that failed re-hashing", summary.hardware_errors)
    yield _gauge("best_share_difficulty", "Difficulty of the best share of this run", summary.best_share)
    yield _gauge("expected_shares", "Shares that the work done was expected to find", summary.luck.expected)
    if summary.luck.ratio is not None:
        yield _gauge("luck_ratio", "Shares found per share expected", summary.luck.ratio)
    if summary.job is not None:
        yield _gauge("share_difficulty", "Difficulty that a share needs", summary.job.share_difficulty)
        yield _gauge("job_age_seconds", "Age of the job being searched", summary.job.age_s)
    if summary.network_difficulty is not None:
        yield _gauge("network_difficulty", "Difficulty of the network mined on", summary.network_difficulty)
    if summary.height is not None:
        yield _gauge("block_height", "Height of the block being searched for", summary.height)
    if summary.power_w is not None:
        yield _gauge("power_watts", "Power of this mining, configured or measured", summary.power_w)
    if summary.joules_per_terahash is not None:
        yield _gauge("joules_per_terahash", "Energy for 10^12 hashes", summary.joules_per_terahash)


def pool_families(prefix: str, pools: tuple[PoolView, ...]) -> Iterator[Metric]:
    """Of the pools that a miner, or a proxy, is connected to."""
    labels = ["pool"]
    active = GaugeMetricFamily(prefix + "active", "1 for the pool mined on", labels=labels)
    up = GaugeMetricFamily(prefix + "up", "1 for a pool that has sent a valid job", labels=labels)
    enabled = GaugeMetricFamily(prefix + "enabled", "1 for a pool that may be used", labels=labels)
    shares = CounterMetricFamily(prefix + "shares", "Shares by what became of them", labels=["pool", "fate"])
    jobs = CounterMetricFamily(prefix + "jobs", "Valid jobs received", labels=labels)
    connects = CounterMetricFamily(prefix + "connects", "Connections made", labels=labels)
    received = CounterMetricFamily(prefix + "received_bytes", "Bytes received", labels=labels)
    sent = CounterMetricFamily(prefix + "sent_bytes", "Bytes sent", labels=labels)
    for pool in pools:
        label = [pool.name]
        active.add_metric(label, float(pool.active))
        up.add_metric(label, float(pool.state == "up"))
        enabled.add_metric(label, float(pool.enabled))
        for fate in FATES:
            shares.add_metric([*label, fate], getattr(pool, fate))
        jobs.add_metric(label, pool.jobs)
        connects.add_metric(label, pool.connects)
        received.add_metric(label, pool.bytes_received)
        sent.add_metric(label, pool.bytes_sent)
    yield from (active, up, enabled, shares, jobs, connects, received, sent)
    answers = [([pool.name], pool.answers) for pool in pools]
    yield histogram(prefix + "answer_seconds", "From submit to the pool's reply", answers, labels)


def _devices(devices: tuple[DeviceView, ...]) -> Iterator[Metric]:
    labels = ["backend", "device"]
    hashes = CounterMetricFamily(PREFIX + "device_hashes", "Hashes computed, or implied", labels=labels)
    rate = GaugeMetricFamily(PREFIX + "device_hash_rate", "Hashes per second over a minute", labels=labels)
    expected = GaugeMetricFamily(PREFIX + "device_expected_hash_rate", "What it makes when all is well", labels=labels)
    nonces = CounterMetricFamily(PREFIX + "device_nonces", "Nonces found", labels=labels)
    errors = CounterMetricFamily(PREFIX + "device_hardware_errors", "Nonces that failed re-hashing", labels=labels)
    mining = GaugeMetricFamily(PREFIX + "device_mining", "1 for a device that mines as it should", labels=labels)
    celsius = GaugeMetricFamily(PREFIX + "device_temperature_celsius", "Of the chip", labels=labels)
    watts = GaugeMetricFamily(PREFIX + "device_power_watts", "As the device measures it", labels=labels)
    hertz = GaugeMetricFamily(PREFIX + "device_frequency_hertz", "Clock of the chips", labels=labels)
    volts = GaugeMetricFamily(PREFIX + "device_core_volts", "Of the chips", labels=labels)
    fan = GaugeMetricFamily(PREFIX + "device_fan_rpm", "Turns per minute", labels=labels)
    restarts = CounterMetricFamily(PREFIX + "device_restarts", "Restarts after trouble", labels=labels)
    for device in devices:
        key = [device.backend, device.name]
        hashes.add_metric(key, device.hashes)
        rate.add_metric(key, device.hash_rate_1m)
        nonces.add_metric(key, device.nonces_found)
        errors.add_metric(key, device.hardware_errors)
        mining.add_metric(key, float(device.mines))
        restarts.add_metric(key, device.restarts)
        for family, value in (
            (expected, device.expected_hash_rate),
            (celsius, device.chip_temperature_c),
            (watts, device.power_w),
            (hertz, None if device.frequency_mhz is None else device.frequency_mhz * 1e6),
            (volts, device.core_voltage_v),
            (fan, device.fan_rpm),
        ):
            if value is not None:
                family.add_metric(key, value)
    yield from (hashes, rate, expected, nonces, errors, mining, restarts, celsius, watts, hertz, volts, fan)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(PREFIX + name, text, value=value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(PREFIX + name, text, value=value)
