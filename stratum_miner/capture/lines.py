"""Splits received bytes into lines for a recorder or a tap, without checking, changing or dropping any byte."""

from collections.abc import Iterator

MAX_LINE = 1 << 20
"""Maximum bytes of an incomplete line that are kept until its LF is received. A longer line is returned in pieces."""


class LineSplitter:
    """Returns lines with their LF. A line longer than ``max_line`` bytes is returned in pieces, of which only the last
    has the LF."""

    def __init__(self, max_line: int = MAX_LINE) -> None:
        self._max_line = max_line
        self._buffer = bytearray()
        self._searched = 0

    @property
    def held(self) -> int:
        """Return the number of bytes that are kept because the LF of their line has not been received yet."""
        return len(self._buffer)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Add ``data`` to the bytes kept, and return an iterator over the lines that are now complete.

        The iterator cuts off one line at a time, because a list of many short lines would take far more memory than
        ``data``. If the caller stops iterating early, the iterator of the next call returns the remaining lines first.
        """
        self._buffer += data
        return iter(self._next, b"")

    def rest(self) -> bytes:
        """Remove the bytes of the incomplete line from the splitter, and return them."""
        data = bytes(self._buffer)
        self._buffer.clear()
        self._searched = 0
        return data

    def _next(self) -> bytes:
        """Return the next line or piece of a line, or ``b""`` if more bytes must be received first."""
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
