"""The records of a share journal, and their totals.

A journal is a file with one JSON object per line. The record ``opened`` begins a run, and ``closed`` ends it. ``found``
is a submitted share, and ``settled`` is its result. ``totals`` begins a file that continues an older one: it holds the
totals of the older files. It is followed by the shares that had no result when the new file was begun.

This module defines the records and reads them; ``journal_file`` writes them. A line that is not a valid record, or that
does not fit the records before it, is counted as damaged and otherwise ignored.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import msgspec

from stratum_miner.miner.share_counts import ShareCounts
from stratum_miner.work.share_result import ShareOutcome

MAX_LINE = 1 << 20
"""Maximum number of bytes that are read as one line. The longest real records, blocks with large coinbases, are far
shorter."""
MAX_HEADERS = 1 << 16
"""Maximum number of headers of earlier shares that are kept. They are needed for 10 minutes. Even a
fast miner finds fewer shares in this time."""
MAX_JUMP = 1 << 40
"""A record is invalid if its share id exceeds the next expected id by at least this much."""
MAX_OLDER_FILES = 5
"""Number of older files, ``FILE.1`` to ``FILE.5``."""
BEGINNINGS = (b'{"event":"opened",', b'{"event":"found","id":1,', b'{"event":"totals",')
"""The possible beginnings of the first line of a journal."""

Identifier: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=1 << 53)]
Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=1 << 52)]
"""A count in a record, from 0 to 2**52. JSON readers keep integers up to 2**53 exact, so a count that was
read can still grow and stay exact."""


class JournalError(Exception):
    """The share journal cannot be read or written. The message names the file and the reason; ``reason`` is the reason
    alone."""

    def __init__(self, path: Path, reason: str | None) -> None:
        super().__init__(f"share journal {str(path)!r}: {reason}")
        self.reason = reason


class RunOpened(msgspec.Struct, tag="opened", tag_field="event", kw_only=True, frozen=True):
    """The beginning of a run. ``time``: Unix time in seconds, as in all records."""

    time: float


class RunClosed(msgspec.Struct, tag="closed", tag_field="event", kw_only=True, frozen=True):
    """The end of a run. All records of the run stand before this one."""

    time: float


class SubmittedShare(msgspec.Struct, tag="found", tag_field="event", kw_only=True, frozen=True):
    """A submitted share. Byte strings are in hex; header fields are numbers. ``hash`` is in display order."""

    id: Identifier
    time: float
    pool: str = ""
    worker: str = ""
    session_id: str | None = None
    extranonce1: str = ""
    extranonce2: str = ""
    job: str = ""
    ntime: int = 0
    nonce: int = 0
    version: int = 0
    difficulty: float = 0.0
    share_difficulty: float = 0.0
    hash: str = ""
    block: bool = False
    header: str = ""
    job_fields: dict[str, Any] | None = None
    """The fields of the job if the share solves a block, so that the block can be resubmitted; None for other
    shares."""


class ResolvedShare(msgspec.Struct, tag="settled", tag_field="event", kw_only=True, frozen=True):
    """The result of a share. ``latency``: seconds from the submit to the reply, or None without a reply."""

    id: Identifier
    time: float
    fate: Literal["accepted", "rejected", "stale", "lost"]
    reason: str = ""
    latency: float | None = None


class Totals(msgspec.Struct, tag="totals", tag_field="event", kw_only=True, frozen=True):
    """The totals of all older files of the journal."""

    time: float
    accepted: Count
    rejected: Count
    stale: Count
    lost: Count
    blocks: Count
    next_id: Count


JournalRecord: TypeAlias = RunOpened | RunClosed | SubmittedShare | ResolvedShare | Totals


class _Core(msgspec.Struct):
    """The fields of a record ``found`` or ``settled`` that are needed to count the share. The share is counted even if
    only these fields of its record are valid."""

    event: Literal["found", "settled"]
    id: Identifier
    fate: Literal["accepted", "rejected", "stale", "lost", ""] = ""
    block: bool = False


@dataclass(slots=True)
class Account:
    """The totals of records: submitted = accepted + rejected + stale + lost + open. An open share has no result yet."""

    counts: ShareCounts = field(default_factory=ShareCounts)
    """Numbers of shares that have a result, by outcome."""
    blocks: int = 0
    """Number of shares that solve a block and that a pool accepted."""
    open: dict[int, SubmittedShare] = field(default_factory=dict)
    """Shares without a result, by their ids."""
    next_id: int = 1
    """Id that the next share gets."""

    def take(self, record: JournalRecord) -> bool:
        """Add a record. Return False, and change nothing, if it does not fit the records before it."""
        match record:
            case Totals():
                self.counts = ShareCounts(record.accepted, record.rejected, record.stale, record.lost)
                self.blocks, self.next_id, self.open = record.blocks, record.next_id, {}
            case SubmittedShare() if record.id < self.next_id + MAX_JUMP:
                self.open.setdefault(record.id, record)
                self.next_id = max(self.next_id, record.id + 1)
            case ResolvedShare() if record.id in self.open:
                found = self.open.pop(record.id)
                self.blocks += found.block and record.fate == ShareOutcome.ACCEPTED.value
                self.counts = _plus_one(self.counts, record.fate)
            case RunOpened() | RunClosed():
                pass
            case _:
                return False
        return True

    def totals(self, time: float) -> list[JournalRecord]:
        """Return the first records of a new file that continues this account: the totals and the open shares.

        ``time``: Unix time in seconds.
        """
        counts = self.counts
        totals = Totals(
            time=time,
            accepted=counts.accepted,
            rejected=counts.rejected,
            stale=counts.stale,
            lost=counts.lost,
            blocks=self.blocks,
            next_id=self.next_id,
        )
        return [totals, *self.open.values()]

    def copy(self) -> "Account":
        """Return an independent copy."""
        return Account(self.counts, self.blocks, dict(self.open), self.next_id)


@dataclass(slots=True)
class Reading:
    """The contents of a share journal."""

    account: Account = field(default_factory=Account)
    records: int = 0
    """Number of lines that are valid records."""
    damaged: int = 0
    """Number of lines that are not valid records, or do not fit the records before them."""
    whole_bytes: int = 0
    """Length of the file in bytes, without an incomplete record at its end."""
    unended: bool = False
    """Whether the last line is complete except for its line end."""
    closed: bool = False
    """Whether the last record ends its run, so that the run did not crash."""
    continued: bool = False
    """Whether ``account`` and ``headers`` also contain the records of ``FILE.1``, the next older file of the share
    journal, because this file is empty or its first line is damaged."""
    headers: deque[tuple[float, str]] = field(default_factory=lambda: deque(maxlen=MAX_HEADERS))
    """For each of the newest shares, the Unix time at which it was found and its header in hex."""

    @property
    def counts(self) -> ShareCounts:
        """Numbers of shares that have a result, by outcome."""
        return self.account.counts

    @property
    def blocks(self) -> int:
        """Number of shares that solve a block and that a pool accepted."""
        return self.account.blocks

    @property
    def open(self) -> dict[int, SubmittedShare]:
        """Shares without a result, by their ids."""
        return self.account.open

    @property
    def next_id(self) -> int:
        """Id that the next share gets."""
        return self.account.next_id


def older_file(path: Path, number: int) -> Path:
    """Return the path of an older file: ``path``.1 for the newest of the older files, ``path``.2 for the next."""
    return path.with_name(f"{path.name}.{number}")


def read(path: Path) -> Reading:
    """Read a share journal. Raises JournalError if the file cannot be opened.

    If the file is empty or its first line is damaged, it may have been rotated just before a crash or power failure.
    The returned account and headers then continue those of the older file ``path``.1.
    """
    return _read(path, 0)


def _read(path: Path, number: int) -> Reading:
    file = older_file(path, number) if number else path
    older = older_file(path, number + 1)
    result, offset, settled = Reading(), 0, set[int]()
    for line, length, whole in _lines(file):
        record = _decoded(line)
        if not result.records and not result.damaged and record is None and _is_file(older, number):
            _continue(result, _read(path, number + 1))
        result.closed = isinstance(record, RunClosed)
        result.unended = record is not None and not whole
        # a share that already has a result cannot be submitted again, so this record is damaged
        repeated = isinstance(record, SubmittedShare) and record.id in settled
        if record is None or repeated or not result.account.take(record):
            result.damaged += 1
        else:
            result.records += 1
            match record:
                case SubmittedShare():
                    result.headers.append((record.time, record.header))
                case ResolvedShare():
                    settled.add(record.id)
                case Totals():
                    settled.clear()
        offset += length
        if whole or result.unended:
            result.whole_bytes = offset
    if not result.records and not result.damaged and _is_file(older, number):
        _continue(result, _read(path, number + 1))
    return result


def _is_file(older: Path, number: int) -> bool:
    return number < MAX_OLDER_FILES and older.is_file()


def _continue(result: Reading, before: Reading) -> None:
    if before.records:
        result.account, result.headers, result.continued = before.account, before.headers, True


def _decoded(line: bytes) -> JournalRecord | None:
    """Return the record of a line, or None if the line is not a valid record."""
    line = line.lstrip(b"\0")  # after a power failure, some file systems fill unwritten parts with zeros
    try:
        record: JournalRecord = _RECORDS.decode(line)
    except _NO_JSON:
        return _rescued(line)
    return record


def _rescued(line: bytes) -> JournalRecord | None:
    """Return a record of a damaged line if the line still has the fields that are needed to count the share. Otherwise
    return None."""
    try:
        core = _CORES.decode(line)
    except _NO_JSON:
        return None
    if core.event == "found":
        return SubmittedShare(id=core.id, time=0.0, block=core.block)
    return ResolvedShare(id=core.id, time=0.0, fate=core.fate) if core.fate else None


_NO_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_RECORDS = msgspec.json.Decoder(JournalRecord)
_CORES = msgspec.json.Decoder(_Core)


def _plus_one(counts: ShareCounts, fate: str) -> ShareCounts:
    values = {each.name: getattr(counts, each.name) for each in fields(counts)}
    values[fate] += 1
    return ShareCounts(**values)


def _lines(path: Path) -> Iterator[tuple[bytes, int, bool]]:
    """Yield three values for each line of the file: the line without its line end, the number of bytes of the line in
    the file, and whether the line has a line end.

    If a line is longer than ``MAX_LINE`` bytes, only its beginning is returned.
    """
    try:
        with path.open("rb") as file:
            while line := file.readline(MAX_LINE):
                length, piece = len(line), line
                while len(piece) == MAX_LINE and not piece.endswith(b"\n"):
                    piece = file.readline(MAX_LINE)
                    length += len(piece)
                yield line.removesuffix(b"\n"), length, piece.endswith(b"\n")
    except OSError as error:
        raise JournalError(path, error.strerror) from None
