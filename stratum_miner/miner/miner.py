"""The miner: pools, backends, the lanes that join them, and the way of a share between them.

Nursery: each lane's pools + each lane's search (a task per backend, and one that re-hashes what it claims) + the
sampler of hash rates.
Stopping is graceful: the search ends first, open shares get a bounded time to be answered, then the client goes.
"""

import itertools
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import inf
from weakref import ref

import structlog
import trio

from stratum_miner.backends.base import Backend, BackendError
from stratum_miner.bitcoin.header import display_hash
from stratum_miner.client.dialing.dialer import Connector
from stratum_miner.client.dialing.url import PoolUnreachable
from stratum_miner.client.endings import WorkerRefused
from stratum_miner.client.events import ClientListener, ConnectionState
from stratum_miner.client.group.control import PoolControl
from stratum_miner.client.group.group import PoolGroup
from stratum_miner.client.group.identities import PoolIdentities
from stratum_miner.client.group.status import PoolStatus
from stratum_miner.client.pool_memory import Memories
from stratum_miner.client.settings import PoolSettings, Strategy
from stratum_miner.exception_groups import leading_cause
from stratum_miner.miner.assignment import Assignment
from stratum_miner.miner.events import (
    ConnectionChanged,
    EventListener,
    HardwareError,
    JobStarted,
    PoolMessage,
)
from stratum_miner.miner.goals import UNTIL_STOPPED, Ending, Goals
from stratum_miner.miner.journal import Journal
from stratum_miner.miner.judged_blocks import JudgedBlocks
from stratum_miner.miner.mining_group import MiningGroup
from stratum_miner.miner.scheduler import Scheduler, SharedVisited
from stratum_miner.miner.snapshot import BackendSnapshot, JobSnapshot, MinerSnapshot, ShareSource
from stratum_miner.miner.standstill import LOOK_S, Standstill
from stratum_miner.miner.statistics import Statistics
from stratum_miner.work.job import MAX_EXTRANONCE2_SIZE, Job
from stratum_miner.work.share import BelowTarget, NotAHit, Share, verify
from stratum_miner.work.share_result import Fate, ShareResult
from stratum_miner.work.unit import NonceFound, WorkUnit

log = structlog.get_logger(__name__)

MEASURED_AFTER_S = 10.0
"""Of searching, before the hash rate is good enough to ask a pool for a difficulty by it."""
MAX_SEEN = 65536
"""Headers remembered, but for their versions, to catch a backend that reports a point twice."""


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
        retry: bool = True,
        weak_blocks: bool | None = None,
        node_judges: bool = False,
        journal: Journal | None = None,
        strategy: Strategy = Strategy.FAILOVER,
        on_event: EventListener = lambda event: None,
        clock: Callable[[], float] = time.monotonic,
        connect: Connector | None = None,
        wrap_connector: Callable[[Connector], Connector] | None = None,
        first_extranonce2: int | None = None,
        standstill: Standstill | None = None,
    ) -> None:
        pools = [settings] if isinstance(settings, PoolSettings) else list(settings)
        numbers = itertools.count(1)
        memories: Memories = {}
        identities = PoolIdentities()
        if first_extranonce2 is None:
            first_extranonce2 = secrets.randbits(8 * MAX_EXTRANONCE2_SIZE)
        visited = SharedVisited(first_extranonce2)

        def lane(these: Sequence[Assignment], on: Sequence[PoolSettings]) -> MiningGroup:
            def group(listener: ClientListener) -> PoolGroup:
                return PoolGroup(
                    on,
                    listener,
                    strategy=strategy,
                    retry=retry,
                    clock=clock,
                    connect=connect,
                    wrap_connector=wrap_connector,
                    session_numbers=numbers,
                    memories=memories,
                    identities=identities,
                    may_give_up=lambda: all(item.client.all_refused for item in self._lanes),
                )

            scheduler = Scheduler(weak_blocks=weak_blocks, clock=clock, visited=visited)
            return MiningGroup(self, these, group, scheduler, clock())

        self._assignments = [item if isinstance(item, Assignment) else Assignment(backend=item) for item in backends]
        free = [item for item in self._assignments if item.pool is None]
        bound: dict[PoolSettings, list[Assignment]] = {}
        for item in self._assignments:
            if item.pool is not None:
                bound.setdefault(item.pool, []).append(item)
        self._lanes = [lane(free, pools)] if free or not bound else []
        self._lanes += [lane(these, [pool]) for pool, these in bound.items()]
        self._has_free = bool(free or not bound)
        self.client, self.scheduler = self._lanes[0].client, self._lanes[0].scheduler
        self.backends = tuple(item.backend for item in self._assignments)
        self._blocks = JudgedBlocks() if node_judges else None
        self._journal = journal
        if journal is not None:
            self._hand_back(journal)
        self._farewell = max(pool.timeouts.farewell for pool in [*pools, *bound])
        self._goals = goals
        self._goals_changed = trio.Event()
        self._clock = clock
        self._on_event = on_event
        self._standstill = standstill or Standstill()
        self._statistics = Statistics(self._running(clock()))
        self._height: int | None = None
        self._network_difficulty: float | None = None
        self._seen: OrderedDict[tuple[int, bytes], tuple[int, ref[WorkUnit]]] = OrderedDict()
        """What was found, and of which unit. A unit that nobody has any more goes with its job, which may be large."""
        self._stopping = trio.Event()
        self._has_had_work = False
        self._device_ids: dict[tuple[str, str], int] = {}
        """By backend and name; a device that comes back gets the id that it had."""
        self._ending = Ending.STOPPED

    # ---- running ----------------------------------------------------------------------------------------------

    async def run(self) -> Ending:
        """Mine until a goal is reached or ``stop`` is called; returns why it ended.

        Raises WorkerRefused, PoolUnreachable (without retry) and BackendError.
        """
        self._statistics = Statistics(self._running(self._clock()))
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._run_until_stopped, nursery.cancel_scope)
                for lane in self._lanes:
                    nursery.start_soon(lane.client.run)
        except ExceptionGroup as group:
            cause = leading_cause(group, BackendError, WorkerRefused, PoolUnreachable)
            if cause is None:
                raise
            raise cause from None
        return self._ending

    def stop(self, ending: Ending = Ending.STOPPED) -> None:
        """End gracefully: stop searching, wait briefly for open replies. From the trio thread."""
        if not self._stopping.is_set():
            self._ending = ending
            self._stopping.set()

    def pause(self, paused: bool) -> None:
        """Search no more, or again; the pools stay connected."""
        for lane in self._lanes:
            lane.scheduler.pause(paused)

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
    def pool_control(self) -> PoolControl:
        """To change pools while mining; where every backend is bound to a pool, the first of these."""
        return self.client

    def pool_place(self, pool_id: int) -> tuple[PoolControl, int]:
        """What changes the pool with this id, and its place there. ValueError when there is none."""
        known: list[int] = []
        for lane in self._lanes:
            ids = [status.id for status in lane.client.pools()]
            if pool_id in ids:
                return lane.client, ids.index(pool_id)
            known += ids
        raise ValueError(f"pool: expected one of the ids {', '.join(map(str, sorted(known)))}, got {pool_id}")

    def bound_control(self, backend: str) -> PoolControl | None:
        """To change the pool that a backend is bound to, the only one there; None for a backend that is not bound."""
        return next((lane.client for lane in self._lanes if backend in lane.bound), None)

    @property
    def follows_strategy(self) -> bool:
        """Whether any backend mines on the pools of the strategy."""
        return self._has_free

    def source(self, share: Share) -> ShareSource:
        """Where a share comes from, for displays."""
        pools = (lane.client.source(share) for lane in self._lanes)
        pool_id, pool = next((found for found in pools if found is not None), (None, ""))
        if (share.backend, share.device) not in self._device_ids:
            self.snapshot()  # a device that has just come has no id before somebody looks
        return ShareSource(pool_id=pool_id, pool=pool, device_id=self._device_id(share.backend, share.device))

    def device(self, device_id: int) -> tuple[Backend, str]:
        """The backend of the device with this id, and the device's name there. ValueError when there is none."""
        self.snapshot()  # a device that has just come has no id before somebody looks
        for (label, name), known in self._device_ids.items():
            if known == device_id:
                return next(item.backend for item in self._assignments if item.label == label), name
        ids = ", ".join(map(str, sorted(self._device_ids.values())))
        raise ValueError(f"device: expected one of the ids {ids or '(there is no device)'}, got {device_id}")

    def _device_id(self, backend: str, device: str, listed_as: str = "") -> int:
        known = self._device_ids
        if (backend, device) not in known:
            known[backend, device] = known.pop((backend, listed_as), len(known))
        return known[backend, device]

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
            for lane in self._lanes:
                searching.start_soon(lane.search, self._judge)
            searching.start_soon(self._sample)
            searching.start_soon(self._limit_time, trio.current_time())
            await self._stopping.wait()
            searching.cancel_scope.cancel()
        self._take_sample()
        with trio.move_on_after(self._farewell):
            for lane in self._lanes:
                await lane.client.all_answered()
            if self._blocks is not None:
                await self._blocks.all_judged()
        everything.cancel()

    async def _sample(self) -> None:
        with self._standstill.watched():
            while True:
                await trio.sleep(LOOK_S)
                self._take_sample()
                if self._running(self._clock()) - self._statistics.started >= MEASURED_AFTER_S:
                    for lane in self._lanes:
                        if lane.meter.average() > 0:
                            lane.client.hash_rate_known(lane.meter.rate(60))

    def _running(self, now: float) -> float:
        """The clock without the time that this process did not run."""
        return now - self._standstill.left_out

    def _take_sample(self) -> None:
        self._standstill.look()
        if (seconds := self._standstill.news()) > 0:
            log.warning("process_frozen", seconds=round(seconds, 1))
        now = self._running(self._clock())
        self._statistics.meter.sample(now, sum(lane.sample(now) for lane in self._lanes))

    async def _limit_time(self, started: float) -> None:
        while True:
            limit = self._goals.time_limit
            self._goals_changed = trio.Event()
            with trio.move_on_at(inf if limit is None else started + limit) as reached:
                await self._goals_changed.wait()
            if reached.cancelled_caught:
                self.stop(Ending.TIME_LIMIT)
                return

    def _hand_back(self, journal: Journal) -> None:
        """Blocks that a crash left open go back to their pool, if it resumes the newest session we had there."""
        newest = {block.pool: block.resumable for block in journal.recovered}
        for block in journal.recovered:
            again = block.resumable == newest[block.pool]
            if again and any(lane.client.adopt(block.pool, block.resumable, [block.share]) for lane in self._lanes):
                journal.adopt(block)
                log.warning("block_handed_back", hash=display_hash(block.share.digest), pool=block.pool)
            else:
                journal.give_up(block, "the miner ended before the pool answered, and now mines elsewhere")

    # ---- the way of a share -----------------------------------------------------------------------------------

    def _judge(self, lane: MiningGroup, assignment: Assignment, found: NonceFound) -> None:
        match verify(found):
            case Share() as share if self._reported(share, found.unit):
                self._note_hardware_error(assignment, found.device, "the same point reported twice")
            case Share() as share if self._reported(share):
                self._statistics.withheld += 1  # no fault of the device: it was given the point twice
                log.debug("share_withheld", reason="its point was searched before", nonce=share.nonce)
            case Share() as share if share.place in self._seen and not share.is_block:
                # NOMP and its heirs leave the version out of their duplicate check and would reject it. At difficulty
                # 1 and 32 versions that is one share in 140 million
                self._statistics.withheld += 1
                self._statistics.lucky += share.meets_share_target
                log.debug("share_withheld", reason="its nonce was submitted in another version", nonce=share.nonce)
            case Share() as share if self._journal is not None and share.header in self._journal.submitted_earlier:
                self._statistics.withheld += 1
                self._statistics.lucky += share.meets_share_target
                self._remember(share, found.unit)
                log.debug("share_withheld", reason="an earlier run submitted it", nonce=share.nonce)
            case Share() as share:
                self._statistics.lucky += share.meets_share_target
                self._remember(share, found.unit)
                own = assignment.backend.worker_name(share.device)
                self._submit(lane, replace(share, worker_name=own, backend=assignment.label))
            case BelowTarget():
                self._statistics.below_target += 1
            case NotAHit() as reason:
                self._note_hardware_error(assignment, found.device, reason.value)

    def _submit(self, lane: MiningGroup, share: Share) -> None:
        current = lane.scheduler.job
        if not share.meets_share_target:
            if current is None or not lane.scheduler.wants_weak_block(share.job):
                self._statistics.below_target += 1
                return
            lane.scheduler.narrow(share.job.previous_hash)
        self._statistics.found += 1
        self._statistics.best_share = max(self._statistics.best_share, share.difficulty)
        if self._blocks is not None and share.is_block:
            self._blocks.submitted(share)
        if self._journal is not None:
            self._journal.found(share, lane.client.destination(share))
        lane.client.submit(share)

    def _reported(self, share: Share, unit: WorkUnit | None = None) -> bool:
        """Whether the same point was reported before; with a unit, whether it was reported for this very unit."""
        version, earlier = self._seen.get(share.place, (None, None))
        return version == share.version and (unit is None or (earlier is not None and unit is earlier()))

    def _remember(self, share: Share, unit: WorkUnit) -> None:
        self._seen[share.place] = share.version, ref(unit)
        if len(self._seen) > MAX_SEEN:
            self._seen.popitem(last=False)  # a plain dict looks for its first key among all that were deleted

    def _note_hardware_error(self, assignment: Assignment, device: str, reason: str) -> None:
        self._statistics.hardware_errors[assignment.label, device] += 1
        log.warning("hardware_error", device=device, reason=reason)
        self._on_event(HardwareError(device, reason))

    # ---- what the lanes tell (LaneOwner) ------------------------------------------------------------------------

    def job_started(self, lane: MiningGroup, job: Job, new_block: bool) -> None:
        """Tell it, if it is what most of the miner works on."""
        self._has_had_work = True
        if lane is self._lanes[0]:
            self._height = job.height
            self._network_difficulty = job.network_difficulty
            self._on_event(JobStarted(job, self._height, new_block))

    def share_settled(self, lane: MiningGroup, outcome: ShareResult) -> None:
        """Count it, tell it, and see whether a goal is reached."""
        self._statistics.settle(outcome)
        if outcome.share.is_block:
            self._block_settled(outcome)
        if self._journal is not None:
            self._journal.settled(outcome)
        self._on_event(outcome)
        self._check_goals()

    def _block_settled(self, outcome: ShareResult) -> None:
        if outcome.fate is Fate.LOST:
            log.error("block_lost", header=outcome.share.header.hex(), reason=outcome.reason)
        if self._blocks is not None:
            self._blocks.settled(outcome)
        elif outcome.fate is Fate.ACCEPTED:
            self._statistics.count_block(outcome.share)

    def state_changed(self, lane: MiningGroup, state: ConnectionState, detail: str) -> None:
        """Pass it on."""
        self._on_event(ConnectionChanged(state, detail))

    def message_shown(self, lane: MiningGroup, text: str) -> None:
        """Pass it on."""
        self._on_event(PoolMessage(text))

    def _check_goals(self) -> None:
        if self._goals.shares is not None and self._statistics.shares.accepted >= self._goals.shares:
            self.stop(Ending.SHARES_REACHED)
        if self._goals.blocks is not None and self._statistics.blocks_accepted >= self._goals.blocks:
            self.stop(Ending.BLOCKS_REACHED)

    # ---- what others see --------------------------------------------------------------------------------------

    def snapshot(self) -> MinerSnapshot:
        """A frozen view of everything; from the trio thread."""
        self._standstill.look()  # else what is worked out of the clock would have the time in it until the next sample
        statistics, meter = self._statistics, self._statistics.meter
        job, now = self.scheduler.job, self._clock()
        backends = tuple(lane.statistics(item) for lane in self._lanes for item in lane.assignments)
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
            below_target=statistics.below_target,
            withheld=statistics.withheld,
            work_units=sum(lane.units for lane in self._lanes),
            accepted_difficulty=statistics.accepted_difficulty,
            lucky=statistics.lucky,
            expected=sum(lane.expected for lane in self._lanes),
            network_difficulty=self._network_difficulty,
            height=self._height,
            job=None if job is None else JobSnapshot.of(job, now),
            paused=self.is_paused,
            stopping=self.is_stopping,
            client=self.client.snapshot(),
            pools=self._pools(),
            backends=tuple(map(self._completed, backends)),
        )

    def _completed(self, backend: BackendSnapshot) -> BackendSnapshot:
        """Its devices with their ids, and with the errors that re-hashing found added to those that a driver sees."""
        errors = self._statistics.hardware_errors
        return replace(
            backend,
            devices=tuple(
                replace(
                    device,
                    id=self._device_id(backend.label, device.name, device.listed_as),
                    hardware_errors=device.hardware_errors + errors[backend.label, device.name],
                )
                for device in backend.devices
            ),
        )

    def _pools(self) -> tuple[PoolStatus, ...]:
        hashes = sum(lane.hashes for lane in self._lanes)
        return tuple(status for lane in self._lanes for status in lane.pools(hashes))
