"""The socket that the API listens on, and a bounded number of connections on it.

What listens to the network is told apart from what listens to this machine alone: see ``guard``.
"""

import ipaddress
import socket
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import trio
from prometheus_client import Metric
from starlette.types import ASGIApp, Receive, Scope, Send

from stratum_miner.monitoring.http.application import application, stats
from stratum_miner.monitoring.http.endpoints import Source
from stratum_miner.monitoring.http.exposition import Exposition
from stratum_miner.monitoring.http.guard import Access
from stratum_miner.monitoring.http.server import answer
from stratum_miner.network import accepting

MAX_BACKLOG = 64
MAX_CONNECTIONS = 256
"""The most connections at a time; a browser opens six for a page. Others are closed at once."""


class ListenError(Exception):
    """The address cannot be listened on; the message says why."""


def listening_socket(address: str, *, network: bool = False, permission: str = "--http-network") -> socket.socket:
    """A socket listening on ``HOST:PORT``; port 0 takes a free one. ListenError, also for an address of the network
    unless ``network`` says that it is meant; ``permission`` is the option that would have said so.
    """
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise ListenError(f"expected HOST:PORT, as in 127.0.0.1:7780, got {address!r}")
    try:
        numeric = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host.strip("[]"))
    except ValueError:
        raise ListenError(f"expected an address of this machine, as in 127.0.0.1:7780, got {address!r}") from None
    if not (numeric.is_loopback or network):
        raise ListenError(f"expected a loopback address, got {host}: {permission} says that it is meant")
    family = socket.AF_INET6 if numeric.version == 6 else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((str(numeric), int(port)))
        bound.listen(MAX_BACKLOG)
    except OSError as error:
        bound.close()
        raise ListenError(f"cannot listen on {address}: {error.strerror}") from None
    return bound


def is_loopback(host: str) -> bool:
    """Whether only this machine can ask at a bound address."""
    return ipaddress.ip_address(host).is_loopback


async def serve(bound: socket.socket, source: Source, access: Access) -> None:
    """Answer on a bound socket, which it takes over, until cancelled."""
    await serve_application(bound, application(source, access))


async def serve_stats(
    bound: socket.socket,
    summary: Callable[[], Mapping[str, Any]],
    metrics: Callable[[], Iterable[Metric]],
    access: Access,
) -> None:
    """Tell the figures of something that is no miner, until cancelled: nothing can be changed there."""
    await serve_application(bound, stats(summary, Exposition(metrics).text, access))


def in_turns(app: ASGIApp) -> ASGIApp:
    """The application, of which the loop begins one answer in each of its turns at most.

    An answer takes a millisecond or two, and all who ask at the same moment would hold up miners and pools for as many.
    """
    turn = trio.Lock()

    async def answering(scope: Scope, receive: Receive, send: Send) -> None:
        async with turn:
            await trio.lowlevel.checkpoint()
        await app(scope, receive, send)

    return answering


async def serve_application(bound: socket.socket, app: ASGIApp) -> None:
    """Any application, with our limits, on a bound socket, which it takes over, until cancelled."""
    limit = trio.CapacityLimiter(MAX_CONNECTIONS)
    app = in_turns(app)

    async def answer_if_free(stream: trio.SocketStream) -> None:
        try:
            limit.acquire_on_behalf_of_nowait(stream)
        except trio.WouldBlock:
            await trio.aclose_forcefully(stream)
            return
        try:
            await answer(stream, app)
        finally:
            limit.release_on_behalf_of(stream)

    await accepting.serve_beside(answer_if_free, [trio.SocketListener(trio.socket.from_stdlib_socket(bound))])
