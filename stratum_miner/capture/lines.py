"""Bytes to lines for those who look on: nothing is refused, every byte comes out again."""

from collections.abc import Iterator

MAX_LINE = 1 << 20
"""Bytes held back for one line before they are handed on as they are."""


class LineSplitter:
    """Hands out lines with their LF; what grows too long comes out in pieces without one."""

    def __init__(self, max_line: int = MAX_LINE) -> None:
        self._max_line = max_line
        self._buffer = bytearray()
        self._searched = 0

    @property
    def held(self) -> int:
        """Bytes held back."""
        return len(self._buffer)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The lines that these bytes complete, cut off one by one, for a thousand lines are larger than their bytes.

        What is not taken from here comes first the next time.
        """
        self._buffer += data
        return iter(self._next, b"")

    def rest(self) -> bytes:
        """What is held back; afterwards nothing is."""
        data = bytes(self._buffer)
        self._buffer.clear()
        self._searched = 0
        return data

    def _next(self) -> bytes:
        """A line or a piece of one; nothing when more bytes must come first."""
        end = self._buffer.find(b"\n", self._searched, self._max_line) + 1
        if not end:
            self._searched = min(len(self._buffer), self._max_line)
            if len(self._buffer) <= self._max_line:
                return b""
            end = self._max_line
        line = bytes(self._buffer[:end])
        del self._buffer[:end]
        self._searched = 0
        return line
