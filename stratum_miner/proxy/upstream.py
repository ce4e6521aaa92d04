"""An upstream connection: one connection to a pool (or to a backup pool if the pool fails), and the miners that share
it.

This module handles the events of the pool client. It sends each job of the pool to all miners of the connection, and
each answer to the miner that submitted the share. If the connection to the pool is lost, the miners stay connected, and
get a job when a pool gives work again. If a share has no answer after a time limit, its miner is told that the share is
lost.
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

MEASURE_SECONDS = 60.0
"""Seconds from the first share until the measured hash rate is precise enough to be reported to the pool client."""

_log = structlog.get_logger(__name__)


class ProxySession(MinerSession[ProxyJob]):
    """A miner's session in a proxy."""

    upstream: "Upstream | None" = None
    """The upstream connection on which this miner's shares are forwarded; None before the miner is subscribed."""


MinerConnection: TypeAlias = Connection[ProxySession]
"""The connection of a miner to a proxy."""


@dataclass(frozen=True, slots=True)
class _ForwardedShare:
    """A share that was forwarded and has no result yet."""

    miner: MinerConnection
    from_miner: ShareToForward[ProxyJob]
    share: Share
    """The share as it was submitted to the pool."""
    arrived: float
    """When the miner's share arrived, on trio's clock."""
    since: float
    """When the share was forwarded, on trio's clock."""


class Upstream:
    """An upstream connection. Run ``run`` in a task.

    ``pools``: a function that makes the pool group, which is the pool client. The argument of ``pools`` is a
    function that handles the events of the pool group.
    ``memory``: limits how many shares are remembered.
    ``answers``: collects the times from the arrival of a share to its answer.
    ``events``: passes events to the proxy's ``on_event``.
    """

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
        """An event that is set when the first job has come. Only then is it known into how many extranonce prefixes,
        one for each miner, the pool's extranonce2 can be divided."""
        self.miners: dict[int, MinerConnection] = {}
        """The subscribed miners that share this connection to the pool. The key is the number of the connection of the
        miner to the proxy."""
        self.answered_late = 0
        """Number of shares that the pool answered after they were reported to their miners as lost."""
        self.unused_since: float | None = None
        """Time on trio's clock since which this connection has no miners; None while it has miners."""
        self.scope = trio.CancelScope()
        """Cancel this scope to close the connection."""
        self.group = pools(self._take)
        """The pool client: the pools with their strategy."""
        self._config = config
        self._answers = answers
        self._events = events
        self._open: dict[tuple[int, bytes], _ForwardedShare] = {}
        """Forwarded shares without a result, the oldest first. The key is the number of the pool session and the hash
        of the share."""
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

    # ---- for the proxy ---------------------------------------------------------------------------------------------

    @property
    def has_room(self) -> bool:
        """Whether one more miner can be added: there is a free extranonce prefix, the part of the pool's extranonce2 by
        which the proxy tells its miners apart."""
        split = self.jobs.split
        return split is not None and self.jobs.extranonces.live < split.miners

    def submit(self, miner: MinerConnection, from_miner: ShareToForward[ProxyJob]) -> None:
        """Submit a share to the pool. The miner may be answered before this function returns."""
        if self._first_share_at is None:
            self._first_share_at = trio.current_time()
        share = share_of(from_miner, self._config.worker_names.submitted_as(from_miner.submit.worker_name))
        self._open[_key(share)] = _ForwardedShare(miner, from_miner, share, miner.last_line_at, trio.current_time())
        self._events.add(ShareForwarded(miner.number, from_miner.submit.worker_name))
        self.group.submit(share)

    def take_over(self, miner: MinerConnection, repeated: ShareToForward[ProxyJob]) -> bool:
        """Arrange that the pool's answer to a share is sent on the new connection of its miner. Call it if a miner lost
        its connection before the answer, connected again, and submitted the share a second time.

        Return True if the answer will be sent on the new connection. Return False, and change nothing, if the share
        does not wait for the pool's answer, or if the connection that submitted it first is still open.
        """
        solution = repeated.solution
        key = (solution.job.announced.job.origin.session, solution.digest)
        item = self._open.get(key)
        if item is None or item.miner.session.lease is not None:
            return False
        item.miner.session.uncount_received(item.from_miner)
        from_miner = msgspec.structs.replace(item.from_miner, request_id=repeated.request_id, submit=repeated.submit)
        self._open[key] = replace(item, miner=miner, from_miner=from_miner, arrived=miner.last_line_at)
        return True

    @property
    def open_shares(self) -> int:
        """Number of forwarded shares without a result."""
        return len(self._open)

    def tick(self, now: float) -> None:
        """Update difficulties and hash rates, and resolve shares whose answer is overdue. Call it at least every few
        seconds.
        """
        for miner in self.miners.values():
            miner.session.tick(now)
            miner.session.take_events()  # dropped: a proxy does not report changes of difficulty
        self._give_up(now - self._config.answer_timeout)
        self._suggest(now)

    # ---- events of the pool client ----------------------------------------------------------------------------------

    def _take(self, event: ClientEvent) -> None:
        match event:
            case JobArrived(job):
                self._on_job(job)
            case WorkLost(reason=reason):
                self._on_loss(reason)
            case ShareAnswered(result):
                self._on_answer(result)
            case StateChanged(_, state, detail):  # the pool client logs failures itself
                log = _log.info if state is ConnectionState.MINING else _log.debug
                log("upstream", state=state.value, detail=detail)
            case MessageShown():  # the pool client logs it
                pass

    def _on_job(self, job: Job) -> None:
        """Announce a job of the pool to all miners."""
        now = trio.current_time()
        if not isinstance(job.body, CoinbaseBody):
            _log.warning("job_without_coinbase", job_id=job.job_id)
            return
        change = self.jobs.take(job, now)
        current = self.jobs.current
        assert current is not None
        if change is JobChange.SPLIT:
            self._log_split(job)
        for miner in list(self.miners.values()):
            session = miner.session
            if change is JobChange.MASK:
                session.update_version_mask(current)
            elif change is JobChange.SPLIT and not session.change_extranonce(now):
                miner.finish("the pool's extranonce changed")
            elif session.was_refused_rolling(current):
                session.ask_to_reconnect()
                miner.finish("it must connect again to negotiate version rolling, which a pool grants now")
            else:
                session.announce(current, now)
                if session.started and session.lease is not None:
                    self.jobs.note_holder(session.lease.extranonce1)
            miner.flush()
        self.divisible.set()

    def _on_loss(self, reason: str) -> None:
        """Record that no pool gives work now. The miners continue with the jobs that they have, because the pool
        session may be resumed."""
        if self.jobs.current is not None and reason != STOPPED:
            _log.warning("upstream_lost", reason=reason, miners=len(self.miners), open_shares=len(self._open))
        self.jobs.lose()

    def _on_answer(self, result: ShareResult) -> None:
        """Resolve a share with the result that the pool client reports."""
        item = self._open.pop(_key(result.share), None)
        if item is None:
            self.answered_late += 1
            _log.info("share_answered_late", fate=result.outcome.value, reason=result.reason)
        else:
            self._resolve(item, result)

    # ---- helpers --------------------------------------------------------------------------------------------------

    def _resolve(self, item: _ForwardedShare, result: ShareResult) -> None:
        if result.outcome is ShareOutcome.LOST:
            item.miner.session.answer_lost(item.from_miner)
        else:
            item.miner.session.answer(item.from_miner, refusal_of(result), trio.current_time())
        item.miner.flush()
        if result.latency is not None:
            self._answers.add(trio.current_time() - item.arrived)
        log = _log.debug if result.outcome is ShareOutcome.ACCEPTED else _log.info
        log(
            f"share_{result.outcome.value}",
            session=item.miner.number,
            worker_name=item.from_miner.submit.worker_name,
            reason=result.reason,
            latency_ms=None if result.latency is None else round(result.latency * 1000, 1),
        )
        worker_name = item.from_miner.submit.worker_name
        self._events.add(ShareResolved(item.miner.number, worker_name, result.outcome, result.reason, result.latency))
        self._events.deliver()

    def _give_up(self, before: float) -> None:
        """For each share that was forwarded before the time ``before`` (on trio's clock), tell its miner that the share
        is lost. If the pool answers the share later, ``answered_late`` counts it.
        """
        reason = f"no answer of the pool within {self._config.answer_timeout:g} s"
        for key, item in list(self._open.items()):
            if item.since > before:
                return  # ``_open`` has the oldest first: this share and those after it are still in time
            del self._open[key]
            self._resolve(item, ShareResult(item.share, ShareOutcome.LOST, reason))

    def _suggest(self, now: float) -> None:
        """Report the measured hash rate of all miners to the pool client, so that it may suggest a suitable difficulty
        to the pool. This is done once, when ``MEASURE_SECONDS`` have passed since the first share.
        """
        if self._suggested or self._first_share_at is None or now - self._first_share_at < MEASURE_SECONDS:
            return
        self._suggested = True
        self.group.note_hash_rate(sum(miner.session.hash_rate(now) for miner in self.miners.values()))

    def _log_split(self, job: Job) -> None:
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
