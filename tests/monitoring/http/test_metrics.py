"""The text of a scrape, read back by Prometheus's own parser, and its conventions."""

from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from stratum_miner.backends.base import DeviceStatistics, Hardware
from stratum_miner.miner import ShareCounts
from stratum_miner.monitoring.http.metrics import Exporter

from ..test_monitor import Bench


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
