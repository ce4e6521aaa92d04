"""A serial port behind which nothing is but the bytes of an input."""

import trio


class Port:
    """A ``Transport``. With ``answers`` it frames what it says as replies to the requests of bitaxe-raw.

    Otherwise the bytes come by themselves, in pieces and with pauses that they choose.
    """

    path = "/dev/fuzz"

    def __init__(self, data: bytes, *, answers: bool = False) -> None:
        self._data = data
        self._answers = answers
        self._ready = b""

    async def receive(self, max_bytes: int = 4096) -> bytes:
        await trio.lowlevel.checkpoint()
        if self._answers:
            if not self._ready:
                await trio.sleep_forever()
            said, self._ready = self._ready[:max_bytes], self._ready[max_bytes:]
            return said
        if not self._data:
            await trio.sleep_forever()
        first = self._data[0]
        await trio.sleep(0.2 if first & 128 else 0.001 if first & 64 else 0)
        size = min(max_bytes, 1 + first % 23)
        said, self._data = self._data[:size], self._data[size:]
        return said

    async def send(self, data: bytes) -> None:
        await trio.lowlevel.checkpoint()
        if self._answers and self._data and len(data) >= 6:
            self._ready += self._reply(data[2], data[4], data[5], data[6:])

    def _reply(self, identifier: int, page: int, command: int, data: bytes) -> bytes:
        """What the firmware says: mostly as many bytes as were asked for, and now and then an error or noise."""
        kind, self._data = self._data[0], self._data[1:]
        if kind == 0xFF:
            said, self._data = self._data[:5], self._data[5:]
            return said
        if kind >= 0xF0:
            return bytes([4, 0, identifier, 0x10 | kind & 3])
        size = data[-1] if (page, command) == (5, 0x40) else {(5, 0x10): 4, (8, 0x10): 3}.get((page, command), 1)
        said, self._data = self._data[:size].ljust(size, b"\0"), self._data[size:]
        return size.to_bytes(2, "little") + bytes([identifier]) + said

    async def drain(self) -> None:
        await trio.lowlevel.checkpoint()

    async def set_baud(self, baud: int) -> None:
        await trio.lowlevel.checkpoint()

    async def hold_reset(self, held: bool) -> bool:
        await trio.lowlevel.checkpoint()
        return True

    def discard_input(self) -> None:
        self._ready = b""

    def close(self) -> None:
        pass
