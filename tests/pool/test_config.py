"""A configuration that contradicts itself is refused where it is made."""

from typing import Any

import pytest

from stratum_miner.downstream.vardiff import VardiffConfig
from stratum_miner.pool.config import PoolConfig


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"payout_script": b""}, "payout_script: expected an output script"),
        ({"port": 65536}, "port: expected 0 to 65535, got 65536"),
        ({"extranonce2_size": 1}, "extranonce2_size: expected 2 to 16, got 1"),
        ({"coinbase_tag": b"x" * 51}, "coinbase_tag: expected at most 50 bytes, got 51"),
        ({"version_mask": 1 << 29}, "version_mask: expected bits 0 to 28"),
        ({"ntime_ahead": 7001}, "ntime_ahead: expected 0 to 7000, got 7001"),
        ({"notify_interval": 0.0}, "notify_interval: expected more than 0, got 0.0"),
        ({"max_connections": 0}, "max_connections: expected 1 or more, got 0"),
        ({"max_connections_per_address": 0}, "max_connections_per_address: expected None, or 1 or more, got 0"),
        ({"idle_timeout": -1.0}, "idle_timeout: expected more than 0, got -1.0"),
        ({"stop_grace": float("nan")}, "stop_grace: expected 0 or more, got nan"),
        ({"difficulty": 1.0, "minimum_difficulty": 2.0}, "minimum <= start <= maximum, got 2.0, 1.0"),
        ({"difficulty": 0.0}, "minimum <= start <= maximum"),
        ({"difficulty": float("nan")}, "minimum <= start <= maximum"),
        ({"maximum_difficulty": float("inf")}, "minimum <= start <= maximum"),
    ],
)
def test_contradictions_are_named(settings: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text.replace("(", "\\(")):
        PoolConfig(**{"payout_script": b"\x51", **settings})


@pytest.mark.parametrize(
    ("network", "ceiling"),
    [(None, 1e6), (5.0, 5.0), (1e9, 1e6), (4.6565423739069247e-10, 1e6)],
)
def test_ceiling(network: float | None, ceiling: float) -> None:
    config = PoolConfig(payout_script=b"\x51", difficulty=1e-3, maximum_difficulty=1e6)
    assert config.lowest_difficulty == 1e-6
    assert config.ceiling(network) == ceiling


def test_a_miner_may_ask_for_what_it_starts_with() -> None:
    config = PoolConfig(payout_script=b"\x51", difficulty=1.0, vardiff=VardiffConfig(minimum=4.0))
    assert config.lowest_request == 1.0


@pytest.mark.parametrize(
    "settings",
    [
        {"port": 0, "extranonce2_size": 2, "ntime_ahead": 0, "max_connections": 1, "notify_interval": 1e-9},
        {"port": 65535, "extranonce2_size": 16, "ntime_ahead": 7000, "coinbase_tag": b"x" * 50},
        {"version_mask": 0},
        {"version_mask": (1 << 29) - 1},
        {"difficulty": 2.0**-32, "minimum_difficulty": 2.0**-32, "maximum_difficulty": 2.0**-32},
        {"difficulty": 5.0, "minimum_difficulty": 5.0, "maximum_difficulty": 5.0},
    ],
)
def test_the_ends_of_each_range_may_be_set(settings: dict[str, Any]) -> None:
    config = PoolConfig(**{"payout_script": b"\x51", **settings})
    assert {name: getattr(config, name) for name in settings} == settings


@pytest.mark.parametrize(
    "settings", [{"port": -1}, {"extranonce2_size": 17}, {"ntime_ahead": -1}, {"version_mask": -1}]
)
def test_below_and_beyond_them_nothing_may(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"^{next(iter(settings))}: expected "):
        PoolConfig(**{"payout_script": b"\x51", **settings})


def test_a_difficulty_at_which_more_than_every_hash_is_a_share_is_refused() -> None:
    with pytest.raises(ValueError, match="minimum <= start <= maximum"):
        PoolConfig(payout_script=b"\x51", difficulty=2.0**-33, minimum_difficulty=2.0**-33)


def test_a_network_as_easy_as_our_minimum_still_bounds_the_difficulty() -> None:
    config = PoolConfig(payout_script=b"\x51", difficulty=1e-3)
    assert (config.ceiling(1e-6), config.ceiling(0.9e-6)) == (1e-6, 1e15)


def test_without_more_said() -> None:
    config = PoolConfig(payout_script=b"\x51")
    assert config.port == 3333, "the port that most pools use for Stratum"
    assert (config.difficulty, config.maximum_difficulty) == (1.0, 10**15)
    assert config.extranonce2_size == 8, "the most that WhatsMiner and cgminer accept"
    assert config.notify_interval == 60 / 2, "Antminers leave after a minute without a job"
    assert config.ntime_ahead == 10 * 60
    assert config.max_connections == 10_000
