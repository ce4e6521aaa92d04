"""A conversation as JSON lines: who said what on which connection, and when.

One object a line: first a ``capture`` header, then ``open``, ``line``, ``close`` and ``note`` in the order of time. A
line of the protocol is text when it is UTF-8, else hex, so that every byte comes back. Where one piece of data ended
and the next began is not kept. Pure but for ``read``, which trusts nothing in the file.
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
"""Bytes of one line of a capture: a megabyte of which each byte takes six, escaped, and room for its frame."""
MAX_CAPTURE = 256 << 20
"""Bytes of a capture that is read into memory; a busy miner writes a hundredth of that in a day."""
MAX_RECORDS = 1_000_000
"""Most records of a capture that is read: small ones take ten times their bytes in memory."""
MAX_SECONDS = 366 * 86400.0
"""How long a capture may last."""


class CaptureError(Exception):
    """A capture cannot be read or written; the text says which line and why."""


class Side(Enum):
    """Who speaks."""

    MINER = "miner"
    POOL = "pool"

    @property
    def other(self) -> "Side":
        """Who listens."""
        return Side.POOL if self is Side.MINER else Side.MINER


Seconds: TypeAlias = Annotated[float, Meta(ge=0.0, le=MAX_SECONDS)]
ConnectionNumber: TypeAlias = Annotated[int, Meta(ge=1, le=2**53)]


class Header(Struct, frozen=True, tag_field="kind", tag="capture", forbid_unknown_fields=False):
    """The first object: what wrote it, and whether secrets are in it."""

    format: int
    by: str = ""
    where: str = ""
    started: str = ""
    """Wall clock, ISO 8601 in UTC; the times below count from it."""
    secrets: bool = False


class OpenedRecord(Struct, frozen=True, tag_field="kind", tag="open"):
    """A connection began."""

    t: Seconds
    conn: ConnectionNumber
    peer: str = ""


class LineRecord(Struct, frozen=True, tag_field="kind", tag="line", omit_defaults=True):
    """One line without its LF: ``text``, or ``hex`` when it is no UTF-8; ``ended`` is false when no LF came."""

    t: Seconds
    conn: ConnectionNumber
    speaker: Side = msgspec.field(name="from")
    text: str | None = None
    hex: str | None = None
    ended: bool = True

    @classmethod
    def of(cls, t: float, conn: int, speaker: Side, data: bytes, *, ended: bool = True) -> "LineRecord":
        """From the bytes of the line."""
        try:
            return cls(t, conn, speaker, text=data.decode(), ended=ended)
        except UnicodeDecodeError:
            return cls(t, conn, speaker, hex=data.hex(), ended=ended)

    @property
    def data(self) -> bytes:
        """The bytes of the line. ValueError when it has neither text nor good hex."""
        if (self.text is None) == (self.hex is None):
            raise ValueError("expected either text or hex")
        return self.text.encode() if self.text is not None else bytes.fromhex(self.hex or "")

    @property
    def wire(self) -> bytes:
        """With its terminator, if it had one."""
        return self.data + b"\n" if self.ended else self.data


class ClosedRecord(Struct, frozen=True, tag_field="kind", tag="close"):
    """A connection ended; ``by`` is None when neither side did it."""

    t: Seconds
    conn: ConnectionNumber
    by: Side | None = None
    reason: str = ""


class NoteRecord(Struct, frozen=True, tag_field="kind", tag="note"):
    """What whoever recorded did to the conversation."""

    t: Seconds
    conn: ConnectionNumber
    text: str


Record: TypeAlias = Header | OpenedRecord | LineRecord | ClosedRecord | NoteRecord
Timed: TypeAlias = OpenedRecord | LineRecord | ClosedRecord | NoteRecord

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Record)


def encode(record: Record) -> bytes:
    """One line with its LF."""
    return escape_json(_encoder.encode(record).decode()).encode() + b"\n"


def decode(line: bytes) -> Record:
    """One line, with or without its LF. ValueError says what was expected."""
    try:
        record: Record = _decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"expected an object of a capture ({error})") from None
    if isinstance(record, LineRecord):
        _ = record.data
    if isinstance(record, Timed) and not math.isfinite(record.t):
        raise ValueError(f"expected a time in seconds, got {record.t}")
    return record


class NumberedRecord(Struct, frozen=True):
    """A record and its line in the file."""

    number: int
    record: Timed


class Capture(Struct, frozen=True):
    """A whole file. ``cut`` when its last line is only half there, as after a power cut; that half is left out."""

    header: Header
    records: tuple[NumberedRecord, ...]
    cut: bool = False

    def connections(self) -> dict[int, tuple[NumberedRecord, ...]]:
        """The records of each connection, in the order in which they were opened."""
        found: dict[int, list[NumberedRecord]] = {}
        for item in self.records:
            found.setdefault(item.record.conn, []).append(item)
        return {number: tuple(items) for number, items in found.items()}


def parse(lines: Iterable[bytes], name: str = "capture") -> Capture:
    """Whole lines with their LF, the last one perhaps without. CaptureError names the line."""
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
            raise CaptureError(f"{name} line {number}: {_brief(error)}") from None
        if isinstance(record, Header):
            if header is not None or record.format != FORMAT:
                what = "a second header" if header is not None else f"format {record.format}"
                raise CaptureError(f"{name} line {number}: expected one header of format {FORMAT}, got {what}")
            header = record
            continue
        if header is None:
            raise CaptureError(f"{name} line {number}: expected a header of kind capture first")
        if record.t < latest:
            raise CaptureError(f"{name} line {number}: expected a time of {latest:g} or later, got {record.t:g}")
        latest = record.t
        if len(records) == MAX_RECORDS:
            raise CaptureError(f"{name}: expected at most {MAX_RECORDS} records, it has more")
        records.append(NumberedRecord(number, record))
    if header is None:
        raise CaptureError(f"{name}: expected a capture, got an empty file")
    return Capture(header, tuple(records), cut)


def read(path: Path) -> Capture:
    """A file, whoever wrote it. CaptureError says in one line what is wrong with it and where."""
    name = f"capture {str(path)!r}"
    try:
        with path.open("rb") as file:
            return parse(_bounded(file, name), name)
    except OSError as error:
        raise CaptureError(f"{name}: {error.strerror}") from None


def _bounded(file: Iterable[bytes], name: str) -> Iterator[bytes]:
    """Lines, none of them too long and not too many in all."""
    total = 0
    number = 0
    readline = file.readline  # type: ignore[attr-defined]  # files have it
    while line := readline(MAX_RECORD + 1):
        number += 1
        total += len(line)
        if len(line) > MAX_RECORD:
            raise CaptureError(f"{name} line {number}: expected at most {MAX_RECORD} bytes, it is longer")
        if total > MAX_CAPTURE:
            raise CaptureError(f"{name}: expected at most {MAX_CAPTURE >> 20} MiB, it is larger")
        yield line


def _brief(error: Exception) -> str:
    return sanitize(str(error))  # it repeats what is in the file
