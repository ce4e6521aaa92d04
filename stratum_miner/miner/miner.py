"""The miner: one pool client, one scheduler, any number of backends, and the way of a share between them.

Nursery: client + one task per backend + the verifier that re-hashes what they claim + the sampler of hash rates.
Stopping is graceful: the search ends first, open shares get a bounded time to be answered, then the client goes.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum

import structlog
import trio

from stratum_miner.backends.base import Backend, BackendError
from stratum_miner.bitcoin.coinbase import height_from_coinbase_prefix
from stratum_miner.bitcoin.header import display_hash
from stratum_miner.client.causes import leading_cause
from stratum_miner.client.connect import Connector, PoolUnreachable
from stratum_miner.client.fate import Fate, ShareOutcome
from stratum_miner.client.pool_client import ConnectionState
from stratum_miner.client.pools import PoolControl, PoolGroup, Strategy
from stratum_miner.client.session import WorkerRefused
from stratum_miner.client.settings import PoolSettings
from stratum_miner.miner.events import (
    ConnectionChanged,
    EventListener,
    HardwareError,
    JobStarted,
    PoolMessage,
)
from stratum_miner.miner.journal import Journal, JournalError
from stratum_miner.miner.scheduler import Scheduler
from stratum_miner.miner.statistics import JobSnapshot, MinerSnapshot, Statistics
from stratum_miner.work.job import Job
from stratum_miner.work.share import BelowTarget, NotAHit, Share, verify
from stratum_miner.work.unit import NonceFound

log = structlog.get_logger(__name__)

FOUND_BUFFER = 256
"""Claims waiting for the verifier before backends have to wait."""
SAMPLE_INTERVAL_S = 0.5
MEASURED_AFTER_S = 10.0
"""Of searching, before the hash rate is good enough to ask a pool for a difficulty by it."""
MAX_SEEN = 65536
"""Headers remembered, but for their versions, to catch a backend that reports a point twice."""


class Ending(Enum):
    """Why a miner stopped by itself."""

    SHARES_REACHED = "shares reached"
    BLOCKS_REACHED = "blocks reached"
    TIME_LIMIT = "time limit"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Goals:
    """When to stop; None never. Counts are of accepted shares and of accepted blocks, time is in seconds."""

    shares: int | None = None
    blocks: int | None = None
    time_limit: float | None = None


class Miner:
    """Mines with the given backends on the first of the pools that is up; ``run`` it once.

    ``weak_blocks``: submit hashes that solve a block but miss the share target, possible on test chains only; None
    decides by the chain (see ``Scheduler``). A pool that refuses the first one for low difficulty gets no more.
    """

    def __init__(
        self,
        settings: PoolSettings | Sequence[PoolSettings],
        backends: Sequence[Backend],
        *,
        goals: Goals = Goals(),
        retry: bool = True,
        weak_blocks: bool | None = None,
        journal: Journal | None = None,
        strategy: Strategy = Strategy.FAILOVER,
        on_event: EventListener = lambda event: None,
        clock: Callable[[], float] = time.monotonic,
        connect: Connector | None = None,
        wrap_connector: Callable[[Connector], Connector] | None = None,
    ) -> None:
        pools = [settings] if isinstance(settings, PoolSettings) else list(settings)
        self.client = PoolGroup(
            pools,
            self,
            strategy=strategy,
            retry=retry,
            clock=clock,
            connect=connect,
            wrap_connector=wrap_connector,
        )
        self.scheduler = Scheduler(weak_blocks=weak_blocks, clock=clock)
        self.backends = tuple(backends)
        self._journal = journal
        if journal is not None:
            self._hand_back(journal)
        self._farewell = max(pool.timeouts.farewell for pool in pools)
        self._goals = goals
        self._clock = clock
        self._on_event = on_event
        self._statistics = Statistics(clock())
        self._height: int | None = None
        self._network_difficulty: float | None = None
        self._seen: dict[tuple[int, bytes], int] = {}
        self._stopping = trio.Event()
        self._ending = Ending.STOPPED

    # ---- running ----------------------------------------------------------------------------------------------

    async def run(self) -> Ending:
        """Mine until a goal is reached or ``stop`` is called; returns why it ended.

        Raises WorkerRefused, PoolUnreachable (without retry), BackendError and JournalError.
        """
        self._statistics = Statistics(self._clock())
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._run_until_stopped, nursery.cancel_scope)
                nursery.start_soon(self.client.run)
        except ExceptionGroup as group:
            cause = leading_cause(group, BackendError, JournalError, WorkerRefused, PoolUnreachable)
            if cause is None:
                raise
            raise cause from None
        return self._ending

    def stop(self, ending: Ending = Ending.STOPPED) -> None:
        """End gracefully: stop searching, wait briefly for open replies. From the trio thread."""
        if not self._stopping.is_set():
            self._ending = ending
            self._stopping.set()

    @property
    def pool_control(self) -> PoolControl:
        """To change pools while mining."""
        return self.client

    @property
    def is_stopping(self) -> bool:
        """Whether ``stop`` was called or a goal was reached."""
        return self._stopping.is_set()

    async def _run_until_stopped(self, everything: trio.CancelScope) -> None:
        send, receive = trio.open_memory_channel[NonceFound](FOUND_BUFFER)
        async with trio.open_nursery() as searching:
            for backend in self.backends:
                searching.start_soon(self._search, backend, send.clone())
            send.close()
            searching.start_soon(self._verify, receive)
            searching.start_soon(self._sample)
            searching.start_soon(self.scheduler.watch_exhaustion)
            searching.start_soon(self._limit_time)
            await self._stopping.wait()
            searching.cancel_scope.cancel()
        self._take_sample()
        with trio.move_on_after(self._farewell):
            await self.client.all_answered()
        everything.cancel()

    async def _search(self, backend: Backend, send: trio.MemorySendChannel[NonceFound]) -> None:
        async with send:
            await backend.run(self.scheduler, send)

    async def _verify(self, receive: trio.MemoryReceiveChannel[NonceFound]) -> None:
        async with receive:
            async for found in receive:
                await self.client.wait_for_room()
                self._judge(found)

    async def _sample(self) -> None:
        while True:
            await trio.sleep(SAMPLE_INTERVAL_S)
            self._take_sample()
            if self._statistics.meter.average() > 0 and self._clock() - self._statistics.started >= MEASURED_AFTER_S:
                self.client.hash_rate_known(self._statistics.meter.rate(60))
            if self._journal is not None:
                self._journal.sync_when_due()

    def _take_sample(self) -> None:
        hashes = self._hashes()
        self._statistics.meter.sample(self._clock(), hashes)
        if self.scheduler.job is not None:
            self._statistics.expect(hashes, self.scheduler.job.share_chance)

    def _hashes(self) -> int:
        return sum(backend.statistics().hashes for backend in self.backends)

    async def _limit_time(self) -> None:
        if self._goals.time_limit is not None:
            await trio.sleep(self._goals.time_limit)
            self.stop(Ending.TIME_LIMIT)

    def _hand_back(self, journal: Journal) -> None:
        """Blocks that a crash left open go back to their pool, if it resumes the newest session we had there."""
        newest = {block.pool: block.resumable for block in journal.recovered}
        for block in journal.recovered:
            if block.resumable == newest[block.pool] and self.client.adopt(block.pool, block.resumable, [block.share]):
                journal.adopt(block)
                log.warning("block_handed_back", hash=display_hash(block.share.digest), pool=block.pool)
            else:
                journal.give_up(block, "the miner ended before the pool answered, and now mines elsewhere")

    # ---- the way of a share -----------------------------------------------------------------------------------

    def _judge(self, found: NonceFound) -> None:
        match verify(found):
            case Share() as share if self._seen.get(share.place) == share.version:
                self._note_hardware_error(found.device, "the same point reported twice")
            case Share() as share if share.place in self._seen and not share.is_block:
                # NOMP and its heirs leave the version out of their duplicate check and would reject it. At difficulty
                # 1 and 32 versions that is one share in 140 million
                self._statistics.withheld += 1
                self._statistics.lucky += share.meets_share_target
                log.debug("share_withheld", reason="its nonce was submitted in another version", nonce=share.nonce)
            case Share() as share:
                self._statistics.lucky += share.meets_share_target
                self._remember(share)
                self._submit(replace(share, worker_name=self._worker_name(share.device)))
            case BelowTarget():
                self._statistics.below_target += 1
            case NotAHit() as reason:
                self._note_hardware_error(found.device, reason.value)

    def _submit(self, share: Share) -> None:
        current = self.scheduler.job
        if not share.meets_share_target:
            if current is None or not self.scheduler.wants_weak_block(share.job):
                self._statistics.below_target += 1
                return
            self.scheduler.narrow(share.job.previous_hash)
        self._statistics.found += 1
        self._statistics.best_share = max(self._statistics.best_share, share.difficulty)
        if self._journal is not None:
            self._journal.found(share, self.client.origin(share))
        self.client.submit(share)

    def _worker_name(self, device: str) -> str:
        return next(filter(None, (backend.worker_name(device) for backend in self.backends)), "")

    def _remember(self, share: Share) -> None:
        self._seen[share.place] = share.version
        if len(self._seen) > MAX_SEEN:
            del self._seen[next(iter(self._seen))]

    def _note_hardware_error(self, device: str, reason: str) -> None:
        self._statistics.hardware_errors += 1
        log.warning("hardware_error", device=device, reason=reason)
        self._on_event(HardwareError(device, reason))

    # ---- what the client tells (ClientListener) ---------------------------------------------------------------

    def job_arrived(self, job: Job) -> None:
        """Search it at once; everything else can wait."""
        before = self.scheduler.job
        self.scheduler.set_job(job)
        if before is not None and before.share_target != job.share_target:
            self._statistics.expect(self._hashes(), before.share_chance)
        self._height = height_from_coinbase_prefix(job.coinbase_prefix)
        self._network_difficulty = job.network_difficulty
        new_block = before is None or before.previous_hash != job.previous_hash
        self._on_event(JobStarted(job, self._height, new_block))

    def work_lost(self, reason: str) -> None:
        """Stop searching until the next job."""
        self.scheduler.clear()
        log.debug("work_lost", reason=reason)

    def share_settled(self, outcome: ShareOutcome) -> None:
        """Count it, tell it, and see whether a goal is reached."""
        self._statistics.settle(outcome)
        if self._journal is not None:
            self._journal.settled(outcome)
        share = outcome.share
        if not share.meets_share_target and outcome.refused_as_weak:
            self.scheduler.narrow()  # this pool judges blocks by the share target (ckpool, public-pool)
        if share.is_block and outcome.fate is Fate.LOST:
            log.error("block_lost", header=share.header.hex(), reason=outcome.reason)
        self._on_event(outcome)
        self._check_goals()

    def state_changed(self, state: ConnectionState, detail: str) -> None:
        """Pass it on."""
        self._on_event(ConnectionChanged(state, detail))

    def message_shown(self, text: str) -> None:
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
        statistics, meter = self._statistics, self._statistics.meter
        job, now = self.scheduler.job, self._clock()
        return MinerSnapshot(
            elapsed=now - statistics.started,
            hash_rate_5s=meter.rate(5),
            hash_rate_1m=meter.rate(60),
            hash_rate_5m=meter.rate(300),
            hash_rate_15m=meter.rate(900),
            hash_rate=meter.average(),
            shares=statistics.shares,
            journalled=None if self._journal is None else self._journal.counts,
            found=statistics.found,
            reasons=tuple(statistics.reasons.most_common()),
            blocks_accepted=statistics.blocks_accepted,
            best_share=statistics.best_share,
            hardware_errors=statistics.hardware_errors,
            below_target=statistics.below_target,
            withheld=statistics.withheld,
            accepted_difficulty=statistics.accepted_difficulty,
            lucky=statistics.lucky,
            expected=statistics.expected,
            network_difficulty=self._network_difficulty,
            height=self._height,
            job=None if job is None else JobSnapshot.of(job, now),
            paused=self.scheduler.paused,
            stopping=self.is_stopping,
            client=self.client.snapshot(),
            pools=self.client.pools(),
            backends=tuple(backend.statistics() for backend in self.backends),
        )
