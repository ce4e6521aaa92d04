"""A USB bus in memory with an emulated device, for tests of the drivers without serial ports and without real time.

`PluggedDevice` stands in for the listing of serial ports and for opening them; on a mock clock hours pass in seconds.
"""

from collections.abc import Sequence

import trio

from stratum_miner.backends.asic.errors import DeviceGone
from stratum_miner.backends.asic.port_list import ListedPort
from stratum_miner.backends.asic.transport import Transport
from stratum_miner.emulators import KINDS, Fault
from stratum_miner.emulators.faults import Faults
from stratum_miner.emulators.model import Settings
from stratum_miner.emulators.sweep import Searcher
from tests.backends.asic.memory_port import MemoryPort


class EmulatedPort(MemoryPort):
    """One port of an emulated device, open: a ``Transport`` on memory."""

    def __init__(self, plugged: "PluggedDevice", port: str, path: str, baud: int) -> None:
        super().__init__(path, lambda _, data: plugged.receive(data, port, self.baud))
        self._plugged, self._port, self.baud = plugged, port, baud
        """What the driver believes in."""

    async def drain(self) -> None:
        """What was sent takes its time on the wire."""
        self._check()
        await trio.sleep_until(self._plugged.device.uarts[self._port].receiving_until)

    async def set_baud(self, baud: int) -> None:
        """See ``Transport``."""
        await self.drain()
        self.baud = baud
        self._buffer.clear()

    def discard_input(self) -> None:
        """Forget what has arrived."""
        self._check()
        super().discard_input()

    def close(self) -> None:
        """Give it back."""
        if not self.closed:
            super().close()
            self._arrived.set()
            self._plugged.closed(self._port, self)

    def _check(self) -> None:
        if self.closed or not self._plugged.present:
            raise DeviceGone(f"{self.path}: unplugged")


class PluggedDevice:
    """An emulated device on a bus of its own, in memory; `run` makes it live."""

    def __init__(self, kind: str, seed: int, hash_rate: float, nonce_difficulty: float) -> None:
        described = KINDS[kind]
        self.kind = kind
        self.faults = Faults((), seed)
        settings = Settings(hash_rate, described.chips, nonce_difficulty, seed)
        self.device = described.device(settings, self.faults, Searcher(), trio.current_time())
        self.device.reset(trio.current_time())
        self.present = True
        self._open: dict[str, EmulatedPort] = {}
        self._paths = {f"/emulated/{kind}{index or ''}": port for index, port in enumerate(described.device.ports)}
        self._wake = trio.Event()

    @property
    def path(self) -> str:
        """Its first port's."""
        return next(iter(self._paths))

    async def listing(self) -> Sequence[ListedPort]:
        """What the system would list."""
        await trio.lowlevel.checkpoint()
        usb = KINDS[self.kind].usb
        return tuple(
            ListedPort(
                path=path,
                vid=usb.vid,
                pid=usb.pid,
                serial_number="E" + self.kind.upper(),
                manufacturer=usb.manufacturer,
                product=usb.product,
                location=f"1-1:1.{2 * index}",
            )
            for index, path in enumerate(self._paths)
            if self.present
        )

    async def open_port(self, path: str, baud: int) -> Transport:
        """As ``open_serial_port``."""
        await trio.lowlevel.checkpoint()
        if not self.present or path not in self._paths:
            raise DeviceGone(f"{path}: not there")
        port = self._paths[path]
        opened = self._open[port] = EmulatedPort(self, port, path, baud)
        return opened

    def receive(self, data: bytes, port: str, baud: int) -> None:
        """From a driver."""
        self.device.receive(data, trio.current_time(), port=port, host_baud=baud)
        self._wake.set()

    def closed(self, port: str, which: EmulatedPort) -> None:
        """By a driver."""
        if self._open.get(port) is which:
            del self._open[port]
            if self.present:
                self.device.port_closed(port, trio.current_time())
            self._wake.set()

    def inject(self, fault: Fault) -> None:
        """One more fault."""
        self.faults.add(fault)
        self._wake.set()

    async def run(self) -> None:
        """Live."""
        while True:
            self._wake = trio.Event()
            now = trio.current_time()
            self._follow_unplugging(now)
            self.device.advance(now)
            for item in self.device.take(now, self._baud_of):
                opened = self._open.get(item.port)
                if opened is not None and self.present:
                    opened.say(item.data)
            due = self.device.due(now)
            with trio.move_on_at(due):
                await self._wake.wait()

    def _baud_of(self, port: str) -> int | None:
        opened = self._open.get(port)
        return None if opened is None else opened.baud

    def _follow_unplugging(self, now: float) -> None:
        present = self.faults.active("unplug", self.device.age(now)) is None
        if present == self.present:
            return
        self.present = present
        if present:
            self.device.power_cycle(now)
            return
        self.device.stop_searching(now)
        for opened in list(self._open.values()):
            opened.say(b"")
            opened.close()
