"""A USB bus, drivers and devices in memory that obey their interfaces, for tests of the supervisor."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

import trio

from stratum_miner.backends.asic.board import Board
from stratum_miner.backends.asic.device import Device, DeviceIdentity, DeviceSnapshot, DeviceState, Driver, Probed
from stratum_miner.backends.asic.errors import DeviceGone, DeviceSilent, WrongChip
from stratum_miner.backends.asic.options import DeviceOptions
from stratum_miner.backends.asic.port_list import ListedPort
from stratum_miner.backends.asic.readings import Readings
from stratum_miner.backends.asic.transport import PortOpener, Transport
from stratum_miner.backends.base import WorkSource
from stratum_miner.work.unit import NonceFound


@dataclass
class Bus:
    """The devices that are plugged in. ``chips`` has the chip at each path; opening another path raises DeviceGone."""

    ports: list[ListedPort] = field(default_factory=list)
    chips: dict[str, tuple[str, int]] = field(default_factory=dict)
    opened: list[str] = field(default_factory=list)
    trouble: dict[str, Exception] = field(default_factory=dict)
    """Path to what opening it raises."""
    running: dict[str, trio.CancelScope] = field(default_factory=dict)
    """By the path of the data port."""
    ended: dict[str, Exception] = field(default_factory=dict)
    history: list[str] = field(default_factory=list)
    changed: trio.Event = field(default_factory=trio.Event)

    async def listing(self) -> Sequence[ListedPort]:
        await trio.lowlevel.checkpoint()
        return tuple(self.ports)

    def plug(self, *ports: ListedPort, chip: str = "", chips: int = 1) -> None:
        self.ports += ports
        for port in ports:
            self.chips[port.path] = (chip, chips)

    def unplug(self, *ports: ListedPort) -> None:
        for port in ports:
            self.ports.remove(port)
            del self.chips[port.path]
            self.end(port.path, DeviceGone(f"{port.path}: the device is gone"))

    def end(self, path: str, error: Exception) -> None:
        """Have the device there end with an error."""
        if path in self.running:
            self.ended[path] = error
            self.running[path].cancel()

    async def open_port(self, path: str, baud: int) -> Transport:
        del baud
        self.opened.append(path)
        await trio.lowlevel.checkpoint()
        if path in self.trouble:
            raise self.trouble[path]
        if path not in self.chips:
            raise DeviceGone(f"{path}: nothing there")
        return cast(Transport, FakePort(path))

    def driver(self, board: Board) -> Driver:
        return FakeDriver(self, board)

    def note(self, event: str) -> None:
        self.history.append(event)
        self.changed.set()
        self.changed = trio.Event()

    async def until(self, condition: Callable[[], bool]) -> None:
        with trio.fail_after(3600):
            while not condition():
                await self.changed.wait()

    async def until_runs(self, path: str, count: int) -> None:
        """Until a device at this path was started so often, and runs."""
        await self.until(lambda: sum(item.endswith(f" runs at {path}") for item in self.history) == count)
        with trio.fail_after(3600):
            while path not in self.running:
                await trio.lowlevel.checkpoint()


class FakePort:
    """Only what it is called matters here."""

    def __init__(self, path: str) -> None:
        self.path = path


class FakeDriver(Driver):
    def __init__(self, bus: Bus, board: Board) -> None:
        self._bus, self._board = bus, board

    def device(
        self, identity: DeviceIdentity, ports: PortOpener, options: DeviceOptions, clock: Callable[[], float]
    ) -> Device:
        del clock
        return FakeDevice(self._bus, self._board, identity, ports, options)

    async def probe(self, ports: PortOpener) -> Probed:
        port = await ports("data", 115200)
        chip, chips = self._bus.chips[port.path]
        self._bus.note(f"asked {port.path} for {self._board.chip}")
        if not chip:
            raise DeviceSilent(f"{port.path}: silent")
        if chip != self._board.chip:
            raise WrongChip(f"{port.path}: another chip")
        return Probed(chip=chip, chips=chips)

    async def identify(self, ports: PortOpener) -> str:
        raise NotImplementedError

    async def reset(self, ports: PortOpener) -> str:
        raise NotImplementedError

    async def configure(self, ports: PortOpener, options: DeviceOptions) -> str:
        raise NotImplementedError


class FakeDevice(Device):
    """A device that mines until a test ends it. Its totals remain."""

    def __init__(
        self, bus: Bus, board: Board, identity: DeviceIdentity, ports: PortOpener, options: DeviceOptions
    ) -> None:
        self._bus, self._board, self._identity, self._ports = bus, board, identity, ports
        self.options = options
        self.hashes = 0

    @property
    def identity(self) -> DeviceIdentity:
        return self._identity

    async def run(self, source: WorkSource, found: trio.MemorySendChannel[NonceFound]) -> None:
        del source, found
        path = (await self._ports("data", 115200)).path
        name = self._identity.name
        self.hashes += 100
        self._bus.note(f"{name} runs at {path}")
        with trio.CancelScope() as self._bus.running[path]:
            try:
                await trio.sleep_forever()
            finally:
                del self._bus.running[path]
                self._bus.note(f"{name} is off")
        raise self._bus.ended.pop(path)

    def statistics(self) -> DeviceSnapshot:
        return DeviceSnapshot(
            identity=self._identity,
            product=self._board.product,
            state=DeviceState.MINING,
            reason="",
            since=0.0,
            frequency=None,
            expected_hash_rate=1e9,
            hashes=self.hashes,
            expected_hashes=0,
            nonces=0,
            hardware_errors=0,
            duplicate_nonces=0,
            stale_nonces=0,
            crc_errors=0,
            garbage_bytes=0,
            chips=(),
            readings=Readings(),
            restarts=0,
            safety_shutdowns=0,
            work_sent=0,
            last_error="",
        )
