"""Assigns the ids by which people, paths of the API and other tools refer to pools and devices.

Ids count from 0 in the order in which pools or devices were first seen. An id never changes and is never given to
another pool or device.
"""

from typing import Generic, TypeVar

from stratum_miner.backends.statistics import DeviceKey, device_key
from stratum_miner.miner.snapshot import MinerSnapshot, keyed_devices
from stratum_miner.work.job import PoolKey

KeyT = TypeVar("KeyT", bound=str)


class Numbers:
    """Assigns ids: after ``see`` was called with a snapshot, every pool and device in it has an id."""

    def __init__(self) -> None:
        self.pools: Numbered[PoolKey] = Numbered()
        self.pool_names: dict[PoolKey, str] = {}
        """The name of each pool when it was last seen."""
        self.devices: Numbered[DeviceKey] = Numbered()

    def see(self, snapshot: MinerSnapshot) -> None:
        """Assign ids to the pools and devices of a snapshot that have none yet."""
        for pool in snapshot.pools:
            self.pools.of(pool.key)
            self.pool_names[pool.key] = pool.name
        for key, backend, device in keyed_devices(snapshot.backends):
            self.devices.of(key, device_key(backend.label, device.listed_as) if device.listed_as else None)


class Numbered(Generic[KeyT]):
    """The ids of all pools, or of all devices. A key is the text that identifies a pool or device inside this
    program."""

    def __init__(self) -> None:
        self._numbers: dict[KeyT, int] = {}

    def has(self, key: KeyT) -> bool:
        """Return whether the pool or device with this key has an id already."""
        return key in self._numbers

    def of(self, key: KeyT, before: KeyT | None = None) -> int:
        """Return the id of the pool or device with this key. A key that has none yet gets a new id.

        If the key of a device has changed, ``before`` is its previous key. The device then keeps its id.
        """
        if key not in self._numbers:
            number = len(self._numbers)
            self._numbers[key] = number if before is None else self._numbers.pop(before, number)
        return self._numbers[key]
