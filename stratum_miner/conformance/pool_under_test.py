"""The pool under test: how to reach it and its node, and what the checks may do to it."""

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import trio

from stratum_miner.bitcoin.header import display_hash

OpenPoolStream: TypeAlias = Callable[[], Awaitable[trio.abc.Stream]]
"""Opens one connection. Raises OSError, an ExceptionGroup of them or trio.TooSlowError if that fails."""

CONNECT_SECONDS = 20.0
"""Seconds within which a TCP connection must be made."""


@dataclass(frozen=True, slots=True)
class ChainTip:
    """The last block of the node's best chain. ``hash`` has 32 bytes in internal order, as in a block header."""

    height: int
    hash: bytes

    def __str__(self) -> str:
        return f"height {self.height}, {display_hash(self.hash)}"


class Chain(Protocol):
    """The pool's node, as far as checks need it. Both methods raise ChainError if the node does not answer."""

    async def tip(self) -> ChainTip:
        """Return the last block of the best chain."""
        ...

    async def submit(self, block: bytes) -> str:
        """Submit a serialized block. Return why the node rejected it, in the words of BIP 22; empty if it accepted
        it."""
        ...


class ChainError(Exception):
    """The node sent no usable answer. The message is one line and contains no credentials."""


class Unreachable(Exception):  # noqa: N818  the term for such a pool
    """No connection to the pool can be made. The message says why, without credentials."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolUnderTest:
    """A pool, a worker, and what the checks may do.

    Get ``dial`` from ``tcp_dialer``, or write a function that returns any ``trio.abc.Stream``, for example over TLS.
    """

    name: str
    """Name of the pool in reports and errors, usually its URL. It must not contain a password."""
    dial: OpenPoolStream = field(repr=False)
    """Opens a connection to the pool; with TLS, after the TLS handshake. The checks call it many times, in parallel."""
    worker: str
    """Worker name, the first parameter of mining.authorize. Many solo pools take only a payout address of their
    chain."""
    password: str = field(default="x", repr=False)
    """Second parameter of mining.authorize. Transcripts contain *** instead of it."""
    owned: bool = False
    """Whether the pool is the user's own. Without it, intrusive checks are skipped. [default: False]"""
    tls: bool = False
    """Whether ``dial`` makes TLS connections."""
    dial_raw: OpenPoolStream | None = field(default=None, repr=False)
    """For a pool with TLS: opens a connection without a TLS handshake. Without it, the checks that need it are skipped
    or use ``dial``."""
    chain: Chain | None = field(default=None, repr=False)
    """The pool's node. Without it, the checks of the kind CHAIN are skipped."""
    work_seconds: float = 60.0
    """Seconds of processor time for finding shares that one check may use. [default: 60]"""
    retarget_seconds: float | None = None
    """Seconds between two adjustments of the difficulty. Without it, the checks VD-02 to VD-04 of vardiff are
    skipped."""


def reason_of(error: BaseException) -> str:
    """Return why a connection could not be made, from the innermost error."""
    while (inner := error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error.__cause__) is not None:
        error = inner
    if isinstance(error, trio.TooSlowError):
        return f"no connection within {CONNECT_SECONDS:g} s"
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)  # without the addresses that trio puts in front
    return str(getattr(error, "strerror", None) or error) or type(error).__name__


def tcp_dialer(host: str, port: int) -> OpenPoolStream:
    """Return a function that opens a TCP connection to ``host`` and ``port``, as ``PoolUnderTest.dial`` needs it.

    It raises OSError or an ExceptionGroup of them if that fails, trio.TooSlowError after 20 s.
    """

    async def dial() -> trio.abc.Stream:
        with trio.fail_after(CONNECT_SECONDS):
            return await trio.open_tcp_stream(host, port)

    return dial
