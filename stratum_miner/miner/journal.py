"""The share journal: an append-only file, one JSON object a line, from which every share's fate can be read back.

Mining never waits for it. The miner's calls put records into a queue; a thread of the journal's own writes them as they
come. A second thread has the disk keep them: at once where a block is among them, else every few seconds, and only when
something was written. So a crash of the program costs at most the records of the last tenth of a second before it. The
next run says so, because the record that ends a run is missing. A power failure may cost what was not synced.

A journal that cannot be written is told once, as an error, and ``problem`` says so for as long as it lasts. The records
wait meanwhile, and writing is tried again every few seconds. Where very many wait, they are given up for the totals
that they add up to, so the totals stay exact.

Totals are exact over all runs: found = accepted + rejected + stale + lost + still open. Opening the journal of a run
that died settles its open shares as lost, but for blocks, which may be handed back to the pool (``Recovered``).
"""

import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import partial
from math import inf
from pathlib import Path
from typing import Any, get_type_hints

import msgspec
import structlog

from stratum_miner.bitcoin.header import BlockHeader
from stratum_miner.bitcoin.sha256d import sha256d
from stratum_miner.client.reconnecting import Destination
from stratum_miner.client.resume import Resumable
from stratum_miner.miner.journal_file import MAX_BYTES, JournalFile
from stratum_miner.miner.journal_records import (
    JournalError,
    JournalRecord,
    Reading,
    ResolvedShare,
    RunClosed,
    RunOpened,
    SubmittedShare,
    older_file,
    read,
)
from stratum_miner.miner.share_counts import ShareCounts
from stratum_miner.work.job import Body, CoinbaseBody, HeaderBody, Job, Origin, PoolKey
from stratum_miner.work.share import Share
from stratum_miner.work.share_result import ShareOutcome, ShareResult

__all__ = ["Journal", "JournalError", "Recovered", "read"]

log = structlog.get_logger(__name__)

SYNC_SECONDS = 5.0
RETRY_SECONDS = 5.0
CLOSE_SECONDS = 5.0
"""Seconds to wait for the last records to reach the disk; a disk that hangs must not keep the miner from ending."""
MAX_BATCH = 256
"""Records written together."""
MAX_WAITING = 10_000
"""Records that wait for the disk, some 6 MB."""
CURRENT_SECONDS = 600.0
"""A block older than this is not handed back, because the chain has gone on; nor is a share searched again."""
ROTATE_AGAIN_SECONDS = 60.0
FAILED_HINT = "mining goes on, and what could not be written waits; make room or mend the disk"
CRASHED = "the miner ended before the pool answered"


@dataclass(frozen=True, slots=True)
class Recovered:
    """A block whose answer a crash kept from us."""

    id: int
    pool: str
    resumable: Resumable
    share: Share


class Journal:
    """Open for appending; one process at a time. JournalError says why it cannot be opened.

    All methods are for one thread, the miner's; none but ``close`` waits for anything. ``wall_clock`` gives Unix time,
    ``clock`` seconds between syncs.
    """

    def __init__(
        self,
        path: Path,
        *,
        wall_clock: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self.path = path
        self._wall_clock, self._clock = wall_clock, clock
        self._file = JournalFile(path, max_bytes=max_bytes)
        before = self._file.before
        self.damaged = before.damaged
        self.unclean = (before.records > 0 or before.continued) and not before.closed
        """Whether the run before did not end well, so that its last records may be missing."""
        self._account = before.account.copy()
        self._ids: dict[tuple[int, bytes], int] = {}
        self.submitted_earlier = frozenset(_recent_headers(path, before, wall_clock()))
        """Headers of the shares that earlier runs found lately: nobody is to submit them again."""
        self._changed = threading.Condition()
        """Guards the fields below, which the writer shares."""
        self._waiting: deque[JournalRecord] = deque()
        self._writing = 0
        """Records that the writer has in hand."""
        self._given_up = 0
        """Records that were replaced by their totals since the last ones were written."""
        self._problems: dict[str, str] = {}
        """What does not work at the moment, and why."""
        self._closing = False
        self._add(RunOpened(time=wall_clock()))
        self.recovered = tuple(self._recover())
        self._syncer = _Syncer(lambda: self._attempt("sync", self._file.sync))
        self._writer = threading.Thread(target=self._write, name="journal", daemon=True)
        self._writer.start()

    # ---- what the miner tells -----------------------------------------------------------------------------------

    def found(self, share: Share, destination: Destination) -> None:
        """A share is being submitted."""
        record = SubmittedShare(
            id=self._account.next_id,
            time=self._wall_clock(),
            pool=_text(destination.pool),
            worker=_text(destination.worker_name),
            session_id=None if destination.session_id is None else _text(destination.session_id),
            extranonce1=body.extranonce1.hex() if isinstance(body := share.job.body, CoinbaseBody) else "",
            extranonce2=share.extranonce2.hex(),
            job=_text(share.job.job_id),
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
        self._ids[share.job.origin.session, share.header] = record.id
        self._add(record)

    def settled(self, result: ShareResult) -> None:
        """The pool answered a share, or nobody will."""
        identifier = self._ids.pop((result.share.job.origin.session, result.share.header), None)
        if identifier is not None:
            self._settle(identifier, result.outcome, result.reason, result.latency)

    def adopt(self, recovered: Recovered) -> None:
        """A recovered block is being handed back: its fate will come as another share's does."""
        self._ids[recovered.share.job.origin.session, recovered.share.header] = recovered.id

    def give_up(self, recovered: Recovered, reason: str) -> None:
        """A recovered block is not handed back."""
        self._settle(recovered.id, ShareOutcome.LOST, reason, None)

    def flush(self, seconds: float = CLOSE_SECONDS) -> bool:
        """Wait until everything is in the file; False when that takes longer."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and not self._writing, seconds)

    def close(self) -> None:
        """Write and sync the rest, for ``CLOSE_SECONDS`` at most, and give the file back. What is missing is told.

        May be called twice.
        """
        if self._closing:
            return
        self._add(RunClosed(time=self._wall_clock()))
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        until = time.monotonic() + CLOSE_SECONDS
        self._writer.join(CLOSE_SECONDS)
        with self._changed:
            missing = len(self._waiting) + self._writing
        if missing:
            reason = "; ".join(self._problems.copy().values()) or "the disk does not answer"
            log.error("journal_incomplete", file=str(self.path), records=missing, reason=reason)
        if self._syncer.close(max(0.0, until - time.monotonic())) and not self._writer.is_alive():
            self._file.close()

    @property
    def problem(self) -> str:
        """Why the journal cannot be written at the moment; empty while all is well."""
        reasons = [*dict.fromkeys(self._problems.copy().values())]
        return f"cannot write the share journal {str(self.path)!r}: {'; '.join(reasons)}" if reasons else ""

    @property
    def counts(self) -> ShareCounts:
        """Settled shares of all runs, this one's included, written yet or not."""
        return self._account.counts

    @property
    def blocks(self) -> int:
        """Shares of all runs that are blocks and that a pool accepted."""
        return self._account.blocks

    @property
    def open(self) -> int:
        """Shares without a fate."""
        return len(self._account.open)

    # ---- records ------------------------------------------------------------------------------------------------

    def _settle(self, identifier: int, fate: ShareOutcome, reason: str, latency: float | None) -> None:
        self._add(
            ResolvedShare(
                id=identifier, time=self._wall_clock(), fate=fate.value, reason=_text(reason), latency=latency
            )
        )

    def _add(self, record: JournalRecord) -> None:
        self._account.take(record)
        with self._changed:
            self._waiting.append(record)
            if len(self._waiting) > MAX_WAITING + len(self._account.open):
                self._given_up += len(self._waiting) + self._writing
                self._waiting = deque(self._account.totals(self._wall_clock()))
            self._changed.notify_all()

    def _recover(self) -> Iterator[Recovered]:
        now = self._wall_clock()
        for record in list(self._account.open.values()):
            recovered = _rebuilt(record) if record.block and now - record.time <= CURRENT_SECONDS else None
            if recovered is None:
                self._settle(record.id, ShareOutcome.LOST, CRASHED, None)
            else:
                yield recovered

    # ---- the writer's thread ------------------------------------------------------------------------------------

    def _write(self) -> None:
        failed, sync_at, rotate_at = False, inf, -inf
        while True:
            batch, source, closing = self._next_batch(failed, sync_at)
            failed = not self._attempt("write", partial(self._file.append, batch, self._wall_clock()))
            self._settle_batch(batch, source, failed=failed)
            now = self._clock()
            if not failed and any(not isinstance(record, RunOpened | RunClosed) for record in batch):
                urgent = any(isinstance(record, SubmittedShare) and record.block for record in batch)
                sync_at = min(sync_at, now if urgent else now + SYNC_SECONDS)
            if self._file.is_large and now >= rotate_at:
                rotated = self._attempt("rotate", partial(self._file.rotate, self._wall_clock()))
                sync_at, rotate_at = (now, -inf) if rotated else (sync_at, now + ROTATE_AGAIN_SECONDS)
            if now >= sync_at or (closing and sync_at < inf):
                self._syncer.want()
                sync_at = inf
            if closing and (failed or not self._waiting):
                return

    def _next_batch(self, failed: bool, sync_at: float) -> tuple[list[JournalRecord], deque[JournalRecord], bool]:
        """Wait for records, or for the time to sync those before; after a failure, to try again."""
        with self._changed:
            if failed:
                self._changed.wait_for(lambda: self._closing, RETRY_SECONDS)
            else:
                timeout = None if sync_at == inf else max(0.0, sync_at - self._clock())
                self._changed.wait_for(lambda: self._waiting or self._closing, timeout)
            source = self._waiting
            batch = [source.popleft() for _ in range(min(MAX_BATCH, len(source)))]
            self._writing = len(batch)
            return batch, source, self._closing

    def _settle_batch(self, batch: list[JournalRecord], source: deque[JournalRecord], *, failed: bool) -> None:
        """Put records that could not be written back to where they came from; that may be given up meanwhile."""
        with self._changed:
            self._writing = 0
            if failed:
                source.extendleft(reversed(batch))
            self._changed.notify_all()

    def _attempt(self, what: str, call: Callable[[], None]) -> bool:
        """Whether the disk did it. What does not work is told once, and so is that it works again."""
        try:
            call()
        except JournalError as error:
            with self._changed:
                known = what in self._problems
                self._problems[what] = error.reason or "no reason given"
            if not known:
                log.error("journal_failed", file=str(self.path), reason=error.reason, hint=FAILED_HINT)
            return False
        with self._changed:
            works_again = self._problems.pop(what, None) is not None and not self._problems
            given_up = self._given_up if works_again else 0
            self._given_up -= given_up
        if works_again:
            log.warning("journal_recovered", file=str(self.path), missing=given_up or None)
        return True


class _Syncer:
    """A thread that has the disk keep the file whenever somebody wants it, so that a slow disk delays no record."""

    def __init__(self, sync: Callable[[], object]) -> None:
        self._sync = sync
        self._changed = threading.Condition()
        self._wanted = self._closing = False
        self._thread = threading.Thread(target=self._run, name="journal-sync", daemon=True)
        self._thread.start()

    def want(self) -> None:
        """Sync soon; once for everybody who wants it meanwhile."""
        with self._changed:
            self._wanted = True
            self._changed.notify()

    def close(self, seconds: float) -> bool:
        """Sync what is wanted and end; False when that takes longer."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._wanted or self._closing)
                wanted, self._wanted = self._wanted, False
            if not wanted:
                return
            self._sync()


def _text(value: str) -> str:
    """What JSON can carry: a command line may hold bytes that are no text."""
    return value.encode("utf-8", "backslashreplace").decode()


def _recent_headers(path: Path, before: Reading, now: float) -> Iterator[bytes]:
    """Headers of the shares that earlier runs found in the last minutes, also those in the file before."""
    since = now - CURRENT_SECONDS
    found = [*before.headers]
    older = older_file(path, 1)
    if not before.continued and older.is_file() and older.stat().st_mtime >= since:
        found += read(older).headers
    for at, header in found:
        if at >= since:
            with suppress(ValueError):
                yield bytes.fromhex(header)


_JOB_TYPES = get_type_hints(Job)
_RECORDED = tuple(field.name for field in fields(Job) if field.init and field.name not in ("origin", "body"))
_UNSIGNED = ("version", "ntime", "version_mask")
_BEFORE_BODIES = {
    "prefix": "coinbase_prefix",
    "suffix": "coinbase_suffix",
    "branch": "merkle_branch",
    "extranonce1": "extranonce1",
    "extranonce2_size": "extranonce2_size",
}
"""The fields of a coinbase, and their names in older records, which have them among those of the job."""


def _job_fields(job: Job) -> dict[str, Any]:
    values = {name: getattr(job, name) for name in _RECORDED}
    values["previous_hash"] = job.previous_hash.hex()
    values["job_id"] = _text(job.job_id)
    match job.body:
        case CoinbaseBody(prefix, suffix, branch, extranonce1, size):
            values["body"] = {
                "kind": "coinbase",
                "prefix": prefix.hex(),
                "suffix": suffix.hex(),
                "branch": [item.hex() for item in branch],
                "extranonce1": extranonce1.hex(),
                "extranonce2_size": size,
            }
        case HeaderBody(root):
            values["body"] = {"kind": "header", "merkle_root": root.hex()}
    return values


def _rebuilt(record: SubmittedShare) -> Recovered | None:
    """The share as it was; None when the record does not make a block.

    The header decides: it has most of the job once more, and its hash proves it.
    """
    try:
        data = bytes.fromhex(record.header)
        header = BlockHeader.from_bytes(data)
        job = _job(record, header)
        share = Share(
            job=job,
            extranonce2=bytes.fromhex(record.extranonce2),
            ntime=header.ntime,
            nonce=header.nonce,
            version=header.version,
            header=data,
            digest=sha256d(data),
            worker_name=record.worker,
        )
        whole = job.header(share.extranonce2, share.ntime, share.nonce, share.version).to_bytes() == data
    except (msgspec.ValidationError, KeyError, TypeError, ValueError, AttributeError, OverflowError, struct.error):
        return None
    if not (whole and share.is_block and isinstance(job.body, CoinbaseBody)):
        return None  # of a bare merkle root nothing could be resumed
    resumable = Resumable(record.session_id, job.body.extranonce1, job.body.extranonce2_size)
    return Recovered(record.id, record.pool, resumable, share)


def _job(record: SubmittedShare, header: BlockHeader) -> Job:
    values = dict(record.job_fields or {})
    body = _body(values.pop("body")) if "body" in values else _body_before_bodies(values)
    values["previous_hash"] = header.previous_hash
    for name in _UNSIGNED:
        if type(values[name]) is not int or not 0 <= values[name] < 1 << 32:
            values[name] = getattr(header, name, 0)
    values["nbits"] = header.nbits
    # the number of a client's first session, which it is to resume
    origin = Origin(PoolKey(record.pool), record.worker, 0, record.session_id)
    converted = {name: msgspec.convert(value, _JOB_TYPES[name]) for name, value in values.items()}
    return Job(origin=origin, body=body, **converted)


def _body(recorded: dict[str, Any]) -> Body:
    if recorded["kind"] == "header":
        return HeaderBody(bytes.fromhex(recorded["merkle_root"]))
    return CoinbaseBody(
        bytes.fromhex(recorded["prefix"]),
        bytes.fromhex(recorded["suffix"]),
        tuple(bytes.fromhex(item) for item in recorded["branch"]),
        bytes.fromhex(recorded["extranonce1"]),
        msgspec.convert(recorded["extranonce2_size"], int),
    )


def _body_before_bodies(values: dict[str, Any]) -> Body:
    """The coinbase out of a record that has its parts among the job's; they are taken out of it."""
    del values["session"]
    return _body({"kind": "coinbase"} | {name: values.pop(before) for name, before in _BEFORE_BODIES.items()})
