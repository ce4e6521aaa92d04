"""Control of a miner: pauses with several causes, pools and devices by their id, and refusals in one line."""

import pytest
import structlog.testing

from stratum_miner.app.daemon.control import MinerControl
from stratum_miner.app.process.secrets import redact
from stratum_miner.backends.asic.backend import AsicBackend
from stratum_miner.backends.asic.device_spec import DeviceSpec
from stratum_miner.backends.simulated import SimulatedBackend
from stratum_miner.backends.statistics import BackendStatistics, DeviceStatistics, device_key
from stratum_miner.client import PoolSettings, PoolUrl
from stratum_miner.client.settings import Strategy
from stratum_miner.foreign_text import is_plain
from stratum_miner.miner import Assignment, Miner
from stratum_miner.monitoring.control import BY_HAND, ControlRefused, NewPool, PoolChange
from stratum_miner.monitoring.events import EventLog
from stratum_miner.monitoring.monitor import Monitor
from stratum_miner.monitoring.numbers import Numbers


def miner(*hosts: str, strategy: Strategy = Strategy.FAILOVER) -> Miner:
    settings = [PoolSettings(url=PoolUrl.parse(f"{host}:1"), worker_name="w") for host in hosts or ("a", "b", "c")]
    asic = AsicBackend([DeviceSpec.parse("erupter:/dev/nothing-here")])
    return Miner(settings, [SimulatedBackend(), asic], strategy=strategy)


def hosts(it: Miner) -> list[str]:
    return [pool.client.url.host for pool in it.pool_control.pools()]


def test_a_pause_lasts_until_nobody_wants_it_or_a_person_ends_it() -> None:
    it = miner()
    steering = MinerControl(it, Numbers())
    with structlog.testing.capture_logs() as logged:
        assert steering.pauses == {}
        steering.pause("schedule", "not in the evening")
        steering.pause("heat", "81 C")
        steering.pause("heat", "82 C")
        assert it.is_paused
        assert steering.pauses == {"schedule": "not in the evening", "heat": "82 C"}
        steering.resume("schedule")
        assert it.is_paused
        steering.resume("heat")
        assert not it.is_paused
        steering.pause("schedule")
        steering.resume(BY_HAND)
        assert not it.is_paused
        steering.resume(BY_HAND)
    assert [entry["event"] for entry in logged] == ["paused", "paused", "resumed", "paused", "resumed"]


def test_pools_are_changed_by_their_id_wherever_they_are() -> None:
    it = miner()
    steering = MinerControl(it, Numbers())
    for _ in range(2):  # said twice, it is the same pool
        steering.switch_pool(2)
        assert hosts(it) == ["c", "a", "b"]
    steering.change_pool(2, PoolChange(priority=2))
    assert hosts(it) == ["a", "b", "c"]
    new = NewPool(url="stratum+tcp://d:1", user="w", password="a long secret", priority=1)
    assert steering.add_pool(new) == 3
    assert hosts(it) == ["a", "d", "b", "c"]
    assert redact("a long secret") == "***"
    with pytest.raises(
        ControlRefused, match="expected another pool or worker name, because stratum\\+tcp://d:1 is already in use"
    ):
        steering.add_pool(NewPool(url="d:1", user="w"))
    steering.change_pool(3, PoolChange(enabled=False))
    assert [pool.enabled for pool in it.pool_control.pools()] == [True, False, True, True]
    steering.switch_pool(3)
    assert hosts(it)[0] == "d"
    assert it.pool_control.pools()[0].enabled
    steering.remove_pool(2)
    assert hosts(it) == ["d", "a", "b"]
    with pytest.raises(ControlRefused, match="pool: expected one of the ids 0, 1, 3, got 2"):
        steering.change_pool(2, PoolChange(enabled=False))
    assert steering.add_pool(NewPool(url="e:1", user="w")) == 4
    assert steering.add_pool(NewPool(url="c:1", user="w")) == 2  # the same pool again


@pytest.mark.parametrize("strategy", Strategy)
@pytest.mark.parametrize(
    ("change", "needle"),
    [
        (PoolChange(enabled=False, quota=3, priority=50), "priority: expected a position from 0 to 2, got 50"),
        (PoolChange(enabled=False, quota=-1), "quota: expected a number from 0, got -1"),
        (PoolChange(enabled=False, priority=-1), "priority: expected a position from 0 to 2, got -1"),
    ],
)
def test_a_wrong_change_changes_nothing(strategy: Strategy, change: PoolChange, needle: str) -> None:
    it = miner(strategy=strategy)
    before = it.pool_control.pools()
    if strategy is Strategy.FAILOVER and change.quota is not None:
        needle = "quota: expected a miner with --strategy quota, got one with --strategy failover"
    with pytest.raises(ControlRefused) as refused:
        MinerControl(it, Numbers()).change_pool(1, change)
    assert str(refused.value) == needle
    after = it.pool_control.pools()
    assert [(pool.key, pool.enabled, pool.quota) for pool in after] == [
        (pool.key, pool.enabled, pool.quota) for pool in before
    ]


def test_a_pool_of_one_backend_alone_is_addressed_like_the_others() -> None:
    pools = [PoolSettings(url=PoolUrl.parse(f"{host}:1"), worker_name="w") for host in "ab"]
    own = PoolSettings(url=PoolUrl.parse("a:1"), worker_name="w")
    it = Miner(pools, [SimulatedBackend(), Assignment(backend=SimulatedBackend(), name="slow", pool=own)])
    pools_seen = it.snapshot().pools
    assert [pool.name for pool in pools_seen] == ["stratum+tcp://a:1", "stratum+tcp://b:1", "stratum+tcp://a:1 as w"]
    assert len({pool.key for pool in pools_seen}) == 3
    MinerControl(it, Numbers()).change_pool(2, PoolChange(enabled=False))
    assert [pool.enabled for pool in it.snapshot().pools] == [True, True, False]
    with pytest.raises(ControlRefused, match="priority: expected a position from 0 to 0, got 1"):
        MinerControl(it, Numbers()).change_pool(2, PoolChange(priority=1))


def test_what_makes_no_sense_is_refused() -> None:
    steering = MinerControl(miner(), Numbers())
    quotas = MinerControl(miner("a", "b", strategy=Strategy.QUOTA), Numbers())
    alone = MinerControl(
        Miner(PoolSettings(url=PoolUrl.parse("a:1"), worker_name="w"), [SimulatedBackend()]), Numbers()
    )
    for ask, needle in (
        (lambda: steering.switch_pool(3), "pool: expected one of the ids 0, 1, 2, got 3"),
        (lambda: steering.add_pool(NewPool(url="https://x:1", user="w")), "https"),
        (lambda: steering.add_pool(NewPool(url="u:p@x:1", user="w")), "expected no user name or password in it"),
        (lambda: steering.add_pool(NewPool(url="a:1", user="w")), "already in use"),
        (lambda: alone.remove_pool(0), "at least one pool"),
        (lambda: quotas.switch_pool(1), "expected the failover strategy"),
        (lambda: steering.restart_device(9), "device: expected one of the ids 0, 1, got 9"),
        (lambda: steering.restart_device(0), "which is part of this computer"),
        (lambda: steering.add_device("eruptr:/dev/ttyUSB0"), "erupter"),
        (lambda: alone.add_device("erupter:/dev/ttyUSB0"), "started with --device"),
        (steering.reload, "reload: expected a configuration file"),
    ):
        with pytest.raises(ControlRefused) as refused:
            ask()
        assert needle in str(refused.value)
        assert "\n" not in str(refused.value)


def test_a_device_keeps_its_id_when_it_becomes_known_what_it_is() -> None:
    class OneDevice(SimulatedBackend):
        """A device that is listed by its port and later by its name, with another device in between."""

        devices: tuple[DeviceStatistics, ...] = (DeviceStatistics("/dev/ttyUSB7", 0, 0),)

        def statistics(self) -> BackendStatistics:
            return BackendStatistics("simulated", "", self.devices)

    backend = OneDevice()
    it = Miner(PoolSettings(url=PoolUrl.parse("a:1"), worker_name="w"), [backend])
    monitor = Monitor(it.snapshot, EventLog())

    def ids() -> dict[str, int]:
        return {device.name: device.id for device in monitor.view().devices}

    assert ids() == {"/dev/ttyUSB7": 0}
    other = DeviceStatistics("other", 0, 0)
    backend.devices = (*backend.devices, other)
    assert ids() == {"/dev/ttyUSB7": 0, "other": 1}
    backend.devices = (DeviceStatistics("erupter-7", 0, 0, listed_as="/dev/ttyUSB7"), other)
    assert ids() == {"erupter-7": 0, "other": 1}
    assert it.device(device_key("simulated", "erupter-7")) == (backend, "erupter-7")
    with pytest.raises(LookupError):
        it.device(device_key("simulated", "/dev/ttyUSB7"))


@pytest.mark.parametrize(
    "text", ["a\x1b[31m", "a\nb", "a\x9bb", "a\u202eb", "a\u2066b", "a\u200bb", "a\u2028b", "\ud800"]
)
def test_names_that_cannot_be_printed_are_refused_as_in_the_configuration(text: str) -> None:
    it = miner()
    before = hosts(it)
    for pool in (NewPool(url="x:1", user=text), NewPool(url="x:1", user="w", name=text)):
        with pytest.raises(ControlRefused, match="expected printable characters, got") as refused:
            MinerControl(it, Numbers()).add_pool(pool)
        assert is_plain(str(refused.value))
    with pytest.raises(ControlRefused, match="expected printable characters, got"):
        MinerControl(it, Numbers()).add_device(f"erupter:/dev/{text}")
    assert hosts(it) == before
