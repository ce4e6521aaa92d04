"""The file format of a recording: the lines that miner and pool sent on each connection, with their times.

Each line of the file is one record, a JSON object whose key ``kind`` names the kind of the record. The first record is
the header (``capture``). Records of the kinds ``open``, ``line``, ``close`` and ``note`` follow in the order of time. A
protocol line is stored as text if it is UTF-8, and as hex otherwise, so that every byte can be restored. The format
does not store how TCP divided the lines into pieces. ``read`` is the only function here that does input or output. It
may read files from strangers, so it checks everything in them.
"""

import math
from collections.abc import Iterable, Iterator
from enum import Enum
from pathlib import Path
from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta, Struct

from stratum_miner.foreign_text import escape_json, sanitize

FORMAT = 1
MAX_RECORD = 8 << 20
"""Maximum bytes of one record in the file. A protocol line of 1 MiB takes up to 6 MiB, because JSON may escape every
byte; the remaining 2 MiB are for the other fields of the record."""
MAX_CAPTURE = 256 << 20
"""Maximum bytes of a recording that is read into memory. In one day, the recording of a busy miner grows by about a
hundredth of this limit."""
MAX_RECORDS = 1_000_000
"""Maximum number of records in a recording that is read. It bounds the memory for a file of many small records, each of
which takes ten times as many bytes in memory as in the file."""
MAX_SECONDS = 366 * 86400.0
"""Maximum duration of a recording, in seconds."""


class RecordingError(Exception):
    """A recording cannot be read or written. The text names the file, the line and the reason."""


class Side(Enum):
    """One side of a connection: the miner or the pool."""

    MINER = "miner"
    POOL = "pool"

    @property
    def other(self) -> "Side":
        """Return the opposite side."""
        return Side.POOL if self is Side.MINER else Side.MINER


Seconds: TypeAlias = Annotated[float, Meta(ge=0.0, le=MAX_SECONDS)]
ConnectionNumber: TypeAlias = Annotated[int, Meta(ge=1, le=2**53)]


class Header(Struct, frozen=True, tag_field="kind", tag="capture", forbid_unknown_fields=False):
    """The first record of a file."""

    format: int
    """Version of the file format; this program reads and writes version ``FORMAT``."""
    by: str = ""
    """Name and version of the program that wrote the file."""
    where: str = ""
    """The command that recorded the messages, such as ``mine``, ``pool`` or ``tap URL``."""
    started: str = ""
    """Date and time at which the file was created (ISO 8601, UTC)."""
    secrets: bool = False
    """Whether the file contains passwords. If false, ``***`` replaces them."""


class OpenedRecord(Struct, frozen=True, tag_field="kind", tag="open"):
    """The beginning of a connection."""

    t: Seconds
    """Time of this record in seconds. It is 0 for the first record that has a time."""
    conn: ConnectionNumber
    """Number of the connection in this file, counted from 1."""
    peer: str = ""
    """Address of the program with which the recording program was connected, such as HOST:PORT; empty if unknown."""


class LineRecord(Struct, frozen=True, tag_field="kind", tag="line", omit_defaults=True):
    """One protocol line without its LF: in ``text``, or in ``hex`` if it is not UTF-8.

    ``ended`` is false if no LF followed these bytes: they are a piece of a line that was too long, or the connection
    ended within the line.
    """

    t: Seconds
    conn: ConnectionNumber
    sender: Side = msgspec.field(name="from")
    text: str | None = None
    hex: str | None = None
    ended: bool = True

    @classmethod
    def of(cls, t: float, conn: int, sender: Side, data: bytes, *, ended: bool = True) -> "LineRecord":
        """Make a record of the bytes of a line; ``data`` is without the LF."""
        try:
            return cls(t, conn, sender, text=data.decode(), ended=ended)
        except UnicodeDecodeError:
            return cls(t, conn, sender, hex=data.hex(), ended=ended)

    @property
    def data(self) -> bytes:
        """Return the bytes of the line, without the LF.

        Raises ValueError if the record has both ``text`` and ``hex`` or none of them, or if ``hex`` is invalid.
        """
        if (self.text is None) == (self.hex is None):
            raise ValueError("expected either the key 'text' or the key 'hex', got both or none")
        return self.text.encode() if self.text is not None else bytes.fromhex(self.hex or "")

    @property
    def wire(self) -> bytes:
        """Return the bytes as they were sent, with the LF if there was one."""
        return self.data + b"\n" if self.ended else self.data


class ClosedRecord(Struct, frozen=True, tag_field="kind", tag="close"):
    """The end of a connection. ``by`` is the side that ended it, or None if the recording program did."""

    t: Seconds
    conn: ConnectionNumber
    by: Side | None = None
    reason: str = ""
    """Why the connection ended, as a sentence for people; empty if one side closed it without an error."""


class NoteRecord(Struct, frozen=True, tag_field="kind", tag="note"):
    """A note of the recording program, such as a rule of the tap that changed a message."""

    t: Seconds
    conn: ConnectionNumber
    text: str


Record: TypeAlias = Header | OpenedRecord | LineRecord | ClosedRecord | NoteRecord
Timed: TypeAlias = OpenedRecord | LineRecord | ClosedRecord | NoteRecord

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Record)


def encode(record: Record) -> bytes:
    """Return the record as one JSON line, with its LF."""
    return escape_json(_encoder.encode(record).decode()).encode() + b"\n"


def decode(line: bytes) -> Record:
    """Return the record in one JSON line, with or without its LF. Raises ValueError if it is not a valid record."""
    try:
        record: Record = _decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"expected a record as a JSON object ({error})") from None
    if isinstance(record, LineRecord):
        _ = record.data
    if isinstance(record, Timed) and not math.isfinite(record.t):
        raise ValueError(f"expected a time in seconds, got {record.t}")
    return record


class NumberedRecord(Struct, frozen=True):
    """A record and the number of its line in the file, counted from 1."""

    number: int
    record: Timed


class Recording(Struct, frozen=True):
    """The contents of a whole file.

    ``cut`` is true if the last line was incomplete, as after a power failure. ``records`` does not contain that line.
    """

    header: Header
    records: tuple[NumberedRecord, ...]
    cut: bool = False

    def connections(self) -> dict[int, tuple[NumberedRecord, ...]]:
        """Return a mapping from the number of each connection to the records of this connection. Its keys are in the
        order in which the connections were opened."""
        found: dict[int, list[NumberedRecord]] = {}
        for item in self.records:
            found.setdefault(item.record.conn, []).append(item)
        return {number: tuple(items) for number, items in found.items()}


def parse(lines: Iterable[bytes], name: str = "recording") -> Recording:
    """Return the recording that these lines contain. Each line ends with its LF, which only the last line may lack.

    Raises RecordingError with the number of the invalid line. ``name`` is the name of the file in the text of this
    error.
    """
    header: Header | None = None
    records: list[NumberedRecord] = []
    latest = 0.0
    cut = False
    for number, line in enumerate(lines, 1):
        try:
            record = decode(line)
        except ValueError as error:
            if not line.endswith(b"\n") and header is not None:
                cut = True
                break
            raise RecordingError(f"{name} line {number}: {_brief(error)}") from None
        if isinstance(record, Header):
            if header is not None or record.format != FORMAT:
                what = "a second header" if header is not None else f"format {record.format}"
                raise RecordingError(f"{name} line {number}: expected one header of format {FORMAT}, got {what}")
            header = record
            continue
        if header is None:
            raise RecordingError(f"{name} line {number}: expected the header first, an object of the kind 'capture'")
        if record.t < latest:
            raise RecordingError(f"{name} line {number}: expected a time of {latest:g} or later, got {record.t:g}")
        latest = record.t
        if len(records) == MAX_RECORDS:
            raise RecordingError(f"{name}: expected at most {MAX_RECORDS:,} records, got more")
        records.append(NumberedRecord(number, record))
    if header is None:
        raise RecordingError(f"{name}: expected a recording, got an empty file")
    return Recording(header, tuple(records), cut)


def read(path: Path) -> Recording:
    """Read a recording from a file.

    Raises RecordingError, whose text is one line, if the file cannot be read or is invalid. The file may come from a
    stranger: its size, its lines and its values are checked.
    """
    name = f"recording {str(path)!r}"
    try:
        with path.open("rb") as file:
            return parse(_bounded(file, name), name)
    except OSError as error:
        raise RecordingError(f"{name}: {error.strerror}") from None


def _bounded(file: Iterable[bytes], name: str) -> Iterator[bytes]:
    """Yield the lines of the file. Raises RecordingError if a line or the whole file is too large."""
    total = 0
    number = 0
    readline = file.readline  # type: ignore[attr-defined]  # files have it
    while line := readline(MAX_RECORD + 1):
        number += 1
        total += len(line)
        if len(line) > MAX_RECORD:
            raise RecordingError(f"{name} line {number}: expected at most {MAX_RECORD:,} bytes, got more")
        if total > MAX_CAPTURE:
            raise RecordingError(f"{name}: expected at most {MAX_CAPTURE >> 20} MiB, got more")
        yield line


def _brief(error: Exception) -> str:
    return sanitize(str(error))  # the text of the error repeats parts of the file, which may come from a stranger
