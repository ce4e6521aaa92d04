"""From a pool's URL to a stream that speaks Stratum: TCP, perhaps through a proxy, perhaps with TLS inside."""

import os
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

import trio

from stratum_miner.client.dialing import tls
from stratum_miner.client.dialing.tls import SYSTEM_TRUST, TlsSettings
from stratum_miner.client.dialing.tunnel import TunnelUnreachable, TunnelUrl
from stratum_miner.client.dialing.url import HOST_FORM, PoolUnreachable, PoolUrl, is_host

PROXY_SECONDS = 60.0
"""Least seconds to connect through a proxy: a Tor circuit takes its time
(docs/reference/stratum.md#proxies-and-tor)."""


@dataclass(frozen=True, slots=True)
class Dialer:
    """Connects to pools as one pool's settings say; a ``Connector``."""

    tls: TlsSettings = SYSTEM_TRUST
    proxy: TunnelUrl | None = None

    async def __call__(self, url: PoolUrl, seconds: float) -> trio.abc.Stream:
        """Connect and, where the URL says so, shake hands in TLS; PoolUnreachable names the reason in one line."""
        if not is_host(url.host):  # a pool may have sent us there
            raise PoolUnreachable(f"{url}: expected a host name of {HOST_FORM}")
        limit = seconds if self.proxy is None else max(seconds, PROXY_SECONDS)
        try:
            with trio.fail_after(limit):
                stream: trio.abc.Stream = await self._open(url)
                if not url.tls:
                    return stream
                try:
                    return await tls.secure(stream, url, self.tls)
                except BaseException:
                    await trio.aclose_forcefully(stream)
                    raise
        except trio.TooSlowError:
            raise PoolUnreachable(f"{url}: no connection within {limit:g} s") from None

    async def _open(self, url: PoolUrl) -> trio.SocketStream:
        if self.proxy is None:
            return await open_tcp(url)
        try:
            stream = await self.proxy.connect(url.host, url.port)
        except TunnelUnreachable as error:
            raise PoolUnreachable(f"{url}: {error}") from None
        set_keepalive(stream)
        return stream


KEEPALIVE_IDLE_S, KEEPALIVE_INTERVAL_S, KEEPALIVE_PROBES = 60, 10, 3
"""What ESP-Miner settled on; a dead peer shows within 90 s instead of Linux's 15 minutes
(docs/reference/stratum.md#silence-and-lost-connections)."""


Connector: TypeAlias = Callable[[PoolUrl, float], Awaitable[trio.abc.Stream]]
"""Opens a stream to a pool within so many seconds: a ``Dialer``, or a test's own."""


async def open_tcp(url: PoolUrl) -> trio.SocketStream:
    """Connect over TCP, all addresses raced (RFC 8305); PoolUnreachable names the reason."""
    try:
        stream = await trio.open_tcp_stream(url.host, url.port)
    except (OSError, ExceptionGroup) as error:
        raise PoolUnreachable(f"{url}: {reason_of(error)}") from None
    set_keepalive(stream)
    return stream


def set_keepalive(stream: trio.SocketStream) -> None:
    """Have the system notice a peer that vanished."""
    options = {
        "TCP_KEEPIDLE": KEEPALIVE_IDLE_S,
        "TCP_KEEPINTVL": KEEPALIVE_INTERVAL_S,
        "TCP_KEEPCNT": KEEPALIVE_PROBES,
    }
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in options.items():
        if hasattr(socket, name):  # not every system has all three
            stream.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def reason_of(error: BaseException) -> str:
    """The innermost reason in words: "Connection refused" rather than a group of attempts."""
    while True:
        if isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        elif isinstance(error.__cause__, BaseException):
            error = error.__cause__
        else:
            if isinstance(error, OSError) and error.errno is not None:
                return os.strerror(error.errno) if error.errno > 0 else str(error.strerror)
            return str(error)
