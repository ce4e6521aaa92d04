"""From a pool's URL to an open stream, and how long to wait before the next try."""

import os
import random
import re
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TypeAlias
from urllib.parse import urlsplit

import trio

from stratum_miner.foreign_text import sanitize

SCHEMES = ("stratum+tcp", "tcp", "stratum")
"""Spellings of plain TCP; cpuminer's own is the first."""
TLS_SCHEMES = ("stratum+ssl", "stratum+tls", "stratum+tcps", "stratums", "ssl", "tls")
"""Spellings of TLS from the first byte on; the commonest is the first (stratum.md 5)."""
KEEPALIVE_IDLE_S, KEEPALIVE_INTERVAL_S, KEEPALIVE_PROBES = 60, 10, 3
"""What ESP-Miner settled on; a dead peer shows within 90 s instead of Linux's 15 minutes (stratum.md 4.1)."""
MAX_HOST = 255
"""Characters of a host's name, RFC 1035; what proxies are told has one byte for its length."""
HOST_FORM = f"1 to 63 characters between dots and at most {MAX_HOST} in all"


class PoolUrlError(ValueError):
    """The user's URL is not one we can connect to."""


class PoolUnreachable(Exception):  # noqa: N818  the field's word
    """No connection could be made."""


@dataclass(frozen=True, slots=True)
class PoolUrl:
    """Where a pool listens."""

    host: str
    port: int
    tls: bool = False

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{(TLS_SCHEMES if self.tls else SCHEMES)[0]}://{host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> "PoolUrl":
        """Parse ``stratum+tcp://HOST:PORT``, ``stratum+ssl://HOST:PORT`` or ``HOST:PORT``. PoolUrlError says what is
        missing.

        Credentials inside the URL are refused rather than dropped: they would end up in logs.
        """
        if "://" not in text:
            text = f"{SCHEMES[0]}://{text}"
        try:
            parts = urlsplit(text)
        except ValueError as error:
            raise PoolUrlError(f"pool URL: expected stratum+tcp://HOST:PORT ({error})") from None
        if parts.scheme not in SCHEMES + TLS_SCHEMES:
            close = get_close_matches(parts.scheme, SCHEMES + TLS_SCHEMES, 1)
            hint = f": did you mean {close[0]}?" if close else ""
            raise PoolUrlError(f"pool URL: expected stratum+tcp or stratum+ssl, got {parts.scheme!r}{hint}")
        if "@" in parts.netloc:
            raise PoolUrlError("pool URL: expected no user name or password inside; give them with -u and -p")
        if "[" not in parts.netloc and parts.netloc.count(":") > 1:
            raise PoolUrlError(f"pool URL: expected an IPv6 address in brackets, [::1]:3333, got {parts.netloc!r}")
        host = parts.hostname
        if not host:
            raise PoolUrlError(f"pool URL: expected stratum+tcp://HOST:PORT, got no host in {text!r}")
        try:
            port = parts.port
        except ValueError:
            port = 0
        if port is None:
            raise PoolUrlError(f"pool URL: expected a port, as in stratum+tcp://{sanitize(parts.netloc)}:3333")
        if port == 0:
            raise PoolUrlError(f"pool URL: expected a port from 1 to 65535, got {parts.netloc.rpartition(':')[2]!r}")
        if parts.path not in ("", "/") or parts.query:
            raise PoolUrlError(f"pool URL: expected nothing after the port, got {parts.path + parts.query!r}")
        if not re.fullmatch(r"[0-9A-Za-z._:%-]+", host):
            raise PoolUrlError(f"pool URL: expected a host name or address, got {host!r}")
        if not is_host(host):
            raise PoolUrlError(f"pool URL: expected a host name of {HOST_FORM}, got {sanitize(host)!r}")
        return cls(host, port, parts.scheme in TLS_SCHEMES)


def is_host(name: str) -> bool:
    """Whether a host may have this name or address. Resolver, TLS and proxies raise errors of their own for others."""
    try:
        encoded = name.encode("idna")
    except UnicodeError:
        return False
    return 0 < len(encoded) <= MAX_HOST


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


class Backoff:
    """Pauses between tries: doubling up to a limit, and partly random so that a restarted pool is not stormed.

    ``chance`` is the random part of a pause, from 0 to 1. None is shorter than half the first limit.
    """

    def __init__(self, rng: random.Random, first: float = 2.0, limit: float = 60.0, chance: float = 1.0) -> None:
        self._rng = rng
        self._first = first
        self._limit = limit
        self._chance = chance
        self._ceiling = first

    def reset(self) -> None:
        """Start over: call it after accepted work, not after a mere connection."""
        self._ceiling = self._first

    def next_pause(self) -> float:
        """Seconds to wait before the next try."""
        least = max(self._first / 2, self._ceiling * (1 - self._chance))
        pause = self._rng.uniform(least, self._ceiling)
        self._ceiling = min(self._ceiling * 2, self._limit)
        return pause
