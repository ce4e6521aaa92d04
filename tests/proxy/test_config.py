"""The settings of a proxy, and the name under which a miner's share goes to the pool."""

from typing import Any

import pytest

from stratum_miner.proxy import ProxyConfig, WorkerNames


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"port": -1}, "port: expected 0 to 65535, got -1"),
        ({"port": 65536}, "port: expected 0 to 65535, got 65536"),
        ({"max_miners": 0}, "max_miners: expected 1 to 10000, got 0"),
        ({"max_miners": 10_001}, "max_miners: expected 1 to 10000, got 10001"),
        ({"ntime_ahead": -1}, "ntime_ahead: expected 0 to 7000, got -1"),
        ({"ntime_ahead": 7001}, "ntime_ahead: expected 0 to 7000, got 7001"),
        ({"answer_timeout": 0}, "answer_timeout: expected more than 0, got 0"),
        ({"idle_timeout": 0}, "idle_timeout: expected more than 0, got 0"),
    ],
)
def test_a_setting_outside_its_range_is_named(settings: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=f"^{text}$"):
        ProxyConfig(**settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"port": 0, "max_miners": 1, "ntime_ahead": 0, "answer_timeout": 0.001},
        {"port": 65535, "max_miners": 10_000, "ntime_ahead": 7000},
    ],
)
def test_the_ends_of_each_range_may_be_set(settings: dict[str, Any]) -> None:
    config = ProxyConfig(**settings)
    assert {name: getattr(config, name) for name in settings} == settings


def test_without_more_said() -> None:
    config = ProxyConfig()
    assert config.port == 3333, "the port that most pools use for Stratum"
    assert config.max_miners == 256, "as many as one byte tells apart"
    assert config.answer_timeout == 2 * 60, "the pool client needs one minute to notice, and some time to resume"
    assert config.ntime_ahead == 7000


@pytest.mark.parametrize(
    ("names", "worker_name", "submitted"),
    [
        (WorkerNames.POOL_USER, "account.rig1", ""),
        (WorkerNames.SUFFIX, "account.rig1", ".rig1"),
        (WorkerNames.SUFFIX, "account.rig1.left", ".rig1.left"),
        (WorkerNames.SUFFIX, "rig1", ".rig1"),
        (WorkerNames.SUFFIX, "rig1.", ".rig1"),
        (WorkerNames.MINER, "account.rig1", "account.rig1"),
        (WorkerNames.MINER, "..rig1", "rig1"),
    ],
)
def test_names_at_the_pool(names: WorkerNames, worker_name: str, submitted: str) -> None:
    assert names.submitted_as(worker_name) == submitted
