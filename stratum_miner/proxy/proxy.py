"""A Stratum proxy on trio: one connection to a pool for many miners that speak Stratum too.

To the pool it is a client (``client.pools``: failover, TLS, resume, journal of fates), to its miners a pool
(``pool.connections``); ``board`` and ``session`` between them decide what is said. This module moves it.

When the pool is lost the miners stay, and get a job as soon as one gives work again; their open shares are answered
with what became of them, at the latest when it is clear that nothing will.
"""

import random
import secrets
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeAlias

import structlog
import trio

from stratum_miner.client.connect import Connector
from stratum_miner.client.failover import DEFAULT_POLICY, FailoverPolicy
from stratum_miner.client.fate import Fate, ShareOutcome
from stratum_miner.client.pool_client import ConnectionState
from stratum_miner.client.pools import PoolGroup, Strategy
from stratum_miner.client.settings import PoolSettings
from stratum_miner.pool.connections import Connection, Connections, Listener
from stratum_miner.proxy.board import Board, Change
from stratum_miner.proxy.config import ProxyConfig
from stratum_miner.proxy.session import (
    MinerSession,
    SessionEvent,
    ShareCounts,
    SharePassed,
    ShareRefused,
    SubscribeHeld,
    WorkerJoined,
)
from stratum_miner.proxy.snapshot import MinerStatus, ProxySnapshot, SharesSnapshot
from stratum_miner.stratum.errors import RemoteProtocolError
from stratum_miner.work.job import Job
from stratum_miner.work.share import Share

TICK_SECONDS = 1.0
SETTLED_SECONDS = 60.0
"""Of shares, before they say what the hash rate is."""
MAX_LEFT = 200
"""Miners that left and are still told of."""

_Miner: TypeAlias = Connection[MinerSession]
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Open:
    miner: _Miner
    passed: SharePassed
    since: float


class Proxy:
    """Run ``serve`` in a nursery, or use ``open_proxy``. ``unix_time`` is the clock that ntime is held against."""

    def __init__(
        self,
        pools: Sequence[PoolSettings],
        config: ProxyConfig,
        *,
        strategy: Strategy = Strategy.FAILOVER,
        policy: FailoverPolicy = DEFAULT_POLICY,
        unix_time: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
        rng: random.Random | None = None,
        connect: Connector | None = None,
    ) -> None:
        self.config = config
        self._unix_time = unix_time
        self._group = PoolGroup(pools, self, strategy=strategy, policy=policy, clock=clock, rng=rng, connect=connect)
        self._board = Board(
            config.max_miners,
            ntime_ahead=config.ntime_ahead,
            resume_seconds=config.resume_seconds,
            token=lambda: secrets.token_hex(8),
            first_id=secrets.randbits(32),
            first_prefix=secrets.randbits(32),
        )
        self._miners = Connections[MinerSession](config, self, unix_time)
        self._left: deque[_Miner] = deque(maxlen=MAX_LEFT)
        self._total = ShareCounts()
        self._open: dict[tuple[int, bytes], _Open] = {}
        """Shares on the way up, by session of the pool and hash, the oldest first."""
        self._answered_late = 0
        self._first_share_at: float | None = None
        self._suggested = False
        self._divisible = trio.Event()
        """The board has a layout."""
        self._stopping = trio.Event()
        self._started_at = unix_time()

    # ---- for the caller -------------------------------------------------------------------------------------------

    async def serve(
        self, listeners: Sequence[Listener], *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Run until ``stop`` or cancellation; once. WorkerRefused when all pools refuse our worker."""
        self._miners.listening(listeners)
        async with trio.open_nursery() as services:
            services.start_soon(self._group.run)
            services.start_soon(self._tick)
            _log.debug("proxy_listening", addresses=self.addresses)
            task_status.started()
            await self._miners.serve(listeners, self._stopping)
            services.cancel_scope.cancel()

    def stop(self) -> None:
        """Stop accepting, wait briefly for open answers, close; ``serve`` returns within the configured grace."""
        self._stopping.set()

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where miners connect, as host:port."""
        return self._miners.addresses

    @property
    def port(self) -> int:
        """The TCP port of the first listener."""
        return self._miners.ports[0]

    def snapshot(self) -> ProxySnapshot:
        """The state of this moment. To be called from the trio thread while the proxy serves."""
        now = trio.current_time()
        layout, latest = self._board.layout, self._board.latest
        return ProxySnapshot(
            started_at=self._started_at,
            addresses=self.addresses,
            has_work=self._board.current is not None,
            prefix_size=None if layout is None else layout.prefix_size,
            extranonce2_size=None if layout is None else layout.extranonce2_size,
            room=None if layout is None else layout.miners,
            difficulty=None if latest is None else latest.share_difficulty,
            hash_rate=sum(miner.session.hash_rate(now) for miner in self._miners),
            shares=_shares_snapshot(self._total),
            answered_late=self._answered_late,
            connections_total=self._miners.total,
            connections_refused=self._miners.refused,
            miners=tuple(_miner_status(miner, now) for miner in self._miners),
            left=tuple(_miner_status(miner, now) for miner in self._left),
            pools=self._group.pools(),
        )

    # ---- what the pools tell (ClientListener) ---------------------------------------------------------------------

    def job_arrived(self, job: Job) -> None:
        """A job to work on: to all miners."""
        change, now = self._board.take(job), trio.current_time()
        current, layout = self._board.current, self._board.layout
        assert current is not None
        assert layout is not None
        if change is Change.LAYOUT:
            self._say_layout(job)
        for miner in self._miners:
            session = miner.session
            if change is Change.MASK:
                session.amend(current)
            elif change is Change.LAYOUT and not session.move(now):
                miner.finish("the pool's extranonce changed")
            elif session.misses_rolling(current):
                session.ask_to_reconnect()
                miner.finish("versions may be rolled now, which it was told it may not")
            else:
                session.announce(current, now)
            miner.flush()
        self._divisible.set()

    def work_lost(self, reason: str) -> None:
        """No pool gives work: miners go on with what they have, in case the session is resumed."""
        if self._board.current is not None and not self._stopping.is_set():
            _log.warning("upstream_lost", reason=reason, miners=len(self._miners), open_shares=len(self._open))
        self._board.lose()

    def share_settled(self, outcome: ShareOutcome) -> None:
        """The pool's answer, or that there is none: to the miner that asked."""
        item = self._open.pop(_key(outcome.share), None)
        if item is None:
            self._answered_late += 1
            _log.info("share_answered_late", fate=outcome.fate.value, reason=outcome.reason)
        else:
            self._settle(item, outcome)

    def state_changed(self, state: ConnectionState, detail: str) -> None:
        """The pool's connection went on to another state."""
        _log.info("upstream", state=state.value, detail=detail)

    def message_shown(self, text: str) -> None:
        """The client has logged it."""

    # ---- what the connections tell (Owner) ------------------------------------------------------------------------

    def open_session(self, now: float) -> MinerSession:
        """A session for a connection that was accepted."""
        return MinerSession(self.config, self._board, self._total, now)

    def connected(self, client: _Miner) -> None:
        """A miner connected."""
        _log.info("miner_connected", session=client.number, address=client.address)

    def left(self, client: _Miner) -> None:
        """A miner is gone; what it has under way is still counted."""
        client.session.close(trio.current_time())
        if client.session.workers:
            self._left.append(client)
        shares = client.session.shares
        _log.info(
            "miner_left",
            session=client.number,
            address=client.address,
            reason=client.reason,
            accepted=shares.accepted,
            rejected=shares.rejected.total(),
            refused=shares.refused.total(),
            stale=shares.stale,
            lost=shares.lost,
        )

    async def received(self, client: _Miner, data: bytes) -> None:
        """A miner said this."""
        client.session.receive_data(data)
        try:
            while (event := client.session.next_event(trio.current_time(), self._unix_time())) is not None:
                await self._handle(client, event)
        except RemoteProtocolError as error:
            client.finish(str(error))
        client.flush()
        await self._group.wait_for_room()

    async def say_goodbye(self) -> None:
        """The proxy stops: open answers first."""
        _log.info("proxy_stopping", miners=len(self._miners), open_shares=len(self._open))
        with trio.move_on_after(self.config.stop_grace):
            await self._group.all_answered()
        for miner in self._miners:
            miner.finish("the proxy stops")

    # ---- moving ---------------------------------------------------------------------------------------------------

    async def _handle(self, miner: _Miner, event: SessionEvent) -> None:
        match event:
            case SharePassed():
                self._open[_key(event.share)] = _Open(miner, event, trio.current_time())
                self._group.submit(event.share)
            case SubscribeHeld():
                miner.flush()
                await self._divisible.wait()
                miner.session.subscribe(event, trio.current_time())
            case WorkerJoined(worker_name):
                _log.info(
                    "worker_authorized",
                    session=miner.number,
                    worker_name=worker_name,
                    user_agent=miner.session.user_agent,
                )
            case ShareRefused(worker_name, _, message):
                _log.debug("share_refused", session=miner.number, worker_name=worker_name, reason=message)

    def _settle(self, item: _Open, outcome: ShareOutcome) -> None:
        item.miner.session.settle(item.passed, outcome)
        item.miner.flush()
        log = _log.debug if outcome.fate is Fate.ACCEPTED else _log.info
        log(
            f"share_{outcome.fate.value}",
            session=item.miner.number,
            worker_name=item.passed.worker_name,
            reason=outcome.reason,
            latency_ms=None if outcome.latency is None else round(outcome.latency * 1000, 1),
        )

    async def _tick(self) -> None:
        while True:
            await trio.sleep(TICK_SECONDS)
            now = trio.current_time()
            for miner in self._miners:
                miner.session.tick(now)
            self._give_up(now - self.config.answer_timeout)
            self._suggest(now)

    def _suggest(self, now: float) -> None:
        """Once shares have come for a while, what they say of the hash rate, for those pools that are to be asked for a
        difficulty that fits it.
        """
        if self._total.last_at is not None and self._first_share_at is None:
            self._first_share_at = now
        if self._first_share_at is not None and now - self._first_share_at >= SETTLED_SECONDS and not self._suggested:
            self._suggested = True
            self._group.hash_rate_known(sum(miner.session.hash_rate(now) for miner in self._miners))

    def _give_up(self, before: float) -> None:
        """A miner is told when no answer is to be expected; one that comes later is counted apart."""
        reason = f"no answer of the pool within {self.config.answer_timeout:g} s"
        for key, item in list(self._open.items()):
            if item.since > before:
                return  # they are in order
            del self._open[key]
            self._settle(item, ShareOutcome(item.passed.share, Fate.LOST, reason))

    def _say_layout(self, job: Job) -> None:
        layout = self._board.layout
        assert layout is not None
        enough = layout.miners >= self.config.max_miners
        log = _log.info if enough else _log.warning
        log(
            "extranonce_divided",
            upstream_bytes=job.extranonce2_size,
            prefix_bytes=layout.prefix_size,
            miner_bytes=layout.extranonce2_size,
            room=layout.miners,
        )


@asynccontextmanager
async def open_proxy(proxy: Proxy, listeners: Sequence[Listener]) -> AsyncIterator[Proxy]:
    """The proxy, serving while the block runs; it stops gracefully at its end."""
    async with trio.open_nursery() as nursery:
        await nursery.start(proxy.serve, listeners)
        yield proxy
        proxy.stop()


def _key(share: Share) -> tuple[int, bytes]:
    return share.job.session, share.digest


def _miner_status(miner: _Miner, now: float) -> MinerStatus:
    session = miner.session
    last_at = session.shares.last_at
    return MinerStatus(
        session=miner.number,
        address=miner.address,
        user_agent=session.user_agent,
        workers=tuple(session.workers),
        started=session.started,
        extranonce1=None if session.lease is None else session.lease.extranonce1,
        version_mask=session.version_mask,
        difficulty=session.difficulty,
        hash_rate=session.hash_rate(now),
        shares=_shares_snapshot(session.shares),
        last_share_age=None if last_at is None else now - last_at,
        connected_at=miner.connected_at,
        bytes_received=miner.bytes_received,
        bytes_sent=miner.bytes_sent,
    )


def _shares_snapshot(counts: ShareCounts) -> SharesSnapshot:
    return SharesSnapshot(
        received=counts.received,
        accepted=counts.accepted,
        kept=counts.kept,
        rejected=Counter(counts.rejected),
        refused=Counter(counts.refused),
        stale=counts.stale,
        lost=counts.lost,
        open=counts.open,
        difficulty=counts.difficulty,
        best=counts.best,
    )
