"""An emulated device in this process: a model, its pseudo-terminals and the task that moves bytes and time between.

``async with emulated("erupter") as device:`` gives it a path that any driver can open.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import structlog
import trio

from stratum_miner.backends.cpu.kernel_speed import FASTEST
from stratum_miner.emulators.faults import Fault, FaultError, Faults, parse_fault
from stratum_miner.emulators.kind import DeviceKind
from stratum_miner.emulators.kinds import KINDS
from stratum_miner.emulators.model import EmulatedDevice, Settings
from stratum_miner.emulators.sweep import Searcher
from stratum_miner.emulators.terminal import PseudoTerminal
from stratum_miner.spelling import did_you_mean

log = structlog.get_logger(__name__)

DEFAULT_HASH_RATE: Final = 1e6
MOST_UNDERWAY_S: Final = 0.1
"""What a driver may have written ahead of the wire."""
MOST_NONCES: Final = 1000.0
"""A second; more than the slowest wire carries besides work, and than anybody wants."""
POLLED_S: Final = 0.01
"""How often a port is looked at that nobody has open: nothing else tells when a driver comes."""


class EmulatorError(ValueError):
    """Such a device cannot be emulated here; one line says what was expected."""


@dataclass(frozen=True, slots=True)
class EmulatorStatistics:
    """What a device did so far."""

    kind: str
    hash_rate: float
    """As stated, H/s."""
    seconds: float
    hashes: float
    works: int
    commands: int
    nonces: int
    """Reported, those of faults included."""
    bad_frames: int
    overruns: int
    bytes_received: int
    bytes_sent: int
    faults: Mapping[str, int]
    """Injected, by name."""


class Emulator:
    """A device on pseudo-terminals. `run` makes it answer; the rest is for meanwhile."""

    def __init__(
        self,
        kind: str,
        *,
        link: Path | str | None = None,
        hash_rate: float | None = None,
        chips: int | None = None,
        faults: Iterable[Fault | str] = (),
        seed: int = 0,
        nonce_difficulty: float | None = None,
    ) -> None:
        self.kind = kind_named(kind)
        chosen = self.kind.chips if chips is None else chips
        if chosen not in self.kind.chip_counts:
            raise EmulatorError(f"chips: expected {_one_of(self.kind.chip_counts)} for {kind}, got {chosen}")
        difficulty = 1.0 if nonce_difficulty is None else nonce_difficulty
        if not 0 < difficulty < 1e15:
            raise EmulatorError(f"nonce difficulty: expected a number above zero, got {difficulty:g}")
        rate = DEFAULT_HASH_RATE if hash_rate is None else hash_rate
        if not 0 < rate <= FASTEST:
            raise EmulatorError(
                f"hash rate: expected above zero and at most {FASTEST / 1e6:g} MH/s, got {rate / 1e6:g} MH/s: "
                "emulated devices really search"
            )
        self._searcher = Searcher()
        if doubt := self._searcher.choice.doubt(rate):
            log.warning("hash_rate_doubtful", reason=doubt)
        least = rate / MOST_NONCES / 2**32
        if difficulty < least:
            raise EmulatorError(
                f"nonce difficulty: expected at least {least:.2g} at {rate / 1e6:g} MH/s, got {difficulty:g}: "
                f"no more than {MOST_NONCES:g} nonces a second"
            )
        self.settings = Settings(rate, chosen, difficulty, seed)
        self._faults = Faults([self._possible(fault) for fault in faults], seed)
        self._device: EmulatedDevice | None = None
        self._directory: TemporaryDirectory[str] | None = None
        if link is None:
            self._directory = TemporaryDirectory(prefix="stratum-miner-")
            link = Path(self._directory.name, kind)
        self.path = str(Path(link).absolute())
        """How a driver names the device: the link to its terminal, or what the links to its two have in common."""
        self.terminals = {
            port: PseudoTerminal(Path(f"{self.path}-{port}" if port else self.path)) for port in self.kind.device.ports
        }
        self.on_plug: Callable[[bool], None] = lambda _plugged: None
        """Called when it was plugged in again, with True, and unplugged."""
        self._wake = trio.Event()
        self._plugged = trio.Event()
        self._pulled_by_fault = False

    # ---- for its user -------------------------------------------------------------------------------------------

    @property
    def paths(self) -> Mapping[str, str]:
        """The link of each port; the only port of most devices is called ""."""
        return {port: str(terminal.link) for port, terminal in self.terminals.items()}

    @property
    def device(self) -> EmulatedDevice:
        """The model, for looking into it."""
        assert self._device is not None, "the emulator does not run"
        return self._device

    @property
    def plugged_in(self) -> bool:
        """Whether its ports are there."""
        return self._plugged.is_set()

    def unplug(self) -> None:
        """Pull it out: its ports vanish, under whoever has them open."""
        if not self.plugged_in:
            return
        self._plugged = trio.Event()
        self.device.power_cycle(trio.current_time())
        for terminal in self.terminals.values():
            if terminal.master is not None:
                trio.lowlevel.notify_closing(terminal.master)
            terminal.close()
        self._wake.set()
        self.on_plug(False)

    def replug(self) -> None:
        """Put it back: it remembers nothing."""
        if self.plugged_in:
            return
        self.device.power_cycle(trio.current_time())
        self._open()
        self._wake.set()
        self.on_plug(True)

    def inject(self, fault: Fault | str) -> None:
        """One more fault; its START counts from now. FaultError for one that cannot be."""
        given = self._possible(fault)
        self._faults.add(replace(given, start=given.start + self.device.age(trio.current_time())))
        self._wake.set()

    def statistics(self) -> EmulatorStatistics:
        """What it did so far."""
        now, device = trio.current_time(), self.device
        counts = device.counts
        return EmulatorStatistics(
            kind=self.kind.name,
            hash_rate=self.settings.hash_rate,
            seconds=device.age(now),
            hashes=device.hashes(now),
            works=counts.works,
            commands=counts.commands,
            nonces=counts.nonces,
            bad_frames=counts.bad_frames,
            overruns=counts.overruns,
            bytes_received=counts.bytes_received,
            bytes_sent=counts.bytes_sent,
            faults=dict(self._faults.injected),
        )

    # ---- living -------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Be that device while the block runs. LinkError when a link cannot be made."""
        now = trio.current_time()
        self._device = self.kind.device(self.settings, self._faults, self._searcher, now)
        self._device.reset(now)
        try:
            self._open()
            async with trio.open_nursery() as nursery:
                for port in self.terminals:
                    nursery.start_soon(self._read, port)
                nursery.start_soon(self._advance)
                yield
                nursery.cancel_scope.cancel()
        finally:
            self.close()

    def close(self) -> None:
        """Be gone, and leave nothing behind."""
        for terminal in self.terminals.values():
            terminal.release()
        if self._directory is not None:
            self._directory.cleanup()

    def _possible(self, given: Fault | str) -> Fault:
        """A fault that this device can have."""
        fault = parse_fault(given) if isinstance(given, str) else given
        if not self.kind.can_have(fault.name):
            raise FaultError(f"fault {fault.name}: expected a Bitaxe, the {self.kind.product} has no such bus")
        chips = self.settings.chips
        if fault.chip is not None and fault.chip >= chips:
            raise FaultError(f"fault {fault.name}: expected a chip from 0 to {chips - 1}, got {fault.chip}")
        return fault

    def _open(self) -> None:
        for terminal in self.terminals.values():
            terminal.open()
        self._plugged.set()

    async def _read(self, port: str) -> None:
        terminal, used = self.terminals[port], False
        while True:
            await self._plugged.wait()
            if terminal.master is None:  # pulled out while this was woken, as it may be after each wait
                used = False
                continue
            if not terminal.gone:
                used = True
                try:
                    await trio.lowlevel.wait_readable(terminal.master)
                except trio.ClosedResourceError:
                    used = False
                    continue
            if terminal.master is None:
                used = False
                continue
            data = terminal.read()  # also what a driver wrote last before it closed the port
            if data:
                self.device.receive(data, trio.current_time(), port=port, host_baud=terminal.baud)
                self._wake.set()
                # as long as the wire is busy nothing more fits on it: the driver has to wait
                await trio.sleep_until(self.device.uarts[port].receiving_until - MOST_UNDERWAY_S)
            elif terminal.gone:
                if used:
                    self.device.port_closed(port, trio.current_time())
                used = False
                await trio.sleep(POLLED_S)

    async def _advance(self) -> None:
        while True:
            self._wake = trio.Event()
            now = trio.current_time()
            self._follow_unplugging(now)
            self.device.advance(now)
            if self.plugged_in:
                self._deliver(now)
            due = self.device.due(now)
            if due <= now:
                await trio.lowlevel.checkpoint()
                continue
            with trio.move_on_at(due):
                await self._wake.wait()

    def _follow_unplugging(self, now: float) -> None:
        pulled = self._faults.active("unplug", self.device.age(now)) is not None
        if pulled and not self._pulled_by_fault:
            self.unplug()
        elif self._pulled_by_fault and not pulled:
            self.replug()
        self._pulled_by_fault = pulled

    def _deliver(self, now: float) -> None:
        for item in self.device.take(now, lambda port: self.terminals[port].baud):
            if not self.terminals[item.port].write(item.data):
                self.device.counts.overruns += 1


def kind_named(name: str) -> DeviceKind:
    """A kind by its name. EmulatorError with the nearest spelling when there is none."""
    if name in KINDS:
        return KINDS[name]
    raise EmulatorError(f"kind: expected one of {', '.join(KINDS)}, got {name!r}{did_you_mean(name, KINDS)}")


def _one_of(values: tuple[int, ...]) -> str:
    return " or ".join(str(value) for value in values) if len(values) < 9 else f"{values[0]} to {values[-1]}"


@asynccontextmanager
async def emulated(
    kind: str,
    *,
    link: Path | str | None = None,
    hash_rate: float | None = None,
    chips: int | None = None,
    faults: Iterable[Fault | str] = (),
    seed: int = 0,
    nonce_difficulty: float | None = None,
) -> AsyncIterator[Emulator]:
    """A device that lives as long as the block.

    ``hash_rate`` in H/s at the device's usual clock, 1 MH/s unless told; ``nonce_difficulty`` is the least difficulty
    that it reports, in place of 1; equal seeds bring equal faults. EmulatorError, FaultError or LinkError for what
    cannot be.
    """
    emulator = Emulator(
        kind, link=link, hash_rate=hash_rate, chips=chips, faults=faults, seed=seed, nonce_difficulty=nonce_difficulty
    )
    async with emulator.run():
        yield emulator
