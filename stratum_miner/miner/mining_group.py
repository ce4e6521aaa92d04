"""A lane: pools on one side, backends on the other, and the job that they search between them.

A miner has one for the backends that mine wherever its strategy says, and one more for each pool that backends are
bound to. Each lane has connections of its own. What was searched is known to all of them together, so no two search the
same points, even where a pool gives both connections the same extranonce1.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

import structlog
import trio

from stratum_miner.backends.base import Backend
from stratum_miner.client.events import ClientListener, ConnectionState
from stratum_miner.client.group.group import PoolGroup
from stratum_miner.client.group.status import PoolStatus
from stratum_miner.miner.assignment import Assignment
from stratum_miner.miner.scheduler import Scheduler
from stratum_miner.miner.snapshot import BackendSnapshot
from stratum_miner.miner.weak_blocks import WeakBlocks
from stratum_miner.work.hash_rate import HashRateMeter
from stratum_miner.work.job import Job
from stratum_miner.work.share_result import ShareResult
from stratum_miner.work.unit import NonceFound

log = structlog.get_logger(__name__)

FOUND_BUFFER = 256
"""Claims waiting for the verifier before a backend has to wait."""


class MiningGroupOwner(Protocol):
    """Whom a lane tells; called synchronously in the trio thread."""

    def job_started(self, lane: "MiningGroup", job: Job, new_block: bool) -> None:
        """A job is being searched."""
        ...

    def share_settled(self, lane: "MiningGroup", outcome: ShareResult) -> None:
        """A share met its fate."""
        ...

    def state_changed(self, lane: "MiningGroup", state: ConnectionState, detail: str) -> None:
        """A connection went on to another state."""
        ...

    def message_shown(self, lane: "MiningGroup", text: str) -> None:
        """A pool has a message for the user."""
        ...


Judge = Callable[["MiningGroup", Assignment, NonceFound], None]


class MiningGroup:
    """Listens to its pools (``ClientListener``) and feeds its backends."""

    def __init__(
        self,
        owner: MiningGroupOwner,
        assignments: Sequence[Assignment],
        pools: Callable[[ClientListener], PoolGroup],
        scheduler: Scheduler,
        started: float,
    ) -> None:
        self.assignments = tuple(assignments)
        self.client = pools(self)
        self.scheduler = scheduler
        self.meter = HashRateMeter(started)
        self.units = 0
        """How many units of work its backends took."""
        self.expected = 0.0
        """Shares that its work was expected to find."""
        self._owner = owner
        self._weak_blocks = WeakBlocks()
        self._counted = 0
        self._chance: float | None = None
        """Of a hash to be a share, since the newest job; None before the first one."""
        self._mined_on: int | None = None
        self._hashes: Counter[int | None] = Counter()
        """By the id of the pool mined on."""

    @property
    def bound(self) -> tuple[str, ...]:
        """Who is bound to its pool; nobody in the lane of all others."""
        return tuple(item.label for item in self.assignments if item.pool is not None)

    async def search(self, judge: Judge) -> None:
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
        self, assignment: Assignment, receive: trio.MemoryReceiveChannel[NonceFound], judge: Judge
    ) -> None:
        async with receive:
            async for found in receive:
                await self.client.wait_for_room()
                judge(self, assignment, found)

    # ---- what its pools tell (ClientListener) -------------------------------------------------------------------

    def job_arrived(self, job: Job) -> None:
        """Search it at once; everything else can wait."""
        before = self.scheduler.job
        if not self._weak_blocks.are_wanted(job):
            self.scheduler.narrow(job.previous_hash)
        self.scheduler.set_job(job)
        self._count()
        self._chance, self._mined_on = job.share_chance, self.client.mined_on
        self._owner.job_started(self, job, before is None or before.previous_hash != job.previous_hash)

    def work_lost(self, reason: str) -> None:
        """Stop searching until the next job."""
        self.scheduler.clear()
        log.debug("work_lost", reason=reason)

    def share_settled(self, outcome: ShareResult) -> None:
        """Pass it on; and learn from it."""
        if self._weak_blocks.note_outcome(outcome):
            self.scheduler.widen(outcome.share.job.previous_hash)
        self._owner.share_settled(self, outcome)

    def state_changed(self, state: ConnectionState, detail: str) -> None:
        """Pass it on."""
        self._owner.state_changed(self, state, detail)

    def message_shown(self, text: str) -> None:
        """Pass it on."""
        self._owner.message_shown(self, text)

    # ---- what it counts -----------------------------------------------------------------------------------------

    def sample(self, now: float) -> int:
        """Account for the hashes and the changes of jobs up to now; returns the number of hashes."""
        for session, seconds in self.scheduler.take_switches():
            self.client.job_switched(session, seconds)
        for session, count in self.scheduler.take_units().items():
            self.units += count
            self.client.units_taken(session, count)
        self.meter.sample(now, self.hashes)
        return self._counted

    @property
    def hashes(self) -> int:
        """All of its backends, since its first job."""
        self._count()
        return self._counted

    def pools(self, total: int) -> tuple[PoolStatus, ...]:
        """Its pools with their parts of all hashes, ``total`` of them."""
        return tuple(
            replace(
                status,
                bound=self.bound,
                work_share=self._hashes[status.id] / total if total else 0.0,
            )
            for status in self.client.pools()
        )

    def statistics(self, assignment: Assignment) -> BackendSnapshot:
        """Of one of its backends, under its own name."""
        told = assignment.backend.statistics()
        return BackendSnapshot(
            backend=told.backend,
            detail=told.detail,
            devices=told.devices,
            kernel=told.kernel,
            problem=told.problem,
            label=assignment.label,
            bound_to="" if assignment.pool is None else self.client.pools()[0].name,
        )

    def _count(self) -> None:
        """The hashes since the last time were of the job, and of the pool, that came last."""
        hashes = sum(item.backend.statistics().hashes for item in self.assignments)
        if self._chance is not None and hashes > self._counted:
            self._hashes[self._mined_on] += hashes - self._counted
            self.expected += (hashes - self._counted) * self._chance
            self._counted = hashes
