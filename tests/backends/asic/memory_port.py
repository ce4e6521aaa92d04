"""Ports in memory with a scripted chip behind them: the frames of a driver are recorded, and the chip's answers
arrive."""

from collections.abc import Callable, Mapping

import trio

from stratum_miner.backends.asic.errors import DeviceGone
from stratum_miner.backends.asic.transport import Transport

Answer = Callable[["MemoryPort", bytes], None]
"""Called with each send; answers by ``port.say``."""


class MemoryPort:
    """One open port. ``sent`` holds the frames in order, one for each send."""

    def __init__(self, path: str = "memory", answer: Answer = lambda port, data: None) -> None:
        self.path = path
        self.sent: list[bytes] = []
        self.bauds: list[int] = []
        self.resets: list[bool] = []
        self.has_reset = False
        self.closed = False
        self.gone = False
        self._answer = answer
        self._buffer = bytearray()
        self._arrived = trio.Event()

    def say(self, data: bytes) -> None:
        """Bytes for the driver."""
        self._buffer += data
        self._arrived.set()

    def unplug(self) -> None:
        """From now on nothing works."""
        self.gone = True
        self._arrived.set()

    async def receive(self, max_bytes: int = 4096) -> bytes:
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
        await trio.lowlevel.checkpoint()
        self._check()
        self.sent.append(data)
        self._answer(self, data)

    async def drain(self) -> None:
        await trio.lowlevel.checkpoint()

    async def set_baud(self, baud: int) -> None:
        await trio.lowlevel.checkpoint()
        self.bauds.append(baud)
        self._buffer.clear()

    async def hold_reset(self, held: bool) -> bool:
        await trio.lowlevel.checkpoint()
        if self.has_reset:
            self.resets.append(held)
        return self.has_reset

    def discard_input(self) -> None:
        self._buffer.clear()

    def close(self) -> None:
        self.closed = True

    def _check(self) -> None:
        if self.gone:
            raise DeviceGone(f"{self.path}: unplugged")


class MemoryPorts:
    """A ``PortOpener``: makes a fresh port for each opening, and remembers all of them by role."""

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        self.answers = answers
        self.opened: dict[str, list[MemoryPort]] = {role: [] for role in answers}
        self.has_reset = False
        self.gone = False

    async def __call__(self, role: str, baud: int) -> Transport:
        await trio.lowlevel.checkpoint()
        if role not in self.answers or self.gone:
            raise DeviceGone(f"memory-{role}: not there")
        port = MemoryPort(f"memory-{role}", self.answers[role])
        port.has_reset = self.has_reset
        self.opened[role].append(port)
        return port
