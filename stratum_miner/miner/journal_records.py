"""The records of a share journal, and what they add up to.

A journal is a file of JSON objects, one a line. ``opened`` begins a run and ``closed`` ends it. ``found`` is a share on
its way to the pool, ``settled`` its fate. ``totals`` begins a file that continues an older one: it holds what that one
added up to, and the shares that were open then follow it once more.

This module reads; it does not write. It believes no line: one that is no record, or does not fit the records before
it, is counted as damaged and changes nothing else.
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
"""Bytes that are looked at as one line. Our longest records, blocks of large coinbases, stay far below."""
MAX_HEADERS = 1 << 16
"""Headers remembered of shares found earlier; more than a fast miner finds in ten minutes."""
MAX_JUMP = 1 << 40
"""A number so far above the last one is none that we gave."""
MAX_OLDER_FILES = 5
BEGINNINGS = (b'{"event":"opened",', b'{"event":"found","id":1,', b'{"event":"totals",')
"""What the first line of a journal begins with."""

Identifier: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=1 << 53)]
Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=1 << 52)]
"""Every JSON reader keeps integers up to 2**53 exact; totals leave room above them."""


class JournalError(Exception):
    """The file cannot be read or written; the message names it and says why, and ``reason`` only why."""

    def __init__(self, path: Path, reason: str | None) -> None:
        super().__init__(f"journal {str(path)!r}: {reason}")
        self.reason = reason


class RunOpened(msgspec.Struct, tag="opened", tag_field="event", kw_only=True, frozen=True):
    """A run began to write."""

    time: float


class RunClosed(msgspec.Struct, tag="closed", tag_field="event", kw_only=True, frozen=True):
    """A run ended and everything it had to write is above this line."""

    time: float


class SubmittedShare(msgspec.Struct, tag="found", tag_field="event", kw_only=True, frozen=True):
    """A share on its way; byte strings in hex, integers in the header's fields as numbers."""

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
    """The whole job of a share that is a block: what is needed to submit it again or to rebuild its coinbase."""


class ResolvedShare(msgspec.Struct, tag="settled", tag_field="event", kw_only=True, frozen=True):
    """The fate of a share; latency in seconds."""

    id: Identifier
    time: float
    fate: Literal["accepted", "rejected", "stale", "lost"]
    reason: str = ""
    latency: float | None = None


class Totals(msgspec.Struct, tag="totals", tag_field="event", kw_only=True, frozen=True):
    """What the files before this one added up to."""

    time: float
    accepted: Count
    rejected: Count
    stale: Count
    lost: Count
    blocks: Count
    next_id: Count


JournalRecord: TypeAlias = RunOpened | RunClosed | SubmittedShare | ResolvedShare | Totals


class _Core(msgspec.Struct):
    """The least that a damaged ``found`` or ``settled`` must still have in order to count."""

    event: Literal["found", "settled"]
    id: Identifier
    fate: Literal["accepted", "rejected", "stale", "lost", ""] = ""
    block: bool = False


@dataclass(slots=True)
class Account:
    """What records add up to: found = accepted + rejected + stale + lost + open."""

    counts: ShareCounts = field(default_factory=ShareCounts)
    """Settled shares."""
    blocks: int = 0
    """Shares that are blocks and that a pool accepted."""
    open: dict[int, SubmittedShare] = field(default_factory=dict)
    """Shares without a fate."""
    next_id: int = 1

    def take(self, record: JournalRecord) -> bool:
        """Add one more record; False, and no change, when it does not fit those before it."""
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
        """The records that a new file begins with in order to continue this account."""
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
        """Another one that can go its own way."""
        return Account(self.counts, self.blocks, dict(self.open), self.next_id)


@dataclass(slots=True)
class Reading:
    """A journal read back."""

    account: Account = field(default_factory=Account)
    records: int = 0
    """Lines that are records."""
    damaged: int = 0
    """Lines that are no records, or that do not fit those before them."""
    whole_bytes: int = 0
    """The length of the file up to the end of its last whole line."""
    unended: bool = False
    """Whether the last line is whole but for its line end."""
    closed: bool = False
    """Whether the last record says that its run ended well."""
    continued: bool = False
    """Whether the beginning of the file is missing, and ``FILE.1`` was read in its place."""
    headers: deque[tuple[float, str]] = field(default_factory=lambda: deque(maxlen=MAX_HEADERS))
    """When the newest shares were found, and their headers in hex."""

    @property
    def counts(self) -> ShareCounts:
        """Settled shares."""
        return self.account.counts

    @property
    def blocks(self) -> int:
        """Shares that are blocks and that a pool accepted."""
        return self.account.blocks

    @property
    def open(self) -> dict[int, SubmittedShare]:
        """Shares without a fate."""
        return self.account.open

    @property
    def next_id(self) -> int:
        """The number of the next share."""
        return self.account.next_id


def older_file(path: Path, number: int) -> Path:
    """``FILE.1`` is the newest of the older files."""
    return path.with_name(f"{path.name}.{number}")


def read(path: Path) -> Reading:
    """Read a journal from its first line to its last. JournalError when it cannot be opened.

    Where the beginning is missing (a crash or a power failure struck while ``FILE`` became ``FILE.1``) the account
    begins with what ``FILE.1`` ends with.
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
        repeated = isinstance(record, SubmittedShare) and record.id in settled  # a share has one fate
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
    """The record of a line; None when it is none."""
    line = line.lstrip(b"\0")  # some file systems fill up what was not written at a power failure
    try:
        record: JournalRecord = _RECORDS.decode(line)
    except _NO_JSON:
        return _rescued(line)
    return record


def _rescued(line: bytes) -> JournalRecord | None:
    """A share whose particulars are out of range or of a wrong type still counts as what it was."""
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
    """Lines without their ends, their lengths in the file, and whether the end was there.

    Of a line that is too long for a record only the beginning is read into memory.
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
