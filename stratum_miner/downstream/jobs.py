"""Jobs as miners get them, and the table of those that one session may still submit to.

An ``AnnouncedJob`` is encoded once for all sessions. A ``SessionJob`` adds what belongs to one session at that moment:
extranonce1, difficulty, version mask. It is judged by these for as long as it lives, whatever the session's settings
become (stratum.md 2.9).
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from stratum_miner.downstream.share_memory import SeenShares
from stratum_miner.stratum.pool_messages import Notify

MAX_JOBS = 32
"""Jobs a session may still submit to: a quarter of an hour at one every 30 s, four minutes where each look at the node
brings other transactions."""
MAX_OLD_JOBS = 512
"""Jobs of a session that are remembered beyond those, for their shares only; more than any but a toy chain makes."""
OLD_JOB_SECONDS = 600
"""For so long; a session can be resumed as long."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AnnouncedJob:
    """What a share of a job is judged by, whoever made the job."""

    notify: Notify
    network_target: int
    line: bytes
    """The encoded mining.notify."""
    clean_line: bytes
    """The same with clean_jobs true, for a session's first job."""
    seen: SeenShares = field(default_factory=SeenShares)
    """The shares of this job that were good; jobs that differ in their ids only have it in common."""
    maxtime: int | None = None
    """Latest ntime for which a block of this job is valid, when it is known."""

    def to_recognize(self) -> "AnnouncedJob":
        """What is needed to recognize one of its shares: without the megabytes of transactions that a block needs."""
        return AnnouncedJob(
            notify=self.notify, network_target=self.network_target, line=b"", clean_line=b"", seen=self.seen
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SessionJob:
    """A job as one session got it; ``target`` belongs to ``difficulty``."""

    pool_job: AnnouncedJob
    extranonce1: bytes
    difficulty: float
    target: int
    version_mask: int

    @property
    def job_id(self) -> str:
        """The id on the wire."""
        return self.pool_job.notify.job_id


class JobTable:
    """The jobs of one session, by id; the oldest go when there are too many.

    Those that have good shares of this session stay to be recognized for a while: a miner that lost the answer to one,
    because its connection broke, sends it again when it is back.
    """

    __slots__ = ("_jobs", "_max_jobs", "_old", "_shares", "shares")  # there is one for each of many thousand sessions

    def __init__(self, max_jobs: int = MAX_JOBS) -> None:
        self.shares = 0
        """Good shares of this session on the jobs that are known."""
        self._max_jobs = max_jobs
        self._jobs: dict[str, SessionJob] = {}
        self._old: dict[str, SessionJob] = {}
        self._shares: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._jobs)

    def add(self, job: SessionJob) -> None:
        """Remember a job that was announced."""
        self._jobs[job.job_id] = job
        if len(self._jobs) > self._max_jobs:
            oldest = next(iter(self._jobs))
            old = self._jobs.pop(oldest)
            if oldest in self._shares:
                self._old[oldest] = replace(old, pool_job=old.pool_job.to_recognize())
        while self._old and self._forgets(job):
            forgotten = next(iter(self._old))
            del self._old[forgotten]
            self.shares -= self._shares.pop(forgotten)

    def count_share(self, job_id: str) -> None:
        """Note a good share of a job in the table."""
        self.shares += 1
        self._shares[job_id] = self._shares.get(job_id, 0) + 1

    def get(self, job_id: str) -> SessionJob | None:
        """The job, or None when it was never announced here or is long gone."""
        return self._jobs.get(job_id)

    def get_old(self, job_id: str) -> SessionJob | None:
        """A job that is too old to submit to, if it has good shares of this session."""
        return self._old.get(job_id)

    def _forgets(self, newest: SessionJob) -> bool:
        """Whether the oldest of the old jobs goes; nothing but the times in their headers tells the age of jobs."""
        oldest = next(iter(self._old.values()))
        age = newest.pool_job.notify.ntime - oldest.pool_job.notify.ntime
        return len(self._old) > MAX_OLD_JOBS or age > OLD_JOB_SECONDS

    def allow_versions(self, mask: int, which: Callable[["SessionJob"], bool] = lambda job: True) -> None:
        """Let these version bits be rolled on jobs that are out already; bits allowed before stay so.

        Bits that are set in a job's own version stay as they are.
        """
        for job_id, job in self._jobs.items():
            if which(job):
                more = mask & ~job.pool_job.notify.version
                self._jobs[job_id] = replace(job, version_mask=job.version_mask | more)
