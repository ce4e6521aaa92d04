"""Numbers for pools and devices: what people, the paths of the API and other tools say in place of a key.

They count from 0 in the order in which things came. A number never moves, and nothing else ever gets it.
"""

from typing import Generic, TypeVar

from stratum_miner.backends.statistics import DeviceKey, device_key
from stratum_miner.miner.snapshot import MinerSnapshot, keyed_devices
from stratum_miner.work.job import PoolKey

KeyT = TypeVar("KeyT", bound=str)


class Numbers:
    """Gives numbers: ``see`` each snapshot, and everything in it has one."""

    def __init__(self) -> None:
        self.pools: Numbered[PoolKey] = Numbered()
        self.pool_names: dict[PoolKey, str] = {}
        """What each was called when it was last seen."""
        self.devices: Numbered[DeviceKey] = Numbered()

    def see(self, snapshot: MinerSnapshot) -> None:
        """Number what is new."""
        for pool in snapshot.pools:
            self.pools.of(pool.key)
            self.pool_names[pool.key] = pool.name
        for key, backend, device in keyed_devices(snapshot.backends):
            self.devices.of(key, device_key(backend.label, device.listed_as) if device.listed_as else None)


class Numbered(Generic[KeyT]):
    """Things of one kind."""

    def __init__(self) -> None:
        self._numbers: dict[KeyT, int] = {}

    def has(self, key: KeyT) -> bool:
        """Whether the key has a number."""
        return key in self._numbers

    def of(self, key: KeyT, before: KeyT | None = None) -> int:
        """The number of a key. A new one takes over the number of ``before``, under which the same thing stood until
        now; else it gets a new number.
        """
        if key not in self._numbers:
            number = len(self._numbers)
            self._numbers[key] = number if before is None else self._numbers.pop(before, number)
        return self._numbers[key]
