"""The device's end of a pseudo-terminal, controlled by a test."""

import array
import fcntl
import os
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import trio


@dataclass
class FarSide:
    """The device's end; closing it unplugs the device."""

    descriptor: int
    slave: int
    """Kept open, or reading here would fail while nobody else has it open."""
    path: str
    is_open: bool = True

    def unplug(self) -> None:
        if self.is_open:
            self.is_open = False
            os.close(self.descriptor)
            os.close(self.slave)

    def write(self, data: bytes) -> None:
        assert os.write(self.descriptor, data) == len(data)

    async def read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            await trio.lowlevel.wait_readable(self.descriptor)
            data += os.read(self.descriptor, count - len(data))
        return data

    def baud(self) -> int:
        words = array.array("I", bytes(256))
        fcntl.ioctl(self.descriptor, 0x802C542A, words)  # TCGETS2
        return words[10]


@contextmanager
def far_side() -> Iterator[FarSide]:
    master, slave = os.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    side = FarSide(master, slave, os.ttyname(slave))
    try:
        yield side
    finally:
        side.unplug()
