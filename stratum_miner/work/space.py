"""The search space of a job (extranonce2, version bits, ntime and nonce), divided into work units.

Each unit contains all nonces. ``visited`` chooses extranonce2 and version, and remembers what earlier jobs used. ntime
is increased only when no unit with the present ntime is left. It is increased by at most the time that has passed since
the job arrived, because some pools reject a share whose ntime is increased by more.
"""

from dataclasses import dataclass

from stratum_miner.bitcoin.sha256d import sha256d
from stratum_miner.work.job import Job
from stratum_miner.work.unit import WorkUnit
from stratum_miner.work.versions import VERSION_BITS, Versions
from stratum_miner.work.visited import Visited

MAX_NTIME_ROLL = 600
"""Largest difference in seconds between the ntime of a work unit and the ntime of its job, however old the job is."""


@dataclass(slots=True)
class _Progress:
    """How far the search of the current job has come."""

    content: bytes
    """``content_hash`` of the job."""
    received_at: float
    """Time at which a job with this content arrived first."""
    ntime_offset: int = 0


class SearchSpace:
    """Returns work units of the current job: headers in which a backend searches the nonces. Not thread-safe.

    Several search spaces can share one ``Visited`` (the record of the headers that were given to backends), so that no
    search space returns the work of another search space again.
    """

    def __init__(self, visited: Visited | None = None) -> None:
        self._visited = visited or Visited()
        self._job: Job | None = None
        self._progress: _Progress | None = None
        """None before the first unit of the current job."""

    def set_job(self, job: Job) -> None:
        """Make ``job`` the current job.

        The hashing that this requires is postponed to the first ``next_unit``, so that work on the previous job can be
        stopped without delay.
        """
        self._job, self._progress = job, None

    def next_unit(self, now: float, rollable: int = 0, at_once: int = VERSION_BITS) -> WorkUnit | None:
        """Return a work unit that was never returned before. Return None if there is no job, or if no work unit is left
        at this time.

        ``rollable``: mask of the version bits that the caller can roll inside a unit. ``at_once``: the largest number
        of these bits in one unit. ``now``: present time in seconds, by the clock of ``Job.received_at``.
        """
        job = self._job
        if job is None:
            return None
        progress = self._begin(job) if self._progress is None else self._progress
        versions = Versions(job.version, job.rollable_mask)
        last_offset = min(max(0, int(now - progress.received_at)), MAX_NTIME_ROLL, 0xFFFFFFFF - job.ntime)
        while progress.ntime_offset <= last_offset:
            ntime = job.ntime + progress.ntime_offset
            taken = self._visited.take(
                _template_name(progress.content, ntime), job.extranonce2_size, versions, rollable, at_once
            )
            if taken is not None:
                return _unit(job, taken[0], ntime, taken[1])
            progress.ntime_offset += 1
        return None

    def _begin(self, job: Job) -> _Progress:
        content = job.content_hash()
        name = _template_name(content, job.ntime)
        received_at = self._visited.known_since(name, job.extranonce2_size, job.received_at)
        self._progress = _Progress(content, received_at)
        return self._progress


def _template_name(content: bytes, ntime: int) -> bytes:
    return sha256d(content + b"%d" % ntime)


def _unit(job: Job, extranonce2: bytes, ntime: int, versions: Versions) -> WorkUnit:
    return WorkUnit(
        job=job,
        extranonce2=extranonce2,
        ntime=ntime,
        version=versions.bits,
        header=job.header(extranonce2, ntime, 0, versions.bits).to_bytes(),
        target=job.search_target,
        version_mask=versions.mask,
    )
