"""Steering a miner: pauses that several may want, pools and devices by their index, and refusals in one line."""

import pytest
import structlog.testing

from stratum_miner.backends.asic.backend import AsicBackend
from stratum_miner.backends.asic.device_spec import DeviceSpec
from stratum_miner.backends.simulated import SimulatedBackend
from stratum_miner.cli.secrets import redact
from stratum_miner.cli.steering import Steering
from stratum_miner.client import PoolSettings, PoolUrl
from stratum_miner.client.pools import Strategy
from stratum_miner.miner import Miner
from stratum_miner.monitoring.control import BY_HAND, ControlRefused, NewPool


def miner(*hosts: str, strategy: Strategy = Strategy.FAILOVER) -> Miner:
    settings = [PoolSettings(url=PoolUrl.parse(f"{host}:1"), worker_name="w") for host in hosts or ("a", "b", "c")]
    asic = AsicBackend([DeviceSpec.parse("erupter:/dev/nothing-here")])
    return Miner(settings, [SimulatedBackend(), asic], strategy=strategy)


def hosts(it: Miner) -> list[str]:
    return [pool.client.url.host for pool in it.client.pools()]


def test_a_pause_lasts_until_nobody_wants_it_or_a_person_ends_it() -> None:
    it = miner()
    steering = Steering(it)
    with structlog.testing.capture_logs() as logged:
        steering.pause("schedule", "not in the evening")
        steering.pause("heat", "81 C")
        steering.pause("heat", "82 C")
        assert it.is_paused
        steering.resume("schedule")
        assert it.is_paused
        steering.resume("heat")
        assert not it.is_paused
        steering.pause("schedule")
        steering.resume(BY_HAND)
        assert not it.is_paused
        steering.resume(BY_HAND)
    assert [entry["event"] for entry in logged] == ["paused", "paused", "resumed", "paused", "resumed"]


def test_pools_are_changed_by_their_index() -> None:
    it = miner()
    steering = Steering(it)
    steering.switch_pool(2)
    assert hosts(it) == ["c", "a", "b"]
    steering.move_pool(0, 2)
    assert hosts(it) == ["a", "b", "c"]
    steering.add_pool(NewPool(url="stratum+tcp://d:1", user="w", password="a long secret", index=1))
    assert hosts(it) == ["a", "d", "b", "c"]
    assert redact("a long secret") == "***"
    with pytest.raises(ControlRefused, match="expected each once for a worker, stratum\\+tcp://d:1 is there already"):
        steering.add_pool(NewPool(url="d:1", user="w"))
    steering.enable_pool(1, False)
    assert [pool.enabled for pool in it.client.pools()] == [True, False, True, True]
    steering.switch_pool(1)
    assert hosts(it)[0] == "d"
    assert it.client.pools()[0].enabled
    steering.remove_pool(3)
    assert hosts(it) == ["d", "a", "b"]


def test_what_makes_no_sense_is_refused() -> None:
    steering = Steering(miner())
    quotas = Steering(miner("a", "b", strategy=Strategy.QUOTA))
    alone = Steering(Miner(PoolSettings(url=PoolUrl.parse("a:1"), worker_name="w"), [SimulatedBackend()]))
    for ask, needle in (
        (lambda: steering.switch_pool(3), "pool: expected a place from 0 to 2, got 3"),
        (lambda: steering.add_pool(NewPool(url="http://x", user="w")), "http"),
        (lambda: steering.add_pool(NewPool(url="a:1", user="w")), "there already"),
        (lambda: alone.remove_pool(0), "at least one pool"),
        (lambda: quotas.switch_pool(1), "in turns"),
        (lambda: steering.restart_device(9), "device: expected a number from 0 to"),
        (lambda: steering.restart_device(0), "a part of this computer"),
        (lambda: steering.add_device("eruptr:/dev/ttyUSB0"), "erupter"),
        (lambda: alone.add_device("erupter:/dev/ttyUSB0"), "started with --device"),
        (steering.reload, "reload: expected a configuration file"),
    ):
        with pytest.raises(ControlRefused) as refused:
            ask()
        assert needle in str(refused.value)
        assert "\n" not in str(refused.value)
