"""A running miner's figures over HTTP: ``/api/v1/summary`` as JSON and ``/health``. Read-only, loopback only.

A page in a browser could ask too, under a name that it made point to this machine, so the Host must be a loopback one.
"""

import ipaddress
import socket
from collections.abc import Callable
from typing import Any

import msgspec
import trio
from hypercorn.config import Config
from hypercorn.trio import serve
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

MAX_HEADER = 8192
MAX_BACKLOG = 64
READ_SECONDS = 10


class ListenError(Exception):
    """The address cannot be listened on; the message says why."""


def listening_socket(address: str) -> socket.socket:
    """A socket listening on ``HOST:PORT`` of the loopback interface; port 0 takes a free one. ListenError."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise ListenError(f"expected HOST:PORT, as in 127.0.0.1:7780, got {address!r}")
    try:
        numeric = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host.strip("[]"))
    except ValueError:
        raise ListenError(f"expected an address of this machine, as in 127.0.0.1:7780, got {address!r}") from None
    if not numeric.is_loopback:
        raise ListenError(f"expected a loopback address, got {host}: everybody on the network could read it")
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


def application(summary: Callable[[], dict[str, Any]]) -> Starlette:
    """The routes over a function that tells the figures of the moment."""

    async def show(_request: Request) -> Response:
        return Response(
            msgspec.json.encode(summary()), media_type="application/json", headers={"cache-control": "no-store"}
        )

    async def health(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    return Starlette(
        routes=[Route("/api/v1/summary", show, methods=["GET"]), Route("/health", health, methods=["GET"])],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=["localhost", "127.0.0.1", "::1", "[::1]"])],
    )


async def run(bound: socket.socket, summary: Callable[[], dict[str, Any]]) -> None:
    """Serve on a bound socket, which it takes over, until cancelled."""
    config = Config()
    config.bind = [f"fd://{bound.detach()}"]
    config.accesslog = config.errorlog = None
    config.h11_max_incomplete_size = MAX_HEADER
    config.backlog = MAX_BACKLOG
    config.read_timeout = READ_SECONDS
    config.include_server_header = False
    await serve(application(summary), config, shutdown_trigger=trio.sleep_forever)  # type: ignore[arg-type]
