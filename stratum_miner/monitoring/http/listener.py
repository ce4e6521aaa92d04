"""Opens the socket of the API and serves a limited number of connections on it.

By default, the socket listens only on an address that other computers cannot reach. An option permits other addresses;
the rules in ``guard`` are then stricter.
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
"""Largest number of connections at a time. Further connections are closed at once. A browser opens up to six
connections for one page."""


class ListenError(Exception):
    """The program cannot listen on the given address. The message says why."""


def listening_socket(address: str, *, network: bool = False, permission: str = "--http-network") -> socket.socket:
    """Return a socket that listens on ``HOST:PORT``. With port 0, the system chooses a free port.

    Raises ListenError if the socket cannot listen there, or if other computers can reach the address and ``network`` is
    false. In the second case, the message names ``permission``, the option that permits such an address.
    """
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise ListenError(f"expected HOST:PORT, as in 127.0.0.1:7780, got {address!r}")
    try:
        numeric = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host.strip("[]"))
    except ValueError:
        raise ListenError(f"expected an IP address of this computer, as in 127.0.0.1:7780, got {address!r}") from None
    if not (numeric.is_loopback or network):
        raise ListenError(
            f"expected a loopback address, got {host}. To let other computers reach the port, add {permission}"
        )
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
    """Return whether only this computer can reach the IP address ``host``."""
    return ipaddress.ip_address(host).is_loopback


async def serve(bound: socket.socket, source: Source, access: Access) -> None:
    """Answer requests about a miner on a bound socket until cancelled. Closes the socket at the end."""
    await serve_application(bound, application(source, access))


async def serve_stats(
    bound: socket.socket,
    summary: Callable[[], Mapping[str, Any]],
    metrics: Callable[[], Iterable[Metric]],
    access: Access,
) -> None:
    """Serve the summary, the metrics and the health of a running command other than ``mine``, such as ``pool``, until
    cancelled. No request can make changes."""
    await serve_application(bound, stats(summary, Exposition(metrics).text, access))


def in_turns(app: ASGIApp) -> ASGIApp:
    """Return an application that does the same as ``app``, but begins at most one answer in each turn of the trio loop.

    An answer takes 1 to 2 ms, in which nothing else runs in the trio thread. Without this limit, many requests at the
    same moment would delay messages of miners and pools by the sum of these times.
    """
    turn = trio.Lock()

    async def answering(scope: Scope, receive: Receive, send: Send) -> None:
        async with turn:
            await trio.lowlevel.checkpoint()
        await app(scope, receive, send)

    return answering


async def serve_application(bound: socket.socket, app: ASGIApp) -> None:
    """Serve an application on a bound socket until cancelled. Limits the number of connections at a time, and begins
    answers one at a time. Closes the socket at the end."""
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
