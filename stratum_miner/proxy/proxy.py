"""A Stratum proxy on trio: many miners share one connection to a pool.

The proxy acts as a Stratum client towards the pool, with the package ``client.group`` (failover, TLS, resumed
sessions), and as a pool towards its miners, with the package ``downstream``. The modules ``job_translator`` and
``forwarding`` decide what is sent. The module ``upstream`` and this module run the tasks.

On one connection to the pool, each miner has an extranonce prefix of its own (see ``extranonce_sizes``). If no prefix
is free for another miner, the proxy opens an additional connection to the pool.
"""

import random
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

import structlog
import trio

from stratum_miner.client.dialing.dialer import Connector
from stratum_miner.client.endings import WorkerRefused
from stratum_miner.client.group.group import PoolGroup
from stratum_miner.client.options import ClientOptions
from stratum_miner.client.pool_tally import Tallies
from stratum_miner.client.settings import PoolSettings, Strategy
from stratum_miner.downstream.connections import Connections, ServerCallbacks
from stratum_miner.downstream.endings import ending_of
from stratum_miner.downstream.event_reporter import EventReporter
from stratum_miner.downstream.events import (
    AnsweredWithError,
    AnsweredWithTrue,
    SessionEvent,
    ShareToForward,
    SubscribePending,
    WorkerAdded,
)
from stratum_miner.downstream.server_events import MinerAuthorized, MinerConnected, MinerDisconnected
from stratum_miner.downstream.share_counts import DownstreamShareCounts
from stratum_miner.downstream.share_memory import MAX_SHARES
from stratum_miner.downstream.snapshot import session_snapshot
from stratum_miner.exception_groups import unwrapping_nursery
from stratum_miner.network.accepting import Listener
from stratum_miner.network.fair_bound import FairBound
from stratum_miner.proxy.config import ProxyConfig
from stratum_miner.proxy.events import ProxyEvent, ShareKept, ShareRefused, UpstreamAdded, UpstreamRemoved
from stratum_miner.proxy.job_translator import ProxyJob
from stratum_miner.proxy.snapshot import ProxySnapshot
from stratum_miner.proxy.upstream import MinerConnection, ProxySession, Upstream
from stratum_miner.stratum.errors import ErrorReason, RemoteProtocolError
from stratum_miner.work.durations import DurationMeter

TICK_SECONDS = 1.0
"""Seconds between two rounds in which the proxy calls ``Upstream.tick`` for each upstream connection."""
MAX_LEFT = 200
"""Maximum number of disconnected miners whose figures are kept for snapshots."""
MAX_UPSTREAMS = 64
"""Maximum number of connections to the pool at the same time. The value is a guess; a pool may allow fewer."""
UNUSED_SECONDS = 60.0
"""An additional connection to the pool is closed when it has had no miner for this many seconds."""

_log = structlog.get_logger(__name__)


class Proxy:
    """A Stratum proxy. ``open_proxy`` makes a ``Proxy`` and runs it. The parameters of ``Proxy`` have the same meaning
    as those of ``open_proxy``.

    To run a proxy without ``open_proxy``, make a ``Proxy`` and start its ``serve`` in a nursery.
    """

    def __init__(
        self,
        pools: PoolSettings | Sequence[PoolSettings],
        config: ProxyConfig,
        *,
        strategy: Strategy = Strategy.FAILOVER,
        on_event: Callable[[ProxyEvent], None] | None = None,
        unix_time: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
        rng: random.Random | None = None,
        connect: Connector | None = None,
        options: ClientOptions | None = None,
    ) -> None:
        self.config = config
        self._unix_time = unix_time
        options = replace(options or ClientOptions(), clock=clock, rng=rng or random.Random(), connect=connect)
        tallies: Tallies = {}
        self._new_group = partial(
            PoolGroup,
            [pools] if isinstance(pools, PoolSettings) else pools,
            options=options,
            strategy=strategy,
            tallies=tallies,
        )
        self._events = EventReporter(on_event, self.stop)
        self._answers = DurationMeter()
        self._memory = FairBound(MAX_SHARES)
        self._has_served = False
        """Whether a miner has already been subscribed. If all pools refuse the worker name before that, ``serve``
        raises WorkerRefused. After that, ``serve`` continues even if all pools refuse the worker name."""
        first_group = partial(self._new_group, may_give_up=lambda: not self._has_served)
        self._first = Upstream(config, first_group, self._memory, self._answers, self._events)
        self._upstreams = [self._first]
        """The upstream connections (connections to a pool). The first always exists. The additional ones exist while
        miners need them."""
        self._send_upstream, self._receive_upstream = trio.open_memory_channel[Upstream](MAX_UPSTREAMS)
        callbacks = ServerCallbacks(
            open_session=self._open_session,
            connected=self._note_connected,
            received=self._receive,
            disconnected=self._note_disconnected,
            stopping=self._stop_serving,
        )
        self._miners = Connections[ProxySession](config, config.max_miners, callbacks, unix_time)
        self._left: deque[MinerConnection] = deque(maxlen=MAX_LEFT)
        self._total = DownstreamShareCounts()
        self._late = 0
        """Number of shares that the pool answered only after the proxy had reported them to their miners as lost. This
        number covers only connections to the pool that are closed by now."""
        self._stopping = trio.Event()
        self._started_at = unix_time()

    # ---- for the caller -------------------------------------------------------------------------------------------

    async def serve(
        self,
        listeners: Sequence[Listener] | None = None,
        *,
        task_status: trio.TaskStatus[Sequence[Listener]] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serve miners until ``stop`` is called or the task is cancelled. A proxy can serve once.

        ``listeners`` accept the miners' connections. Without ``listeners``, the proxy opens TCP listeners on the
        configured host and port. ``task_status.started`` gets the listeners as soon as they accept connections.

        Raises RuntimeError if ``serve`` was called before.
        Raises ValueError if ``listeners`` is empty.
        Raises OSError if the port cannot be opened, ListenerError if a listener breaks, WorkerRefused if all pools
        refuse the worker from the start, and whatever ``on_event`` raised.
        """
        listeners = await self._miners.listen(listeners, self.config.host, self.config.port, "Proxy")
        try:
            async with unwrapping_nursery() as services:
                services.start_soon(self._first.run)
                services.start_soon(self._run_further)
                services.start_soon(self._tick)
                _log.debug("proxy_listening", addresses=self.addresses)
                await self._miners.serve(listeners, self._stopping, task_status)
                services.cancel_scope.cancel()
        finally:
            self._events.raise_error()

    def stop(self) -> None:
        """Stop gracefully: accept no more miners, wait up to ``config.stop_grace`` seconds for the pool's answers to
        open shares, and close all connections. ``serve`` then returns.
        """
        self._stopping.set()

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses on which miners connect, as HOST:PORT; empty before ``serve`` listens."""
        return self._miners.addresses

    @property
    def port(self) -> int:
        """The TCP port of the first listener. Raises RuntimeError if there is no TCP listener, or none yet."""
        if not self._miners.ports:
            raise RuntimeError("Proxy.port: expected a TCP listener, got none. Read the port while the proxy serves")
        return self._miners.ports[0]

    def snapshot(self) -> ProxySnapshot:
        """Return the figures of this moment. Call it in the trio thread while the proxy serves."""
        now = trio.current_time()
        jobs = self._first.jobs
        split, latest = jobs.split, jobs.latest
        return ProxySnapshot(
            started_at=self._started_at,
            addresses=self.addresses,
            has_work=jobs.current is not None,
            prefix_size=None if split is None else split.prefix_size,
            extranonce2_size=None if split is None else split.extranonce2_size,
            room=None if split is None else split.miners,
            difficulty=None if latest is None else latest.job.share_difficulty,
            hash_rate=sum(miner.session.hash_rate(now) for miner in self._miners),
            shares=self._total.copy(),
            answered_late=self._late + sum(each.answered_late for each in self._upstreams),
            connections_total=self._miners.total,
            connections_refused=self._miners.refused,
            connections_ended=Counter(self._miners.ended),
            bytes_received=self._miners.bytes_received,
            bytes_sent=self._miners.bytes_sent,
            answers=self._answers.counts,
            miners=tuple(session_snapshot(miner, now) for miner in self._miners),
            left=tuple(session_snapshot(miner, now) for miner in self._left),
            upstreams=len(self._upstreams),
            pools=self._first.group.control.pools(),
        )

    # ---- callbacks of the miners' connections -----------------------------------------------------------------------

    def _open_session(self, now: float) -> ProxySession:
        return ProxySession(self._first.policy, self._total, now)

    def _note_connected(self, miner: MinerConnection) -> None:
        _log.info("miner_connected", session=miner.number, address=miner.address)
        self._events.add(MinerConnected(miner.number, miner.address))
        self._events.deliver()

    def _note_disconnected(self, miner: MinerConnection) -> None:
        """Record that a miner's connection is closed. The results of the miner's open shares are still counted when
        they arrive.
        """
        now = trio.current_time()
        miner.session.close(now)
        upstream = miner.session.upstream
        if upstream is not None:
            del upstream.miners[miner.number]
            if not upstream.miners:
                upstream.unused_since = now
        if miner.session.workers:
            self._left.append(miner)
        shares = miner.session.shares
        _log.info(
            "miner_left",
            session=miner.number,
            address=miner.address,
            reason=miner.reason,
            accepted=shares.accepted,
            rejected=shares.rejected.total(),
            refused=shares.refused.total(),
            stale=shares.stale,
            lost=shares.lost,
        )
        self._events.add(MinerDisconnected(miner.number, miner.address, miner.reason))
        self._events.deliver()

    async def _receive(self, miner: MinerConnection, data: bytes) -> None:
        miner.session.receive_data(data)
        try:
            while (event := miner.session.next_event(trio.current_time(), self._unix_time())) is not None:
                await self._handle(miner, event)
        except RemoteProtocolError as error:
            miner.finish(str(error), ending_of(error))
        miner.flush()
        self._events.deliver()
        await (miner.session.upstream or self._first).group.wait_for_room()

    async def _stop_serving(self) -> None:
        _log.info("proxy_stopping", miners=len(self._miners), open_shares=self._total.open)
        with trio.move_on_after(self.config.stop_grace):
            for each in self._upstreams:
                await each.group.wait_all_answered()
        for miner in self._miners:
            miner.finish("the proxy stops")

    # ---- miners and upstream connections ----------------------------------------------------------------------------

    async def _handle(self, miner: MinerConnection, event: SessionEvent[ProxyJob]) -> None:
        match event:
            case ShareToForward():
                await self._forward(miner, event)
            case SubscribePending():
                miner.flush()
                await self._subscribe(miner, event)
            case WorkerAdded(worker_name):
                _log.info(
                    "worker_authorized",
                    session=miner.number,
                    worker_name=worker_name,
                    user_agent=miner.session.user_agent,
                )
                self._events.add(MinerAuthorized(miner.number, worker_name, miner.session.user_agent))
            case AnsweredWithTrue(worker_name=worker_name, difficulty=difficulty):
                self._events.add(ShareKept(miner.number, worker_name, difficulty))
            case AnsweredWithError(worker_name, _, reason, message):
                _log.debug("share_refused", session=miner.number, worker_name=worker_name, reason=message)
                self._events.add(ShareRefused(miner.number, worker_name, reason, message))

    async def _forward(self, miner: MinerConnection, share: ShareToForward[ProxyJob]) -> None:
        upstream = miner.session.upstream
        assert upstream is not None, "a miner that has jobs subscribed"
        if share.refusal is None or share.refusal.reason is not ErrorReason.DUPLICATE:
            upstream.submit(miner, share)
        elif not upstream.take_over(miner, share):
            refused = miner.session.answer(share, share.refusal, trio.current_time())
            if refused is not None:
                await self._handle(miner, refused)

    async def _subscribe(self, miner: MinerConnection, pending: SubscribePending) -> None:
        """Subscribe a miner on an upstream connection that has a free extranonce prefix: a value of the part of the
        pool's extranonce2 by which the proxy tells its miners apart.

        If no upstream connection has a free prefix, wait for the first job of an additional connection, which is opened
        if none is being opened already. If there are ``MAX_UPSTREAMS`` connections, use the first one.
        """
        while True:
            upstream = self._with_free_prefix(pending.resume)
            if upstream is not None or len(self._upstreams) >= MAX_UPSTREAMS:
                break
            opening = next((each for each in self._upstreams if not each.divisible.is_set()), None)
            await (opening or self._open_further()).divisible.wait()
        upstream = miner.session.upstream = upstream or self._first
        upstream.miners[miner.number] = miner
        upstream.unused_since = None
        self._has_served = True
        miner.session.subscribe(pending, upstream.policy, trio.current_time())

    def _with_free_prefix(self, session_id: str | None) -> Upstream | None:
        """Return an upstream connection that has a free extranonce prefix (the part of the pool's extranonce2 by which
        the proxy tells its miners apart), or None if there is none. If the miner can resume the session ``session_id``
        on such a connection, return this connection.
        """
        free = [each for each in self._upstreams if each.has_room]
        known = (each for each in free if session_id and each.jobs.extranonces.remembers(session_id))
        return next(known, free[0] if free else None)

    def _open_further(self) -> Upstream:
        upstream = Upstream(self.config, self._new_group, self._memory, self._answers, self._events)
        # the connection counts as unused until it gets a miner: the miner for which it is opened may disconnect before
        # the connection is ready
        upstream.unused_since = trio.current_time()
        self._upstreams.append(upstream)
        self._send_upstream.send_nowait(upstream)
        _log.info("upstream_added", connections=len(self._upstreams))
        self._events.add(UpstreamAdded(len(self._upstreams)))
        self._events.deliver()
        return upstream

    async def _run_further(self) -> None:
        async with trio.open_nursery() as nursery:
            async for upstream in self._receive_upstream:
                nursery.start_soon(self._run_one, upstream)

    async def _run_one(self, upstream: Upstream) -> None:
        """Run an additional upstream connection. If the pool refuses the worker name on this connection, only this
        connection ends.
        """
        try:
            await upstream.run()
        except WorkerRefused as error:
            _log.warning("upstream_refused", reason=str(error))
            self._close_further(upstream)
            for miner in upstream.miners.values():
                miner.finish("the pool refused the connection that was opened for this miner")

    async def _tick(self) -> None:
        while True:
            await trio.sleep(TICK_SECONDS)
            now = trio.current_time()
            for each in list(self._upstreams):
                each.tick(now)
                is_unused = each.unused_since is not None and now - each.unused_since >= UNUSED_SECONDS
                if is_unused and each is not self._first and not each.open_shares:
                    self._close_further(each)

    def _close_further(self, upstream: Upstream) -> None:
        upstream.scope.cancel()
        self._upstreams.remove(upstream)
        self._late += upstream.answered_late
        _log.info("upstream_removed", connections=len(self._upstreams))
        self._events.add(UpstreamRemoved(len(self._upstreams)))
        self._events.deliver()


@asynccontextmanager
async def open_proxy(
    pools: PoolSettings | Sequence[PoolSettings],
    config: ProxyConfig,
    *,
    listeners: Sequence[Listener] | None = None,
    strategy: Strategy = Strategy.FAILOVER,
    on_event: Callable[[ProxyEvent], None] | None = None,
    unix_time: Callable[[], float] = time.time,
    clock: Callable[[], float] = time.monotonic,
    rng: random.Random | None = None,
    connect: Connector | None = None,
    options: ClientOptions | None = None,
) -> AsyncIterator[Proxy]:
    """Run a proxy while the ``async with`` statement is active. At the end of the statement, the proxy stops
    gracefully.

    ``pools`` are the pools to which the proxy forwards shares, in order of priority, or a single pool. ``strategy``
    says how the proxy chooses among several pools. ``connect`` opens the connection to a pool. By default, the
    connection is opened as the pool's settings say (TCP, TLS, SOCKS or HTTP proxy). ``listeners`` accept the miners'
    connections. Without them, the proxy opens TCP listeners on ``config.host`` and ``config.port``. ``options`` are the
    options of the pool clients. The arguments ``clock``, ``rng`` and ``connect`` replace the options of the same names.

    ``unix_time`` returns the Unix time in seconds, with which the ntime of shares is compared. ``clock`` returns the
    time in seconds on a clock that never goes back. ``rng`` chooses the random parts of the pauses between attempts to
    reconnect.

    ``on_event`` is called with each event, in the trio thread and in the order of the events. The proxy acts first:
    when ``on_event`` gets the event of a share, the proxy has already answered the share or passed it to the pool
    client. ``on_event`` must return at once. If it raises an exception, the proxy stops gracefully and then raises that
    exception. Until then, no event is lost. To get the events as a channel::

        send, receive = trio.open_memory_channel[ProxyEvent](math.inf)
        async with open_proxy(pools, config, on_event=send.send_nowait) as proxy:
            async for event in receive: ...

    Raises TypeError if ``on_event`` is a coroutine function.
    Raises ValueError if ``listeners`` is empty.
    Raises OSError if the port cannot be opened, ListenerError if a listener breaks, WorkerRefused if all pools refuse
    the worker from the start, and whatever ``on_event`` raises. The body of the ``async with`` statement is then
    cancelled. A single exception is raised as it is, not in an exception group.
    """
    proxy = Proxy(
        pools,
        config,
        strategy=strategy,
        on_event=on_event,
        unix_time=unix_time,
        clock=clock,
        rng=rng,
        connect=connect,
        options=options,
    )
    async with unwrapping_nursery() as nursery:
        await nursery.start(proxy.serve, listeners)
        yield proxy
        proxy.stop()
