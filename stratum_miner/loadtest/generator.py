"""Moves the bytes of many simulated miners: one thread, one epoll, no task per connection.

Theory of operation. A turn fires what the queue says is due, then lets each miner read what has come for it; with
nothing to do the thread sleeps until the next due time, to the microsecond. It is plain blocking code in a thread of
its own, apart from trio, for two reasons: a task with its stream is several kilobytes per miner, and a timer of trio
rounds up to a millisecond, which a latency from scheduled time would show.

What the loop adds to latencies it tells: whatever is read in a turn may have waited since the poll before, when the
loop last knew that nothing was waiting. That time, and how late a share was sent, go into each sample as its own part;
a tick every ten milliseconds measures the loop besides.
"""

import contextlib
import errno
import gc
import os
import select
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psutil

from stratum_miner.faults.wire_faults import SLOW_READ_BYTES, SLOW_READ_SECONDS, SLOW_RECEIVE_BUFFER
from stratum_miner.loadtest import limits, pacer
from stratum_miner.loadtest.limits import LoadError
from stratum_miner.loadtest.metrics import LAG_TICK, Metrics
from stratum_miner.loadtest.miner import SimulatedMiner, State
from stratum_miner.loadtest.pacer import Event, EventQueue
from stratum_miner.loadtest.plan import LONGEST_PAUSE, LoadPlan
from stratum_miner.loadtest.run_state import RunState
from stratum_miner.loadtest.share_search import INLINE_HASHES, SearchThread, ShareRequest, hashes_of
from stratum_miner.stratum.errors import RemoteProtocolError

RECEIVE_SIZE = 64 << 10
"""Bytes read from one miner's connection at a time."""
EVENTS = 256
"""Connections, and things due, handled before the loop looks at the other again."""
DRAIN_SECONDS = 3.0
"""Seconds to wait for answers when the run ends."""
PROBE_SECONDS = 3.0
"""Seconds to wait for one of several addresses of a name to answer."""
SELECT_LIMIT = 1024
"""select() knows no descriptors from here on; epoll's own time-out, rounded up to milliseconds, stands in."""
MAX_UNSENT = 64 << 10
"""Bytes waiting for a pool that does not read, per miner."""
MAX_REASON = 120
"""Characters of a reason."""
_READ = select.EPOLLIN | select.EPOLLRDHUP
_GONE = select.EPOLLHUP | select.EPOLLERR | select.EPOLLRDHUP


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How it stands, for displays; rates are for the caller to work out from two of them."""

    elapsed: float
    connected: int
    mining: int
    sent: int
    accepted: int
    refused: int
    errors: int
    submit_p99: float | None
    lag_p99: float | None
    """Seconds."""


@dataclass(slots=True, eq=False)
class _Connection:
    """A miner's connection."""

    miner: SimulatedMiner
    sock: socket.socket
    unsent: bytes = b""


class LoadGenerator:
    """One run, or one shard of one. ``run`` it once, in a thread of its own; the rest may be called from any."""

    def __init__(self, plan: LoadPlan, clock: Callable[[], float] = time.perf_counter) -> None:
        self.plan = plan
        self.metrics = Metrics(plan.duration)
        self.memory_per_miner: float | None = None
        """Bytes by which this process grew, at most, over the most connections it had at a time."""
        self.elapsed = 0.0
        """Seconds that the run took, without the wait for last answers."""
        self.failure = ""
        """What this machine refused in the middle of the run and thereby ended it."""
        self._clock = clock
        self._stopped = False
        self._epoll = select.epoll()
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self._epoll.register(self._wake_in, select.EPOLLIN)
        self._connections: dict[int, _Connection] = {}
        self._of_miner: dict[int, _Connection] = {}
        self._queue: EventQueue[SimulatedMiner] = EventQueue()
        self._buffer = memoryview(bytearray(RECEIVE_SIZE))
        self._search_thread: SearchThread | None = None
        self._miners: list[SimulatedMiner] = []
        self._most_connected = 0
        self._peak = 0
        self._since = self._started = clock()
        self._run_state = RunState(plan, self.metrics, self._started, schedule=self._schedule)

    # ---- for the caller -------------------------------------------------------------------------------------------

    def run(self) -> Metrics:
        """Do what the plan says, until its end, ``stop`` or a ``failure``. LoadError when it cannot begin."""
        try:
            limits.raise_file_limit(self.plan.miners)
            self._family, self._address = _resolve(self.plan.host, self.plan.port)
            baseline = _resident()
            self._begin()
            gc.freeze()  # thousands of objects that stay: no use in looking through them again and again
            try:
                self._loop()
            except (OSError, MemoryError) as error:  # of this machine; what was measured until then counts
                self.failure = str(error) or type(error).__name__
                self.elapsed = self.elapsed or self._clock() - self._started
            if self._most_connected and not self.failure:
                peak = max(self._peak, _resident())
                self.memory_per_miner = max(0, peak - baseline) / self._most_connected
        finally:
            gc.unfreeze()
            self._close()
        return self.metrics

    def stop(self) -> None:
        """End gracefully with the figures so far."""
        self._stopped = True
        self._wake()

    def progress(self) -> Progress:
        """The figures of this moment."""
        metrics = self.metrics
        return Progress(
            elapsed=min(self.plan.duration, self._clock() - self._started),
            connected=len(self._connections),
            mining=self._run_state.mining,
            sent=metrics.sent,
            accepted=metrics.accepted,
            refused=metrics.refused.total(),
            errors=metrics.errors.total(),
            submit_p99=metrics.phases["submit"].latency.quantile(0.99),
            lag_p99=metrics.loop_lag.quantile(0.99),
        )

    # ---- the loop -------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        plan, run_state = self.plan, self._run_state
        weights = pacer.weights(plan.distribution, plan.miners, run_state.rng)
        self._miners = [SimulatedMiner(run_state, plan.first + index, weight) for index, weight in enumerate(weights)]
        self._started = self._since = now = self._clock()
        run_state.begin(now)
        for index, miner in enumerate(self._miners):
            self._queue.add(now + pacer.connect_at(index, plan.miners, plan.ramp), Event.CONNECT, miner)
        for at in plan.storms:
            self._queue.add(now + at, Event.STORM)
        self._queue.add(now + LAG_TICK, Event.LAG_TICK)
        self._queue.add(now + self.metrics.row_seconds, Event.ROW_TICK)

    def _loop(self) -> None:
        while not self._ended(self._clock()):
            for due, event, miner in self._queue.take(self._clock(), EVENTS):
                self._fire(due, event, miner)
            ready = self._epoll.poll(0, EVENTS)
            polled = self._clock()
            for descriptor, mask in ready:
                self._handle(descriptor, mask)
            if len(ready) < EVENTS:
                self._since = polled
            if not ready:
                self._sleep()

    def _ended(self, now: float) -> bool:
        if not self._stopped and now < self._run_state.end:
            return False
        if not self._run_state.ending:
            self._run_state.ending = True
            self._run_state.end = now
            self.metrics.rows[-1].mining = self._run_state.mining
            self.elapsed = now - self._started
        return now >= self._run_state.end + DRAIN_SECONDS or not self._run_state.open_shares

    def _sleep(self) -> None:
        """Until something comes or is due."""
        limit = self._run_state.end + (DRAIN_SECONDS if self._run_state.ending else 0.0)
        delay = min(self._queue.next_due, limit) - self._clock()
        if delay <= 0:
            return
        if self._epoll.fileno() < SELECT_LIMIT:
            select.select([self._epoll], [], [], delay)
        else:
            self._epoll.poll(delay, 1)
        self._since = self._clock()

    def _fire(self, due: float, event: Event, miner: SimulatedMiner | None) -> None:
        if event is Event.LAG_TICK:
            self._tick_lag(due)
        elif event is Event.ROW_TICK:
            self._tick_row(due)
        elif self._run_state.ending:
            return
        elif event is Event.STORM:
            for each in list(self._connections.values()):
                self._hang_up(each, "storm", due)
        elif miner is None:
            return
        elif event is Event.SHARE:
            if due == miner.due and (connection := self._of_miner.get(miner.number)) is not None:
                self._send(connection, miner.share(self._clock()))
        elif event is Event.CONNECT:
            self._connect(miner, due)
        elif (connection := self._of_miner.get(miner.number)) is not None:
            if event is Event.SLOW_READ and due == miner.due:
                self._read_slowly(connection, due)
            elif event is Event.BREAK and due == miner.breaks_at:
                self._hang_up(connection, "churn", due)

    def _tick_lag(self, due: float) -> None:
        """The loop's lag, and what it would have been at each tick that it missed."""
        now, metrics = self._clock(), self.metrics
        metrics.rows[-1].lag = max(metrics.rows[-1].lag, now - due)
        while due <= now:
            metrics.loop_lag.add(now - due)
            due += LAG_TICK
        self._queue.add(due, Event.LAG_TICK)

    def _tick_row(self, due: float) -> None:
        self._peak = max(self._peak, _resident())
        self.metrics.rows[-1].mining = self._run_state.mining
        if not self._run_state.ending:
            self.metrics.row_at(self._clock() - self._started)
            self._queue.add(due + self.metrics.row_seconds, Event.ROW_TICK)

    # ---- connections ----------------------------------------------------------------------------------------------

    def _connect(self, miner: SimulatedMiner, due: float) -> None:
        miner.connect_due = due
        try:
            sock = socket.socket(self._family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        except OSError as error:
            self._not_connected(miner, error.errno or errno.EIO)
            return
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if miner.slow:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOW_RECEIVE_BUFFER)
            source = limits.source_address(str(self._address[0]), miner.number, self.plan.of_all)
            if source is not None:
                sock.setsockopt(socket.IPPROTO_IP, limits.IP_BIND_ADDRESS_NO_PORT, 1)
                sock.bind((source, 0))
            code = sock.connect_ex(self._address)
        except OSError as error:
            code = error.errno or errno.EIO
        if code not in (0, errno.EINPROGRESS):
            sock.close()
            self._not_connected(miner, code)
            return
        miner.state = State.CONNECTING
        connection = _Connection(miner, sock)
        self._connections[sock.fileno()] = self._of_miner[miner.number] = connection
        self._most_connected = max(self._most_connected, len(self._connections))
        self._epoll.register(sock, select.EPOLLOUT)

    def _not_connected(self, miner: SimulatedMiner, code: int) -> None:
        self.metrics.note_error(f"connect: {limits.connect_error(code)}")
        self._come_back(miner, self._clock())

    def _come_back(self, miner: SimulatedMiner, now: float) -> None:
        if self.plan.reconnect == "never" or self._run_state.ending or miner.refused:
            return
        pause = pacer.reconnect_pause(miner.attempts, self.plan.pause, LONGEST_PAUSE, self._run_state.rng)
        miner.attempts += 1
        self._queue.add(now + pause, Event.CONNECT, miner)

    def _established(self, connection: _Connection) -> None:
        code = connection.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        miner = connection.miner
        if code:
            self._forget(connection)
            miner.state = State.AWAY
            self._not_connected(miner, code)
            return
        self._epoll.modify(connection.sock, _READ)
        now = self._clock()
        self._send(connection, miner.connected(now, now - self._since))
        if self.plan.churn is not None:
            miner.breaks_at = now + self._run_state.rng.expovariate(1 / self.plan.churn)
            self._queue.add(miner.breaks_at, Event.BREAK, miner)

    def _hang_up(self, connection: _Connection, reason: str, due: float) -> None:
        """From our side: a storm, a short life. The miner is due again at once, or as the plan says."""
        miner = connection.miner
        self._lost(connection, reason, come_back=False)
        if self.plan.reconnect != "never":
            self._queue.add(due, Event.CONNECT, miner)

    def _lost(self, connection: _Connection, reason: str, *, come_back: bool = True) -> None:
        self._forget(connection)
        connection.miner.closed(reason)
        if come_back and not connection.miner.slow:
            self._come_back(connection.miner, self._clock())

    def _forget(self, connection: _Connection) -> None:
        del self._connections[connection.sock.fileno()]
        del self._of_miner[connection.miner.number]
        connection.sock.close()  # which takes it out of the epoll, too

    # ---- bytes ----------------------------------------------------------------------------------------------------

    def _handle(self, descriptor: int, mask: int) -> None:
        connection = self._connections.get(descriptor)
        if connection is None:
            if descriptor == self._wake_in.fileno():
                self._woken()
            return
        if connection.miner.state is State.CONNECTING:
            self._established(connection)
            return
        if mask & select.EPOLLOUT:
            self._send(connection, b"")
            if self._connections.get(descriptor) is not connection:  # which showed that the pool is gone
                return
        if mask & select.EPOLLIN:
            self._read(connection)
        elif mask & _GONE:
            self._lost(connection, "the pool hung up")

    def _read(self, connection: _Connection) -> None:
        try:
            size = connection.sock.recv_into(self._buffer)
        except BlockingIOError:
            return
        except OSError as error:
            self._lost(connection, os.strerror(error.errno or errno.EIO))
            return
        if not size:
            self._lost(connection, "the pool hung up")
            return
        now, miner = self._clock(), connection.miner
        try:
            to_send = miner.receive(bytes(self._buffer[:size]), now, now - self._since)
        except RemoteProtocolError as error:
            self.metrics.note_error(f"no Stratum: {error}"[:MAX_REASON])
            self._lost(connection, "no Stratum")
            return
        if miner.close_reason:
            if miner.refused:
                self.metrics.note_error(miner.close_reason)
            self._lost(connection, miner.close_reason)
            return
        self._send(connection, to_send)
        if miner.state is State.SLOW:
            self._epoll.modify(connection.sock, select.EPOLLRDHUP)
            self._read_later(miner, now)

    def _read_slowly(self, connection: _Connection, due: float) -> None:
        try:
            if not connection.sock.recv(SLOW_READ_BYTES):
                self._lost(connection, "the pool hung up")
                return
        except BlockingIOError:
            pass
        except OSError as error:
            self._lost(connection, os.strerror(error.errno or errno.EIO))
            return
        self._read_later(connection.miner, due)

    def _read_later(self, miner: SimulatedMiner, now: float) -> None:
        miner.due = now + SLOW_READ_SECONDS
        self._queue.add(miner.due, Event.SLOW_READ, miner)

    def _send(self, connection: _Connection, data: bytes) -> None:
        waited = bool(connection.unsent)
        data = connection.unsent + data
        if not data:
            return
        try:
            sent = connection.sock.send(data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._lost(connection, os.strerror(error.errno or errno.EIO))
            return
        connection.unsent = data[sent:]
        if len(connection.unsent) > MAX_UNSENT:
            self._lost(connection, "the pool does not read")
        elif bool(connection.unsent) != waited:
            self._epoll.modify(connection.sock, _READ | select.EPOLLOUT if connection.unsent else _READ)

    # ---- shares that take long ------------------------------------------------------------------------------------

    def _schedule(self, miner: SimulatedMiner, due: float) -> None:
        """Put a share into the queue; one that takes long is searched until then."""
        self._queue.add(due, Event.SHARE, miner)
        work = miner.assignment
        if work is None or hashes_of(work.target) <= INLINE_HASHES:
            return
        if self._search_thread is None:
            self._search_thread = SearchThread(self._run_state.search.choice, self._wake)
        tip = work.notify.previous_hash

        def wanted() -> bool:
            now_at = miner.assignment
            return now_at is not None and now_at.notify.previous_hash == tip and miner.due == due

        self._search_thread.request(due, ShareRequest(miner.number, work, miner.take_extranonce2(work), wanted))

    def _woken(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._wake_in.recv(4096)
        while self._search_thread is not None and self._search_thread.done:
            request, found = self._search_thread.done.popleft()
            connection = self._of_miner.get(request.miner_number)
            if connection is None or not request.wanted():
                continue
            miner = connection.miner
            miner.ready = None if found is None else (request.work, request.extranonce2, found)
            if found is None and miner.due is not None:
                self._schedule(miner, miner.due)
            elif miner.waiting and not self._run_state.ending:
                self._send(connection, miner.share(self._clock()))

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # full is as good, closed as late
            self._wake_out.send(b"\0")

    # ---- the end --------------------------------------------------------------------------------------------------

    def _close(self) -> None:
        if self._search_thread is not None:
            self._search_thread.close()
        unready = 0
        for connection in self._connections.values():
            self.metrics.unanswered += connection.miner.good_open
            unready += connection.miner.state not in (State.MINING, State.SLOW)
            connection.sock.close()
        if unready:
            self.metrics.errors["no job by the end"] += unready
        self._connections.clear()
        self._of_miner.clear()
        self._epoll.close()
        self._wake_in.close()
        self._wake_out.close()


def _resolve(host: str, port: int) -> tuple[socket.AddressFamily, tuple[Any, ...]]:
    """The address that all connect to: of several that a name stands for, the first that answers."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise LoadError(f"{host}: {error.strerror or error}") from None
    places = [(family, address) for family, _, _, _, address in found]
    return next((place for place in places if _answers(*place)), places[0]) if len(places) > 1 else places[0]


def _answers(family: socket.AddressFamily, address: tuple[Any, ...]) -> bool:
    try:
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            sock.settimeout(PROBE_SECONDS)
            return sock.connect_ex(address) == 0
    except OSError:  # a family that this machine does not speak
        return False


def _resident() -> int:
    """Bytes of memory that this process holds."""
    return int(psutil.Process().memory_info().rss)
