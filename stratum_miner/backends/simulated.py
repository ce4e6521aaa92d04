"""The simulated backend: finds valid shares as often as a miner with a given hash rate, with very little CPU time.

A miner with hash rate R finds hits for a target T at intervals that are exponentially distributed with mean 2^256 / ((T
+ 1) R). This backend draws such intervals from a random number generator with a given seed. A hit is due at the end of
its interval. Meanwhile, the C kernel searches the current work unit (a header and a range of nonces) until it finds a
real hit, which the backend reports when it is due. At test difficulties the search takes a few hundredths of a second.
The n-th hit of a work unit, and the interval before it, depend only on the seed, the device and the work unit, never on
the load of the computer.

The CPU time depends only on the number of hits: each hit takes 2^256 / (T + 1) hashes of the kernel on average, at any
simulated rate. If the kernel has not found a hit when it is due, the simulated device stops counting hashes until the
hit is found. The counted hashes therefore match the hits even if the kernel is slower than the simulated rate.

A worker thread chooses the kernel, because the choice takes a while. The search itself runs in the trio task, a
millisecond at a time. Trio's mock clock, which tests use, therefore does not advance during the search.
"""

import random
from collections.abc import Mapping
from math import inf
from typing import ClassVar

import structlog
import trio

from stratum_miner.backends import options as option
from stratum_miner.backends.base import ASK_AGAIN_SECONDS, Backend, BackendOptionError, WorkSource
from stratum_miner.backends.cpu import kernels
from stratum_miner.backends.cpu.choice import Choice, choose
from stratum_miner.backends.cpu.kernel_speed import FASTEST
from stratum_miner.backends.statistics import BackendStatistics, DeviceStatistics
from stratum_miner.bitcoin.sha256d import sha256d
from stratum_miner.bitcoin.target import expected_hashes
from stratum_miner.quantities import hash_rate_text
from stratum_miner.work.unit import NonceFound, WorkUnit

log = structlog.get_logger(__name__)

DEFAULT_HASH_RATE = 1e6
"""Hash rate in H/s if the option ``hash_rate`` is not given."""
MAX_DEVICES = 256
MOST_LATE_SECONDS = 0.25
"""Longest delay, in seconds, that the search is expected to make up for. A hit (a nonce that meets the target) is
delayed if the kernel finds it only after the time at which it is due. After a delay up to this limit, the next hits are
due as if there had been no delay. After a longer one, the next hits are due later by the whole delay, and none of it
counts as search time of the device. The value is an estimate."""
SLICE_SECONDS = 0.001
"""Seconds for which the kernel searches before other trio tasks get their turn."""


class SimulatedBackend(Backend):
    """Finds valid shares at a simulated hash rate. With the same seed, a device finds the same shares in the same work
    unit.

    ``hash_rate`` is the sum over all ``devices``, in H/s, above 0 and at most 1e9. ``devices`` is 1 to 256. Raises
    BackendOptionError for a value outside these limits.
    """

    name: ClassVar[str] = "simulated"
    exhaustive: ClassVar[bool] = False

    def __init__(self, *, hash_rate: float = DEFAULT_HASH_RATE, seed: int = 0, devices: int = 1) -> None:
        if not 0 < hash_rate <= FASTEST:
            raise BackendOptionError(
                f"hash_rate: expected more than 0 and at most {FASTEST:g} H/s, because the CPU searches each "
                f"simulated share, got {hash_rate:g}"
            )
        if not 1 <= devices <= MAX_DEVICES:
            raise BackendOptionError(f"devices: expected 1 to {MAX_DEVICES}, got {devices}")
        self.hash_rate = hash_rate
        self._devices = [_Device(f"sim{index}", hash_rate / devices, seed, index) for index in range(devices)]
        self._kernel = ""

    @classmethod
    def from_options(cls, options: Mapping[str, str]) -> "SimulatedBackend":
        """Build the backend from the options ``hash_rate`` (such as 1MH), ``seed`` and ``devices``."""
        option.check_known(cls.name, options, ("hash_rate", "seed", "devices"))
        return cls(
            hash_rate=option.hash_rate(options, "hash_rate") or DEFAULT_HASH_RATE,
            seed=option.integer(options, "seed", 0, 2**63) or 0,
            devices=option.integer(options, "devices", 1, MAX_DEVICES) or 1,
        )

    def statistics(self) -> BackendStatistics:
        """Return the totals. The hashes of a device are its simulated rate multiplied by the time that it has
        searched."""
        devices = tuple(DeviceStatistics(item.name, item.hashes, item.nonces_found) for item in self._devices)
        return BackendStatistics(self.name, f"simulated, {hash_rate_text(self.hash_rate)}", devices, self._kernel)

    async def run(self, source: WorkSource, found: trio.MemorySendChannel[NonceFound]) -> None:
        """Find shares at the simulated rate until cancelled.

        If the CPU cannot reach that rate, log a warning, and find as many shares as the CPU can.
        """
        choice = await trio.to_thread.run_sync(choose)  # measures and tests the kernels, which takes a while
        if doubt := choice.doubt(self.hash_rate):
            log.warning("hash_rate_doubtful", reason=doubt)
        self._kernel = choice.kernel.name
        async with trio.open_nursery() as nursery:
            for device in self._devices:
                nursery.start_soon(device.run, source, found.clone(), choice)


class _Device:
    """One simulated mining device."""

    def __init__(self, name: str, rate: float, seed: int, index: int) -> None:
        self.name = name
        self.nonces_found = 0
        self._rate = rate
        self._seed = f"{seed}/{index}/"
        self._counted = 0.0
        self._searching_since: float | None = None
        self._due = inf
        """Time at which the next hit (a nonce that meets the target) is due. If the kernel has not found the hit by
        then, the device counts no search time until the hit is found."""
        self._current: trio.CancelScope | None = None
        self._changed = trio.Event()

    @property
    def hashes(self) -> int:
        """The simulated rate multiplied by the time spent searching. In a thread other than trio's, this value does not
        include the time spent on the current work unit."""
        running = 0.0
        if self._searching_since is not None:
            try:
                running = self._passed()
            except RuntimeError:  # in another thread, the clock of trio cannot be read
                running = 0.0
        return max(self.nonces_found, int((self._counted + running) * self._rate))  # at least one hash for each nonce

    async def run(self, source: WorkSource, found: trio.MemorySendChannel[NonceFound], choice: Choice) -> None:
        unregister = source.on_change(self._note_change)
        try:
            async with found:
                while True:
                    changed = self._changed
                    unit = source.next_unit()
                    if unit is None:
                        with trio.move_on_after(ASK_AGAIN_SECONDS):
                            await changed.wait()
                        continue
                    with trio.CancelScope() as self._current:
                        await self._search(unit, choice, found)
        finally:
            unregister()

    def _note_change(self, void: bool) -> None:
        del void  # makes no difference: the device always switches to the new job at once, as the CPU backend does
        self._changed.set()
        self._changed = trio.Event()
        if self._current is not None:
            self._current.cancel()

    async def _search(self, unit: WorkUnit, choice: Choice, found: trio.MemorySendChannel[NonceFound]) -> None:
        rng = random.Random(self._seed + sha256d(unit.header).hex())
        search = kernels.Search(choice.kernel, capacity=1)
        search.load(unit.header, unit.target, first_nonce=unit.first_nonce, nonce_count=unit.nonce_count)
        slice_nonces = max(1, int(choice.hash_rate * SLICE_SECONDS))
        mean_seconds = float(expected_hashes(unit.target)) / self._rate
        position = 0
        self._due = self._searching_since = trio.current_time()
        try:
            while position < unit.nonce_count:
                self._due += rng.expovariate(1 / mean_seconds)
                hits: tuple[kernels.Hit, ...] = ()
                while not hits and position < unit.nonce_count:
                    await trio.lowlevel.checkpoint()
                    result = search.run(position, min(slice_nonces, unit.nonce_count - position))
                    hits = result.hits
                    position += result.done
                if hits:
                    await trio.sleep_until(self._due)
                    self._stand_still()
                    self.nonces_found += 1
                    await found.send(NonceFound(unit, hits[0].nonce, unit.version, self.name))
        finally:
            self._pause_counting()

    def _stand_still(self) -> None:
        """If the hit (the nonce that meets the target) was found more than MOST_LATE_SECONDS after it was due, count no
        hashes for this delay. For a shorter delay, do nothing: the hashes of the delay are counted, because the search
        is expected to catch up."""
        late = trio.current_time() - self._due
        if late > MOST_LATE_SECONDS and self._searching_since is not None:
            self._searching_since += late
            self._due += late

    def _pause_counting(self) -> None:
        if self._searching_since is not None:
            self._counted += self._passed()
            self._searching_since = None

    def _passed(self) -> float:
        assert self._searching_since is not None, "only a search takes time"
        return max(0.0, min(trio.current_time(), self._due) - self._searching_since)
