"""Writes a conversation to a file while it happens, and wraps streams so that it does.

A full disk stops the recording and nothing else: ``error`` says so, and whoever is told decides what it means.
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
from stratum_miner.capture.record import CaptureError, ClosedRecord, Header, LineRecord, NoteRecord, OpenedRecord, Side
from stratum_miner.capture.redaction import HIDDEN, Redactor

log = structlog.get_logger(__name__)
Arguments = TypeVar("Arguments")


class Sink(Protocol):
    """Takes what is said on one connection."""

    def data(self, speaker: Side, data: bytes) -> None:
        """One side said something."""

    def note(self, text: str, line: bytes = b"") -> None:
        """Something was done to the conversation, or to one line of it."""

    def close(self, by: Side | None, reason: str = "") -> None:
        """The end; only the first call counts."""

    @property
    def held(self) -> int:
        """Bytes of lines that are not complete."""
        ...


class Recording(Protocol):
    """Takes connections: a ``Recorder``, or something that keeps them in memory."""

    def open(self, peer: str = "") -> Sink:
        """A connection more."""
        ...


_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NONBLOCK
"""The last one, for opening only: without it a pipe holds us until somebody reads it."""


class Recorder:
    """One file, any number of connections. ``clock`` counts seconds; ``wall`` is the time to print.

    Without ``secrets``, passwords that are said are hidden from then on; ``hide`` takes out those known before.
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
        """Called once, when nothing more can be written."""
        self.lines = 0
        self._name = f"capture {str(path)!r}"
        self._secrets = secrets
        self._hide = hide
        self._began: float | None = None
        self._latest = 0.0
        self._connections = 0
        try:
            self._file: int | None = os.open(path, _FLAGS, 0o600)
        except OSError as error:
            reason = "nobody reads this pipe" if error.errno == errno.ENXIO else error.strerror
            raise CaptureError(f"{self._name}: {reason}") from None
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
            raise CaptureError(self.error)

    def open(self, peer: str = "") -> "RecordedConnection":
        """A connection more."""
        self._connections += 1
        self._write(OpenedRecord(self._now(), self._connections, peer))
        return RecordedConnection(self, self._connections, None if self._secrets else Redactor(self._hide))

    def close(self) -> None:
        """Write no more; may be called twice."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def add(self, make: Callable[[float], record.Timed]) -> None:
        """Write one record of this moment."""
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
            if self.lines:  # else whoever makes the recorder is told
                log.warning("recording_stopped", error=self.error)
            self.on_error(self.error)
            return
        self.lines += 1


class RecordedConnection:
    """What is said on one connection; data as it comes, lines as they are complete."""

    def __init__(self, recorder: Recorder, number: int, redactor: Redactor | None) -> None:
        self._recorder = recorder
        self._number = number
        self._redactor = redactor
        self._splitters = {side: LineSplitter() for side in Side}
        self._hiding = dict.fromkeys(Side, False)
        self._closed = False

    def data(self, speaker: Side, data: bytes) -> None:
        """One side said something."""
        for line in self._splitters[speaker].feed(data):
            self._line(speaker, line)

    def note(self, text: str, line: bytes = b"") -> None:
        """Something was done to the conversation, or to one line of it."""
        body = line.rstrip(b"\r\n")
        if body and self._redactor is not None:
            body = self._redactor.redact(body)
        whole = f"{text}: {body.decode('utf-8', 'replace')}" if body else text
        self._recorder.add(lambda now: NoteRecord(now, self._number, whole))

    def close(self, by: Side | None, reason: str = "") -> None:
        """The end; only the first call counts."""
        if self._closed:
            return
        self._closed = True
        for speaker, splitter in self._splitters.items():
            if rest := splitter.rest():
                self._line(speaker, rest)
        self._recorder.add(lambda now: ClosedRecord(now, self._number, by, reason))

    @property
    def held(self) -> int:
        """Bytes of lines that are not complete."""
        return sum(splitter.held for splitter in self._splitters.values())

    def _line(self, speaker: Side, line: bytes) -> None:
        ended = line.endswith(b"\n")
        text = line[:-1] if ended else line
        if self._redactor is not None:
            text = HIDDEN if self._hiding[speaker] else self._redactor.redact(text)
            self._hiding[speaker] = text == HIDDEN and not ended  # the rest of a line that was cut, too
        self._recorder.add(lambda now: LineRecord.of(now, self._number, speaker, text, ended=ended))


class RecordedStream(trio.abc.Stream):
    """A stream whose bytes are recorded on their way. ``speaker`` is who writes to it: us."""

    def __init__(self, stream: trio.abc.Stream, connection: Sink, speaker: Side) -> None:
        self.transport_stream = stream
        self._connection = connection
        self._speaker = speaker

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Record, then send."""
        self._connection.data(self._speaker, bytes(data))
        await self.transport_stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """As the stream."""
        await self.transport_stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Receive, then record."""
        try:
            data = await self.transport_stream.receive_some(max_bytes)
        except trio.BrokenResourceError:
            self._connection.close(self._speaker.other, "connection lost")
            raise
        if data:
            self._connection.data(self._speaker.other, bytes(data))
        else:
            self._connection.close(self._speaker.other)
        return data

    async def aclose(self) -> None:
        """Close; the record ends here unless the other side was first."""
        self._connection.close(self._speaker)
        await self.transport_stream.aclose()


def record_connections(
    connect: Callable[[Arguments, float], Awaitable[trio.abc.Stream]], recorder: Recording
) -> Callable[[Arguments, float], Awaitable[trio.abc.Stream]]:
    """A connector, as clients take it, whose streams are recorded from the miner's side."""

    async def recorded(target: Arguments, seconds: float) -> trio.abc.Stream:
        stream = await connect(target, seconds)
        return RecordedStream(stream, recorder.open(str(target)), Side.MINER)

    return recorded


class RecordedListener(trio.abc.Listener[trio.abc.Stream]):
    """A listener whose streams are recorded from the pool's side."""

    def __init__(self, listener: trio.abc.Listener[Any], recorder: Recording) -> None:
        self.transport_listener = listener
        self._recorder = recorder

    async def accept(self) -> trio.abc.Stream:
        """The next connection."""
        stream = await self.transport_listener.accept()
        peer = peer_of(stream) if isinstance(stream, trio.SocketStream) else ""
        return RecordedStream(stream, self._recorder.open(peer), Side.POOL)

    async def aclose(self) -> None:
        """Accept no more."""
        await self.transport_listener.aclose()


def peer_of(stream: trio.SocketStream) -> str:
    """The other end's address as text."""
    try:
        host, port = stream.socket.getpeername()[:2]
    except OSError:  # gone before we looked
        return "unknown"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
