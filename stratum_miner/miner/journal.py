"""The share journal: an append-only file, one JSON object a line, from which every share's fate can be read back.

What is promised: a line is written before its share leaves, and the line of a found block is on the disk (fsync) before
its submit leaves. Other lines are written at once and synced every few seconds and at the end, so a power cut may cost
the last of them, a crash of the program none. A file that grew too large is renamed to ``.1``, older ones to ``.2`` and
so on; the new one begins with the totals and the open shares, so it can be read alone. A line that a crash cut short is
counted and cut off.

Totals are exact over all runs: found = accepted + rejected + stale + lost + still open. Opening the journal of a run
that died settles its open shares as lost, but for blocks, which may be handed back to the pool (``Recovered``).

The file is locked while it is open, and one that is no journal is left as it is.
"""

import errno
import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, TypeAlias

import msgspec

from stratum_miner.client.fate import Fate, ShareOutcome
from stratum_miner.client.pool_client import Origin
from stratum_miner.client.session import Resumable
from stratum_miner.miner.counts import ShareCounts
from stratum_miner.work.job import Job
from stratum_miner.work.share import Share

SYNC_SECONDS = 5.0
MAX_BYTES = 64 << 20
KEPT_FILES = 5
MAX_LINE = 1 << 20
CURRENT_SECONDS = 600.0
"""A block older than this is not handed back: the chain has gone on."""
CRASHED = "the miner ended before the pool answered"


class JournalError(Exception):
    """The file cannot be read or written; the message names it and says why."""


class Found(msgspec.Struct, tag="found", tag_field="event", kw_only=True, frozen=True):
    """A share on its way; byte strings in hex, integers in the header's fields as numbers."""

    id: int
    time: float
    pool: str
    worker: str
    session_id: str | None
    extranonce1: str
    extranonce2: str
    job: str
    ntime: int
    nonce: int
    version: int
    difficulty: float
    share_difficulty: float
    hash: str
    block: bool
    header: str
    job_fields: dict[str, Any] | None = None
    """Of a block: everything to hand it back with, or to rebuild its coinbase from."""


class Settled(msgspec.Struct, tag="settled", tag_field="event", kw_only=True, frozen=True):
    """Its fate; latency in seconds."""

    id: int
    time: float
    fate: Literal["accepted", "rejected", "stale", "lost"]
    reason: str = ""
    latency: float | None = None


class Totals(msgspec.Struct, tag="totals", tag_field="event", kw_only=True, frozen=True):
    """What files before this one held."""

    time: float
    accepted: int
    rejected: int
    stale: int
    lost: int
    blocks: int
    next_id: int


Record: TypeAlias = Found | Settled | Totals


@dataclass(frozen=True, slots=True)
class Recovered:
    """A block whose answer a crash kept from us."""

    id: int
    pool: str
    resumable: Resumable
    share: Share


@dataclass(slots=True)
class Reading:
    """A journal read back."""

    counts: ShareCounts
    blocks: int
    """Accepted ones."""
    open: dict[int, Found]
    next_id: int
    damaged: int
    """Lines that are none: a crash cuts at most the last."""
    whole_bytes: int
    """Up to the end of the last whole line."""
    records: int = 0
    """Lines that are some."""


def read(path: Path) -> Reading:
    """Read a journal from its first line to its last. JournalError when it cannot be opened."""
    result = Reading(ShareCounts(), 0, {}, 1, 0, 0)
    decoder = msgspec.json.Decoder(Record)
    for line, whole in _lines(path):
        try:
            record = decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            result.damaged += 1
        else:
            result.records += 1
            _take(result, record)
        if whole:
            result.whole_bytes += len(line) + 1
    return result


class Journal:
    """Open for appending; one process at a time. ``wall_clock`` gives Unix time, ``clock`` seconds for the syncs."""

    def __init__(
        self,
        path: Path,
        *,
        wall_clock: Callable[[], float],
        clock: Callable[[], float],
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self.path = path
        self._wall_clock, self._clock = wall_clock, clock
        self._max_bytes = max_bytes
        self._file = self._open_file()
        existing = path.stat().st_size > 0
        before = read(path) if existing else Reading(ShareCounts(), 0, {}, 1, 0, 0)
        if before.damaged and not before.records:
            self._check_half_line()
        self.damaged = before.damaged
        self._counts, self._blocks, self._next_id = before.counts, before.blocks, before.next_id
        self._ids: dict[tuple[int, bytes], int] = {}
        self._open: dict[int, Found] = before.open
        if existing:
            self._guard(os.ftruncate, self._file, before.whole_bytes)
        self._size = before.whole_bytes
        self._synced_at = clock()
        self.recovered = tuple(self._recover())

    # ---- what the miner tells -----------------------------------------------------------------------------------

    def found(self, share: Share, origin: Origin) -> None:
        """Write a share down before it is submitted; a block reaches the disk before this returns."""
        record = Found(
            id=self._next_id,
            time=self._wall_clock(),
            pool=origin.pool,
            worker=origin.worker_name,
            session_id=origin.session_id,
            extranonce1=share.job.extranonce1.hex(),
            extranonce2=share.extranonce2.hex(),
            job=share.job.job_id,
            ntime=share.ntime,
            nonce=share.nonce,
            version=share.version,
            difficulty=share.difficulty,
            share_difficulty=share.job.share_difficulty,
            hash=share.digest[::-1].hex(),
            block=share.is_block,
            header=share.header.hex(),
            job_fields=_job_fields(share.job) if share.is_block else None,
        )
        self._next_id += 1
        self._ids[share.job.session, share.header] = record.id
        self._open[record.id] = record
        self._write(record)
        if record.block:
            self.sync()

    def settled(self, outcome: ShareOutcome) -> None:
        """Write its fate."""
        identifier = self._ids.pop((outcome.share.job.session, outcome.share.header), None)
        if identifier is not None:
            self._settle(identifier, outcome.fate.value, outcome.reason, outcome.latency)

    def adopt(self, recovered: Recovered) -> None:
        """A recovered block is being handed back: its fate will come as another share's does."""
        self._ids[recovered.share.job.session, recovered.share.header] = recovered.id

    def give_up(self, recovered: Recovered, reason: str) -> None:
        """A recovered block is not handed back."""
        self._settle(recovered.id, Fate.LOST.value, reason, None)

    def sync_when_due(self) -> None:
        """Call now and then."""
        if self._clock() - self._synced_at >= SYNC_SECONDS:
            self.sync()

    def sync(self) -> None:
        """To the disk."""
        self._guard(os.fsync, self._file)
        self._synced_at = self._clock()

    def close(self) -> None:
        """To the disk, and no more."""
        self.sync()
        os.close(self._file)

    @property
    def counts(self) -> ShareCounts:
        """Settled shares of all runs."""
        return self._counts

    @property
    def blocks(self) -> int:
        """Accepted blocks of all runs."""
        return self._blocks

    @property
    def open(self) -> int:
        """Shares without a fate."""
        return len(self._open)

    # ---- the file -----------------------------------------------------------------------------------------------

    def _settle(self, identifier: int, fate: str, reason: str, latency: float | None) -> None:
        record = msgspec.convert(
            {
                "event": "settled",
                "id": identifier,
                "time": self._wall_clock(),
                "fate": fate,
                "reason": reason,
                "latency": latency,
            },
            Settled,
        )
        self._counts, self._blocks = _counted(self._counts, self._blocks, self._open.pop(identifier), record)
        self._write(record)
        if self._size > self._max_bytes:
            self._rotate()

    def _recover(self) -> Iterator[Recovered]:
        now = self._wall_clock()
        for record in list(self._open.values()):
            recovered = _rebuilt(record) if record.block and now - record.time <= CURRENT_SECONDS else None
            if recovered is None:
                self._settle(record.id, Fate.LOST.value, CRASHED, None)
            else:
                yield recovered

    def _rotate(self) -> None:
        self.sync()
        numbered = [self.path, *(self.path.with_name(f"{self.path.name}.{number + 1}") for number in range(KEPT_FILES))]
        for newer, older in reversed([*pairwise(numbered)]):
            if newer.exists():
                self._guard(os.replace, newer, older)
        before = self._file
        self._file, self._size = self._open_file(), 0
        os.close(before)
        counts = self._counts
        self._write(
            Totals(
                time=self._wall_clock(),
                accepted=counts.accepted,
                rejected=counts.rejected,
                stale=counts.stale,
                lost=counts.lost,
                blocks=self._blocks,
                next_id=self._next_id,
            )
        )
        for record in self._open.values():
            self._write(record)
        self.sync()

    def _open_file(self) -> int:
        file: int = self._guard(os.open, self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        if not stat.S_ISREG(os.fstat(file).st_mode):
            return file  # a device or a pipe may be everybody's
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            raise JournalError(f"journal {str(self.path)!r}: another miner writes it; give each its own") from None
        except OSError:  # a file system without locks
            pass
        return file

    def _check_half_line(self) -> None:
        """Of a first run that died at its first line there is half a record; anything else is somebody's file."""
        with self.path.open("rb") as file:
            first = file.readline(MAX_LINE)
        begin = b'{"event":"found","id":1,'
        if first.endswith(b"\n") or not first.startswith(begin[: len(first)]):
            os.close(self._file)
            raise JournalError(f"journal {str(self.path)!r}: expected a share journal, got another kind of file")

    def _write(self, record: Record) -> None:
        line = msgspec.json.encode(record) + b"\n"
        done = 0
        while done < len(line):
            done += self._guard(os.write, self._file, line[done:]) or 0
        self._size += len(line)

    def _guard(self, call: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return call(*arguments)
        except OSError as error:
            if error.errno == errno.EINVAL and call is os.fsync:  # a pipe or a device has nothing to sync
                return None
            raise JournalError(f"journal {str(self.path)!r}: {error.strerror}") from None


def _take(result: Reading, record: Record) -> None:
    match record:
        case Totals():
            result.counts = ShareCounts(record.accepted, record.rejected, record.stale, record.lost)
            result.blocks, result.next_id, result.open = record.blocks, record.next_id, {}
        case Found():
            result.open[record.id] = record
            result.next_id = max(result.next_id, record.id + 1)
        case Settled() if record.id in result.open:
            found = result.open.pop(record.id)
            result.counts, result.blocks = _counted(result.counts, result.blocks, found, record)
        case Settled():
            result.damaged += 1


def _counted(counts: ShareCounts, blocks: int, found: Found, settled: Settled) -> tuple[ShareCounts, int]:
    values = {field.name: getattr(counts, field.name) for field in fields(counts)}
    values[settled.fate] += 1
    return ShareCounts(**values), blocks + (found.block and settled.fate == Fate.ACCEPTED.value)


def _lines(path: Path) -> Iterator[tuple[bytes, bool]]:
    """Lines without their ends, and whether the end was there; a monstrous line comes in pieces that are no records."""
    try:
        with path.open("rb") as file:
            while line := file.readline(MAX_LINE):
                yield line.rstrip(b"\n"), line.endswith(b"\n")
    except OSError as error:
        raise JournalError(f"journal {str(path)!r}: {error.strerror}") from None


_BYTES = ("previous_hash", "coinbase_prefix", "coinbase_suffix", "extranonce1")


def _job_fields(job: Job) -> dict[str, Any]:
    values = {field.name: getattr(job, field.name) for field in fields(job) if field.init}
    for name in _BYTES:
        values[name] = values[name].hex()
    values["merkle_branch"] = [item.hex() for item in job.merkle_branch]
    return values


def _rebuilt(record: Found) -> Recovered | None:
    """The share as it was; None when the record does not make one."""
    values = dict(record.job_fields or {})
    try:
        for name in _BYTES:
            values[name] = bytes.fromhex(values[name])
        values["merkle_branch"] = tuple(bytes.fromhex(item) for item in values["merkle_branch"])
        values["session"] = 0  # the number of a client's first session, which it is to resume
        job = Job(**values)
        header = bytes.fromhex(record.header)
        share = Share(
            job=job,
            extranonce2=bytes.fromhex(record.extranonce2),
            ntime=record.ntime,
            nonce=record.nonce,
            version=record.version,
            header=header,
            digest=bytes.fromhex(record.hash)[::-1],
            worker_name=record.worker,
        )
        if job.header(share.extranonce2, share.ntime, share.nonce, share.version).to_bytes() != header:
            return None
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    return Recovered(record.id, record.pool, Resumable(record.session_id, job.extranonce1, job.extranonce2_size), share)
