"""The reference backend: searches with hashlib, one header at a time.

This backend is slow, but so short that a reader can check it. It obeys every rule of ``backends.base.Backend``, and
rolls version bits within a work unit as fast backends do. Tests compare other backends with it.
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
"""Number of hashes between two checkpoints, at which other trio tasks can run. These hashes take less than a
millisecond."""
BITS_AT_ONCE = 2
"""Number of version bits that the backend rolls in one work unit. Any small number works."""


class ReferenceBackend(Backend):
    """Searches in the trio task itself, a few hundred hashes at a time."""

    name: ClassVar[str] = "reference"

    def __init__(self) -> None:
        self._hashes = 0
        self._nonces_found = 0

    @classmethod
    def from_options(cls, options: Mapping[str, str]) -> "ReferenceBackend":
        """Build the backend, which has no options."""
        option.check_known(cls.name, options, ())
        return cls()

    def statistics(self) -> BackendStatistics:
        """Return the statistics of its only device."""
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
    """Remembers that work has changed, and wakes the task that waits for a change."""

    def __init__(self) -> None:
        self.pending = False
        self._event = trio.Event()

    def note(self, void: bool) -> None:
        del void  # a slow backend always switches to the newest job
        self.pending = True
        self._event.set()
        self._event = trio.Event()

    async def wait(self) -> None:
        if not self.pending:
            await self._event.wait()


def points(unit: WorkUnit) -> Iterator[tuple[int, int]]:
    """Yield every (version, nonce) of a work unit: all nonces of one version, then all nonces of the next version."""
    bits = unit.version_mask
    while True:  # all subsets of the mask, from all bits down to none
        for offset in range(unit.nonce_count):
            yield unit.version | bits, (unit.first_nonce + offset) & 0xFFFFFFFF
        if not bits:
            return
        bits = (bits - 1) & unit.version_mask


def _hash_value(unit: WorkUnit, version: int, nonce: int) -> int:
    header = version.to_bytes(4, "little") + unit.header[4:76] + nonce.to_bytes(4, "little")
    return int.from_bytes(sha256(sha256(header).digest()).digest(), "little")
