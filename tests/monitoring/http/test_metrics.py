"""Tests the text of a scrape with Prometheus's own parser, and its naming conventions."""

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from stratum_miner import __version__
from stratum_miner.backends.statistics import DeviceStatistics, Hardware
from stratum_miner.miner import ShareCounts

from ..served import full_view
from ..test_monitor import Bench
from .scrapes import FOREIGN, SCRAPES, of_miner, of_pool, of_proxy

UNITS = ("seconds", "bytes", "celsius", "watts", "hertz", "volts", "ratio", "total", "info")
"""Allowed ends of names: Prometheus's base units, and suffixes of metric types."""
NOT_BASE = (
    "milliseconds", "ms", "minutes", "hours", "days", "kilobytes", "megabytes", "bits", "fahrenheit", "kelvin",
    "milliwatts", "kilowatts", "megahertz", "mhz", "gigahertz", "ghz", "millivolts", "percent",
)  # fmt: skip


def families(bench: Bench) -> dict[str, Any]:
    text = of_miner(bench.monitor.view())
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


@pytest.mark.parametrize("program", SCRAPES)
def test_names_types_and_units_keep_the_conventions(program: str) -> None:
    """Checks the rules of `promtool check metrics` (prometheus/client_golang, testutil/promlint)."""
    text = SCRAPES[program]()
    for family in text_string_to_metric_families(text):
        assert family.name.startswith(f"stratum_{program}_")
        words = family.name.split("_")
        assert family.documentation.strip(), family.name
        assert family.type in ("counter", "gauge", "info", "histogram")
        assert family.name == family.name.lower()
        assert not set(NOT_BASE) & set(words), family.name
        for unit in set(UNITS) & set(words):
            assert family.name.endswith(unit), f"{family.name}: its unit comes last"
        assert family.type not in words  # its type is said elsewhere
        for sample in family.samples:
            assert sample.name.endswith("_total") == (family.type == "counter")
            assert ("le" in sample.labels) == sample.name.endswith("_bucket")
            assert "quantile" not in sample.labels, f"{family.name}: of summaries"
    types = [line for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(set(types)) == len(types)


@pytest.mark.parametrize("program", SCRAPES)
def test_no_two_series_are_the_same(program: str) -> None:
    series = [line.rpartition(" ")[0] for line in SCRAPES[program]().splitlines() if not line.startswith("#")]
    assert len(set(series)) == len(series)


@pytest.mark.parametrize("scrape", [of_pool, of_proxy])
def test_nothing_that_a_miner_says_is_a_label(scrape: Callable[[], str]) -> None:
    assert FOREIGN not in scrape()


@pytest.mark.parametrize("program", SCRAPES)
def test_promtool_itself_finds_nothing(program: str) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("needs promtool, of the package prometheus")
    text = SCRAPES[program]()
    done = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def values(text: str) -> dict[str, float]:
    lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


def assert_figures(text: str, prefix: str, expected: dict[str, float]) -> None:
    """Assert that the metrics have these values, that samples beside them are zero, and that no metric is missing."""
    told = {name.removeprefix(prefix): value for name, value in values(text).items()}
    assert {name: told[name] for name in expected} == expected
    known = {name.partition("{")[0] for name in expected}
    others = {name: value for name, value in told.items() if name not in expected and not name.startswith("pool_")}
    assert {name.partition("{")[0] for name in others} <= known, "a metric without a tested figure"
    assert {name: value for name, value in others.items() if value and "_bucket" not in name} == {}


ANSWERS = {
    'answer_seconds_bucket{le="0.0001"}': 2, 'answer_seconds_bucket{le="60.0"}': 3,
    'answer_seconds_bucket{le="+Inf"}': 4, "answer_seconds_count": 4, "answer_seconds_sum": 70.00215,
}  # fmt: skip


def test_a_pools_figures_are_those_of_its_snapshot() -> None:
    expected = ANSWERS | {
        f'build_info{{version="{__version__}"}}': 1, "start_time_seconds": 1e9, "node_up": 1,
        "template_age_seconds": 2.5, "block_height": 101, "network_difficulty": 1e3, "jobs_total": 7, "miners": 2,
        "connections_open": 3, "connections_total": 5, "connections_refused_total": 11,
        'connections_ended_total{ending="idle"}': 12, "received_bytes_total": 100, "sent_bytes_total": 200,
        "hash_rate": 2e9, 'share_difficulty{bound="lowest"}': 1, 'share_difficulty{bound="highest"}': 4,
        'shares_total{fate="accepted",reason=""}': 17, 'shares_total{fate="rejected",reason="other"}': 18,
        "accepted_difficulty_total": 3.25, "best_share_difficulty": 5.5, "blocks_found_total": 14,
        "blocks_accepted_total": 16, "blocks_refused_total": 15,
    }  # fmt: skip
    assert_figures(of_pool(), "stratum_pool_", expected)
    told = values(of_pool(node_error="refused", template_age=None, sessions=()))
    assert told["stratum_pool_node_up"] == 0
    assert "stratum_pool_template_age_seconds" not in told
    assert not any("share_difficulty{" in name for name in told)
    zero = {'connections_ended_total{ending="slow_reader"}', 'shares_total{fate="rejected",reason="duplicate share"}'}
    assert {values(of_pool())["stratum_pool_" + name] for name in zero} == {0}


def test_a_proxys_figures_are_those_of_its_snapshot() -> None:
    expected = ANSWERS | {
        f'build_info{{version="{__version__}"}}': 1, "start_time_seconds": 1e9, "has_work": 1,
        "upstream_connections": 21, "upstream_room": 256, "miners": 1, "connections_open": 2, "connections_total": 23,
        "connections_refused_total": 24, 'connections_ended_total{ending="closed"}': 25, "received_bytes_total": 100,
        "sent_bytes_total": 200, "hash_rate": 1e9, "share_difficulty": 2.25,
        'shares_total{fate="accepted",reason=""}': 5, 'shares_total{fate="kept",reason=""}': 4,
        'shares_total{fate="stale",reason=""}': 8, 'shares_total{fate="lost",reason=""}': 13,
        'shares_total{fate="rejected",reason="duplicate share"}': 6,
        'shares_total{fate="refused",reason="low difficulty share"}': 7, "shares_open": 14,
        "shares_answered_late_total": 22, "good_difficulty_total": 9.5, "best_share_difficulty": 12.5,
    }  # fmt: skip
    assert_figures(of_proxy(), "stratum_proxy_", expected)
    told = values(of_proxy())
    assert [value for name, value in told.items() if name.startswith("stratum_proxy_pool_up{")] == [0, 0]
    fates = sum(value for name, value in told.items() if name.startswith("stratum_proxy_shares_total"))
    assert fates + told["stratum_proxy_shares_open"] == 57  # what it received


def test_labels_stay_when_pools_move() -> None:
    shown = full_view()
    moved = replace(shown, pools=tuple(reversed(shown.pools)))

    def of_pools(text: str) -> dict[str, float]:
        return {name: value for name, value in values(text).items() if "_pool_" in name}

    assert of_pools(of_miner(shown)) == of_pools(of_miner(moved))
