"""The share journal: a file with one JSON object per line, which records each share and its result.

Mining never waits for the journal. The miner's calls put records into a queue, and a thread writes them as they come. A
second thread syncs the file to the disk: at once after the record of a share that solves a block, otherwise a few
seconds after a write. If the program crashes, at most the records of the last tenth of a second are missing. A run that
does not crash ends with a record of its own. If this record is missing at the end of the journal, the next run logs a
crash. After a power failure, the records that were not synced may be missing, too.

If the file cannot be written, the journal logs one error, and ``Journal.problem`` gives the reason until writing works
again. Meanwhile the records wait, and the writing thread tries again every few seconds. If too many records wait (see
``MAX_WAITING``), the journal replaces them by their totals.

The totals of all runs are always exact: submitted = accepted + rejected + stale + lost + open. An *open* share has no
result yet. If a run crashed, the next run records the open shares of the crashed run as lost, except shares that
solve a block and can still be resubmitted to the pool (``Recovered``).
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
"""Seconds from writing a record until the file is synced. The record of a share that solves a block is synced at
once."""
RETRY_SECONDS = 5.0
"""Seconds from a failed attempt to write to the next attempt."""
CLOSE_SECONDS = 5.0
"""Longest wait (s) for the last records to reach the disk. A disk that hangs must not keep the miner from stopping."""
MAX_BATCH = 256
"""Maximum number of records that are written together."""
MAX_WAITING = 10_000
"""Maximum number of records that may wait to be written. They take some 6 MB of memory."""
CURRENT_SECONDS = 600.0
"""Age (s) up to which a recorded share matters to a later run. The run does not resubmit an older block, because the
block chain has grown since. It remembers the headers of shares up to this age, so that it does not submit the same
share again."""
ROTATE_AGAIN_SECONDS = 60.0
"""Seconds from a failed attempt to rotate the journal (continue in a new file) to the next attempt."""
FAILED_HINT = "mining continues, and the records wait to be written. Free some disk space, or repair the disk"
CRASHED = "the miner crashed before the pool answered"


@dataclass(frozen=True, slots=True)
class Recovered:
    """A block that an earlier run submitted before it crashed, and that has no result yet."""

    id: int
    """Id of the share in the journal."""
    pool: str
    """URL of the pool."""
    resumable: Resumable
    """The session to resume, so that the pool knows the job."""
    share: Share


class Journal:
    """A share journal, open for appending. Only one process can open a file at a time.

    ``path``: the file; it is created if it does not exist. ``wall_clock``: returns Unix time in seconds. ``clock``:
    returns seconds, for the pauses between syncs. ``max_bytes``: size from which the journal continues in a new file.

    Call all methods from the same thread. Only ``flush`` and ``close`` wait for the disk.
    Raises JournalError if the file cannot be opened, is not a share journal, or is in use.
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
        """Whether the previous run crashed, so that its last records may be missing."""
        self._account = before.account.copy()
        self._ids: dict[tuple[int, bytes], int] = {}
        self.submitted_earlier = frozenset(_recent_headers(path, before, wall_clock()))
        """Headers (80 bytes each) of the shares that earlier runs found in the last 10 minutes. They must not be
        submitted again."""
        self._changed = threading.Condition()
        """A lock for the fields below, which the writing thread uses too."""
        self._waiting: deque[JournalRecord] = deque()
        self._writing: list[JournalRecord] = []
        """The records that the writing thread is writing now."""
        self._given_up = 0
        """Number of records that were replaced by their totals since the last successful write."""
        self._problems: dict[str, str] = {}
        """The operations (write, sync, rotate) that fail at the moment, with the reasons."""
        self._closing = False
        self._add(RunOpened(time=wall_clock()))
        self.recovered = tuple(self._recover())
        self._syncer = _Syncer(lambda: self._attempt("sync", self._file.sync))
        self._writer = threading.Thread(target=self._write, name="journal", daemon=True)
        self._writer.start()

    # ---- for the miner ------------------------------------------------------------------------------------------

    def submitted(self, share: Share, destination: Destination) -> None:
        """Record that a share is submitted."""
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

    def resolved(self, result: ShareResult) -> None:
        """Record the result of a share."""
        identifier = self._ids.pop((result.share.job.origin.session, result.share.header), None)
        if identifier is not None:
            self._resolve(identifier, result.outcome, result.reason, result.latency)

    def adopt(self, recovered: Recovered) -> None:
        """Keep track of a recovered block that is resubmitted, so that ``resolved`` records its result like that of any
        other share."""
        self._ids[recovered.share.job.origin.session, recovered.share.header] = recovered.id

    def mark_lost(self, recovered: Recovered, reason: str) -> None:
        """Record that a recovered block is not resubmitted, and so is lost."""
        self._resolve(recovered.id, ShareOutcome.LOST, reason, None)

    def flush(self, seconds: float = CLOSE_SECONDS) -> bool:
        """Wait until all records are in the file. Return False if that takes longer than ``seconds``."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and not self._writing, seconds)

    def close(self) -> None:
        """Write and sync the last records, for at most ``CLOSE_SECONDS``, and close the file. It may be called twice.

        If records could not be written in time, this is logged as an error.
        """
        if self._closing:
            return
        with self._changed:
            self._closing = True
            self._add(RunClosed(time=self._wall_clock()))
        until = time.monotonic() + CLOSE_SECONDS
        self._writer.join(CLOSE_SECONDS)
        with self._changed:
            missing = len(self._waiting) + len(self._writing)
        if missing:
            reason = "; ".join(self._problems.copy().values()) or "the disk does not respond"
            log.error("journal_incomplete", file=str(self.path), records=missing, reason=reason)
        if self._syncer.close(until - time.monotonic()) and not self._writer.is_alive():
            self._file.close()

    @property
    def problem(self) -> str:
        """Why the journal cannot be written now; empty if it can."""
        reasons = [*dict.fromkeys(self._problems.copy().values())]
        return f"cannot write the share journal {str(self.path)!r}: {'; '.join(reasons)}" if reasons else ""

    @property
    def counts(self) -> ShareCounts:
        """Number of shares with a result, by outcome, in all runs. Shares of this run are included even if
        they are not written yet."""
        return self._account.counts

    @property
    def blocks(self) -> int:
        """Number of shares, in all runs, that solve a block and that a pool accepted."""
        return self._account.blocks

    @property
    def open(self) -> int:
        """Number of shares without a result."""
        return len(self._account.open)

    # ---- records ------------------------------------------------------------------------------------------------

    def _resolve(self, identifier: int, fate: ShareOutcome, reason: str, latency: float | None) -> None:
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
                self._given_up += len(self._waiting) + len(self._writing)
                self._waiting = deque(self._account.totals(self._wall_clock()))
            self._changed.notify_all()

    def _recover(self) -> Iterator[Recovered]:
        now = self._wall_clock()
        for record in list(self._account.open.values()):
            recovered = _rebuilt(record) if record.block and now - record.time <= CURRENT_SECONDS else None
            if recovered is None:
                self._resolve(record.id, ShareOutcome.LOST, CRASHED, None)
            else:
                yield recovered

    # ---- the writer's thread ------------------------------------------------------------------------------------

    def _write(self) -> None:
        failed, sync_at, rotate_at = False, inf, -inf
        while True:
            batch, source, closing = self._next_batch(failed, sync_at)
            failed = not self._attempt("write", partial(self._file.append, batch, self._wall_clock()))
            self._put_back(batch, source, failed=failed)
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
        """Wait until there are records to write, or until it is time to sync or to try again after a failure.

        Returns the records to write, the queue that they come from, and whether the journal is being closed."""
        with self._changed:
            if failed:
                self._changed.wait_for(lambda: self._closing, RETRY_SECONDS)
            else:
                timeout = None if sync_at == inf else sync_at - self._clock()
                self._changed.wait_for(lambda: self._waiting or self._closing, timeout)
            source = self._waiting
            batch = [source.popleft() for _ in range(min(MAX_BATCH, len(source)))]
            self._writing = batch
            return batch, source, self._closing

    def _put_back(self, batch: list[JournalRecord], source: deque[JournalRecord], *, failed: bool) -> None:
        """Record that writing a batch has ended. If writing failed, return the records to the queue that they came
        from."""
        with self._changed:
            self._writing = []
            if failed:
                source.extendleft(reversed(batch))
            self._changed.notify_all()

    def _attempt(self, what: str, call: Callable[[], None]) -> bool:
        """Run an operation on the file, and return whether it succeeded.

        The first failure of an operation is logged. When all operations work again, this is logged, too."""
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
    """A thread that syncs the file when it is asked to, so that a slow disk does not delay the writing of records."""

    def __init__(self, sync: Callable[[], object]) -> None:
        self._sync = sync
        self._changed = threading.Condition()
        self._wanted = self._closing = False
        self._thread = threading.Thread(target=self._run, name="journal-sync", daemon=True)
        self._thread.start()

    def want(self) -> None:
        """Ask for a sync. One sync serves all requests that came before it."""
        with self._changed:
            self._wanted = True
            self._changed.notify()

    def close(self, seconds: float) -> bool:
        """Do the sync that was requested, if any, and end the thread. Return False if that takes longer than
        ``seconds``."""
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
    """Return a string that JSON can hold. A string from the command line may contain bytes that are not valid text;
    they are replaced by escape sequences."""
    return value.encode("utf-8", "backslashreplace").decode()


def _recent_headers(path: Path, before: Reading, now: float) -> Iterator[bytes]:
    """Yield the headers of the shares that earlier runs found in the last 10 minutes. ``before`` is the content of the
    journal at ``path``; its shares come first, followed by those of the rotated file ``path``.1."""
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
"""Today a record contains the coinbase of a job as a separate object ``body``. Older versions of this program wrote the
fields of the coinbase among the other fields of the job, and gave some of them other names. Each key is the name of a
field in ``body``; its value is the field's name in old records."""


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
    """Return the block that a record describes, or None if the record does not describe a valid block.

    The previous hash and nbits are taken from the recorded header. A damaged header is detected, because its hash would
    not be that of a block.
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
        # The record is not that of a valid block, or its pool sent no coinbase. Such a pool's session cannot be
        # resumed.
        return None
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
    # The session number is 0, because only the sessions of this run are numbered, and the job comes from an earlier
    # run. The pool knows the session of the job by its ``session_id``. A new pool client can resume the session with
    # this id.
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
    """Return the coinbase from a record that an older version of this program wrote (see ``_BEFORE_BODIES``).

    ``values`` are the recorded fields of the job. This function removes the fields of the coinbase from them."""
    del values["session"]
    return _body({"kind": "coinbase"} | {name: values.pop(before) for name, before in _BEFORE_BODIES.items()})
