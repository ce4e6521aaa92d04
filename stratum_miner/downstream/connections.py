"""Miners' connections on trio: accepted, read, written, bounded and ended. What is said on them is the owner's.

Each connection has a reader and a writer with a bounded queue between session and socket, so nothing that is
announced ever waits for anybody. While a client keeps up, what is said to it goes to its socket at once, without
waking its writer: a job for ten thousand clients is so many system calls, not twice as many task switches. A pool and
a proxy serve their miners through this.
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
from stratum_miner.network.accepting import Listener, ListenerError, address_text, innermost
from stratum_miner.network.fair_bound import FairBound

RECEIVE_SIZE = 16 << 10
"""Bytes handled for one client before the others get a turn: some 150 shares."""
SEND_BUFFER = 64 << 10
"""Socket buffer, bytes: small, so that a client that does not read shows soon; the kernel would take megabytes."""
KEEPALIVE = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}
"""A peer that vanished is found within two minutes."""
USER_TIMEOUT_MS = 120_000
"""The same for a peer that vanished while bytes were on their way to it."""
FLUSH_SECONDS = 1.0
"""How long a connection that we end may take to receive its last lines."""

_log = structlog.get_logger(__name__)


class LineSession(Protocol):
    """What a connection needs of its session."""

    started: bool
    """Whether the miner gets jobs: it is subscribed and authorized."""

    def data_to_send(self) -> bytes:
        """Everything waiting to go out, once."""
        ...


S = TypeVar("S", bound=LineSession)


@dataclass(slots=True, eq=False)
class Connection(Generic[S]):
    """One miner's connection; ``reason`` and ``ending`` are set once it is to end."""

    number: int
    address: str
    stream: trio.abc.Stream
    session: S
    queue: SendQueue
    connected_at: float
    connected_time: float
    last_line_at: float
    reading: trio.CancelScope = field(default_factory=trio.CancelScope)
    whole: trio.CancelScope = field(default_factory=trio.CancelScope)
    reason: str = ""
    ending: DisconnectReason = DisconnectReason.BY_US
    bytes_received: int = 0
    bytes_sent: int = 0

    def flush(self) -> None:
        """Send what the session has to say, or queue it; a client that does not read is dropped."""
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
        """As much as the socket takes without waiting; returns the rest."""
        try:
            sent = os.write(stream.socket.fileno(), data)
        except BlockingIOError:
            return data
        except OSError:
            self.drop("connection lost", DisconnectReason.LOST)
            return b""
        self.bytes_sent += sent
        return data[sent:]

    def finish(self, reason: str, ending: DisconnectReason = DisconnectReason.BY_US) -> None:
        """End the connection once what waits is sent."""
        self._end(reason, ending)
        self.reading.cancel()

    def drop(self, reason: str, ending: DisconnectReason) -> None:
        """End the connection now."""
        self._end(reason, ending)
        self.whole.cancel()

    def _end(self, reason: str, ending: DisconnectReason) -> None:
        """Note why the connection ends; the first reason counts."""
        if not self.reason:
            self.reason, self.ending = reason, ending


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner(Generic[S]):
    """What the owner of the connections, a pool or a proxy, does with them."""

    open_session: Callable[[float], S]
    """Make the session of a connection that was accepted at this time of trio's."""
    connected: Callable[[Connection[S]], None]
    """A connection was accepted."""
    received: Callable[[Connection[S], bytes], Awaitable[None]]
    """Take bytes of a client; while this waits, nothing more is read from that client."""
    left: Callable[[Connection[S]], None]
    """A connection is over; its ``reason`` says why."""
    say_goodbye: Callable[[], Awaitable[None]]
    """Called when no more miners are accepted, to finish with those who are connected."""


class Connections(Generic[S]):
    """All connections of one owner, so many at a time. ``unix_time`` is the clock that people read."""

    def __init__(
        self, limits: MinerLimits, max_connections: int, owner: Owner[S], unix_time: Callable[[], float]
    ) -> None:
        self.total = 0
        """The number of connections accepted so far."""
        self.refused = 0
        """The number of connections that were closed at once because of a limit."""
        self.ended: Counter[DisconnectReason] = Counter()
        """The number of connections that ended, by how they ended."""
        self.addresses: tuple[str, ...] = ()
        """Where they are accepted, as host:port; empty before they are."""
        self.ports: tuple[int, ...] = ()
        self._limits = limits
        self._max_connections = max_connections
        self._owner = owner
        self._unix_time = unix_time
        self._clients: dict[int, Connection[S]] = {}
        self._newcomers: dict[int, Connection[S]] = {}
        """Connections that may not have logged in yet, the oldest first."""
        self._per_host: Counter[str] = Counter()
        self._unsent = FairBound(MAX_UNSENT)
        self._bytes_received = self._bytes_sent = 0
        """The bytes on connections that are over."""

    def __iter__(self) -> Iterator[Connection[S]]:
        return iter(tuple(self._clients.values()))

    def __len__(self) -> int:
        return len(self._clients)

    @property
    def bytes_received(self) -> int:
        """The bytes received on all connections so far."""
        return self._bytes_received + sum(client.bytes_received for client in self._clients.values())

    @property
    def bytes_sent(self) -> int:
        """The bytes sent on all connections so far."""
        return self._bytes_sent + sum(client.bytes_sent for client in self._clients.values())

    def listening(self, listeners: Sequence[Listener]) -> None:
        """Note where connections will be accepted."""
        inner = map(innermost, listeners)
        names = [each.socket.getsockname() for each in inner if isinstance(each, trio.SocketListener)]
        self.ports = tuple(name[1] for name in names)
        self.addresses = tuple(address_text(name) for name in names)

    async def serve(
        self,
        listeners: Sequence[Listener],
        stopping: trio.Event,
        task_status: trio.TaskStatus[Sequence[Listener]] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Accept and serve until ``stopping``, let the owner say goodbye, end all connections.

        Raises ListenerError when a listener is broken, after the same end: those who are connected lose nothing.
        """
        broken: Exception | None = None
        async with unwrapping_nursery() as clients:
            try:
                async with trio.open_nursery() as nursery:
                    await nursery.start(partial(accepting.serve, self._serve_client, listeners, handlers=clients))
                    task_status.started(listeners)
                    await stopping.wait()
                    nursery.cancel_scope.cancel()
            except* ListenerError as errors:
                broken = leading_cause(errors, ListenerError)
            await self._owner.say_goodbye()
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
        client = self._admit(stream, address)
        try:
            with client.whole:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._write, client)
                    await self._read(client)
                    client.queue.close()
                    client.whole.deadline = trio.current_time() + FLUSH_SECONDS
        except Exception:  # a mistake of ours that one client brought to light must not cost the others
            client.reason, client.ending = "internal error", DisconnectReason.FAILED
            _log.exception("client_failed", session=client.number, address=address)
        finally:
            self._forget(client)
            client.reason = client.reason or "cancelled"
            self._owner.left(client)
            await trio.aclose_forcefully(stream)

    def _refusal(self, address: str) -> str | None:
        limit = self._limits.max_connections_per_address
        if limit is not None and self._per_host[_host(address)] >= limit:
            return f"more than {limit} connections from one address"
        if len(self._clients) >= self._max_connections and not self._make_room():
            return f"more than {self._max_connections} connections"
        return None

    def _make_room(self) -> bool:
        """End the connection that has been there longest without logging in: to hold all places costs nothing, and who
        means to mine logs in within a moment. False when all are miners.
        """
        while self._newcomers:
            client = self._newcomers.pop(next(iter(self._newcomers)))
            if not client.session.started and not client.reason:
                client.drop("not subscribed and authorized while others had no place", DisconnectReason.NOT_AUTHORIZED)
                return True
        return False

    def _admit(self, stream: trio.abc.Stream, address: str) -> Connection[S]:
        now = trio.current_time()
        self.total += 1
        client = Connection(
            number=self.total,
            address=address,
            stream=stream,
            session=self._owner.open_session(now),
            queue=SendQueue(self._limits.max_queue, self._unsent),
            connected_at=self._unix_time(),
            connected_time=now,
            last_line_at=now,
        )
        self._clients[client.number] = self._newcomers[client.number] = client
        self._per_host[_host(address)] += 1
        self._owner.connected(client)
        return client

    def _forget(self, client: Connection[S]) -> None:
        client.queue.discard()
        del self._clients[client.number]
        self._newcomers.pop(client.number, None)
        self.ended[client.ending] += 1
        self._bytes_received += client.bytes_received
        self._bytes_sent += client.bytes_sent
        host = _host(client.address)
        self._per_host[host] -= 1
        if not self._per_host[host]:
            del self._per_host[host]  # or every address that ever connected would stay

    async def _read(self, client: Connection[S]) -> None:
        with client.reading:
            while not client.reason:
                client.reading.deadline = self._deadline(client)
                try:
                    data = await client.stream.receive_some(RECEIVE_SIZE)
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    client.drop("connection lost", DisconnectReason.LOST)
                    return
                if not data:
                    client.finish("the client closed the connection", DisconnectReason.CLOSED)
                    return
                client.bytes_received += len(data)
                if b"\n" in data:
                    client.last_line_at = trio.current_time()
                await self._owner.received(client, bytes(data))
        if not client.reason:
            if client.session.started:
                client.finish("no request for too long", DisconnectReason.IDLE)
            else:
                client.finish("not subscribed and authorized in time", DisconnectReason.NOT_AUTHORIZED)

    def _deadline(self, client: Connection[S]) -> float:
        if client.session.started:
            return client.last_line_at + self._limits.idle_timeout
        return client.connected_time + self._limits.authorize_timeout

    async def _write(self, client: Connection[S]) -> None:
        while (data := await client.queue.get()) is not None:
            try:
                with trio.fail_after(self._limits.send_timeout):
                    await client.stream.send_all(data)
            except trio.TooSlowError:
                reason = f"slow reader: a write took more than {self._limits.send_timeout:g} s"
                client.drop(reason, DisconnectReason.SLOW_READER)
                return
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                client.drop("connection lost", DisconnectReason.LOST)
                return
            client.bytes_sent += len(data)


def _address_of(stream: trio.abc.Stream) -> str:
    transport = innermost(stream)
    if not isinstance(transport, trio.SocketStream):
        return "in memory"
    try:
        return address_text(transport.socket.getpeername())
    except OSError:  # gone before we looked
        return "unknown"


def _host(address: str) -> str:
    return address.rpartition(":")[0]


def _set_options(stream: trio.abc.Stream) -> None:
    """Keepalive and a small send buffer; trio has set TCP_NODELAY already."""
    transport = innermost(stream)
    if not isinstance(transport, trio.SocketStream):
        return
    transport.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    transport.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    options = KEEPALIVE | {"TCP_USER_TIMEOUT": USER_TIMEOUT_MS}
    for name, value in options.items():
        option = getattr(socket, name, None)
        if option is not None:  # the names differ between systems
            transport.setsockopt(socket.IPPROTO_TCP, option, value)
