"""The reference backend: hashlib, one header at a time. Slow, and short enough to be believed by reading.

It also rolls version bits inside a unit, so that every rule of the contract has an implementation to compare with.
"""

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import ClassVar

import trio

from stratum_miner.backends import options as option
from stratum_miner.backends.base import ASK_AGAIN_SECONDS, Backend, WorkSource
from stratum_miner.backends.statistics import BackendStatistics, DeviceStatistics
from stratum_miner.work.unit import NonceFound, WorkUnit
from stratum_miner.work.versions import ALL_BITS

SLICE = 500
"""Hashes between two looks at the trio loop: under a millisecond."""
BITS_AT_ONCE = 2
"""How many version bits it rolls in one unit; any small number serves."""


class ReferenceBackend(Backend):
    """Searches in the trio task itself, a slice at a time."""

    name: ClassVar[str] = "reference"

    def __init__(self) -> None:
        self._hashes = 0
        self._nonces_found = 0

    @classmethod
    def from_options(cls, options: Mapping[str, str]) -> "ReferenceBackend":
        """It has no options."""
        option.check_known(cls.name, options, ())
        return cls()

    def statistics(self) -> BackendStatistics:
        """It is one device."""
        return BackendStatistics(
            self.name, "hashlib", (DeviceStatistics("reference0", self._hashes, self._nonces_found),), "hashlib"
        )

    async def run(self, source: WorkSource, found: trio.MemorySendChannel[NonceFound]) -> None:
        """Search until cancelled."""
        changes = _Changes()
        unregister = source.on_change(changes.note)
        try:
            while True:
                changes.pending = False
                unit = source.next_unit(ALL_BITS, BITS_AT_ONCE)
                if unit is None:
                    with trio.move_on_after(ASK_AGAIN_SECONDS):
                        await changes.wait()
                else:
                    await self._search(unit, found, changes)
        finally:
            unregister()

    async def _search(self, unit: WorkUnit, found: trio.MemorySendChannel[NonceFound], changes: "_Changes") -> None:
        for count, (version, nonce) in enumerate(points(unit)):
            if count % SLICE == 0:
                await trio.lowlevel.checkpoint()
            if changes.pending:
                return
            self._hashes += 1
            if _hash_value(unit, version, nonce) <= unit.target:
                self._nonces_found += 1
                await found.send(NonceFound(unit, nonce, version, "reference0"))


class _Changes:
    """Remembers that work changed, and wakes who waits for it."""

    def __init__(self) -> None:
        self.pending = False
        self._event = trio.Event()

    def note(self, void: bool) -> None:
        del void  # a slow backend always prefers the newest job
        self.pending = True
        self._event.set()
        self._event = trio.Event()

    async def wait(self) -> None:
        if not self.pending:
            await self._event.wait()


def points(unit: WorkUnit) -> Iterator[tuple[int, int]]:
    """Every (version, nonce) of a unit, versions outermost."""
    bits = unit.version_mask
    while True:  # all subsets of the mask, from the full one down to none
        for offset in range(unit.nonce_count):
            yield unit.version | bits, (unit.first_nonce + offset) & 0xFFFFFFFF
        if not bits:
            return
        bits = (bits - 1) & unit.version_mask


def _hash_value(unit: WorkUnit, version: int, nonce: int) -> int:
    header = version.to_bytes(4, "little") + unit.header[4:76] + nonce.to_bytes(4, "little")
    return int.from_bytes(sha256(sha256(header).digest()).digest(), "little")
