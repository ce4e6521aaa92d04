"""The search space of a job: extranonce2, version bits, ntime and nonce, handed out unit by unit.

A unit owns all its nonces. Extranonce2 and version are counted by ``visited``, which also knows what earlier jobs used.
ntime is rolled last, only when nothing is left at the present one, and never ahead of the time that passed: pools allow
a job's ntime and later, and how much later differs from pool to pool.
"""

from stratum_miner.bitcoin.sha256d import sha256d
from stratum_miner.work.job import Job
from stratum_miner.work.unit import WorkUnit
from stratum_miner.work.versions import Versions
from stratum_miner.work.visited import Visited

MAX_NTIME_ROLL = 600
"""Seconds ntime may run ahead of the job's own, however long ago it came."""


class SearchSpace:
    """Hands out units of the current job; not thread-safe by itself.

    Several share one ``Visited`` so that none of them searches what another did.
    """

    def __init__(self, visited: Visited | None = None) -> None:
        self._visited = visited or Visited()
        self._job: Job | None = None
        self._content: bytes | None = None
        """A hash of what the job shares with all its units; None until the first of them is wanted."""
        self._received_at = 0.0
        self._ntime_offset = 0

    def set_job(self, job: Job) -> None:
        """Search this job from now on. What that takes is worked out when a unit is wanted: work on the job before is
        to be stopped first.
        """
        self._job, self._content = job, None

    def next_unit(self, now: float, rollable: int = 0, at_once: int = 32) -> WorkUnit | None:
        """A unit never handed out before; None without a job, or while the space is used up at this time.

        ``rollable``: the version bits that the caller can roll itself, and ``at_once``: how many of them in one unit.
        ``now`` is on the clock of ``Job.received_at``.
        """
        job = self._job
        if job is None:
            return None
        content = self._begin(job) if self._content is None else self._content
        versions = Versions(job.version, job.rollable_mask)
        last_offset = min(max(0, int(now - self._received_at)), MAX_NTIME_ROLL, 0xFFFFFFFF - job.ntime)
        while self._ntime_offset <= last_offset:
            ntime = job.ntime + self._ntime_offset
            taken = self._visited.take(_row_name(content, ntime), job.extranonce2_size, versions, rollable, at_once)
            if taken is not None:
                return _unit(job, taken[0], ntime, taken[1])
            self._ntime_offset += 1
        return None

    def _begin(self, job: Job) -> bytes:
        content = self._content = job.content_hash()
        name = _row_name(content, job.ntime)
        self._received_at = self._visited.known_since(name, job.extranonce2_size, job.received_at)
        self._ntime_offset = 0
        return content


def _row_name(content: bytes, ntime: int) -> bytes:
    return sha256d(content + ntime.to_bytes(4, "little"))


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
