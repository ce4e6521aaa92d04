"""One connection up, with its backups, and the miners that share it.

It listens to the pools: a job goes to all its miners, an answer to the one that asked. When the
pool is lost the miners stay, and get a job as soon as one gives work again; their open shares are answered with what
became of them, at the latest when it is clear that nothing will.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import msgspec
import structlog
import trio

from stratum_miner.client.endings import WorkerRefused
from stratum_miner.client.events import (
    STOPPED,
    ClientEvent,
    ClientListener,
    ConnectionState,
    JobArrived,
    MessageShown,
    ShareAnswered,
    StateChanged,
    WorkLost,
)
from stratum_miner.client.group.group import PoolGroup
from stratum_miner.downstream.connections import Connection
from stratum_miner.downstream.event_reporter import EventReporter
from stratum_miner.downstream.events import ShareToForward
from stratum_miner.downstream.miner_session import MinerSession
from stratum_miner.exception_groups import leading_cause
from stratum_miner.network.fair_bound import FairBound
from stratum_miner.proxy.config import ProxyConfig
from stratum_miner.proxy.events import ProxyEvent, ShareForwarded, ShareResolved
from stratum_miner.proxy.forwarding import ForwardingPolicy, refusal_of, share_of
from stratum_miner.proxy.job_translator import JobChange, JobTranslator, ProxyJob
from stratum_miner.work.durations import DurationMeter
from stratum_miner.work.job import MAX_EXTRANONCE2_SIZE, CoinbaseBody, Job
from stratum_miner.work.share import Share
from stratum_miner.work.share_result import ShareOutcome, ShareResult

SETTLED_SECONDS = 60.0
"""Seconds of shares after which they say what the hash rate is."""

_log = structlog.get_logger(__name__)


class ProxySession(MinerSession[ProxyJob]):
    """A miner's session that knows its connection up, once it is subscribed."""

    upstream: "Upstream | None" = None


MinerConnection: TypeAlias = Connection[ProxySession]


@dataclass(frozen=True, slots=True)
class _Open:
    miner: MinerConnection
    passed: ShareToForward[ProxyJob]
    share: Share
    arrived: float
    since: float


class Upstream:
    """Run ``run`` in a task. ``pools`` makes the group that it listens to; ``answers`` is told how long each took."""

    def __init__(
        self,
        config: ProxyConfig,
        pools: Callable[[ClientListener], PoolGroup],
        memory: FairBound,
        answers: DurationMeter,
        events: EventReporter[ProxyEvent],
    ) -> None:
        self.jobs = JobTranslator(
            config.max_miners,
            ntime_ahead=config.ntime_ahead,
            resume_seconds=config.resume_seconds,
            token=lambda: secrets.token_hex(8),
            first_id=secrets.randbits(32),
            first_prefix=secrets.randbits(32),
            first_padding=secrets.randbits(8 * MAX_EXTRANONCE2_SIZE),
            memory=memory,
        )
        self.policy = ForwardingPolicy(config, self.jobs)
        self.divisible = trio.Event()
        """It is known how the extranonce2 is split."""
        self.miners: dict[int, MinerConnection] = {}
        """The miners that subscribed here, by number."""
        self.answered_late = 0
        self.deserted_since: float | None = None
        """The time since which it has no miner."""
        self.scope = trio.CancelScope()
        self.group = pools(self._take)
        self._config = config
        self._answers = answers
        self._events = events
        self._open: dict[tuple[int, bytes], _Open] = {}
        """Shares on the way up, by session of the pool and hash, the oldest first."""
        self._first_share_at: float | None = None
        self._suggested = False

    async def run(self) -> None:
        """Keep a connection to the pools until ``scope`` is cancelled.

        Raises WorkerRefused if all pools refuse the worker.
        """
        with self.scope:
            try:
                await self.group.run()
            except BaseExceptionGroup as errors:
                raise leading_cause(errors, WorkerRefused) or errors from None

    # ---- what the proxy uses --------------------------------------------------------------------------------------

    @property
    def has_room(self) -> bool:
        """Whether a further miner finds a prefix here."""
        split = self.jobs.split
        return split is not None and self.jobs.extranonces.live < split.miners

    def submit(self, miner: MinerConnection, passed: ShareToForward[ProxyJob]) -> None:
        """Hand a share over; its miner is answered, possibly before this returns."""
        if self._first_share_at is None:
            self._first_share_at = trio.current_time()
        share = share_of(passed, self._config.worker_names.login(passed.submit.worker_name))
        self._open[_key(share)] = _Open(miner, passed, share, miner.last_line_at, trio.current_time())
        self._events.add(ShareForwarded(miner.number, passed.submit.worker_name))
        self.group.submit(share)

    def take_over(self, miner: MinerConnection, repeated: ShareToForward[ProxyJob]) -> bool:
        """A miner that came back sends a share again whose answer is still on the way: it gets that answer, whatever it
        will be. False when none is, or when the connection that waits for it still stands.
        """
        solution = repeated.solution
        key = (solution.job.announced.job.origin.session, solution.digest)
        item = self._open.get(key)
        if item is None or item.miner.session.lease is not None:
            return False
        item.miner.session.uncount_received(item.passed)
        passed = msgspec.structs.replace(item.passed, request_id=repeated.request_id, submit=repeated.submit)
        self._open[key] = replace(item, miner=miner, passed=passed, arrived=miner.last_line_at)
        return True

    @property
    def open_shares(self) -> int:
        """On the way up."""
        return len(self._open)

    def tick(self, now: float) -> None:
        """Let time pass: at least every few seconds."""
        for miner in self.miners.values():
            miner.session.tick(now)
            miner.session.take_events()  # a change of difficulty is told with the next job
        self._give_up(now - self._config.answer_timeout)
        self._suggest(now)

    # ---- what the pools tell --------------------------------------------------------------------------------------

    def _take(self, event: ClientEvent) -> None:
        match event:
            case JobArrived(job):
                self._on_job(job)
            case WorkLost(reason=reason):
                self._on_loss(reason)
            case ShareAnswered(result):
                self._on_answer(result)
            case StateChanged(_, state, detail):  # that it failed, the client has logged
                log = _log.info if state is ConnectionState.MINING else _log.debug
                log("upstream", state=state.value, detail=detail)
            case MessageShown():  # the client has logged it
                pass

    def _on_job(self, job: Job) -> None:
        """A job to work on: to all miners."""
        now = trio.current_time()
        if not isinstance(job.body, CoinbaseBody):
            _log.warning("job_without_coinbase", job_id=job.job_id)
            return
        change = self.jobs.take(job, now)
        current = self.jobs.current
        assert current is not None
        if change is JobChange.SPLIT:
            self._say_split(job)
        for miner in list(self.miners.values()):
            session = miner.session
            if change is JobChange.MASK:
                session.update_version_mask(current)
            elif change is JobChange.SPLIT and not session.change_extranonce(now):
                miner.finish("the pool's extranonce changed")
            elif session.was_refused_rolling(current):
                session.ask_to_reconnect()
                miner.finish("versions may be rolled now, which it was told it may not")
            else:
                session.announce(current, now)
                if session.started and session.lease is not None:
                    self.jobs.note_holder(session.lease.extranonce1)
            miner.flush()
        self.divisible.set()

    def _on_loss(self, reason: str) -> None:
        """No pool gives work: miners go on with what they have, in case the session is resumed."""
        if self.jobs.current is not None and reason != STOPPED:
            _log.warning("upstream_lost", reason=reason, miners=len(self.miners), open_shares=len(self._open))
        self.jobs.lose()

    def _on_answer(self, result: ShareResult) -> None:
        """The pool's answer, or that there is none: to the miner that asked."""
        item = self._open.pop(_key(result.share), None)
        if item is None:
            self.answered_late += 1
            _log.info("share_answered_late", fate=result.outcome.value, reason=result.reason)
        else:
            self._settle(item, result)

    # ---- helpers --------------------------------------------------------------------------------------------------

    def _settle(self, item: _Open, result: ShareResult) -> None:
        if result.outcome is ShareOutcome.LOST:
            item.miner.session.answer_lost(item.passed)
        else:
            item.miner.session.answer(item.passed, refusal_of(result), trio.current_time())
        item.miner.flush()
        if result.latency is not None:
            self._answers.add(trio.current_time() - item.arrived)
        log = _log.debug if result.outcome is ShareOutcome.ACCEPTED else _log.info
        log(
            f"share_{result.outcome.value}",
            session=item.miner.number,
            worker_name=item.passed.submit.worker_name,
            reason=result.reason,
            latency_ms=None if result.latency is None else round(result.latency * 1000, 1),
        )
        worker_name = item.passed.submit.worker_name
        self._events.add(ShareResolved(item.miner.number, worker_name, result.outcome, result.reason, result.latency))
        self._events.deliver()

    def _give_up(self, before: float) -> None:
        """A miner is told when no answer is to be expected; one that comes later is counted apart."""
        reason = f"no answer of the pool within {self._config.answer_timeout:g} s"
        for key, item in list(self._open.items()):
            if item.since > before:
                return  # they are in order
            del self._open[key]
            self._settle(item, ShareResult(item.share, ShareOutcome.LOST, reason))

    def _suggest(self, now: float) -> None:
        """Once shares have come for a while, what they say of the hash rate, for those pools that are to be asked for a
        difficulty that fits it.
        """
        if self._suggested or self._first_share_at is None or now - self._first_share_at < SETTLED_SECONDS:
            return
        self._suggested = True
        self.group.note_hash_rate(sum(miner.session.hash_rate(now) for miner in self.miners.values()))

    def _say_split(self, job: Job) -> None:
        split = self.jobs.split
        assert split is not None
        _log.info(
            "extranonce_divided",
            upstream_bytes=job.extranonce2_size,
            prefix_bytes=split.prefix_size,
            miner_bytes=split.extranonce2_size,
            room=split.miners,
        )


def _key(share: Share) -> tuple[int, bytes]:
    return share.job.origin.session, share.digest
