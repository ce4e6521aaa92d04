"""Jobs as miners get them, and the table of the jobs for which one session may still submit shares.

A ``JobContent`` contains the fields of a job; ``notify_lines`` encodes it as mining.notify. An ``AnnouncedJob``
contains this encoded line, which is the same for all sessions. A ``SessionJob`` adds the settings that one session had
when the job was announced to it: extranonce1, difficulty, version mask. The shares of a job are judged by these
settings, even if the session's settings change later (docs/reference/stratum.md#when-a-setting-takes-effect).
"""

from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

import msgspec

from stratum_miner.downstream.share_memory import SeenShares
from stratum_miner.stratum.pool_messages import Notify
from stratum_miner.stratum.server_connection import encode_announcement

MAX_JOBS = 32
"""Maximum number of jobs for which a session may still submit shares: the jobs of the last 16 minutes if a job comes
every 30 s, or of the last 4 minutes if new transactions cause a job every 8 s."""
MAX_OLD_JOBS = 512
"""Maximum number of removed jobs that a ``JobTable`` remembers in order to recognize duplicate shares. Only on a test
chain do jobs come fast enough to reach this limit."""
OLD_JOB_SECONDS = 600
"""Largest age, in seconds, of the removed jobs that a ``JobTable`` remembers. Equal to the default time for which a
session can be resumed (``MinerLimits.resume_seconds``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobContent:
    """The fields of a job. Hashes are in internal byte order; the coinbase has no witness."""

    job_id: str
    previous_hash: bytes
    coinbase_prefix: bytes
    coinbase_suffix: bytes
    merkle_branch: tuple[bytes, ...]
    version: int
    nbits: int
    ntime: int
    clean: bool
    """Whether shares of earlier jobs are no longer accepted."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AnnouncedJob:
    """A job as it is announced to all sessions, with the data by which its shares are judged."""

    content: JobContent
    network_target: int
    line: bytes
    """The encoded mining.notify, with a newline."""
    clean_line: bytes
    """The encoded mining.notify with clean_jobs true, for a session's first job."""
    rollable_mask: int = 0
    """Version bits that miners may roll if they ask for them."""
    origin: int = 0
    """In a proxy, the number of the session between proxy and pool from which the job came; in a pool, 0. A new version
    mask applies to all jobs of one origin."""
    seen: SeenShares = field(default_factory=SeenShares)
    """The valid shares of this job. Jobs that differ only in their ids use the same object."""
    maxtime: int | None = None
    """Latest ntime (unix time) for which a block of this job is valid; None if it is not known."""


J = TypeVar("J", bound=AnnouncedJob)


class SessionJob(msgspec.Struct, Generic[J], frozen=True, kw_only=True, eq=False):
    """A job as one session got it. A share is valid if its hash is at most ``target``, which follows from
    ``difficulty``.

    The class is a ``msgspec.Struct``, because objects of such classes are made faster than those of other classes.
    This matters because the server makes one ``SessionJob`` for each of thousands of sessions when it sends a job.
    """

    announced: J
    extranonce1: bytes
    difficulty: float
    target: int
    version_mask: int

    @property
    def job_id(self) -> str:
        """The job id in mining.notify and mining.submit."""
        return self.announced.content.job_id


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OldJob:
    """The fields of a ``SessionJob`` that are needed to recognize duplicates of its shares. Unlike a ``SessionJob``, an
    ``OldJob`` keeps no block template in memory.
    """

    content: JobContent
    seen: SeenShares
    extranonce1: bytes
    version_mask: int


class JobTable(Generic[J]):
    """The jobs of one session, by id. The oldest are removed when there are too many.

    If this session submitted valid shares for a job, the table remembers some fields of the job for a while after its
    removal (``OldJob``). With these fields, duplicates of the shares are recognized: a miner whose connection broke
    before it got the answer to a share submits the share again when it reconnects.
    """

    __slots__ = ("_jobs", "_max_jobs", "_old", "_shares", "shares")  # saves memory: there may be thousands of tables

    def __init__(self, max_jobs: int = MAX_JOBS) -> None:
        self.shares = 0
        """Number of valid shares that this session submitted for the jobs in the table and for the removed jobs that
        are remembered."""
        self._max_jobs = max_jobs
        self._jobs: dict[str, SessionJob[J]] = {}
        self._old: dict[str, OldJob] = {}
        self._shares: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._jobs)

    def add(self, job: SessionJob[J]) -> None:
        """Add a job that was announced."""
        self._jobs[job.job_id] = job
        if len(self._jobs) > self._max_jobs:
            oldest = next(iter(self._jobs))
            old = self._jobs.pop(oldest)
            if oldest in self._shares:
                self._old[oldest] = OldJob(
                    content=old.announced.content,
                    seen=old.announced.seen,
                    extranonce1=old.extranonce1,
                    version_mask=old.version_mask,
                )
        while self._old and self._is_outdated(next(iter(self._old.values())), job):
            forgotten = next(iter(self._old))
            del self._old[forgotten]
            self.shares -= self._shares.pop(forgotten)

    def count_share(self, job_id: str) -> None:
        """Count a valid share of a job in the table."""
        self.shares += 1
        self._shares[job_id] = self._shares.get(job_id, 0) + 1

    def get(self, job_id: str) -> SessionJob[J] | None:
        """Return the job, or None if it was never announced to this session or is no longer in the table."""
        return self._jobs.get(job_id)

    def get_old(self, job_id: str) -> OldJob | None:
        """Return a removed job for which this session submitted valid shares, or None if no such job is remembered."""
        return self._old.get(job_id)

    def _is_outdated(self, oldest: OldJob, newest: SessionJob[J]) -> bool:
        # the table has no clock, so an ntime serves as the time of a job
        age = newest.announced.content.ntime - oldest.content.ntime
        return len(self._old) > MAX_OLD_JOBS or age > OLD_JOB_SECONDS

    def allow_versions(self, mask: int, origin: int) -> None:
        """Allow the miner to change the version bits of ``mask`` in the jobs of one origin (see
        ``AnnouncedJob.origin``).

        Bits that were allowed before stay allowed. Bits that are set in a job's own version are never allowed.
        """
        for job_id, job in self._jobs.items():
            if job.announced.origin == origin:
                more = mask & ~job.announced.content.version
                self._jobs[job_id] = msgspec.structs.replace(job, version_mask=job.version_mask | more)


def notify_lines(content: JobContent) -> tuple[bytes, bytes]:
    """Encode a job as mining.notify. Return two lines: the first has the job's own clean_jobs, the second has
    clean_jobs true.
    """
    notify = Notify(
        job_id=content.job_id,
        previous_hash=content.previous_hash,
        coinbase_prefix=content.coinbase_prefix,
        coinbase_suffix=content.coinbase_suffix,
        merkle_branch=content.merkle_branch,
        version=content.version,
        nbits=content.nbits,
        ntime=content.ntime,
        clean_jobs=content.clean,
    )
    line = encode_announcement(notify)
    return line, line if content.clean else encode_announcement(replace(notify, clean_jobs=True))
