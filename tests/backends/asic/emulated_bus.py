"""A bus in memory with an emulated device on it: what the drivers need of a system, without ports and real time.

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


class EmulatedPort:
    """One port of an emulated device, open: a ``Transport`` on memory."""

    def __init__(self, plugged: "PluggedDevice", port: str, path: str, baud: int) -> None:
        self.path = path
        self._plugged, self._port, self._baud = plugged, port, baud
        self._buffer = bytearray()
        self._arrived = trio.Event()
        self._closed = False

    async def receive(self, max_bytes: int = 4096) -> bytes:
        """See ``Transport``."""
        while not self._buffer:
            self._check()
            self._arrived = trio.Event()
            await self._arrived.wait()
        await trio.lowlevel.checkpoint()
        self._check()
        data = bytes(self._buffer[:max_bytes])
        del self._buffer[:max_bytes]
        return data

    async def send(self, data: bytes) -> None:
        """See ``Transport``."""
        await trio.lowlevel.checkpoint()
        self._check()
        self._plugged.receive(data, self._port, self._baud)

    async def drain(self) -> None:
        """What was sent takes its time on the wire."""
        self._check()
        await trio.sleep_until(self._plugged.device.uarts[self._port].receiving_until)

    async def set_baud(self, baud: int) -> None:
        """See ``Transport``."""
        await self.drain()
        self._baud = baud
        self._buffer.clear()

    async def hold_reset(self, held: bool) -> bool:
        """As on a pseudo-terminal: closing and opening again is all there is."""
        del held
        await trio.lowlevel.checkpoint()
        return False

    def discard_input(self) -> None:
        """Forget what has arrived."""
        self._check()
        self._buffer.clear()

    def close(self) -> None:
        """Give it back."""
        if not self._closed:
            self._closed = True
            self._arrived.set()
            self._plugged.closed(self._port, self)

    def arrive(self, data: bytes) -> None:
        """Bytes for the driver."""
        self._buffer += data
        self._arrived.set()

    @property
    def baud(self) -> int:
        """What the driver believes in."""
        return self._baud

    def _check(self) -> None:
        if self._closed or not self._plugged.present:
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
        """Of its first port."""
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
                    opened.arrive(item.data)
            due = self.device.due(now)
            with trio.move_on_at(due):
                await self._wake.wait()

    def _baud_of(self, port: str) -> int | None:
        opened = self._open.get(port)
        return None if opened is None else opened.baud

    def _follow_unplugging(self, now: float) -> None:
        present = self.faults.state("unplug", self.device.age(now)) is None
        if present == self.present:
            return
        self.present = present
        if present:
            self.device.power_cycle(now)
            return
        self.device.stop_searching(now)
        for opened in list(self._open.values()):
            opened.arrive(b"")
            opened.close()
