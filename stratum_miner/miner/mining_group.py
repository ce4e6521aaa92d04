"""A mining group: pools on one side, backends on the other, and the job that they search between them.

A miner has one for the backends that mine wherever its strategy says, and one more for each pool that backends are
bound to. Each group has connections of its own. What was searched is known to all of them together, so no two search
the same points, even where a pool gives both connections the same extranonce1.
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
from stratum_miner.miner.events import JobStarted
from stratum_miner.miner.scheduler import Scheduler
from stratum_miner.miner.snapshot import BackendSnapshot
from stratum_miner.miner.weak_blocks import WeakBlocks
from stratum_miner.work.hash_rate import HashRateMeter
from stratum_miner.work.job import Job, PoolKey
from stratum_miner.work.unit import NonceFound

log = structlog.get_logger(__name__)

FOUND_BUFFER = 256
"""Claims waiting for the verifier before a backend has to wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """A backend and where it mines."""

    backend: Backend
    name: str = ""
    """What the user calls it; shares carry it to the pool's settings, which may have a worker for it."""
    pool: PoolSettings | None = None
    """The pool that it mines on alone; None: wherever the miner's strategy says."""

    @property
    def label(self) -> str:
        """The name of the backend, or its kind."""
        return self.name or self.backend.name


GroupEvent: TypeAlias = JobStarted | ShareAnswered | StateChanged | MessageShown
NonceHandler: TypeAlias = Callable[["MiningGroup", Assignment, NonceFound], None]


class MiningGroup:
    """Feeds its backends with the jobs of its pools; ``tell`` hears when one is being searched, and the rest."""

    def __init__(
        self,
        assignments: Sequence[Assignment],
        pools: Callable[[ClientListener], PoolGroup],
        scheduler: Scheduler,
        started: float,
        on_event: Callable[[GroupEvent], None],
    ) -> None:
        self.assignments = tuple(assignments)
        self.pools = pools(self._take)
        self.scheduler = scheduler
        self.meter = HashRateMeter(started)
        self.units = 0
        """How many units of work its backends took."""
        self.expected = 0.0
        """Shares that its work was expected to find."""
        self._on_event = on_event
        self._weak_blocks = WeakBlocks()
        self._counted = 0
        self._chance: float | None = None
        """Probability that a hash is a share, since the newest job; None before the first one."""
        self._mined_on: PoolKey | None = None
        self._hashes: Counter[PoolKey | None] = Counter()
        """Counts by the pool mined on."""

    @property
    def bound(self) -> tuple[str, ...]:
        """The backends that are bound to its pool; empty for the group of all others."""
        return tuple(item.label for item in self.assignments if item.pool is not None)

    async def search(self, judge: NonceHandler) -> None:
        """Search until cancelled; each claim goes to ``judge``."""
        async with trio.open_nursery() as nursery:
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

    # ---- what its pools tell ------------------------------------------------------------------------------------

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
        """At once; everything else can wait."""
        before = self.scheduler.job
        self.scheduler.set_job(job)
        if not self._weak_blocks.are_wanted(job):
            self.scheduler.seek_weak_blocks(job.previous_hash, wanted=False)
        self._count()
        self._chance, self._mined_on = job.share_chance, job.origin.pool
        self._on_event(JobStarted(job, job.height, before is None or before.previous_hash != job.previous_hash))

    # ---- what it counts -----------------------------------------------------------------------------------------

    def sample(self, now: float) -> int:
        """Account for the hashes and the changes of jobs up to now; returns the number of hashes."""
        units = self.scheduler.take_units()
        self.units += units.total()
        self.pools.count_work(self.scheduler.take_switches(), units)
        self.meter.sample(now, self.hashes)
        return self._counted

    @property
    def hashes(self) -> int:
        """All of its backends, since its first job."""
        self._count()
        return self._counted

    def statuses(self, total: int) -> tuple[PoolStatus, ...]:
        """Its pools with their parts of all hashes, ``total`` of them."""
        return tuple(
            replace(
                status,
                bound=self.bound,
                work_share=self._hashes[status.key] / total if total else 0.0,
            )
            for status in self.pools.control.pools()
        )

    def statistics(self, assignment: Assignment) -> BackendSnapshot:
        """The statistics of one of its backends, under its own name."""
        told = assignment.backend.statistics()
        return BackendSnapshot(
            backend=told.backend,
            detail=told.detail,
            devices=told.devices,
            kernel=told.kernel,
            problem=told.problem,
            label=assignment.label,
            bound_to="" if assignment.pool is None else self.pools.control.pools()[0].name,
        )

    def _count(self) -> None:
        """The hashes since the last time were of the job, and of the pool, that came last."""
        hashes = sum(item.backend.statistics().hashes for item in self.assignments)
        if self._chance is not None and hashes > self._counted:
            self._hashes[self._mined_on] += hashes - self._counted
            self.expected += (hashes - self._counted) * self._chance
            self._counted = hashes
