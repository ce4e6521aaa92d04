"""Accepts connections on every listener of the program, and goes on after a shortage of resources, such as file
descriptors.

File descriptors, memory and buffers can run out while many clients connect. Such a shortage is temporary: the loop that
accepts connections waits and tries again, and logs at most one warning a minute. The last few file descriptors are
never used for accepted connections, because the process needs them for its own connections to a node or to a pool. This
module does not depend on what is sent over the connections.
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
"""Maximum number of connections that are accepted before other tasks of the event loop run again. If only one were
accepted, thousands of clients that connect at the same time would have to wait for seconds."""
OUT_OF_RESOURCES = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))
PAUSE_S = 0.1
"""Seconds from a shortage of resources to the next attempt to accept a connection. trio itself uses the same value."""
WARNING_EVERY_S = 60.0
"""Seconds between two warnings about the same shortage."""
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
"""Errors of the system call accept(2) that concern only one waiting connection, and not the listener. After such an
error, the next connection is accepted at once."""

Listener: TypeAlias = trio.abc.Listener[Any]
_Serve: TypeAlias = Callable[[Any], None]
log = structlog.get_logger(__name__)


class ListenerError(Exception):
    """A listener is broken, so that no client can connect to it. The message gives the HOST:PORT of the listener and
    the reason."""


async def open_tcp_listeners(host: str, port: int) -> list[trio.SocketListener]:
    """Open TCP listeners on a host and port. Raises OSError if a listener cannot be opened. The text of the error
    contains the host and the port."""
    try:
        return await trio.open_tcp_listeners(port, host=host)
    except OSError as error:
        raise OSError(error.errno, f"cannot listen on {host}:{port}: {error.strerror or error}") from None


async def serve(
    handler: Callable[[Any], Awaitable[object]],
    listeners: Sequence[Listener],
    *,
    handlers: trio.Nursery | None = None,
    task_status: trio.TaskStatus[Sequence[Listener]] = trio.TASK_STATUS_IGNORED,
) -> Never:
    """Accept connections until cancelled. For each connection, start a task that calls ``handler`` with its stream.
    When cancelled, close the listeners.

    The started tasks run in the nursery ``handlers``. Without ``handlers``, they run in a nursery of this function, and
    are cancelled together with the function. Raises ListenerError if a listener is broken.
    """
    async with trio.open_nursery() as nursery:
        clients = handlers or nursery
        for listener in listeners:
            nursery.start_soon(_accept_on, listener, lambda stream: clients.start_soon(handler, stream))
        task_status.started(listeners)
        await trio.sleep_forever()
    raise AssertionError("unreachable: only an exception ends the nursery")


async def serve_beside(handler: Callable[[Any], Awaitable[object]], listeners: Sequence[Listener]) -> None:
    """Accept connections as ``serve`` does, but if a listener is broken, log the error and return.

    Use it for a listener that the process can do without.
    """
    try:
        await serve(handler, listeners)
    except* ListenerError as errors:
        for error in errors.exceptions:
            log.error("listener_failed", error=str(error))


def shortage_behind(error: BaseException | None) -> int | None:
    """Return the errno of the resource shortage that caused an error, or None if no shortage did.

    Searches the causes, contexts and exception groups of ``error`` for the original OSError.
    """
    if error is None:
        return None
    if isinstance(error, OSError) and error.errno in OUT_OF_RESOURCES:
        return error.errno
    inner = error.exceptions if isinstance(error, BaseExceptionGroup) else (error.__cause__ or error.__context__,)
    return next((number for each in inner if (number := shortage_behind(each)) is not None), None)


def address_text(name: tuple[Any, ...]) -> str:
    """Return a socket address as ``host:port``, with an IPv6 address in brackets."""
    host, port = name[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def innermost(wrapped: object) -> object:
    """Return the stream or listener that has the socket, from inside the wrappers that trio uses, such as TLS."""
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
    """Yield a function that waits for connections on this listener and accepts them.

    If the listener has a plain TCP socket, without TLS, the function accepts many connections at a time: after a
    restart of the program, all miners reconnect at the same moment.
    """
    if not isinstance(listener, trio.SocketListener):
        yield partial(_accept_one, listener)
        return
    with closing(socket.socket(fileno=os.dup(listener.socket.fileno()))) as acceptor:
        # this duplicate of the socket must not outlive the listener, because it would keep the port occupied
        acceptor.setblocking(False)
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
        except BlockingIOError:  # no further connection is waiting
            return
        accepted.setblocking(False)
        serve_one(trio.SocketStream(trio.socket.from_stdlib_socket(accepted)))


def _place(listener: Listener) -> str:
    inner = innermost(listener)
    try:
        return address_text(inner.socket.getsockname()) if isinstance(inner, trio.SocketListener) else "in memory"
    except OSError:
        return "a listener that is closed"
