"""Records connections: writes each line to a file as soon as the line is complete. Contains wrappers that record the
data of a stream or of all streams of a listener.

If the file cannot be written, for example because the disk is full, the recording stops, but the connections go on.
``Recorder.error`` then holds the reason, and ``Recorder.on_error`` is called.
"""

import errno
import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar

import structlog
import trio

from stratum_miner import __version__
from stratum_miner.capture import record
from stratum_miner.capture.lines import LineSplitter
from stratum_miner.capture.record import (
    ClosedRecord,
    Header,
    LineRecord,
    NoteRecord,
    OpenedRecord,
    RecordingError,
    Side,
)
from stratum_miner.capture.redaction import HIDDEN, Redactor

log = structlog.get_logger(__name__)
Arguments = TypeVar("Arguments")


class ConnectionSink(Protocol):
    """Receives the data that both sides send on one connection."""

    def data(self, sender: Side, data: bytes) -> None:
        """Take data that ``sender`` sent; it may end within a line."""

    def note(self, text: str, line: bytes = b"") -> None:
        """Take the text of a note about the connection, or about one of its lines."""

    def close(self, by: Side | None, reason: str = "") -> None:
        """Record that the connection has ended. ``by`` is the side that ended it, or None if this program did. Only the
        first call has an effect."""

    @property
    def held(self) -> int:
        """Return the number of bytes that are kept because their lines are incomplete."""
        ...


class RecordingSink(Protocol):
    """Receives the data of any number of connections. A ``Recorder`` writes it to a file; the ``Transcript`` of the
    tests keeps it in memory."""

    def open(self, peer: str = "") -> ConnectionSink:
        """Begin a connection with ``peer``, and return the object that receives the data of this connection."""
        ...


_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NONBLOCK
"""O_NONBLOCK applies only while the file is opened. Without it, opening a pipe would wait until another program opens
the pipe for reading."""


class Recorder:
    """Writes the lines of any number of connections to one file. If the file does not exist, it is created so that only
    its owner may read it.

    ``path`` may be a pipe that another program reads. ``where`` names the command that makes the recording. This name
    is written into the header. If ``secrets`` is false, passwords are replaced by ``***`` in each mining.authorize and
    in later lines that contain them, and every line passes through ``hide``, which removes secrets of other kinds from
    a text. Raises RecordingError if the file cannot be opened or written.
    """

    def __init__(
        self,
        path: Path,
        *,
        where: str,
        secrets: bool = False,
        hide: Callable[[str], str] = lambda text: text,
    ) -> None:
        self.error: str | None = None
        self.on_error: Callable[[str], None] = lambda error: None
        """A function that is called once, with the reason, when the file can no longer be written."""
        self.lines = 0
        """Number of lines of the file that were written so far, including the header."""
        self._name = f"recording {str(path)!r}"
        self._secrets = secrets
        self._hide = hide
        self._began: float | None = None
        self._latest = 0.0
        self._connections = 0
        try:
            self._file: int | None = os.open(path, _FLAGS, 0o600)
        except OSError as error:
            no_reader = "expected a pipe that another program reads, but none does; start that program first"
            reason = no_reader if error.errno == errno.ENXIO else error.strerror
            raise RecordingError(f"{self._name}: {reason}") from None
        os.set_blocking(self._file, True)
        header = Header(
            record.FORMAT,
            by=f"stratum_miner/{__version__}",
            where=where,
            started=datetime.now(UTC).isoformat(timespec="milliseconds"),
            secrets=secrets,
        )
        self._write(header)
        if self.error is not None:
            raise RecordingError(self.error)

    def open(self, peer: str = "") -> "RecordedConnection":
        """Record the beginning of a connection with ``peer``, and return the object that receives the connection's
        data."""
        self._connections += 1
        self._write(OpenedRecord(self._now(), self._connections, peer))
        return RecordedConnection(self, self._connections, None if self._secrets else Redactor(self._hide))

    def close(self) -> None:
        """Close the file. A repeated call has no effect."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def add(self, make: Callable[[float], record.Timed]) -> None:
        """Call ``make`` with the current time, in seconds since the first record, and write the record that it
        returns."""
        self._write(make(self._now()))

    def _now(self) -> float:
        now = trio.current_time()
        if self._began is None:
            self._began = now
        self._latest = max(self._latest, round(now - self._began, 6))
        return self._latest

    def _write(self, item: record.Record) -> None:
        if self._file is None:
            return
        data = record.encode(item)
        try:
            while data:
                data = data[os.write(self._file, data) :]
        except OSError as error:
            self.error = f"{self._name}: {error.strerror}, after {self.lines} lines"
            self.close()
            if self.lines:  # if not even the header was written, the constructor raises RecordingError
                log.warning("recording_stopped", error=self.error)
            self.on_error(self.error)
            return
        self.lines += 1


class RecordedConnection:
    """Splits the data of one connection into lines and records each as soon as it is complete."""

    def __init__(self, recorder: Recorder, number: int, redactor: Redactor | None) -> None:
        self._recorder = recorder
        self._number = number
        self._redactor = redactor
        self._splitters = {side: LineSplitter() for side in Side}
        self._hiding = dict.fromkeys(Side, False)
        self._closed = False

    def data(self, sender: Side, data: bytes) -> None:
        """Take data that ``sender`` sent; it may end within a line."""
        for line in self._splitters[sender].feed(data):
            self._line(sender, line)

    def note(self, text: str, line: bytes = b"") -> None:
        """Record a note about the connection, or about one of its lines."""
        body = line.rstrip(b"\r\n")
        if body and self._redactor is not None:
            body = self._redactor.redact(body)
        whole = f"{text}: {body.decode('utf-8', 'replace')}" if body else text
        self._recorder.add(lambda now: NoteRecord(now, self._number, whole))

    def close(self, by: Side | None, reason: str = "") -> None:
        """Record that ``by`` (None: this program) ended the connection. Only the first call has an effect."""
        if self._closed:
            return
        self._closed = True
        for sender, splitter in self._splitters.items():
            if rest := splitter.rest():
                self._line(sender, rest)
        self._recorder.add(lambda now: ClosedRecord(now, self._number, by, reason))

    @property
    def held(self) -> int:
        """Return the number of bytes that are kept because their lines are incomplete."""
        return sum(splitter.held for splitter in self._splitters.values())

    def _line(self, sender: Side, line: bytes) -> None:
        ended = line.endswith(b"\n")
        text = line[:-1] if ended else line
        if self._redactor is not None:
            text = HIDDEN if self._hiding[sender] else self._redactor.redact(text)
            # if a piece of a long line was hidden, its other pieces are hidden as well
            self._hiding[sender] = text == HIDDEN and not ended
        self._recorder.add(lambda now: LineRecord.of(now, self._number, sender, text, ended=ended))


class RecordedStream(trio.abc.Stream):
    """A stream that records what is sent and received. ``sender`` is the side (miner or pool) that this program is."""

    def __init__(self, stream: trio.abc.Stream, connection: ConnectionSink, sender: Side) -> None:
        self.transport_stream = stream
        self._connection = connection
        self._sender = sender

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Record the data, then send it."""
        self._connection.data(self._sender, bytes(data))
        await self.transport_stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until the wrapped stream may accept data without blocking."""
        await self.transport_stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Receive data, and record it. If the connection has ended, record its end."""
        try:
            data = await self.transport_stream.receive_some(max_bytes)
        except trio.BrokenResourceError:
            self._connection.close(self._sender.other, "connection lost")
            raise
        if data:
            self._connection.data(self._sender.other, bytes(data))
        else:
            self._connection.close(self._sender.other)
        return data

    async def aclose(self) -> None:
        """Close the stream, and record that this program ended the connection unless its end was recorded before."""
        self._connection.close(self._sender)
        await self.transport_stream.aclose()


def record_connections(
    connect: Callable[[Arguments, float], Awaitable[trio.abc.Stream]], recorder: RecordingSink
) -> Callable[[Arguments, float], Awaitable[trio.abc.Stream]]:
    """Wrap ``connect``, the function with which a pool client connects, so that each stream that it returns is
    recorded.

    ``recorder`` receives each connection, with the pool's address as the peer. The recording names the miner as the
    sender of what the client sends.
    """

    async def recorded(target: Arguments, seconds: float) -> trio.abc.Stream:
        stream = await connect(target, seconds)
        return RecordedStream(stream, recorder.open(str(target)), Side.MINER)

    return recorded


class RecordedListener(trio.abc.Listener[trio.abc.Stream]):
    """A listener of a pool. The streams that it accepts are recorded, with the pool as the sender of what this program
    sends."""

    def __init__(self, listener: trio.abc.Listener[Any], recorder: RecordingSink) -> None:
        self.transport_listener = listener
        self._recorder = recorder

    async def accept(self) -> trio.abc.Stream:
        """Accept the next connection, and return its recorded stream."""
        stream = await self.transport_listener.accept()
        peer = peer_of(stream) if isinstance(stream, trio.SocketStream) else ""
        return RecordedStream(stream, self._recorder.open(peer), Side.POOL)

    async def aclose(self) -> None:
        """Close the listener, so that it accepts no more connections."""
        await self.transport_listener.aclose()


def peer_of(stream: trio.SocketStream) -> str:
    """Return the address of the other end as HOST:PORT, or "unknown" if the connection has ended."""
    try:
        host, port = stream.socket.getpeername()[:2]
    except OSError:  # the other end disconnected before this call
        return "unknown"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
