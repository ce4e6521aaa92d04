"""An emulated device in this process: a model of the device, its pseudo-terminals, and the tasks that connect the two.

``async with emulated("erupter") as device:`` gives the device a path, ``device.path``, that any driver can open.
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
"""Hash rate in H/s of an emulator whose user gives no ``hash_rate``."""
MOST_UNDERWAY_S: Final = 0.1
"""When the emulator has read bytes from a driver, these bytes occupy the emulated serial line for a time. The emulator
reads more bytes only when at most this many seconds of that time are left. A driver that sends faster than the line
therefore has to wait, as on a real line."""
MOST_NONCES: Final = 1000.0
"""Maximum number of reported nonces per second. A serial line of 115200 baud can transfer this many replies."""
POLLED_S: Final = 0.01
"""Seconds between two checks whether a driver has opened a port. The operating system reports no event for this."""


class EmulatorError(ValueError):
    """The settings of an emulated device are not possible. The text is one line that says what was expected."""


@dataclass(frozen=True, slots=True)
class EmulatorStatistics:
    """The totals of an emulated device since it was started."""

    kind: str
    hash_rate: float
    """The configured hash rate in H/s."""
    seconds: float
    """Seconds since the start."""
    hashes: float
    works: int
    commands: int
    nonces: int
    """Number of nonces that the device has reported, including wrong nonces that injected faults added."""
    bad_frames: int
    overruns: int
    bytes_received: int
    bytes_sent: int
    faults: Mapping[str, int]
    """Number of injected faults, by name."""


class Emulator:
    """A device on pseudo-terminals. It answers inside ``async with run()``; call its other methods only there.

    The parameters are those of ``emulated``. Raises EmulatorError or FaultError for values that the device cannot have.
    """

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
            raise EmulatorError(f"nonce difficulty: expected a number above 0 and below 1e15, got {difficulty:g}")
        rate = DEFAULT_HASH_RATE if hash_rate is None else hash_rate
        if not 0 < rate <= FASTEST:
            raise EmulatorError(
                f"hash rate: expected more than 0 and at most {FASTEST / 1e6:g} MH/s, because the CPU searches in "
                f"place of the device, got {rate / 1e6:g} MH/s"
            )
        self._searcher = Searcher()
        if doubt := self._searcher.choice.doubt(rate):
            log.warning("hash_rate_doubtful", reason=doubt)
        least = rate / MOST_NONCES / 2**32
        if difficulty < least:
            raise EmulatorError(
                f"nonce difficulty: expected at least {least:.2g} at {rate / 1e6:g} MH/s, so that there are at most "
                f"{MOST_NONCES:g} nonces per second, got {difficulty:g}"
            )
        self.settings = Settings(rate, chosen, difficulty, seed)
        self._faults = Faults([self._possible(fault) for fault in faults], seed)
        self._started_model: EmulatedDevice | None = None
        self._directory: TemporaryDirectory[str] | None = None
        if link is None:
            self._directory = TemporaryDirectory(prefix="stratum-miner-")
            link = Path(self._directory.name, kind)
        self.path = str(Path(link).absolute())
        """The path at which a driver finds the device: the link to the terminal of its port. If a port has a name, its
        link is this path, a hyphen and the name."""
        self.terminals = {
            port: PseudoTerminal(Path(f"{self.path}-{port}" if port else self.path)) for port in self.kind.device.ports
        }
        self.on_plug: Callable[[bool], None] = lambda _plugged: None
        """A function that is called with True when the device is plugged in again, and with False when it is
        unplugged."""
        self._wake = trio.Event()
        self._plugged = trio.Event()
        self._pulled_by_fault = False
        self._last_baud: dict[str, int] = {}
        """For each port, by name, the baud rate of the driver when bytes were last read from it. A port has no entry
        until its driver has sent something."""

    # ---- called by the user of the emulator ---------------------------------------------------------------------

    @property
    def paths(self) -> Mapping[str, str]:
        """For each port, by name, the path of the link to its terminal. Most devices have one port, whose name is
        ""."""
        return {port: str(terminal.link) for port, terminal in self.terminals.items()}

    @property
    def _model(self) -> EmulatedDevice:
        """The model of the device, which exists while the emulator runs."""
        assert self._started_model is not None, "the emulator does not run"
        return self._started_model

    @property
    def plugged_in(self) -> bool:
        """Whether the device is plugged in, so that its ports exist."""
        return self._plugged.is_set()

    def unplug(self) -> None:
        """Unplug the device. Its ports disappear, even if a driver has opened them."""
        if not self.plugged_in:
            return
        self._plugged = trio.Event()
        self._model.power_cycle(trio.current_time())
        for terminal in self.terminals.values():
            if terminal.master is not None:
                trio.lowlevel.notify_closing(terminal.master)
            terminal.close()
        self._wake.set()
        self.on_plug(False)

    def replug(self) -> None:
        """Plug the device in again. It then has its power-on state."""
        if self.plugged_in:
            return
        self._model.power_cycle(trio.current_time())
        self._open()
        self._wake.set()
        self.on_plug(True)

    def inject(self, fault: Fault | str) -> None:
        """Add a fault. Its START (see ``parse_fault``) counts from this call. Raises FaultError if the device cannot
        have this fault."""
        given = self._possible(fault)
        self._faults.add(replace(given, start=given.start + self._model.age(trio.current_time())))
        self._wake.set()

    def statistics(self) -> EmulatorStatistics:
        """Return the totals since the start."""
        now, device = trio.current_time(), self._model
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

    # ---- running ------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Emulate the device while the body of ``async with`` runs. Raises LinkError if a link cannot be made."""
        now = trio.current_time()
        self._started_model = self.kind.device(self.settings, self._faults, self._searcher, now)
        self._started_model.reset(now)
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
        """Close the terminals, and remove their links."""
        for terminal in self.terminals.values():
            terminal.release()
        if self._directory is not None:
            self._directory.cleanup()

    def _possible(self, given: Fault | str) -> Fault:
        """Return the fault, parsed if it is text. Raises FaultError if the device cannot have this fault."""
        fault = parse_fault(given) if isinstance(given, str) else given
        if not self.kind.can_have(fault.name):
            got = f"got {self.kind.product}, which has no bus to its sensors"
            raise FaultError(f"fault {fault.name}: expected a Bitaxe, {got}")
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
            if terminal.master is None:  # the device may have been unplugged while this task was waiting
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
            data = terminal.read()  # includes what a driver wrote just before it closed the port
            if data:
                self._model.receive(data, trio.current_time(), port=port, host_baud=self._sent_at(port, terminal.baud))
                self._wake.set()
                # do not read more while the line is busy, so that a driver has to wait as on a real line
                await trio.sleep_until(self._model.uarts[port].receiving_until - MOST_UNDERWAY_S)
            elif terminal.gone:
                if used:
                    self._model.port_closed(port, trio.current_time())
                used = False
                self._last_baud.pop(port, None)
                await trio.sleep(POLLED_S)

    def _sent_at(self, port: str, baud: int) -> int:
        """Return the baud rate at which the driver sent the bytes that were read from a port just now. ``baud`` is the
        rate that the driver has set on the terminal now.

        A terminal keeps no record of the rate at which a byte was sent. On a real line, a driver can wait until a
        command has been sent, and change its rate afterwards. Here, this program may get its turn only after that
        change. If the rate has changed since bytes were last read, the bytes may have been sent at either rate, and
        count as sent at the rate that the device understands.
        """
        before, self._last_baud[port] = self._last_baud.get(port, baud), baud
        return before if self._model.understands(port, before) else baud

    async def _advance(self) -> None:
        while True:
            self._wake = trio.Event()
            now = trio.current_time()
            self._follow_unplugging(now)
            self._model.advance(now)
            if self.plugged_in:
                self._deliver(now)
            due = self._model.due(now)
            if due <= now:
                await trio.lowlevel.checkpoint()
                continue
            with trio.move_on_at(due):
                await self._wake.wait()

    def _follow_unplugging(self, now: float) -> None:
        pulled = self._faults.active("unplug", self._model.age(now)) is not None
        if pulled and not self._pulled_by_fault:
            self.unplug()
        elif self._pulled_by_fault and not pulled:
            self.replug()
        self._pulled_by_fault = pulled

    def _deliver(self, now: float) -> None:
        for item in self._model.take(now, lambda port: self.terminals[port].baud):
            if not self.terminals[item.port].write(item.data):
                self._model.counts.overruns += 1


def kind_named(name: str) -> DeviceKind:
    """Return the kind of device with this name. Raises EmulatorError if there is none; its message lists all names."""
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
    """Emulate a device while the body of ``async with`` runs.

    ``link`` is the path of the link to the device's terminal; if it is None, the link is made in a temporary folder.
    ``hash_rate`` is in H/s at the device's usual clock frequency, above 0 and at most 1e9 [default: 1e6]. ``chips`` is
    the number of chips [default: as the product is sold]. ``faults`` are ``Fault`` objects, or texts such as
    "unplug@10" (see ``parse_fault``); with the same ``seed``, the random choices are the same. ``nonce_difficulty`` is
    the lowest difficulty of reported nonces [default: 1].

    Raises EmulatorError or FaultError if a value is invalid for this kind of device, and LinkError if the link cannot
    be made.
    """
    emulator = Emulator(
        kind, link=link, hash_rate=hash_rate, chips=chips, faults=faults, seed=seed, nonce_difficulty=nonce_difficulty
    )
    async with emulator.run():
        yield emulator
