"""Sends HTTP requests to web servers. Each response is limited in seconds and bytes.

The module ``exchange`` implements HTTP and counts bytes; this module adds sockets, TLS and time limits. One deadline
covers the name lookup, connecting, the TLS handshake, sending, and the response to its last byte, so a server that
sends one byte a second cannot exceed the time limit. A connection is kept for further requests if the server allows it.
Closing a connection never blocks.

The file .netrc, the environment variable SSL_CERT_FILE and the environment variables for proxies are ignored. The
certificates of servers are checked with the trusted certificates of the system, which are read from the paths that
OpenSSL was built with, or else from ``_AUTHORITIES``.
"""

import math
import os
import socket
import ssl
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import trio

from stratum_miner.foreign_text import sanitize
from stratum_miner.network.exchange import (
    BrokenFetchError,
    ConnectFetchError,
    Exchange,
    FetchError,
    HttpResponse,
    HttpTarget,
    LargeFetchError,
    SlowFetchError,
    TlsFetchError,
    basic,
)

__all__ = [
    "BrokenFetchError",
    "ConnectFetchError",
    "FetchError",
    "Fetcher",
    "HttpResponse",
    "HttpTarget",
    "LargeFetchError",
    "SlowFetchError",
    "TlsFetchError",
    "basic",
]

IDLE_SECONDS: Final = 20.0
"""Seconds for which an unused connection is kept; bitcoind closes it after 30 s (rpcservertimeout)."""
MAX_IDLE: Final = 4
"""Maximum number of unused connections that are kept to one server."""
CHUNK: Final = 1 << 16
_KEEPALIVE: Final = {"TCP_KEEPIDLE": 60, "TCP_KEEPALIVE": 60, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
"""TCP keepalive: the first probe after 60 s without data, further probes every 10 s, and 3 unanswered probes break the
connection. So a server that is no longer reachable is detected within 90 s, also during requests without a deadline."""
_AUTHORITIES: Final = (
    "/etc/ssl/cert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/ca-bundle.pem",
)
"""Files in which operating systems keep their trusted certificates. They are needed if the OpenSSL of this Python was
built for another operating system and looks for the certificates elsewhere."""


class Fetcher:
    """Sends requests to servers and keeps connections for later requests. Use a ``Fetcher`` with ``async with``: the
    kept connections are closed when the block ends.

    ``tls`` is the SSL context of all TLS connections. If it is None, they use a context that trusts the system's
    certificates.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._idle: dict[tuple[str, str, int], list[_Connection]] = {}
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all kept connections at once."""
        self._closed = True
        for connection in [connection for kept in self._idle.values() for connection in kept]:
            await connection.aclose()
        self._idle.clear()

    async def fetch(
        self,
        target: HttpTarget,
        *,
        seconds: float,
        max_bytes: int,
        method: str = "GET",
        content: bytes = b"",
        headers: Mapping[str, str] | None = None,
        connect_seconds: float = math.inf,
        waits: bool = False,
    ) -> HttpResponse:
        """Send one request and return the complete response, whatever its status code.

        ``seconds`` limits the time from the name lookup to the last byte of the response. ``connect_seconds`` limits
        the time before the request is sent: name lookup, connecting and the TLS handshake. ``max_bytes`` limits the
        bytes of the response that the server sends, head and body together.

        Use ``waits`` for long polling: the response can then begin at any time after the request was sent, and the rest
        of it must arrive within ``seconds`` after its first bytes. Raises a FetchError if there is no complete response
        within the limits.
        """
        with trio.CancelScope(deadline=trio.current_time() + seconds) as scope:
            connection = await self._open(target, min(seconds, connect_seconds))
            try:
                request = connection.exchange.request(
                    target, max_bytes=max_bytes, method=method, content=content, headers=headers
                )
                await connection.send(request)
                if waits:
                    scope.deadline = math.inf
                    data = await connection.receive()
                    scope.deadline = trio.current_time() + seconds
                else:
                    data = await connection.receive()
                while (answer := connection.exchange.feed(data)) is None:
                    data = await connection.receive()
                self._keep(connection)
                return answer
            finally:
                if not connection.kept:
                    await connection.aclose()
        raise SlowFetchError(target.where, "a whole answer", seconds)

    async def _open(self, target: HttpTarget, seconds: float) -> "_Connection":
        if self._closed:
            raise RuntimeError("the fetcher is closed")
        kept = self._idle.get(_key(target), [])
        while kept:
            connection = kept.pop()
            if connection.is_fresh():
                connection.kept = False
                return connection
            await connection.aclose()
        with trio.move_on_after(seconds):
            return _Connection(_key(target), await self._connect(target))
        raise SlowFetchError(target.where, "a connection", seconds)

    async def _connect(self, target: HttpTarget) -> trio.abc.Stream:
        try:
            stream = await trio.open_tcp_stream(target.host, target.port)
        except (OSError, ExceptionGroup) as error:
            raise ConnectFetchError(target.where, f"cannot connect: {_reason(error)}") from None
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEPALIVE.items():
            if hasattr(socket, name):  # not every system has all of these options
                stream.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        if target.scheme == "http":
            return stream
        secured = trio.SSLStream(
            stream, self._tls or _system_trust(), server_hostname=target.host, https_compatible=True
        )
        try:
            await secured.do_handshake()
        except trio.BrokenResourceError as error:
            await trio.aclose_forcefully(stream)
            raise TlsFetchError(target.where, f"cannot connect with TLS: {_reason(error)}") from None
        except BaseException:
            await trio.aclose_forcefully(stream)
            raise
        return secured

    def _keep(self, connection: "_Connection") -> None:
        kept = self._idle.setdefault(connection.key, [])
        if connection.exchange.reusable and len(kept) < MAX_IDLE and not self._closed:
            connection.kept, connection.idle_since = True, trio.current_time()
            kept.append(connection)


class _Connection:
    """A stream to a server, and the state of the HTTP requests on this stream."""

    def __init__(self, key: tuple[str, str, int], stream: trio.abc.Stream) -> None:
        self.key = key
        self.exchange = Exchange()
        self.kept = False
        self.idle_since = 0.0
        self._stream = stream

    def is_fresh(self) -> bool:
        """Return whether another request can be sent on this connection.

        The last request must have ended less than ``IDLE_SECONDS`` ago. The server must have sent nothing since then,
        and must not have closed the connection.
        """
        inner = self._stream.transport_stream if isinstance(self._stream, trio.SSLStream) else self._stream
        assert isinstance(inner, trio.SocketStream), "what open_tcp_stream gives"
        return trio.current_time() < self.idle_since + IDLE_SECONDS and not inner.socket.is_readable()

    async def send(self, data: bytes) -> None:
        """Send ``data``. If the stream breaks, this method raises no error: the server may have sent its response and
        closed the connection before it read everything. ``receive`` then returns the response.
        """
        try:
            await self._stream.send_all(data)
        except trio.BrokenResourceError:
            await trio.lowlevel.checkpoint()

    async def receive(self) -> bytes:
        """Return the next received bytes, or no bytes if the connection was closed or broken."""
        try:
            return bytes(await self._stream.receive_some(CHUNK))
        except trio.BrokenResourceError:
            return b""

    async def aclose(self) -> None:
        await trio.aclose_forcefully(self._stream)


def _key(target: HttpTarget) -> tuple[str, str, int]:
    return target.scheme, target.host, target.port


@cache
def _system_trust() -> ssl.SSLContext:
    """Return a context like that of ``ssl.create_default_context``, but ignore SSL_CERT_FILE and SSL_CERT_DIR."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    paths = ssl.get_default_verify_paths()
    file = next((name for name in (paths.openssl_cafile, *_AUTHORITIES) if Path(name).is_file()), None)
    folder = paths.openssl_capath if Path(paths.openssl_capath).is_dir() else None
    if file or folder:
        context.load_verify_locations(file, folder)
    return context


def _reason(error: BaseException) -> str:
    """Return the text of the innermost error, such as "Connection refused". ``error`` can be a group of errors, one for
    each attempt to connect; the first of them is used."""
    while True:
        if isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        elif isinstance(error, ssl.SSLCertVerificationError):
            return f"its certificate cannot be trusted: {sanitize(error.verify_message)}"
        elif isinstance(error, ssl.SSLError):  # an OSError whose number is not an errno
            return sanitize(error.reason or str(error))
        elif error.__cause__ is not None:
            error = error.__cause__
        elif isinstance(error, OSError) and error.strerror:  # trio may replace the system's text, but keeps the errno
            return os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        else:
            return sanitize(str(error)) or type(error).__name__
