"""Opens a TCP stream to a pool. The stream goes through a SOCKS or HTTP proxy if the settings name one. It uses TLS if
the URL of the pool asks for TLS."""

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
"""Smallest time limit, in seconds, for connecting through a SOCKS or HTTP proxy. It is long because building a Tor
circuit takes a long time (docs/reference/stratum.md#proxies-and-tor)."""


@dataclass(frozen=True, slots=True)
class Dialer:
    """Opens streams to one pool, with the TLS and proxy settings for this pool. Can be used as a ``Connector``."""

    tls: TlsSettings = SYSTEM_TRUST
    """How to verify the pool, if the URL asks for TLS."""
    proxy: TunnelUrl | None = None
    """The SOCKS or HTTP proxy through which to connect; None: connect directly."""

    async def __call__(self, url: PoolUrl, seconds: float) -> trio.abc.Stream:
        """Open a stream, with TLS if the URL asks for it. ``seconds``: time limit; through a proxy it is at least 60 s.

        Raises PoolUnreachable, with the reason in one line, if there is no connection.
        """
        if not is_host(url.host):  # the host may come from a client.reconnect of the pool
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
"""TCP keepalive: seconds without data before the first probe, seconds between two probes, and number of probes.
ESP-Miner uses the same values. With them, the operating system notices a dead peer within 90 s. With the defaults of
Linux, this takes 15 minutes (docs/reference/stratum.md#silence-and-lost-connections)."""


Connector: TypeAlias = Callable[[PoolUrl, float], Awaitable[trio.abc.Stream]]
"""A function that opens a stream to a URL within the given number of seconds, such as a ``Dialer``. It must raise
PoolUnreachable if it cannot connect."""


async def open_tcp(url: PoolUrl) -> trio.SocketStream:
    """Connect over TCP. If the host has several IP addresses, they are tried shortly after each other, without waiting
    for the previous one to fail (RFC 8305).

    Raises PoolUnreachable, with the reason in one line, if no address answers.
    """
    try:
        stream = await trio.open_tcp_stream(url.host, url.port)
    except (OSError, ExceptionGroup) as error:
        raise PoolUnreachable(f"{url}: {reason_of(error)}") from None
    set_keepalive(stream)
    return stream


def set_keepalive(stream: trio.SocketStream) -> None:
    """Turn on TCP keepalive, so that the system notices a peer that has vanished."""
    options = {
        "TCP_KEEPIDLE": KEEPALIVE_IDLE_S,
        "TCP_KEEPALIVE": KEEPALIVE_IDLE_S,  # what macOS calls TCP_KEEPIDLE
        "TCP_KEEPINTVL": KEEPALIVE_INTERVAL_S,
        "TCP_KEEPCNT": KEEPALIVE_PROBES,
    }
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in options.items():
        if hasattr(socket, name):  # a system may lack some of these options
            stream.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def reason_of(error: BaseException) -> str:
    """Return the innermost cause of an error in words, such as "Connection refused"."""
    while True:
        if isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        elif isinstance(error.__cause__, BaseException):
            error = error.__cause__
        else:
            if isinstance(error, OSError) and error.errno is not None:
                return os.strerror(error.errno) if error.errno > 0 else str(error.strerror)
            return str(error)
