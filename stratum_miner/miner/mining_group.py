"""``MiningGroup``: backends that mine on the same pools, with a scheduler that hands them work units of the current
job.

A miner has one group for the backends that follow its strategy, and one for each pool that backends are bound to. Each
group has connections of its own. All groups share one record of the headers that were searched, so no two groups search
the same header, even if a pool gives two connections the same extranonce1.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import structlog
import trio

from stratum_miner.backends.base import Backend
from stratum_miner.client.events import (
    ClientEvent,
    ClientListener,
    JobArrived,
    MessageShown,
    ShareAnswered,
    StateChanged,
    WorkLost,
)
from stratum_miner.client.group.group import PoolGroup
from stratum_miner.client.group.status import PoolStatus
from stratum_miner.client.settings import PoolSettings
from stratum_miner.exception_groups import unwrapping_nursery
from stratum_miner.miner.events import JobStarted
from stratum_miner.miner.scheduler import Scheduler
from stratum_miner.miner.snapshot import BackendSnapshot
from stratum_miner.miner.weak_blocks import WeakBlocks
from stratum_miner.work.job import Job, PoolKey
from stratum_miner.work.unit import NonceFound

log = structlog.get_logger(__name__)

MEASURED_AFTER_S = 10.0
"""Seconds after the first hash from which on the measured hash rate is good enough to suggest a share difficulty to a
pool."""
FOUND_BUFFER = 256
"""Maximum number of a backend's reported nonces that may wait to be verified. To report more, the backend has to
wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """A backend, and the pool that it is bound to."""

    backend: Backend
    name: str = ""
    """The name that the user gave the backend. ``PoolSettings.workers`` may contain a worker name for this backend."""
    pool: PoolSettings | None = None
    """The only pool on which the backend mines (it is bound to this pool). None: it mines on the pools of the miner's
    strategy."""

    @property
    def label(self) -> str:
        """The name that the user gave the backend, otherwise the name of its kind, such as ``cpu``."""
        return self.name or self.backend.name


GroupEvent: TypeAlias = JobStarted | ShareAnswered | StateChanged | MessageShown
NonceHandler: TypeAlias = Callable[["MiningGroup", Assignment, NonceFound], None]


class MiningGroup:
    """Gives the jobs of its pools to its backends. Reports each job that is searched, and the events of the pools, to
    ``on_event``."""

    def __init__(
        self,
        assignments: Sequence[Assignment],
        pools: Callable[[ClientListener], PoolGroup],
        scheduler: Scheduler,
        on_event: Callable[[GroupEvent], None],
    ) -> None:
        self.assignments = tuple(assignments)
        self.pools = pools(self._take)
        self.scheduler = scheduler
        self.units = 0
        """Number of work units that the backends of this group took."""
        self.expected = 0.0
        """Number of shares to be expected, on average, from the hashes counted so far."""
        self._on_event = on_event
        self._weak_blocks = WeakBlocks()
        self._counted = 0
        self._measured_from: tuple[float, int] | None = None
        """Time at which the first hashes were counted, and their number; None before."""
        self._share_probability: float | None = None
        """Probability that one hash of the newest job meets the share target of that job; None before the first job."""
        self._mined_on: PoolKey | None = None
        """The pool of the newest job."""
        self._hashes: Counter[PoolKey | None] = Counter()
        """For each pool, the number of hashes that were computed for its jobs."""

    @property
    def bound(self) -> tuple[str, ...]:
        """Names of the backends that are bound to this group's pool; empty for the group that follows the strategy."""
        return tuple(item.label for item in self.assignments if item.pool is not None)

    async def search(self, judge: NonceHandler) -> None:
        """Run the backends until cancelled. ``judge`` is called with each nonce that they report."""
        async with unwrapping_nursery() as nursery:
            for assignment in self.assignments:
                send, receive = trio.open_memory_channel[NonceFound](FOUND_BUFFER)
                nursery.start_soon(self._run, assignment.backend, send)
                nursery.start_soon(self._verify, assignment, receive, judge)

    async def _run(self, backend: Backend, send: trio.MemorySendChannel[NonceFound]) -> None:
        async with send:
            await backend.run(self.scheduler, send)

    async def _verify(
        self, assignment: Assignment, receive: trio.MemoryReceiveChannel[NonceFound], judge: NonceHandler
    ) -> None:
        async with receive:
            async for found in receive:
                await self.pools.wait_for_room()
                judge(self, assignment, found)

    # ---- events of its pools ------------------------------------------------------------------------------------

    def _take(self, event: ClientEvent) -> None:
        match event:
            case JobArrived(job):
                self._search_job(job)
            case WorkLost(reason=reason):
                self.scheduler.clear()
                log.debug("work_lost", reason=reason)
            case ShareAnswered(result):
                self._on_event(event)
                if self._weak_blocks.note_result(result):
                    self.scheduler.seek_weak_blocks(result.share.job.previous_hash, wanted=True)
            case StateChanged() | MessageShown():
                self._on_event(event)

    def _search_job(self, job: Job) -> None:
        """Give a job to the scheduler at once. Afterwards count the hashes of the previous job, and report the new
        job."""
        before = self.scheduler.job
        self.scheduler.set_job(job)
        if not self._weak_blocks.are_wanted(job):
            self.scheduler.seek_weak_blocks(job.previous_hash, wanted=False)
        self._count()
        self._share_probability, self._mined_on = job.share_chance, job.origin.pool
        self._on_event(JobStarted(job, job.height, before is None or before.previous_hash != job.previous_hash))

    # ---- figures ------------------------------------------------------------------------------------------------

    def sample(self, now: float) -> int:
        """Count the hashes, work units and job changes up to the time ``now``. Return the new value of ``hashes``."""
        units = self.scheduler.take_units()
        self.units += units.total()
        self.pools.count_work(self.scheduler.take_switches(), units)
        if self.hashes and self._measured_from is None:
            self._measured_from = now, self._counted
        return self._counted

    def measured_rate(self, now: float) -> float | None:
        """Return the average hash rate in H/s since the first hashes were counted. Return None if that was less than
        ``MEASURED_AFTER_S`` ago, or if no hashes were counted since."""
        if self._measured_from is None:
            return None
        since, hashes = self._measured_from
        if self._counted == hashes or now - since < MEASURED_AFTER_S:
            return None
        return (self._counted - hashes) / (now - since)

    @property
    def hashes(self) -> int:
        """Number of hashes of all backends of this group since its first job."""
        self._count()
        return self._counted

    def statuses(self, total: int) -> tuple[PoolStatus, ...]:
        """Return the status of this group's pools. ``total`` is the number of hashes of the whole miner, which is
        needed to compute the fraction that each pool got."""
        return tuple(
            replace(
                status,
                bound=self.bound,
                work_share=self._hashes[status.key] / total if total else 0.0,
            )
            for status in self.pools.control.pools()
        )

    def statistics(self, assignment: Assignment) -> BackendSnapshot:
        """Return the statistics of a backend of this group, with its label and the pool that it is bound to."""
        statistics = assignment.backend.statistics()
        return BackendSnapshot(
            backend=statistics.backend,
            detail=statistics.detail,
            devices=statistics.devices,
            kernel=statistics.kernel,
            problem=statistics.problem,
            label=assignment.label,
            bound_to="" if assignment.pool is None else self.pools.control.pools()[0].name,
        )

    def _count(self) -> None:
        """Count the hashes that the backends computed since the last call. They belong to the job that was reported
        last, and to the pool of this job."""
        hashes = sum(item.backend.statistics().hashes for item in self.assignments)
        if self._share_probability is not None and hashes > self._counted:
            self._hashes[self._mined_on] += hashes - self._counted
            self.expected += (hashes - self._counted) * self._share_probability
            self._counted = hashes
