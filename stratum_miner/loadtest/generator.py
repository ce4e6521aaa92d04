"""The load generator: one thread that sends and receives the bytes of many simulated miners.

The thread runs a loop. Each turn of the loop first handles the timed events that are due, such as shares to send, and
then lets each miner read the bytes that have arrived for it. If there is nothing to do, the thread sleeps until bytes
arrive or the next event is due, with a precision of microseconds. One epoll object watches all sockets, or one poll
object on a system without epoll. A trio task for each miner would have two disadvantages. A task with its stream takes
several kilobytes. A timer of trio is rounded up to a millisecond, and this error would be part of every latency that is
measured from the time at which a share is due.

The loop measures how much it may itself have added to each latency: the generator overhead. The loop does not know when
the bytes that it reads arrived. It only knows that they arrived after its previous complete poll, which is one that
reported all sockets with waiting bytes. The generator overhead is the time since that poll, plus the delay with which
the share was sent. Every 10 ms, the loop also measures the loop lag: how late it handles a timed event.
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
from stratum_miner.loadtest.limits import NoPoolError
from stratum_miner.loadtest.metrics import LAG_TICK, Metrics
from stratum_miner.loadtest.miner import SimulatedMiner, State
from stratum_miner.loadtest.pacer import Event, EventQueue
from stratum_miner.loadtest.plan import LONGEST_PAUSE, LoadPlan
from stratum_miner.loadtest.readiness import RDHUP, open_readiness
from stratum_miner.loadtest.run_state import RunState
from stratum_miner.loadtest.share_search import INLINE_HASHES, SearchThread, ShareRequest, hashes_of
from stratum_miner.stratum.errors import RemoteProtocolError

RECEIVE_SIZE = 64 << 10
"""Maximum number of bytes read from one connection at a time."""
EVENTS = 256
"""Maximum number of timed events, and of ready connections, that the loop handles in one turn."""
DRAIN_SECONDS = 3.0
"""Maximum seconds to wait, after the end of the run, for the answers to shares that the pool has not answered yet."""
PROBE_SECONDS = 3.0
"""If the pool's host name has several addresses, they are tried one after the other until one accepts a connection.
This is the maximum number of seconds for one address."""
DEAD_SECONDS = 5.0
"""If all connections have ended, every attempt to connect fails, and no byte arrives for this many seconds, the pool
counts as dead, and the run ends. A pool that only restarts has this much time."""
MAX_UNSENT = 64 << 10
"""Maximum number of bytes that the generator keeps for a miner because the pool does not read them. If there are more,
the connection is closed."""
MAX_REASON = 120
"""Maximum number of characters of an error text in the metrics."""
_READ = select.POLLIN | RDHUP
_CLOSED = select.POLLHUP | select.POLLERR | RDHUP


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The progress of a run, for displays. The differences between two of these objects give rates, such as shares per
    second."""

    elapsed: float
    """Seconds since the start of the run, at most the duration of the run."""
    connected: int
    """Number of open connections."""
    mining: int
    """Number of miners that have received a job and still mine."""
    sent: int
    accepted: int
    refused: int
    """Number of valid shares that the pool rejected."""
    errors: int
    submit_p99: float | None
    """Seconds that 99 % of the share latencies do not exceed; None before the first answer to a share."""
    lag_p99: float | None
    """Seconds that 99 % of the loop lags do not exceed; None before the first measurement."""


@dataclass(slots=True, eq=False)
class _Connection:
    """The connection of a miner, and the bytes that could not be sent yet."""

    miner: SimulatedMiner
    sock: socket.socket
    unsent: bytes = b""


class LoadGenerator:
    """The load generator of one run, or of one shard: the part of a run that this process executes.

    Call ``run`` once, in a thread of its own. Other threads may call ``progress`` and ``stop``.
    """

    def __init__(self, plan: LoadPlan, clock: Callable[[], float] = time.perf_counter) -> None:
        self.plan = plan
        self.metrics = Metrics(plan.duration)
        self.memory_per_miner: float | None = None
        """Bytes of memory per miner: how much the memory of this process grew until its peak, divided by the highest
        number of connections; None if it was not measured."""
        self.elapsed = 0.0
        """Seconds that the run took, without the wait for the answers to the last shares (DRAIN_SECONDS); 0 until the
        run ends."""
        self.failure = ""
        """The error of this computer, not of the pool, that ended the run early; empty if there was none."""
        self.pool_failure = ""
        """Why the run ended early because of the pool; empty if it did not."""
        self.loop_use = 0.0
        """Fraction of the run, 0 to 1, during which the loop did not sleep. The loop may have waited for a processor in
        this time, if the computer was busy."""
        self._clock = clock
        self._stopped = False
        self._readiness = open_readiness()
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self._readiness.register(self._wake_in, select.POLLIN)
        self._connections: dict[int, _Connection] = {}
        self._of_miner: dict[int, _Connection] = {}
        self._queue: EventQueue[SimulatedMiner] = EventQueue()
        self._buffer = memoryview(bytearray(RECEIVE_SIZE))
        self._connects_due = 0
        """Number of scheduled attempts to connect."""
        self._heard_at = 0.0
        """Time at which bytes of the pool arrived most recently, or the time of the start."""
        self._slept = 0.0
        """Seconds that the loop has slept."""
        self._search_thread: SearchThread | None = None
        self._miners: list[SimulatedMiner] = []
        self._most_connected = 0
        self._peak = 0
        self._run_state = RunState(plan, self.metrics, 0.0, schedule=self._schedule)
        self._last_empty_poll = self._started = clock()

    # ---- for the caller ---------------------------------------------------------------------------------------------

    def run(self) -> Metrics:
        """Run the plan until it ends, ``stop`` is called, or a ``failure`` or ``pool_failure`` occurs, and return the
        metrics.

        Raises LoadError if the run cannot begin, and NoPoolError if the first attempt to connect fails.
        """
        try:
            limits.raise_file_limit(self.plan.miners)
            self._family, self._address = _resolve(self.plan.host, self.plan.port)
            baseline = _resident()
            spent = time.process_time()
            self._begin()
            gc.freeze()  # the garbage collector then skips the miners, which exist until the end of the run
            try:
                self._loop()
            except (OSError, MemoryError) as error:  # this computer ran out of a resource; the figures so far are kept
                self.failure = str(error) or type(error).__name__
                self.elapsed = self.elapsed or self._clock() - self._started
            self._note_work(time.process_time() - spent)
            if self._most_connected and not self.failure:
                peak = max(self._peak, _resident())
                self.memory_per_miner = max(0, peak - baseline) / self._most_connected
        finally:
            gc.unfreeze()
            self._close()
        return self.metrics

    def stop(self) -> None:
        """Stop the run. ``run`` then returns the metrics collected so far."""
        self._stopped = True
        self._wake()

    def progress(self) -> Progress:
        """Return how far the run is, with the figures so far."""
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

    # ---- the loop ---------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        plan, run_state = self.plan, self._run_state
        weights = pacer.weights(plan.distribution, plan.miners, run_state.rng)
        self._miners = [SimulatedMiner(run_state, plan.first + index, weight) for index, weight in enumerate(weights)]
        self._started = self._last_empty_poll = self._heard_at = now = self._clock()
        run_state.begin(now)
        for index, miner in enumerate(self._miners):
            self._connect_at(now + pacer.connect_at(index, plan.miners, plan.ramp), miner)
        for at in plan.storms:
            self._queue.add(now + at, Event.STORM)
        self._queue.add(now + LAG_TICK, Event.LAG_TICK)
        self._queue.add(now + self.metrics.row_seconds, Event.ROW_TICK)

    def _loop(self) -> None:
        while not self._ended(self._clock()):
            for due, event, miner in self._queue.take(self._clock(), EVENTS):
                self._handle_event(due, event, miner)
            ready = self._readiness.poll(EVENTS)
            polled = self._clock()
            for descriptor, mask in ready:
                self._handle_ready(descriptor, mask)
            if len(ready) < EVENTS:
                self._last_empty_poll = polled
            if not ready:
                self._sleep()

    def _ended(self, now: float) -> bool:
        if not self._stopped and not self.pool_failure and now < self._run_state.end:
            return False
        if not self._run_state.ending:
            self._run_state.ending = True
            self._run_state.end = now
            self.metrics.rows[-1].mining = self._run_state.mining
            self.elapsed = now - self._started
        return now >= self._run_state.end + DRAIN_SECONDS or not self._run_state.open_shares

    def _sleep(self) -> None:
        """Sleep until a socket is ready, the next event is due, or the run ends."""
        limit = self._run_state.end + (DRAIN_SECONDS if self._run_state.ending else 0.0)
        delay = min(self._queue.next_due, limit) - self._clock()
        if delay <= 0:
            return
        before = self._clock()
        self._readiness.sleep(delay)
        self._last_empty_poll = self._clock()
        self._slept += self._last_empty_poll - before

    def _handle_event(self, due: float, event: Event, miner: SimulatedMiner | None) -> None:
        if event is Event.LAG_TICK:
            self._tick_lag(due)
        elif event is Event.ROW_TICK:
            self._tick_row(due)
        elif self._run_state.ending:
            return
        elif event is Event.CONNECT and miner is not None:
            self._connects_due -= 1
            self._connect(miner, due)
        elif event is Event.STORM:
            for each in list(self._connections.values()):
                self._break_connection(each, "storm", due)
        elif miner is None:
            return
        elif event is Event.SHARE:
            if due == miner.due and (connection := self._of_miner.get(miner.number)) is not None:
                self._send(connection, miner.due_share(self._clock()))
        elif (connection := self._of_miner.get(miner.number)) is not None:
            if event is Event.SLOW_READ and due == miner.due:
                self._read_slowly(connection, due)
            elif event is Event.BREAK and due == miner.breaks_at:
                self._break_connection(connection, "churn", due)

    def _tick_lag(self, due: float) -> None:
        """Record the loop lag: how late the loop handles the event LAG_TICK that was due at ``due``. Such an event is
        due every 10 ms. If the loop is so late that later LAG_TICK events are due, too, record the lag of each of
        them."""
        now, metrics = self._clock(), self.metrics
        metrics.rows[-1].lag = max(metrics.rows[-1].lag, now - due)
        while due <= now:
            metrics.loop_lag.add(now - due)
            due += LAG_TICK
        self._queue.add(due, Event.LAG_TICK)

    def _tick_row(self, due: float) -> None:
        self._peak = max(self._peak, _resident())
        if not self.metrics.connections and self._clock() - self._started >= DEAD_SECONDS:
            raise self._unreachable(f"no answer in {DEAD_SECONDS:g} s")
        self.metrics.rows[-1].mining = self._run_state.mining
        if not self._run_state.ending:
            self.metrics.row_at(self._clock() - self._started)
            self._queue.add(due + self.metrics.row_seconds, Event.ROW_TICK)

    # ---- connections ------------------------------------------------------------------------------------------------

    def _connect_at(self, due: float, miner: SimulatedMiner) -> None:
        self._connects_due += 1
        self._queue.add(due, Event.CONNECT, miner)

    def _connect(self, miner: SimulatedMiner, due: float) -> None:
        miner.connect_due = due
        try:
            sock = socket.socket(self._family, socket.SOCK_STREAM)
            sock.setblocking(False)
        except OSError as error:
            self._not_connected(miner, error.errno or errno.EIO)
            return
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if miner.reads_slowly:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOW_RECEIVE_BUFFER)
            source = limits.source_address(str(self._address[0]), miner.number, self.plan.total_miners)
            if source is not None:
                limits.choose_port_late(sock)
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
        self._readiness.register(sock, select.POLLOUT)

    def _not_connected(self, miner: SimulatedMiner, code: int) -> None:
        reason = f"connect: {limits.connect_error(code)}"
        if not self.metrics.connections:
            raise self._unreachable(limits.connect_error(code))
        self.metrics.note_error(reason)
        self._schedule_reconnect(miner, self._clock())
        self._check_pool(reason)

    def _schedule_reconnect(self, miner: SimulatedMiner, now: float) -> None:
        if self.plan.reconnect == "never" or self._run_state.ending or miner.refused:
            return
        pause = pacer.reconnect_pause(miner.failed_attempts, self.plan.pause, LONGEST_PAUSE, self._run_state.rng)
        miner.failed_attempts += 1
        self._connect_at(now + pause, miner)

    def _unreachable(self, reason: str) -> NoPoolError:
        plan = self.plan
        return NoPoolError(f"{plan.host}:{plan.port}: cannot connect: {reason}. Start the pool, or correct the address")

    def _check_pool(self, reason: str) -> None:
        """End the run if the pool is dead, or if no connection is left and none will be made. ``reason`` says why the
        latest connection ended or could not be made."""
        if self._run_state.ending or any(each.miner.state > State.CONNECTING for each in self._connections.values()):
            return
        silent = self._clock() - self._heard_at
        if not self._connections and not self._connects_due:
            self.pool_failure = f"no connection is left and no miner connects again; the last one: {reason}"
        elif silent >= DEAD_SECONDS:
            self.pool_failure = f"the pool is gone: nothing came from it for {silent:.0f} s; the last attempt: {reason}"

    def _established(self, connection: _Connection) -> None:
        code = connection.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        miner = connection.miner
        if code:
            self._forget(connection)
            miner.state = State.AWAY
            self._not_connected(miner, code)
            return
        self._readiness.modify(connection.sock, _READ)
        now = self._clock()
        self._send(connection, miner.connected(now, now - self._last_empty_poll))
        if self.plan.churn is not None:
            miner.breaks_at = now + self._run_state.rng.expovariate(1 / self.plan.churn)
            self._queue.add(miner.breaks_at, Event.BREAK, miner)

    def _break_connection(self, connection: _Connection, reason: str, due: float) -> None:
        """Close a connection because of a storm (all connections are closed at once) or churn (each connection has a
        limited lifetime). The miner then connects again at once, unless ``plan.reconnect`` is "never"."""
        miner = connection.miner
        self._on_connection_end(connection, reason, reconnect=False)
        if self.plan.reconnect != "never":
            self._connect_at(due, miner)

    def _on_connection_end(self, connection: _Connection, reason: str, *, reconnect: bool = True) -> None:
        self._forget(connection)
        connection.miner.closed(reason)
        if reconnect and not connection.miner.reads_slowly:
            self._schedule_reconnect(connection.miner, self._clock())
        if reconnect:
            self._check_pool(reason)

    def _forget(self, connection: _Connection) -> None:
        del self._connections[connection.sock.fileno()]
        del self._of_miner[connection.miner.number]
        self._readiness.unregister(connection.sock)
        connection.sock.close()

    # ---- bytes ------------------------------------------------------------------------------------------------------

    def _handle_ready(self, descriptor: int, mask: int) -> None:
        connection = self._connections.get(descriptor)
        if connection is None:
            if descriptor == self._wake_in.fileno():
                self._take_found_shares()
            return
        if connection.miner.state is State.CONNECTING:
            self._established(connection)
            return
        if mask & select.POLLOUT:
            self._send(connection, b"")
            if self._connections.get(descriptor) is not connection:  # _send closed the connection after an error
                return
        if mask & select.POLLIN:
            self._read(connection)
        elif mask & _CLOSED:
            self._on_connection_end(connection, "the pool closed the connection")

    def _read(self, connection: _Connection) -> None:
        try:
            size = connection.sock.recv_into(self._buffer)
        except BlockingIOError:
            return
        except OSError as error:
            self._on_connection_end(connection, os.strerror(error.errno or errno.EIO))
            return
        if not size:
            self._on_connection_end(connection, "the pool closed the connection")
            return
        now, miner = self._clock(), connection.miner
        self._heard_at = now
        try:
            to_send = miner.receive(bytes(self._buffer[:size]), now, now - self._last_empty_poll)
        except RemoteProtocolError as error:
            self.metrics.note_error(f"not Stratum: {error}"[:MAX_REASON])
            self._on_connection_end(connection, "not Stratum")
            return
        if miner.close_reason:
            if miner.refused:
                self.metrics.note_error(miner.close_reason)
            self._on_connection_end(connection, miner.close_reason)
            return
        self._send(connection, to_send)
        if miner.state is State.SLOW:
            self._readiness.modify(connection.sock, RDHUP)
            self._read_later(miner, now)

    def _read_slowly(self, connection: _Connection, due: float) -> None:
        try:
            if not connection.sock.recv(SLOW_READ_BYTES):
                self._on_connection_end(connection, "the pool closed the connection")
                return
        except BlockingIOError:
            pass
        except OSError as error:
            self._on_connection_end(connection, os.strerror(error.errno or errno.EIO))
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
            self._on_connection_end(connection, os.strerror(error.errno or errno.EIO))
            return
        connection.unsent = data[sent:]
        if len(connection.unsent) > MAX_UNSENT:
            self._on_connection_end(connection, "the pool does not read")
        elif bool(connection.unsent) != waited:
            self._readiness.modify(connection.sock, _READ | select.POLLOUT if connection.unsent else _READ)

    # ---- shares that take long to find ------------------------------------------------------------------------------

    def _schedule(self, miner: SimulatedMiner, due: float) -> None:
        """Schedule the next share of a miner for the time ``due``.

        If finding a share takes long at the miner's target, also let the search thread search for this share, so that
        it is found before ``due`` if possible."""
        self._queue.add(due, Event.SHARE, miner)
        work = miner.assignment
        if work is None or hashes_of(work.target) <= INLINE_HASHES:
            return
        if self._search_thread is None:
            self._search_thread = SearchThread(self._run_state.search.choice, self._wake)
        tip = work.notify.previous_hash

        def wanted() -> bool:
            current = miner.assignment
            return current is not None and current.notify.previous_hash == tip and miner.due == due

        self._search_thread.request(due, ShareRequest(miner.number, work, miner.next_extranonce2(work), wanted))

    def _take_found_shares(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._wake_in.recv(4096)
        while self._search_thread is not None and self._search_thread.done:
            request, found = self._search_thread.done.popleft()
            connection = self._of_miner.get(request.miner_number)
            if connection is None or not request.wanted():
                continue
            miner = connection.miner
            miner.found_share = None if found is None else (request.work, request.extranonce2, found)
            if found is None and miner.due is not None:
                self._schedule(miner, miner.due)
            elif miner.is_late and not self._run_state.ending:
                self._send(connection, miner.due_share(self._clock()))

    def _wake(self) -> None:
        # An error of the socket ``_wake_out`` is harmless: either the socket's buffer is full, and the bytes that are
        # already in the buffer wake the loop, or the socket is closed, because the loop has ended.
        with contextlib.suppress(OSError):
            self._wake_out.send(b"\0")

    # ---- the end ----------------------------------------------------------------------------------------------------

    def _note_work(self, processor_seconds: float) -> None:
        """Record how much this computer had to do for the run."""
        search = self._run_state.search.hashes
        self.metrics.hashes = search + (0 if self._search_thread is None else self._search_thread.hashes)
        self.metrics.processor_s = processor_seconds
        self.loop_use = max(0.0, 1 - self._slept / max(1e-9, self._clock() - self._started))

    def _close(self) -> None:
        if self._search_thread is not None:
            self._search_thread.close()
        unready = 0
        for connection in self._connections.values():
            self.metrics.unanswered += connection.miner.open_valid_shares
            unready += connection.miner.state not in (State.MINING, State.SLOW)
            connection.sock.close()
        if unready:
            self.metrics.errors["no job by the end"] += unready
        self._connections.clear()
        self._of_miner.clear()
        self._readiness.close()
        self._wake_in.close()
        self._wake_out.close()


def _resolve(host: str, port: int) -> tuple[socket.AddressFamily, tuple[Any, ...]]:
    """Return the address to which all miners connect.

    If the host name has several addresses, return the first that accepts a connection, or the first of all if none
    does.

    Raises NoPoolError if the host name has no address.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise NoPoolError(f"no address for the host name {host} of the pool: {error.strerror or error}") from None
    addresses = [(family, address) for family, _, _, _, address in found]
    if len(addresses) == 1:
        return addresses[0]
    return next((each for each in addresses if _accepts_connection(*each)), addresses[0])


def _accepts_connection(family: socket.AddressFamily, address: tuple[Any, ...]) -> bool:
    try:
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            sock.settimeout(PROBE_SECONDS)
            return sock.connect_ex(address) == 0
    except OSError:  # an address family that this computer does not support
        return False


def _resident() -> int:
    """Return the number of bytes of memory that this process occupies."""
    return int(psutil.Process().memory_info().rss)
