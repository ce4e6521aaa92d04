"""The text of a scrape, read back by Prometheus's own parser, and its conventions."""

import shutil
import subprocess
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from stratum_miner.backends.base import DeviceStatistics, Hardware
from stratum_miner.miner import ShareCounts
from stratum_miner.monitoring.http.metrics import Exporter
from stratum_miner.monitoring.model import View

from ..served import PlayedMonitor, full_view
from ..test_monitor import Bench

UNITS = ("seconds", "bytes", "celsius", "watts", "hertz", "volts", "ratio", "total", "info")
"""Prometheus's base units; of what has none there, the name says what it is."""
NOT_BASE = (
    "milliseconds", "ms", "minutes", "hours", "days", "kilobytes", "megabytes", "bits", "fahrenheit", "kelvin",
    "milliwatts", "kilowatts", "megahertz", "mhz", "gigahertz", "ghz", "millivolts", "percent",
)  # fmt: skip


def families(bench: Bench) -> dict[str, Any]:
    text = Exporter(bench.monitor).text().decode()
    return {family.name: family for family in text_string_to_metric_families(text)}


def test_figures_are_those_of_the_view() -> None:
    bench = Bench(power_w=lambda: 65.0)
    bench.set(shares=ShareCounts(7, 2, 1, 0), found=10, hash_rate_1m=1e8, height=17)
    machine = Hardware(product="x", frequency=450.0, chip_temperature=55.5)
    bench.devices(DeviceStatistics("t0", 1000, 3, hardware=machine))
    found = families(bench)
    shares = {sample.labels["fate"]: sample.value for sample in found["stratum_miner_shares"].samples}
    assert shares == {"accepted": 7, "rejected": 2, "stale": 1, "lost": 0}
    assert found["stratum_miner_power_watts"].samples[0].value == 65
    rates = {sample.labels["window"]: sample.value for sample in found["stratum_miner_hash_rate"].samples}
    assert rates["1m"] == 1e8
    assert found["stratum_miner_block_height"].samples[0].value == 17
    assert found["stratum_miner_device_frequency_hertz"].samples[0].value == 450e6
    assert found["stratum_miner_device_temperature_celsius"].samples[0].labels == {"backend": "cpu", "device": "t0"}
    assert found["stratum_miner_pool_up"].samples[0].labels == {"pool": "stratum+tcp://pool.example:3333"}


def test_names_and_types_keep_the_conventions() -> None:
    bench = Bench()
    bench.devices(DeviceStatistics("t0", 1000, 3))
    text = Exporter(bench.monitor).text().decode()
    for family in text_string_to_metric_families(text):
        assert family.name.startswith("stratum_miner_")
        assert family.documentation
        assert family.type in ("counter", "gauge", "info")
        for sample in family.samples:
            assert sample.name.endswith("_total") == (family.type == "counter")
        for unit in ("_ms", "_milliseconds", "_mhz", "_percent", "_minutes"):
            assert not family.name.endswith(unit)
    lines = text.splitlines()
    assert len({line for line in lines if line.startswith("# TYPE")}) == sum(
        line.startswith("# TYPE") for line in lines
    )


class Everything(PlayedMonitor):
    """A view with all figures there can be."""

    def __init__(self) -> None:
        super().__init__(full_view())


def scrape(shown: View | None = None) -> str:
    monitor: Any = Everything()
    if shown is not None:
        monitor.shown = shown
    return Exporter(monitor).text().decode()


def test_it_passes_the_checks_that_promtool_does() -> None:
    """promtool check metrics, by its rules (prometheus/client_golang, testutil/promlint): help, types, names, units."""
    for family in text_string_to_metric_families(scrape()):
        words = family.name.split("_")
        assert family.documentation.strip(), family.name
        assert family.name == family.name.lower()
        assert not set(NOT_BASE) & set(words), family.name
        for unit in set(UNITS) & set(words):
            assert family.name.endswith(unit), f"{family.name}: its unit comes last"
        assert family.type not in words  # its type is said elsewhere
        for sample in family.samples:
            assert sample.name.endswith("_total") == (family.type == "counter")
            assert not {"le", "quantile"} & set(sample.labels), f"{family.name}: of histograms and summaries"


def test_promtool_itself_finds_nothing() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("needs promtool, of the package prometheus")
    done = subprocess.run([promtool, "check", "metrics"], input=scrape(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
