"""Bytes to lines for those who look on: nothing is refused, every byte comes out again."""

MAX_LINE = 1 << 20
"""Bytes held back for one line before they are handed on as they are."""


class LineSplitter:
    """Hands out lines with their LF; what grows too long comes out in pieces without one."""

    def __init__(self, max_line: int = MAX_LINE) -> None:
        self._max_line = max_line
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that these bytes complete."""
        start = len(self._buffer)
        self._buffer += data
        lines = []
        while (end := self._buffer.find(b"\n", start)) >= 0:
            lines += self._pieces(bytes(self._buffer[: end + 1]))
            del self._buffer[: end + 1]
            start = 0
        if len(self._buffer) > self._max_line:
            lines += self._pieces(self.rest())
        return lines

    def _pieces(self, line: bytes) -> list[bytes]:
        return [line[start : start + self._max_line] for start in range(0, len(line), self._max_line)]

    def rest(self) -> bytes:
        """What is held back; afterwards nothing is."""
        data = bytes(self._buffer)
        self._buffer.clear()
        return data
