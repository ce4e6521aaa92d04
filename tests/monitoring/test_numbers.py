"""Tests that an id always belongs to the same pool or device, even if it moves or changes its name."""

from dataclasses import replace

from stratum_miner.backends.statistics import DeviceKey, DeviceStatistics, device_key
from stratum_miner.client import PoolSettings, PoolUrl
from stratum_miner.miner import Miner
from stratum_miner.miner.snapshot import BackendSnapshot
from stratum_miner.monitoring.numbers import Numbered, Numbers


def test_a_number_never_moves_and_nothing_else_gets_it() -> None:
    numbers = Numbered[DeviceKey]()
    first, second, third = (DeviceKey(name) for name in ("a/0", "b/0", "b/1"))
    assert [numbers.of(key) for key in (first, second, first, third, second)] == [0, 1, 0, 2, 1]


def test_what_has_become_known_keeps_the_number_of_what_it_was_listed_as() -> None:
    numbers = Numbered[DeviceKey]()
    port, other, known = (DeviceKey(name) for name in ("a/ttyACM0", "a/ttyACM1", "a/bitaxe-1"))
    assert [numbers.of(port), numbers.of(other), numbers.of(known, port)] == [0, 1, 0]
    assert (numbers.has(known), numbers.has(port)) == (True, False)
    assert numbers.of(port) == 2, "another machine at that port"
    assert numbers.of(known, port) == 0, "that it was listed there is over"


def test_all_of_a_snapshot_is_numbered_in_its_order() -> None:
    settings = PoolSettings(url=PoolUrl.parse("a.example:3333"), worker_name="w")
    empty, numbers = Miner(settings, []).snapshot(), Numbers()

    def see(*names: tuple[str, str, str]) -> list[int]:
        backends = tuple(
            BackendSnapshot("asic", "", (DeviceStatistics(name, 0, 0, listed_as=listed_as),), label=label)
            for label, name, listed_as in names
        )
        numbers.see(replace(empty, backends=backends))
        return [numbers.devices.of(device_key(label, name)) for label, name, _ in names]

    assert see(("a", "stick", ""), ("b", "stick", "")) == [0, 1]
    assert see(("b", "stick", ""), ("a", "bitaxe", "stick"), ("b", "new", "")) == [1, 0, 2]
