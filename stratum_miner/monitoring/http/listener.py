"""Serves an ASGI application over HTTP on a listening socket, with a limited number of connections."""

import socket
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import trio
from starlette.types import ASGIApp, Receive, Scope, Send

from stratum_miner.monitoring.http.application import application, stats
from stratum_miner.monitoring.http.endpoints import Source
from stratum_miner.monitoring.http.guard import Access
from stratum_miner.monitoring.http.server import answer
from stratum_miner.network import accepting

if TYPE_CHECKING:
    from prometheus_client import Metric

MAX_CONNECTIONS = 256
"""Largest number of connections at a time. Further connections are closed at once. A browser opens up to six
connections for one page."""


async def serve(bound: socket.socket, source: Source, access: Access) -> None:
    """Listen on the socket ``bound`` and answer HTTP requests about a miner until cancelled. Closes the socket at the
    end."""
    await serve_application(bound, application(source, access))


async def serve_stats(
    bound: socket.socket,
    summary: Callable[[], Mapping[str, Any]],
    metrics: "Callable[[], Iterable[Metric]]",
    access: Access,
) -> None:
    """Serve the summary, the metrics and the health of a running command other than ``mine``, such as ``pool``, until
    cancelled. No request can make changes."""
    await serve_application(bound, stats(summary, metrics, access))


def in_turns(app: ASGIApp) -> ASGIApp:
    """Return an application that does the same as ``app``, but lets all other tasks of trio run between the beginnings
    of two answers.

    An answer takes 1 to 2 ms, in which nothing else runs in the trio thread. If many answers began directly one after
    the other, they would delay messages of miners and pools by the sum of these times.
    """
    turn = trio.Lock()

    async def answering(scope: Scope, receive: Receive, send: Send) -> None:
        async with turn:
            await trio.lowlevel.checkpoint()
        await app(scope, receive, send)

    return answering


async def serve_application(bound: socket.socket, app: ASGIApp) -> None:
    """Serve an application on the socket ``bound`` until cancelled. Limits the number of connections at a time, and
    begins answers one at a time. Closes the socket at the end."""
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
