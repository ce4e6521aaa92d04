"""Bytes to lines: split at LF, refuse lines that grow beyond a limit. Knows nothing of JSON."""

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
    """Name the protocol that the first bytes of a connection betray, when it is not Stratum."""
    for prefix, hint in _HINTS:
        if data.startswith(prefix):
            return hint
    return None


class LineDecoder:
    """Collects bytes and hands out complete lines without their terminator.

    ``max_line`` bounds the bytes buffered for one line, its terminator not counted.
    """

    def __init__(self, max_line: int) -> None:
        self.max_line = max_line
        self._buffer = bytearray()
        self._searched = 0

    @property
    def pending(self) -> bytes:
        """The first bytes not handed out yet, for error messages."""
        return bytes(self._buffer[:256])

    @property
    def incomplete(self) -> bytes:
        """The start of the line that still lacks its terminator, for error messages."""
        start = self._buffer.rfind(b"\n") + 1
        return bytes(self._buffer[start : start + 256])

    def receive(self, data: bytes | bytearray) -> None:
        """Add bytes as they came from the wire."""
        self._buffer += data

    def discard(self) -> None:
        """Forget what is buffered: the conversation is over."""
        self._buffer.clear()
        self._searched = 0

    def next_line(self) -> bytes | None:
        """The next complete line without LF, or None. RemoteProtocolError when a line exceeds the limit."""
        end = self._buffer.find(b"\n", self._searched)
        length = len(self._buffer) if end < 0 else end
        if length > self.max_line:
            raise RemoteProtocolError(f"line too long: expected at most {self.max_line} bytes, got {length} or more")
        if end < 0:
            self._searched = length
            return None
        with memoryview(self._buffer) as view:  # a slice of the buffer would be a copy more
            line = bytes(view[:end])
        del self._buffer[: end + 1]
        self._searched = 0
        return line
