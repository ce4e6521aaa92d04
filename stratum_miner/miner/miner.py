"""``Miner``: mining groups, each with its pools and backends, and the path of a share from a backend to its pool.

The miner runs these tasks: the pool connections of each group; for each backend, one task that runs it and one that
verifies the nonces that it reports; one task that samples the hash rates; and one that watches the time limit. To stop,
the miner ends the search, waits a limited time for replies to open shares, and then closes the connections.
"""

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from math import inf

import structlog
import trio

from stratum_miner.backends.base import Backend, BackendError
from stratum_miner.backends.statistics import DeviceKey, device_key
from stratum_miner.bitcoin.header import display_hash
from stratum_miner.callbacks import check_on_event
from stratum_miner.client.dialing.url import PoolUnreachable
from stratum_miner.client.endings import WorkerRefused
from stratum_miner.client.events import MessageShown, ShareAnswered, StateChanged
from stratum_miner.client.group.control import PoolControl
from stratum_miner.client.group.group import PoolGroup
from stratum_miner.client.group.identities import PoolIdentities
from stratum_miner.client.options import ClientOptions
from stratum_miner.client.settings import PoolSettings, Strategy
from stratum_miner.exception_groups import leading_cause, unwrapping_nursery
from stratum_miner.miner.events import EventListener, HardwareError, JobStarted, MinerEvent
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
from stratum_miner.work.hash_rate import WINDOWS
from stratum_miner.work.job import MAX_EXTRANONCE2_SIZE, Job, PoolKey
from stratum_miner.work.share import Share
from stratum_miner.work.share_result import ShareOutcome, ShareResult
from stratum_miner.work.unit import NonceFound

log = structlog.get_logger(__name__)


class Miner:
    """Mines with the given backends on the given pools. ``open_miner`` makes and runs a miner. ``run`` may be
    called only once.

    ``pools``: one pool, or several, the best first. ``strategy`` decides how the miner uses several pools: it mines on
    the best pool that is up (FAILOVER), or on all pools in turn (QUOTA).

    ``backends``: the backends that search for shares. A backend whose ``Assignment`` names a pool mines only there.

    ``goals``: when the miner stops by itself.

    ``on_event``: called with each event, in the trio thread and in the order of the events. It must not block. If it
    raises an exception, the miner stops gracefully and ``run`` then raises that exception.

    ``journal``: the share journal. The caller opens and closes it.

    ``options``: the options of all pool clients: clock, source of random numbers, retries, a function that connects.

    ``weak_blocks``: whether to submit hashes that solve a block but miss the share target. Such weak blocks exist on
    test chains only. None: decide by the network target (see ``Scheduler``). The miner submits one weak block at a
    time. When the pool has accepted one, the miner submits no further weak block with the same previous hash. If the
    pool rejects several weak blocks in a row, and passes none of them on to its node as a block, the miner submits no
    more weak blocks in this session.

    ``node_judges``: whether the caller reports the node's decision about each block to ``block_judged``. If so, only
    blocks that the node accepted are counted. Otherwise an accepted share that solves a block counts as a block,
    because a pool does not report the node's decision.

    ``first_extranonce2``: the first value of the extranonce2 counter. If it has more bytes than the pool allows, its
    highest bytes are dropped. None: a random value. Some pools give a restarted miner the same extranonce1 again, and
    with the same first value the miner would then repeat its work.

    ``standstill``: detects time in which the process did not run. Tests pass their own.

    Raises ValueError if there is no pool.
    Raises TypeError if ``on_event`` is a coroutine function.
    """

    def __init__(
        self,
        pools: PoolSettings | Sequence[PoolSettings],
        backends: Sequence[Backend | Assignment],
        *,
        goals: Goals = UNTIL_STOPPED,
        weak_blocks: bool | None = None,
        node_judges: bool = False,
        journal: Journal | None = None,
        strategy: Strategy = Strategy.FAILOVER,
        on_event: EventListener | None = None,
        options: ClientOptions | None = None,
        first_extranonce2: int | None = None,
        standstill: Standstill | None = None,
    ) -> None:
        check_on_event(on_event)
        pools = [pools] if isinstance(pools, PoolSettings) else list(pools)
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
            return MiningGroup(assignments, new_pools, scheduler, self._take)

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
            self._resubmit_blocks(journal)
        self._verifier = NonceVerifier() if journal is None else NonceVerifier(journal.submitted_earlier)
        self._stop_grace = max(pool.timeouts.stop_grace for pool in [*pools, *bound])
        self._goals = goals
        self._goals_changed = trio.Event()
        self._on_event = on_event
        self._event_error: BaseException | None = None
        """The exception that ``on_event`` raised. After it, ``on_event`` is not called any more."""
        self._standstill = standstill or Standstill()
        self._statistics = Statistics(self._running(self._clock()))
        self._newest_job: Job | None = None
        """The newest job of the first group. If any backends follow the strategy, they are the first group."""
        self._has_had_work = False
        self._was_called = False
        """Whether ``run`` was called."""
        self._stopping = trio.Event()
        self._stopped = trio.Event()
        self._stop_reason = StopReason.STOPPED

    # ---- running ----------------------------------------------------------------------------------------------

    async def run(self) -> StopReason:
        """Mine until a goal is reached or ``stop`` is called. Return why the miner stopped.

        Raises RuntimeError if ``run`` was called before.
        Raises WorkerRefused if all pools refuse the worker name from the start.
        Raises PoolUnreachable if ``ClientOptions.retry`` is False and a pool cannot be reached, or disconnects.
        Raises BackendError if a backend cannot start or continue.
        Raises the exception that ``on_event`` raised, if it raised one.
        """
        if self._was_called:
            raise RuntimeError("Miner.run: expected one call, got a second")
        self._was_called = True
        self._statistics = Statistics(self._running(self._clock()))
        cause: BaseException | None = None
        try:
            async with unwrapping_nursery() as nursery:
                nursery.start_soon(self._run_until_stopped, nursery.cancel_scope)
                for group in self._groups:
                    nursery.start_soon(group.pools.run)
        except Exception as error:
            cause = self._event_error or leading_cause(error, BackendError, WorkerRefused, PoolUnreachable)
            if cause is None:
                raise
        finally:
            self._stopped.set()
        cause = cause or self._event_error  # ``on_event`` may have failed during the closing of the connections
        if cause is not None:
            raise cause
        return self._stop_reason

    async def wait_stopped(self) -> StopReason:
        """Wait until the miner has stopped, because it reached a goal or ``stop`` was called. Return the reason.

        By then each submitted share has its result, and the connections are closed.
        """
        await self._stopped.wait()
        return self._stop_reason

    def stop(self, reason: StopReason = StopReason.STOPPED) -> None:
        """Stop gracefully: end the search, and wait a limited time for replies to open shares. Call it in the trio
        thread."""
        if not self._stopping.is_set():
            self._stop_reason = reason
            self._stopping.set()

    def pause(self, paused: bool) -> None:
        """Pause or resume the search. The pools stay connected."""
        for group in self._groups:
            group.scheduler.pause(paused)

    def set_goals(self, goals: Goals) -> None:
        """Replace the goals. Shares, blocks and seconds count from the start of the miner, not from this call."""
        self._goals = goals
        self._goals_changed.set()
        self._check_goals()

    def block_judged(self, block_hash: str, *, accepted: bool) -> None:
        """Record the node's decision about a block. The node may accept a block that it refused before. A block that it
        accepted stays counted.

        ``block_hash``: 64 hex digits in display order. Hashes of blocks that this miner did not submit are ignored.
        """
        share = None if self._blocks is None else self._blocks.judged(block_hash, accepted=accepted)
        if share is not None:
            self._statistics.count_block(share)
            self._check_goals()

    @property
    def goals(self) -> Goals:
        """The goals at which the miner stops by itself."""
        return self._goals

    @property
    def is_paused(self) -> bool:
        """Whether ``pause`` has paused the search."""
        return self.scheduler.paused

    @property
    def pool_control(self) -> PoolControl:
        """The control that changes the pools of the strategy while the miner mines.

        If every backend is bound to a pool, this control changes the pool of the first backend.
        """
        return self._groups[0].pools.control

    def find_pool(self, pool: PoolKey) -> tuple[PoolControl, int]:
        """Return the ``PoolControl`` that changes a pool, and the index of the pool in the control's list of pools.

        Raises LookupError if the miner has no such pool.
        """
        for group in self._groups:
            control = group.pools.control
            keys = [status.key for status in control.pools()]
            if pool in keys:
                return control, keys.index(pool)
        raise LookupError(f"pool: expected a pool of this miner, got {pool}")

    def bound_control(self, backend: str) -> PoolControl | None:
        """Return the control that changes the pool that a backend is bound to, or None if the backend is not bound."""
        return next((group.pools.control for group in self._groups if backend in group.bound), None)

    @property
    def follows_strategy(self) -> bool:
        """Whether at least one backend is not bound to a pool, and so mines on the pools of the strategy."""
        return self._has_free

    def device(self, device: DeviceKey) -> tuple[Backend, str]:
        """Return the backend of a device, and the name of the device in that backend.

        Raises LookupError if the miner has no such device.
        """
        for item in self._assignments:
            for known in item.backend.statistics().devices:
                if device_key(item.label, known.name) == device:
                    return item.backend, known.name
        raise LookupError(f"device: expected a device of this miner, got {device}")

    @property
    def has_had_work(self) -> bool:
        """Whether at least one pool has given a job since the miner started."""
        return self._has_had_work

    @property
    def is_stopping(self) -> bool:
        """Whether ``stop`` was called or a goal was reached."""
        return self._stopping.is_set()

    async def _run_until_stopped(self, everything: trio.CancelScope) -> None:
        async with unwrapping_nursery() as searching:
            for group in self._groups:
                searching.start_soon(group.search, self._judge)
            searching.start_soon(self._sample)
            searching.start_soon(self._limit_time, trio.current_time())
            await self._stopping.wait()
            searching.cancel_scope.cancel()
        self._take_sample()
        with trio.move_on_after(self._stop_grace):
            for group in self._groups:
                await group.pools.wait_all_answered()
            if self._blocks is not None:
                await self._blocks.all_judged()
        everything.cancel()

    async def _sample(self) -> None:
        with self._standstill.watched():
            while True:
                await trio.sleep(LOOK_S)
                self._take_sample()
                now = self._running(self._clock())
                for group in self._groups:
                    rate = group.measured_rate(now)
                    if rate is not None:
                        group.pools.note_hash_rate(rate)

    def _running(self, now: float) -> float:
        """Return ``now`` minus the seconds in which this process did not run although the miner's clock went on."""
        return now - self._standstill.left_out

    def _take_sample(self) -> None:
        self._standstill.look()
        if (seconds := self._standstill.new_seconds()) > 0:
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

    def _resubmit_blocks(self, journal: Journal) -> None:
        """Resubmit each block that has no result because an earlier run crashed. A block goes to the pool for which it
        was found. If the miner no longer uses this pool, the block is recorded as lost instead. A pool client can
        resume only one earlier session of its pool: the session of the last of these blocks. The pool's blocks of other
        sessions are recorded as lost, too."""
        newest = {block.pool: block.resumable for block in journal.recovered}
        for block in journal.recovered:
            again = block.resumable == newest[block.pool]
            if again and any(group.pools.adopt(block.pool, block.resumable, [block.share]) for group in self._groups):
                journal.adopt(block)
                log.warning("block_handed_back", hash=display_hash(block.share.digest), pool=block.pool)
            else:
                journal.mark_lost(block, "the miner stopped before the pool answered, and now mines on other pools")

    # ---- from a reported nonce to a submitted share -----------------------------------------------------------

    def _judge(self, group: MiningGroup, assignment: Assignment, found: NonceFound) -> None:
        match self._verifier.judge(found, assignment.label, assignment.backend.worker_name(found.device)):
            case Share() as share:
                self._submit(group, share)
            case str() as reason:
                self._note_hardware_error(assignment, found.device, reason)

    def _submit(self, group: MiningGroup, share: Share) -> None:
        if not share.meets_share_target:
            if group.scheduler.job is None or not group.scheduler.wants_weak_block(share.job):
                self._verifier.below_target += 1
                return
            group.scheduler.seek_weak_blocks(share.job.previous_hash, wanted=False)
        self._statistics.found += 1
        self._statistics.best_share = max(self._statistics.best_share, share.difficulty)
        if self._blocks is not None and share.is_block:
            self._blocks.submitted(share)
        if self._journal is not None:
            self._journal.submitted(share, group.pools.destination(share))
        group.pools.submit(share)

    def _note_hardware_error(self, assignment: Assignment, device: str, reason: str) -> None:
        self._statistics.hardware_errors[device_key(assignment.label, device)] += 1
        log.warning("hardware_error", device=device, reason=reason)
        self._emit(HardwareError(device, reason))

    # ---- events -------------------------------------------------------------------------------------------------

    def _emit(self, event: MinerEvent) -> None:
        """Call ``on_event``. If it raises an exception, keep the exception and stop the miner. The exception is not
        passed on to the pool client that reports the event, because the client may be closing a connection and must not
        be interrupted."""
        if self._on_event is None or self._event_error is not None:
            return
        try:
            self._on_event(event)
        except BaseException as error:  # pytest.fail raises a BaseException that is not an Exception
            self._event_error = error
            self.stop()

    def _take(self, event: GroupEvent) -> None:
        match event:
            case ShareAnswered(result):
                self._count(result)
            case JobStarted(job):
                self._has_had_work = True
                if job is self.scheduler.job:
                    self._newest_job = job
                    self._emit(event)
            case StateChanged() | MessageShown():
                self._emit(event)

    def _count(self, result: ShareResult) -> None:
        """Count a result and report it. Stop the miner if a goal is now reached."""
        self._statistics.add(result)
        if result.share.is_block:
            self._count_block(result)
        if self._journal is not None:
            self._journal.resolved(result)
        self._emit(result)
        self._check_goals()

    def _count_block(self, result: ShareResult) -> None:
        if result.outcome is ShareOutcome.LOST:
            log.error("block_lost", header=result.share.header.hex(), reason=result.reason)
        if self._blocks is not None:
            self._blocks.resolved(result)
        elif result.outcome is ShareOutcome.ACCEPTED:
            self._statistics.count_block(result.share)

    def _check_goals(self) -> None:
        reason = self._goals.reached(self._statistics.accepted, self._statistics.blocks_accepted)
        if reason is not None:
            self.stop(reason)

    # ---- figures ----------------------------------------------------------------------------------------------

    def snapshot(self) -> MinerSnapshot:
        """Return an immutable view of all figures. Call it from the trio thread, before, during or after ``run``."""
        self._standstill.look()  # notice a standstill (time without running) now, so that the hash rates leave it out
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
            hash_rate_15m=meter.rate(max(WINDOWS)),
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
            below_target=self._verifier.below_target,
            withheld=self._verifier.withheld,
            work_units=sum(group.units for group in self._groups),
            accepted_difficulty=statistics.accepted_difficulty,
            shares_found=self._verifier.shares_found,
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
        """Return the snapshot of a backend with complete numbers of hardware errors. The backend counted only the wrong
        nonces that it detected itself. This method adds those that the miner detected."""
        errors = self._statistics.hardware_errors
        return replace(
            backend,
            devices=tuple(
                replace(device, hardware_errors=device.hardware_errors + errors[device_key(backend.label, device.name)])
                for device in backend.devices
            ),
        )


@asynccontextmanager
async def open_miner(
    pools: PoolSettings | Sequence[PoolSettings],
    backends: Sequence[Backend | Assignment],
    *,
    on_event: EventListener | None = None,
    goals: Goals = UNTIL_STOPPED,
    strategy: Strategy = Strategy.FAILOVER,
    journal: Journal | None = None,
    options: ClientOptions | None = None,
    weak_blocks: bool | None = None,
    node_judges: bool = False,
    first_extranonce2: int | None = None,
) -> AsyncIterator[Miner]:
    """Run a miner while the ``async with`` block runs, and stop it gracefully at the end of that block.

    The parameters are those of ``Miner``. To mine until a goal is reached, call ``wait_stopped`` in the block::

        async with open_miner(pools, [CpuBackend()], goals=Goals(shares=1)) as miner:
            await miner.wait_stopped()

    To receive the events in a task of your own, pass the sending half of an unbounded channel::

        send, receive = trio.open_memory_channel[MinerEvent](math.inf)
        async with open_miner(pools, [CpuBackend()], on_event=send.send_nowait) as miner:
            async for event in receive:
                ...

    Raises what ``Miner`` and ``Miner.run`` raise; the block is then cancelled. If the block raises an exception, the
    miner is cancelled and does not wait for replies to open shares. A single exception is raised as it is, not in an
    exception group.
    """
    miner = Miner(
        pools,
        backends,
        on_event=on_event,
        goals=goals,
        strategy=strategy,
        journal=journal,
        options=options,
        weak_blocks=weak_blocks,
        node_judges=node_judges,
        first_extranonce2=first_extranonce2,
    )
    async with unwrapping_nursery() as nursery:
        nursery.start_soon(miner.run)
        yield miner
        miner.stop()
