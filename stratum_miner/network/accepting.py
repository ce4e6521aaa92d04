"""Connections accepted on every listener of ours, however little the system has to give at the moment.

Must not know what is said on a connection. Descriptors, memory and buffers can run out while many strangers connect.
That passes: the loop waits and goes on, and a line in the log tells of it once a minute. The last few descriptors are
never given to who connects, because the process needs them for connections of its own, to a node or to a pool.
"""

import errno
import math
import os
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from typing import Any, Never, TypeAlias

import structlog
import trio

from stratum_miner.network import files

ACCEPTED_AT_ONCE = 64
"""Connections accepted before those that are there get a turn: one for each turn takes seconds for thousands."""
OUT_OF_RESOURCES = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))
PAUSE_S = 0.1
"""Until the next try when the system has no more to give; trio's value."""
WARNING_EVERY_S = 60.0
"""How often a shortage that lasts is told."""
GONE_BEFORE_ACCEPTED = frozenset(
    getattr(errno, name)
    for name in (
        "ECONNABORTED",
        "ECONNRESET",
        "EHOSTDOWN",
        "EHOSTUNREACH",
        "ENETDOWN",
        "ENETUNREACH",
        "ENONET",
        "ENOPROTOOPT",
        "EOPNOTSUPP",
        "EPERM",
        "EPROTO",
        "ETIMEDOUT",
    )
    if hasattr(errno, name)
)
"""Errors of the connection that waited, which accept reports as its own (accept(2)): the next one may be sound."""

Listener: TypeAlias = trio.abc.Listener[Any]
_Serve: TypeAlias = Callable[[Any], None]
log = structlog.get_logger(__name__)


class ListenerError(Exception):
    """Nobody can connect any more; the text says where and why."""


async def serve(
    handler: Callable[[Any], Awaitable[object]],
    listeners: Sequence[Listener],
    *,
    handlers: trio.Nursery | None = None,
    task_status: trio.TaskStatus[Sequence[Listener]] = trio.TASK_STATUS_IGNORED,
) -> Never:
    """Start ``handler`` with each stream that comes, until cancelled; the listeners are closed then.

    The tasks run in ``handlers``, or end with this one. Raises ListenerError when a listener is broken.
    """
    async with trio.open_nursery() as nursery:
        clients = handlers or nursery
        for listener in listeners:
            nursery.start_soon(_accept_on, listener, lambda stream: clients.start_soon(handler, stream))
        task_status.started(listeners)
        await trio.sleep_forever()
    raise AssertionError("unreachable: only an exception ends the nursery")


async def serve_beside(handler: Callable[[Any], Awaitable[object]], listeners: Sequence[Listener]) -> None:
    """The same for what stands beside the work of a process: a broken listener is logged, and all else goes on."""
    try:
        await serve(handler, listeners)
    except* ListenerError as errors:
        for error in errors.exceptions:
            log.error("listener_failed", error=str(error))


def shortage_behind(error: BaseException | None) -> int | None:
    """The system's number of the shortage that an error came of, whatever it was made into; None if of none."""
    if error is None:
        return None
    if isinstance(error, OSError) and error.errno in OUT_OF_RESOURCES:
        return error.errno
    inner = error.exceptions if isinstance(error, BaseExceptionGroup) else (error.__cause__ or error.__context__,)
    return next((number for each in inner if (number := shortage_behind(each)) is not None), None)


def address_text(name: tuple[Any, ...]) -> str:
    """An address of a socket as host:port."""
    host, port = name[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def innermost(wrapped: object) -> object:
    """The stream or listener that has the socket, inside TLS or whatever else wraps it the way trio does."""
    while (inner := getattr(wrapped, "transport_stream", getattr(wrapped, "transport_listener", None))) is not None:
        wrapped = inner
    return wrapped


async def _accept_on(listener: Listener, serve_one: _Serve) -> None:
    quiet_until = -math.inf
    async with listener:
        with _acceptor(listener) as accept:
            while True:
                try:
                    await accept(serve_one)
                except (OSError, trio.ClosedResourceError, trio.BrokenResourceError) as error:
                    number = error.errno if isinstance(error, OSError) else None
                    if number in GONE_BEFORE_ACCEPTED:
                        continue
                    if number not in OUT_OF_RESOURCES:
                        raise ListenerError(f"{_place(listener)}: cannot accept connections: {error}") from error
                    if trio.current_time() >= quiet_until:
                        reason = os.strerror(number)
                        log.warning("accept_failed", address=_place(listener), error=reason, retry_in_s=PAUSE_S)
                        quiet_until = trio.current_time() + WARNING_EVERY_S
                    await trio.sleep(PAUSE_S)


@contextmanager
def _acceptor(listener: Listener) -> Iterator[Callable[[_Serve], Awaitable[None]]]:
    """What accepts on this listener: on a plain socket many at a time, for after a restart everybody comes at once."""
    if not isinstance(listener, trio.SocketListener):
        yield partial(_accept_one, listener)
        return
    with closing(socket.socket(fileno=os.dup(listener.socket.fileno()))) as acceptor:
        acceptor.setblocking(False)  # it is closed before the listener: while it is open nobody else can have the port
        yield partial(_accept_many, acceptor)


async def _accept_one(listener: Listener, serve_one: _Serve) -> None:
    inner = innermost(listener)
    if isinstance(inner, trio.SocketListener) and inner.socket.fileno() >= 0:
        await trio.lowlevel.wait_readable(inner.socket)
        files.keep_spare(files.limit(), inner.socket.fileno())
    serve_one(await listener.accept())


async def _accept_many(acceptor: socket.socket, serve_one: _Serve) -> None:
    await trio.lowlevel.wait_readable(acceptor)
    limit = files.limit()
    for _ in range(ACCEPTED_AT_ONCE):
        files.keep_spare(limit, acceptor.fileno())
        try:
            accepted, _ = acceptor.accept()
        except BlockingIOError:  # nobody waits any more
            return
        accepted.setblocking(False)
        serve_one(trio.SocketStream(trio.socket.from_stdlib_socket(accepted)))


def _place(listener: Listener) -> str:
    inner = innermost(listener)
    try:
        return address_text(inner.socket.getsockname()) if isinstance(inner, trio.SocketListener) else "in memory"
    except OSError:
        return "a listener that is closed"
