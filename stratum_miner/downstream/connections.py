"""Accepts, limits and closes the connections of miners to a pool or a proxy, and reads and writes their bytes, with
trio.

Each connection has a session, a send queue of limited size, a reader task and a writer task. The reader task passes the
received bytes to the session; this module does not know what they mean. While the queue is empty, the bytes that the
session sends are written to the socket directly. Bytes that the socket does not take at once go into the queue, from
which the writer task sends them. Therefore the announcement of a job never waits for a slow miner. If all queues are
empty, an announcement to ten thousand miners takes ten thousand system calls and wakes no task.
"""

import os
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, Protocol, TypeVar

import structlog
import trio

from stratum_miner.downstream.endings import DisconnectReason
from stratum_miner.downstream.limits import MinerLimits
from stratum_miner.downstream.send_queue import MAX_UNSENT, QueueFullError, SendQueue
from stratum_miner.exception_groups import leading_cause, unwrapping_nursery
from stratum_miner.network import accepting
from stratum_miner.network.accepting import Listener, ListenerError, address_text, innermost, open_tcp_listeners
from stratum_miner.network.fair_bound import FairBound

RECEIVE_SIZE = 16 << 10
"""Maximum number of bytes read from one miner at a time: about 150 shares. Before the server reads more from this
miner, it serves the other miners."""
SEND_BUFFER = 64 << 10
"""Send buffer of a socket, in bytes. It is small, so that a miner that does not read is detected soon. By default, the
operating system would buffer megabytes."""
KEEPALIVE_IDLE = 60
"""Seconds without a byte after which the operating system asks whether the miner is still there."""
KEEPALIVE = {
    "TCP_KEEPIDLE": KEEPALIVE_IDLE,
    "TCP_KEEPALIVE": KEEPALIVE_IDLE,  # the name of TCP_KEEPIDLE on macOS
    "TCP_KEEPINTVL": 15,
    "TCP_KEEPCNT": 4,
}
"""TCP keepalive settings, times in seconds. With these settings, the operating system notices within two minutes that a
miner has vanished."""
USER_TIMEOUT_MS = 120_000
"""If a miner does not acknowledge sent bytes for this many milliseconds, the operating system closes the connection,
because the miner has vanished."""
FLUSH_SECONDS = 1.0
"""Seconds within which the last lines must be sent to a miner whose connection is being closed."""

_log = structlog.get_logger(__name__)


class LineSession(Protocol):
    """The attributes and methods of a miner's session that ``Connection`` uses."""

    started: bool
    """Whether the miner gets jobs: it is subscribed and authorized."""

    def data_to_send(self) -> bytes:
        """Return all bytes that wait to be sent, and forget them."""
        ...


S = TypeVar("S", bound=LineSession)


@dataclass(slots=True, eq=False)
class Connection(Generic[S]):
    """The connection of one miner."""

    number: int
    """Number of the connection, counted from 1. No other connection of this server gets the same number."""
    address: str
    """IP address and TCP port of the miner, as HOST:PORT."""
    stream: trio.abc.Stream
    session: S
    queue: SendQueue
    connected_at: float
    """Unix time at which the connection was accepted."""
    connected_time: float
    """Time at which the connection was accepted, on trio's clock."""
    last_line_at: float
    """Time at which the miner last completed a line, that is, sent a newline; on trio's clock."""
    read_scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    """Cancel this scope to stop reading. The bytes in the queue are still sent."""
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    """Cancel this scope to close the connection at once."""
    reason: str = ""
    """Why the connection is being closed; empty while it is open."""
    ending: DisconnectReason = DisconnectReason.BY_SERVER
    """The kind of ``reason``. Has no meaning while ``reason`` is empty."""
    bytes_received: int = 0
    bytes_sent: int = 0

    def flush(self) -> None:
        """Send the bytes that the session wants to send. The bytes that the socket does not take at once go into the
        queue. If the queue is full, because the miner does not read, the miner is disconnected.
        """
        data = self.session.data_to_send()
        if not data:
            return
        if isinstance(self.stream, trio.SocketStream) and self.queue.idle:
            data = self._send_now(self.stream, data)
        try:
            self.queue.put_nowait(data)
        except QueueFullError as error:
            self.drop(f"slow reader: {error}", DisconnectReason.SLOW_READER)

    def _send_now(self, stream: trio.SocketStream, data: bytes) -> bytes:
        """Write as many of the bytes as the socket takes without waiting. Return the bytes that it did not take."""
        try:
            sent = os.write(stream.socket.fileno(), data)
        except BlockingIOError:
            return data
        except OSError:
            self.drop("connection lost", DisconnectReason.LOST)
            return b""
        self.bytes_sent += sent
        return data[sent:]

    def finish(self, reason: str, ending: DisconnectReason = DisconnectReason.BY_SERVER) -> None:
        """Close the connection after the bytes in the queue have been sent, or after ``FLUSH_SECONDS``."""
        self._note_reason(reason, ending)
        self.read_scope.cancel()

    def drop(self, reason: str, ending: DisconnectReason) -> None:
        """Close the connection now, without sending the bytes in the queue."""
        self._note_reason(reason, ending)
        self.scope.cancel()

    def _note_reason(self, reason: str, ending: DisconnectReason) -> None:
        if not self.reason:  # a later reason does not replace the first
            self.reason, self.ending = reason, ending


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerCallbacks(Generic[S]):
    """The functions of a pool or a proxy that ``Connections`` calls."""

    open_session: Callable[[float], S]
    """Make the session of a new connection. The argument is the time on trio's clock."""
    connected: Callable[[Connection[S]], None]
    """Called when a connection was accepted."""
    received: Callable[[Connection[S], bytes], Awaitable[None]]
    """Handle bytes of a miner. Nothing more is read from this miner until the function returns."""
    disconnected: Callable[[Connection[S]], None]
    """Called when a connection was closed; its ``reason`` says why."""
    stopping: Callable[[], Awaitable[None]]
    """Called when the server has stopped accepting miners. The function waits for the results of open shares, then
    closes all connections."""


class Connections(Generic[S]):
    """All connections of one server, a pool or a proxy.

    ``max_connections`` is the maximum number of connections that are open at the same time. ``unix_time`` returns the
    current Unix time, for ``Connection.connected_at``.
    """

    def __init__(
        self, limits: MinerLimits, max_connections: int, callbacks: ServerCallbacks[S], unix_time: Callable[[], float]
    ) -> None:
        self.total = 0
        """Number of connections accepted so far."""
        self.refused = 0
        """Number of connections that were closed right after they were accepted, because a limit was reached."""
        self.ended: Counter[DisconnectReason] = Counter()
        """For each kind of reason, the number of connections that were closed because of it."""
        self._has_listened = False
        self.addresses: tuple[str, ...] = ()
        """Addresses on which connections are accepted, as HOST:PORT; empty before ``listen``."""
        self.ports: tuple[int, ...] = ()
        """TCP ports on which connections are accepted."""
        self._limits = limits
        self._max_connections = max_connections
        self._callbacks = callbacks
        self._unix_time = unix_time
        self._open: dict[int, Connection[S]] = {}
        self._unauthorized: dict[int, Connection[S]] = {}
        """All open connections whose miners have not yet subscribed and authorized, and some whose miners have already
        done both. The oldest connection is first. When a miner has subscribed and authorized, its connection stays here
        until ``_close_oldest_unauthorized`` finds and removes it, or until it ends."""
        self._per_host: Counter[str] = Counter()
        self._unsent = FairBound(MAX_UNSENT)
        self._bytes_received = self._bytes_sent = 0
        """Bytes received and bytes sent on connections that are now closed."""

    def __iter__(self) -> Iterator[Connection[S]]:
        return iter(tuple(self._open.values()))

    def __len__(self) -> int:
        return len(self._open)

    @property
    def bytes_received(self) -> int:
        """Number of bytes received on all connections so far."""
        return self._bytes_received + sum(each.bytes_received for each in self._open.values())

    @property
    def bytes_sent(self) -> int:
        """Number of bytes sent on all connections so far."""
        return self._bytes_sent + sum(each.bytes_sent for each in self._open.values())

    async def listen(self, given: Sequence[Listener] | None, host: str, port: int, server: str) -> Sequence[Listener]:
        """Return the listeners to serve on: ``given``, or new TCP listeners on ``host`` and ``port`` if ``given`` is
        None. Set ``addresses`` and ``ports`` to the addresses and ports of these listeners.

        ``server`` is the name of the caller's class, for errors. Raises RuntimeError if this was called before,
        ValueError if ``given`` is empty, and OSError if the port cannot be opened.
        """
        if self._has_listened:
            raise RuntimeError(f"{server}.serve: expected one call, got a second")
        self._has_listened = True
        listeners = await open_tcp_listeners(host, port) if given is None else given
        if not listeners:
            raise ValueError("listeners: expected at least one, got none")
        inner = map(innermost, listeners)
        names = [each.socket.getsockname() for each in inner if isinstance(each, trio.SocketListener)]
        self.ports = tuple(name[1] for name in names)
        self.addresses = tuple(address_text(name) for name in names)
        return listeners

    async def serve(
        self,
        listeners: Sequence[Listener],
        stopping: trio.Event,
        task_status: trio.TaskStatus[Sequence[Listener]] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Accept connections until the event ``stopping`` is set. Then call ``ServerCallbacks.stopping``, which closes
        the connections.

        If a listener breaks, this method also calls ``ServerCallbacks.stopping``, so that no answer is lost. It then
        raises ListenerError.
        """
        broken: Exception | None = None
        async with unwrapping_nursery() as connections:
            try:
                async with trio.open_nursery() as nursery:
                    await nursery.start(partial(accepting.serve, self._serve_client, listeners, handlers=connections))
                    task_status.started(listeners)
                    await stopping.wait()
                    nursery.cancel_scope.cancel()
            except* ListenerError as errors:
                broken = leading_cause(errors, ListenerError)
            await self._callbacks.stopping()
        if broken is not None:
            raise broken

    async def _serve_client(self, stream: trio.abc.Stream) -> None:
        address = _address_of(stream)
        refusal = self._refusal(address)
        if refusal:
            self.refused += 1
            _log.warning("connection_refused", address=address, reason=refusal)
            await trio.aclose_forcefully(stream)
            return
        _set_options(stream)
        connection = self._register(stream, address)
        try:
            with connection.scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._write, connection)
                    await self._read(connection)
                    connection.queue.close()
                    connection.scope.deadline = trio.current_time() + FLUSH_SECONDS
        except Exception:  # an internal error that one miner triggers must not disconnect the others
            connection.reason, connection.ending = "internal error", DisconnectReason.FAILED
            _log.exception("client_failed", session=connection.number, address=address)
        finally:
            self._unregister(connection)
            connection.reason = connection.reason or "cancelled"
            self._callbacks.disconnected(connection)
            await trio.aclose_forcefully(stream)

    def _refusal(self, address: str) -> str | None:
        limit = self._limits.max_connections_per_address
        if limit is not None and self._per_host[_host(address)] >= limit:
            return f"more than {limit} connections from one address"
        if len(self._open) >= self._max_connections and not self._close_oldest_unauthorized():
            return f"more than {self._max_connections} connections"
        return None

    def _close_oldest_unauthorized(self) -> bool:
        """Close the oldest connection whose miner has not subscribed and authorized. Return False if there is none.

        This method is called when the maximum number of connections is open and a new one arrives. Without it, a
        stranger could keep all miners out by opening many connections. Real miners are hardly affected, because they
        subscribe and authorize within a moment.
        """
        while self._unauthorized:
            connection = self._unauthorized.pop(next(iter(self._unauthorized)))
            if not connection.session.started and not connection.reason:
                reason = "not subscribed and authorized when another miner needed the connection"
                connection.drop(reason, DisconnectReason.NOT_AUTHORIZED)
                return True
        return False

    def _register(self, stream: trio.abc.Stream, address: str) -> Connection[S]:
        now = trio.current_time()
        self.total += 1
        connection = Connection(
            number=self.total,
            address=address,
            stream=stream,
            session=self._callbacks.open_session(now),
            queue=SendQueue(self._limits.max_queue, self._unsent),
            connected_at=self._unix_time(),
            connected_time=now,
            last_line_at=now,
        )
        self._open[connection.number] = self._unauthorized[connection.number] = connection
        self._per_host[_host(address)] += 1
        self._callbacks.connected(connection)
        return connection

    def _unregister(self, connection: Connection[S]) -> None:
        connection.queue.discard()
        del self._open[connection.number]
        self._unauthorized.pop(connection.number, None)
        self.ended[connection.ending] += 1
        self._bytes_received += connection.bytes_received
        self._bytes_sent += connection.bytes_sent
        host = _host(connection.address)
        self._per_host[host] -= 1
        if not self._per_host[host]:
            del self._per_host[host]  # otherwise ``_per_host`` would keep every address that ever connected

    async def _read(self, connection: Connection[S]) -> None:
        with connection.read_scope:
            while not connection.reason:
                connection.read_scope.deadline = self._deadline(connection)
                try:
                    data = await connection.stream.receive_some(RECEIVE_SIZE)
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    connection.drop("connection lost", DisconnectReason.LOST)
                    return
                if not data:
                    connection.finish("the miner closed the connection", DisconnectReason.CLOSED)
                    return
                connection.bytes_received += len(data)
                if b"\n" in data:
                    connection.last_line_at = trio.current_time()
                await self._callbacks.received(connection, bytes(data))
        if not connection.reason:
            if connection.session.started:
                reason = f"no request for {self._limits.idle_timeout:g} s"
                connection.finish(reason, DisconnectReason.IDLE)
            else:
                reason = f"not subscribed and authorized within {self._limits.authorize_timeout:g} s"
                connection.finish(reason, DisconnectReason.NOT_AUTHORIZED)

    def _deadline(self, connection: Connection[S]) -> float:
        if connection.session.started:
            return connection.last_line_at + self._limits.idle_timeout
        return connection.connected_time + self._limits.authorize_timeout

    async def _write(self, connection: Connection[S]) -> None:
        while (data := await connection.queue.get()) is not None:
            try:
                with trio.fail_after(self._limits.send_timeout):
                    await connection.stream.send_all(data)
            except trio.TooSlowError:
                reason = f"slow reader: a write took more than {self._limits.send_timeout:g} s"
                connection.drop(reason, DisconnectReason.SLOW_READER)
                return
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                connection.drop("connection lost", DisconnectReason.LOST)
                return
            connection.bytes_sent += len(data)


def _address_of(stream: trio.abc.Stream) -> str:
    transport = innermost(stream)
    if not isinstance(transport, trio.SocketStream):
        return "in memory"
    try:
        return address_text(transport.socket.getpeername())
    except OSError:  # the miner has disconnected already
        return "unknown"


def _host(address: str) -> str:
    return address.rpartition(":")[0]


def _set_options(stream: trio.abc.Stream) -> None:
    """Turn on TCP keepalive and set a small send buffer. trio has set TCP_NODELAY already."""
    transport = innermost(stream)
    if not isinstance(transport, trio.SocketStream):
        return
    transport.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, True)
    transport.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    options = KEEPALIVE | {"TCP_USER_TIMEOUT": USER_TIMEOUT_MS}
    for name, value in options.items():
        option = getattr(socket, name, None)
        if option is not None:  # not every operating system has each option
            transport.setsockopt(socket.IPPROTO_TCP, option, value)
