"""Splits bytes into lines at LF, and refuses lines longer than a limit. It knows nothing about JSON."""

from stratum_miner.stratum.errors import RemoteProtocolError

_HINTS = (
    (b"\x16\x03", "a TLS handshake: this side speaks plain TCP"),
    (b"\x15\x03", "a TLS alert: the other side expects TLS"),
    (b"HTTP/", "an HTTP reply: is this a Stratum port?"),
    (b"GET ", "an HTTP request: this is a Stratum port"),
    (b"POST ", "an HTTP request: this is a Stratum port"),
    (b"HEAD ", "an HTTP request: this is a Stratum port"),
)


def foreign_protocol(data: bytes | bytearray) -> str | None:
    """Return a hint for an error message if ``data``, the first bytes of a connection, belong to a known protocol other
    than Stratum. Otherwise return None."""
    for prefix, hint in _HINTS:
        if data.startswith(prefix):
            return hint
    return None


class LineDecoder:
    """Collects bytes and returns complete lines without their terminator.

    ``max_line``: maximum number of bytes of one line, without its terminator.
    """

    def __init__(self, max_line: int) -> None:
        self.max_line = max_line
        self._buffer = bytearray()
        self._searched = 0

    @property
    def pending(self) -> bytes:
        """The bytes that ``next_line`` has not returned yet, but at most the first 256 of them."""
        return bytes(self._buffer[:256])

    @property
    def incomplete(self) -> bytes:
        """The start of the line whose terminator has not come yet, at most 256 bytes, for error messages."""
        start = self._buffer.rfind(b"\n") + 1
        return bytes(self._buffer[start : start + 256])

    def receive(self, data: bytes | bytearray) -> None:
        """Take bytes from the stream."""
        self._buffer += data

    def discard(self) -> None:
        """Forget all buffered bytes, because the connection has ended."""
        self._buffer.clear()
        self._searched = 0

    def next_line(self) -> bytes | None:
        """Return the next complete line without its LF, or None if there is none yet.

        Raises RemoteProtocolError if a line is longer than ``max_line``, even if its end has not come yet.
        """
        end = self._buffer.find(b"\n", self._searched)
        length = len(self._buffer) if end < 0 else end
        if length > self.max_line:
            raise RemoteProtocolError(f"line too long: expected at most {self.max_line} bytes, got {length} or more")
        if end < 0:
            self._searched = length
            return None
        with memoryview(self._buffer) as view:  # a slice of the buffer itself would copy the bytes once more
            line = bytes(view[:end])
        del self._buffer[: end + 1]
        self._searched = 0
        return line
