"""The miner: pools, backends, the groups that join them, and the way of a share between them.

Nursery: each group's pools + each group's search (a task per backend, and one that re-hashes what it claims) + the
sampler of hash rates.
Stopping is graceful: the search ends first, open shares get a bounded time to be answered, then the client goes.
"""

import secrets
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from math import inf

import structlog
import trio

from stratum_miner.backends.base import Backend, BackendError
from stratum_miner.backends.statistics import DeviceKey, device_key
from stratum_miner.bitcoin.header import display_hash
from stratum_miner.client.dialing.url import PoolUnreachable
from stratum_miner.client.endings import WorkerRefused
from stratum_miner.client.events import MessageShown, ShareAnswered, StateChanged
from stratum_miner.client.group.arrangement import Arrangement
from stratum_miner.client.group.group import PoolGroup
from stratum_miner.client.group.identities import PoolIdentities
from stratum_miner.client.options import ClientOptions
from stratum_miner.client.settings import PoolSettings, Strategy
from stratum_miner.exception_groups import leading_cause
from stratum_miner.miner.events import EventListener, HardwareError, JobStarted
from stratum_miner.miner.goals import UNTIL_STOPPED, Goals, StopReason
from stratum_miner.miner.journal import Journal
from stratum_miner.miner.judged_blocks import JudgedBlocks
from stratum_miner.miner.mining_group import Assignment, GroupEvent, MiningGroup
from stratum_miner.miner.nonce_verifier import NonceVerifier
from stratum_miner.miner.scheduler import Scheduler
from stratum_miner.miner.shared_visited import SharedVisited
from stratum_miner.miner.snapshot import BackendSnapshot, JobSnapshot, MinerSnapshot
from stratum_miner.miner.standstill import LOOK_S, Standstill
from stratum_miner.miner.statistics import Statistics
from stratum_miner.work.job import MAX_EXTRANONCE2_SIZE, Job, PoolKey
from stratum_miner.work.share import Share
from stratum_miner.work.share_result import ShareOutcome, ShareResult
from stratum_miner.work.unit import NonceFound

log = structlog.get_logger(__name__)

MEASURED_AFTER_S = 10.0
"""Seconds of searching after which the hash rate is good enough to ask a pool for a difficulty by it."""


class Miner:
    """Mines with the given backends on the first of the pools that is up; ``run`` it once.

    A backend whose ``Assignment`` names a pool mines there alone, whatever becomes of the others.

    ``weak_blocks``: submit hashes that solve a block but miss the share target, possible on test chains only; None
    decides by the chain (see ``Scheduler``). One after the other goes out until the pool accepts one for a previous
    hash; a pool that refuses them and makes no blocks of them gets no more (see ``weak_blocks``).

    ``first_extranonce2``: where counting begins, cut to the size that a pool gives; drawn at random when None, because
    some pools give the next process the extranonce1 of the last one.

    ``node_judges``: somebody tells by ``block_judged`` what the node made of each block, and only what the node took
    counts as one. Otherwise an accepted share that solves a block does, because a pool tells no more.
    """

    def __init__(
        self,
        settings: PoolSettings | Sequence[PoolSettings],
        backends: Sequence[Backend | Assignment],
        *,
        goals: Goals = UNTIL_STOPPED,
        weak_blocks: bool | None = None,
        node_judges: bool = False,
        journal: Journal | None = None,
        strategy: Strategy = Strategy.FAILOVER,
        on_event: EventListener = lambda event: None,
        options: ClientOptions | None = None,
        first_extranonce2: int | None = None,
        standstill: Standstill | None = None,
    ) -> None:
        pools = [settings] if isinstance(settings, PoolSettings) else list(settings)
        options = ClientOptions() if options is None else options
        self._clock = options.clock
        identities = PoolIdentities()
        self._assignments = [item if isinstance(item, Assignment) else Assignment(backend=item) for item in backends]
        if first_extranonce2 is None:
            first_extranonce2 = secrets.randbits(8 * MAX_EXTRANONCE2_SIZE)
        visited = SharedVisited(first_extranonce2)

        def new_group(assignments: Sequence[Assignment], on: Sequence[PoolSettings]) -> MiningGroup:
            new_pools = partial(
                PoolGroup,
                on,
                options=options,
                strategy=strategy,
                identities=identities,
                may_give_up=lambda: all(group.pools.all_refused for group in self._groups),
            )
            scheduler = Scheduler(weak_blocks=weak_blocks, clock=self._clock, visited=visited)
            return MiningGroup(assignments, new_pools, scheduler, self._clock(), self._take)

        free = [item for item in self._assignments if item.pool is None]
        bound: dict[PoolSettings, list[Assignment]] = {}
        for item in self._assignments:
            if item.pool is not None:
                bound.setdefault(item.pool, []).append(item)
        self._has_free = bool(free or not bound)
        self._groups = [new_group(free, pools)] if self._has_free else []
        self._groups += [new_group(these, [pool]) for pool, these in bound.items()]
        self.scheduler = self._groups[0].scheduler
        self.backends = tuple(item.backend for item in self._assignments)
        self._blocks = JudgedBlocks() if node_judges else None
        self._journal = journal
        if journal is not None:
            self._hand_back(journal)
        self._claims = NonceVerifier() if journal is None else NonceVerifier(journal.submitted_earlier)
        self._farewell = max(pool.timeouts.farewell for pool in [*pools, *bound])
        self._goals = goals
        self._goals_changed = trio.Event()
        self._on_event = on_event
        self._standstill = standstill or Standstill()
        self._statistics = Statistics(self._running(self._clock()))
        self._newest_job: Job | None = None
        """The newest job of the first group's pools, which most of the miner works on."""
        self._has_had_work = False
        self._stopping = trio.Event()
        self._ending = StopReason.STOPPED

    # ---- running ----------------------------------------------------------------------------------------------

    async def run(self) -> StopReason:
        """Mine until a goal is reached or ``stop`` is called; returns why it ended.

        Raises WorkerRefused, PoolUnreachable (without retry) and BackendError.
        """
        self._statistics = Statistics(self._running(self._clock()))
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._run_until_stopped, nursery.cancel_scope)
                for group in self._groups:
                    nursery.start_soon(group.pools.run)
        except ExceptionGroup as errors:
            cause = leading_cause(errors, BackendError, WorkerRefused, PoolUnreachable)
            if cause is None:
                raise
            raise cause from None
        return self._ending

    def stop(self, ending: StopReason = StopReason.STOPPED) -> None:
        """End gracefully: stop searching, wait briefly for open replies. From the trio thread."""
        if not self._stopping.is_set():
            self._ending = ending
            self._stopping.set()

    def pause(self, paused: bool) -> None:
        """Search no more, or again; the pools stay connected."""
        for group in self._groups:
            group.scheduler.pause(paused)

    def set_goals(self, goals: Goals) -> None:
        """Stop at other goals than before; all count from the start."""
        self._goals = goals
        self._goals_changed.set()
        self._check_goals()

    def block_judged(self, block_hash: str, *, accepted: bool) -> None:
        """The node has judged a block, its hash in display order. A later judgement overrules an earlier one."""
        share = None if self._blocks is None else self._blocks.judged(block_hash, accepted=accepted)
        if share is not None:
            self._statistics.count_block(share)
            self._check_goals()

    @property
    def goals(self) -> Goals:
        """When it stops."""
        return self._goals

    @property
    def is_paused(self) -> bool:
        """Whether nothing is searched because somebody wants so."""
        return self.scheduler.paused

    @property
    def pool_control(self) -> Arrangement:
        """Changes pools while mining; where every backend is bound to a pool, those of the first of these."""
        return self._groups[0].pools.control

    def pool_place(self, pool: PoolKey) -> tuple[Arrangement, int]:
        """What changes the pool, and its place there. LookupError when it is none of ours."""
        for group in self._groups:
            control = group.pools.control
            keys = [status.key for status in control.pools()]
            if pool in keys:
                return control, keys.index(pool)
        raise LookupError(f"pool: {pool} is none of ours")

    def bound_control(self, backend: str) -> Arrangement | None:
        """Changes the pool that a backend is bound to, the only one there; None for a backend that is not bound."""
        return next((group.pools.control for group in self._groups if backend in group.bound), None)

    @property
    def follows_strategy(self) -> bool:
        """Whether any backend mines on the pools of the strategy."""
        return self._has_free

    def device(self, device: DeviceKey) -> tuple[Backend, str]:
        """The backend of a device, and the device's name there. LookupError when it is none of ours."""
        for item in self._assignments:
            for known in item.backend.statistics().devices:
                if device_key(item.label, known.name) == device:
                    return item.backend, known.name
        raise LookupError(f"device: {device} is none of ours")

    @property
    def has_had_work(self) -> bool:
        """Whether any pool ever gave a job."""
        return self._has_had_work

    @property
    def is_stopping(self) -> bool:
        """Whether ``stop`` was called or a goal was reached."""
        return self._stopping.is_set()

    async def _run_until_stopped(self, everything: trio.CancelScope) -> None:
        async with trio.open_nursery() as searching:
            for group in self._groups:
                searching.start_soon(group.search, self._judge)
            searching.start_soon(self._sample)
            searching.start_soon(self._limit_time, trio.current_time())
            await self._stopping.wait()
            searching.cancel_scope.cancel()
        self._take_sample()
        with trio.move_on_after(self._farewell):
            for group in self._groups:
                await group.pools.all_answered()
            if self._blocks is not None:
                await self._blocks.all_judged()
        everything.cancel()

    async def _sample(self) -> None:
        with self._standstill.watched():
            while True:
                await trio.sleep(LOOK_S)
                self._take_sample()
                if self._running(self._clock()) - self._statistics.started >= MEASURED_AFTER_S:
                    for group in self._groups:
                        if group.meter.average() > 0:
                            group.pools.hash_rate_known(group.meter.rate(60))

    def _running(self, now: float) -> float:
        """The clock without the time that this process did not run."""
        return now - self._standstill.left_out

    def _take_sample(self) -> None:
        self._standstill.look()
        if (seconds := self._standstill.news()) > 0:
            log.warning("process_frozen", seconds=round(seconds, 1))
        now = self._running(self._clock())
        self._statistics.meter.sample(now, sum(group.sample(now) for group in self._groups))

    async def _limit_time(self, started: float) -> None:
        while True:
            limit = self._goals.time_limit
            self._goals_changed = trio.Event()
            with trio.move_on_at(inf if limit is None else started + limit) as reached:
                await self._goals_changed.wait()
            if reached.cancelled_caught:
                self.stop(StopReason.TIME_LIMIT)
                return

    def _hand_back(self, journal: Journal) -> None:
        """Blocks that a crash left open go back to their pool, if it resumes the newest session we had there."""
        newest = {block.pool: block.resumable for block in journal.recovered}
        for block in journal.recovered:
            again = block.resumable == newest[block.pool]
            if again and any(group.pools.adopt(block.pool, block.resumable, [block.share]) for group in self._groups):
                journal.adopt(block)
                log.warning("block_handed_back", hash=display_hash(block.share.digest), pool=block.pool)
            else:
                journal.give_up(block, "the miner ended before the pool answered, and now mines elsewhere")

    # ---- the way of a share -----------------------------------------------------------------------------------

    def _judge(self, group: MiningGroup, assignment: Assignment, found: NonceFound) -> None:
        match self._claims.judge(found, assignment.label, assignment.backend.worker_name(found.device)):
            case Share() as share:
                self._submit(group, share)
            case str() as reason:
                self._note_hardware_error(assignment, found.device, reason)

    def _submit(self, group: MiningGroup, share: Share) -> None:
        if not share.meets_share_target:
            if group.scheduler.job is None or not group.scheduler.wants_weak_block(share.job):
                self._claims.below_target += 1
                return
            group.scheduler.seek_weak_blocks(share.job.previous_hash, wanted=False)
        self._statistics.found += 1
        self._statistics.best_share = max(self._statistics.best_share, share.difficulty)
        if self._blocks is not None and share.is_block:
            self._blocks.submitted(share)
        if self._journal is not None:
            self._journal.found(share, group.pools.destination(share))
        group.pools.submit(share)

    def _note_hardware_error(self, assignment: Assignment, device: str, reason: str) -> None:
        self._statistics.hardware_errors[device_key(assignment.label, device)] += 1
        log.warning("hardware_error", device=device, reason=reason)
        self._on_event(HardwareError(device, reason))

    # ---- what the groups tell -----------------------------------------------------------------------------------

    def _take(self, event: GroupEvent) -> None:
        match event:
            case ShareAnswered(result):
                self._count(result)
            case JobStarted(job):
                self._has_had_work = True
                if job is self.scheduler.job:
                    self._newest_job = job
                    self._on_event(event)
            case StateChanged() | MessageShown():
                self._on_event(event)

    def _count(self, result: ShareResult) -> None:
        """Count it, tell it, and see whether a goal is reached."""
        self._statistics.add(result)
        if result.share.is_block:
            self._count_block(result)
        if self._journal is not None:
            self._journal.settled(result)
        self._on_event(result)
        self._check_goals()

    def _count_block(self, result: ShareResult) -> None:
        if result.outcome is ShareOutcome.LOST:
            log.error("block_lost", header=result.share.header.hex(), reason=result.reason)
        if self._blocks is not None:
            self._blocks.settled(result)
        elif result.outcome is ShareOutcome.ACCEPTED:
            self._statistics.count_block(result.share)

    def _check_goals(self) -> None:
        ending = self._goals.reached(self._statistics.accepted, self._statistics.blocks_accepted)
        if ending is not None:
            self.stop(ending)

    # ---- what others see --------------------------------------------------------------------------------------

    def snapshot(self) -> MinerSnapshot:
        """A frozen view of everything; from the trio thread."""
        self._standstill.look()  # else what is worked out of the clock would have the time in it until the next sample
        statistics, meter = self._statistics, self._statistics.meter
        job, newest, now = self.scheduler.job, self._newest_job, self._clock()
        backends = tuple(group.statistics(item) for group in self._groups for item in group.assignments)
        hashes = sum(group.hashes for group in self._groups)
        return MinerSnapshot(
            elapsed=max(0.0, self._running(now) - statistics.started),
            frozen=self._standstill.total,
            left_out=self._standstill.left_out,
            hash_rate_5s=meter.rate(5),
            hash_rate_1m=meter.rate(60),
            hash_rate_5m=meter.rate(300),
            hash_rate_15m=meter.rate(900),
            hash_rate=meter.average(),
            shares=statistics.shares,
            journalled=None if self._journal is None else self._journal.counts,
            journal_problem="" if self._journal is None else self._journal.problem,
            found=statistics.found,
            reasons=tuple(statistics.reasons.most_common()),
            blocks_accepted=statistics.blocks_accepted,
            best_share=statistics.best_share,
            hardware_errors=statistics.hardware_errors.total()
            + sum(device.hardware_errors for backend in backends for device in backend.devices),
            below_target=self._claims.below_target,
            withheld=self._claims.withheld,
            work_units=sum(group.units for group in self._groups),
            accepted_difficulty=statistics.accepted_difficulty,
            share_hits=self._claims.share_hits,
            expected=sum(group.expected for group in self._groups),
            network_difficulty=None if newest is None else newest.network_difficulty,
            height=None if newest is None else newest.height,
            job=None if job is None else JobSnapshot.of(job, now),
            paused=self.is_paused,
            stopping=self.is_stopping,
            client=self._groups[0].pools.snapshot(),
            pools=tuple(status for group in self._groups for status in group.statuses(hashes)),
            backends=tuple(map(self._completed, backends)),
        )

    def _completed(self, backend: BackendSnapshot) -> BackendSnapshot:
        """Its devices with the errors that re-hashing found added to those that a driver sees."""
        errors = self._statistics.hardware_errors
        return replace(
            backend,
            devices=tuple(
                replace(device, hardware_errors=device.hardware_errors + errors[device_key(backend.label, device.name)])
                for device in backend.devices
            ),
        )
