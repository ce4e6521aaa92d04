"""Jobs as miners get them, and the table of those that one session may still submit to.

A ``JobContent`` is what there is to search, in no protocol's words; ``notify_lines`` says it in Stratum's. An
``AnnouncedJob`` is encoded once for all sessions. A ``SessionJob`` adds what belongs to one session at that moment:
extranonce1, difficulty, version mask. It is judged by these for as long as it lives, whatever the session's settings
become (docs/reference/stratum.md#when-a-setting-takes-effect).
"""

from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

import msgspec

from stratum_miner.downstream.share_memory import SeenShares
from stratum_miner.stratum.pool_messages import Notify
from stratum_miner.stratum.server_connection import encode_announcement

MAX_JOBS = 32
"""Jobs a session may still submit to: a quarter of an hour at one every 30 s, four minutes where each look at the node
brings other transactions."""
MAX_OLD_JOBS = 512
"""Jobs of a session that are remembered beyond those, for their shares only; more than any but a toy chain makes."""
OLD_JOB_SECONDS = 600
"""Seconds for which they are remembered; a session can be resumed as long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobContent:
    """What miners search; hashes and branch in internal order, integers plain, the coinbase without witness."""

    job_id: str
    previous_hash: bytes
    coinbase_prefix: bytes
    coinbase_suffix: bytes
    merkle_branch: tuple[bytes, ...]
    version: int
    nbits: int
    ntime: int
    clean: bool
    """Whether shares of the jobs before are worth nothing any more."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AnnouncedJob:
    """What a share of a job is judged by, whoever made the job."""

    content: JobContent
    network_target: int
    line: bytes
    """The encoded mining.notify."""
    clean_line: bytes
    """The encoded mining.notify with clean_jobs true, for a session's first job."""
    rollable_mask: int = 0
    """Version bits that miners may roll if they ask for them."""
    origin: int = 0
    """Version bits that a miner was granted count for all its jobs of one origin."""
    seen: SeenShares = field(default_factory=SeenShares)
    """The shares of this job that were good; jobs that differ in their ids only have it in common."""
    maxtime: int | None = None
    """Latest ntime for which a block of this job is valid, when it is known."""


J = TypeVar("J", bound=AnnouncedJob)


class SessionJob(msgspec.Struct, Generic[J], frozen=True, kw_only=True, eq=False):
    """A job as one session got it; ``target`` belongs to ``difficulty``.

    A struct, because one is made for each of thousands of sessions while a job waits to be sent.
    """

    announced: J
    extranonce1: bytes
    difficulty: float
    target: int
    version_mask: int

    @property
    def job_id(self) -> str:
        """The id on the wire."""
        return self.announced.content.job_id


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OldJob:
    """What is needed to recognize shares of a job as one session got it, without what a block is made of."""

    content: JobContent
    seen: SeenShares
    extranonce1: bytes
    version_mask: int


class JobTable(Generic[J]):
    """The jobs of one session, by id; the oldest go when there are too many.

    Those that have good shares of this session stay to be recognized for a while: a miner that lost the answer to one,
    because its connection broke, sends it again when it is back.
    """

    __slots__ = ("_jobs", "_max_jobs", "_old", "_shares", "shares")  # there is one for each of many thousand sessions

    def __init__(self, max_jobs: int = MAX_JOBS) -> None:
        self.shares = 0
        """Good shares of this session on the jobs that are known."""
        self._max_jobs = max_jobs
        self._jobs: dict[str, SessionJob[J]] = {}
        self._old: dict[str, OldJob] = {}
        self._shares: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._jobs)

    def add(self, job: SessionJob[J]) -> None:
        """Remember a job that was announced."""
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
        while self._old and self._forgets(job):
            forgotten = next(iter(self._old))
            del self._old[forgotten]
            self.shares -= self._shares.pop(forgotten)

    def count_share(self, job_id: str) -> None:
        """Note a good share of a job in the table."""
        self.shares += 1
        self._shares[job_id] = self._shares.get(job_id, 0) + 1

    def get(self, job_id: str) -> SessionJob[J] | None:
        """The job, or None when it was never announced here or is long gone."""
        return self._jobs.get(job_id)

    def get_old(self, job_id: str) -> OldJob | None:
        """A job that is too old to submit to, if it has good shares of this session."""
        return self._old.get(job_id)

    def _forgets(self, newest: SessionJob[J]) -> bool:
        """Whether the oldest of the old jobs goes; nothing but the times in their headers tells the age of jobs."""
        oldest = next(iter(self._old.values()))
        age = newest.announced.content.ntime - oldest.content.ntime
        return len(self._old) > MAX_OLD_JOBS or age > OLD_JOB_SECONDS

    def allow_versions(self, mask: int, origin: int) -> None:
        """Let these version bits be rolled on the jobs of an origin that are out already; bits allowed before stay so.

        Bits that are set in a job's own version stay as they are.
        """
        for job_id, job in self._jobs.items():
            if job.announced.origin == origin:
                more = mask & ~job.announced.content.version
                self._jobs[job_id] = msgspec.structs.replace(job, version_mask=job.version_mask | more)


def notify_lines(content: JobContent) -> tuple[bytes, bytes]:
    """A job as mining.notify, encoded for any number of connections: as it is, and with clean_jobs true."""
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
