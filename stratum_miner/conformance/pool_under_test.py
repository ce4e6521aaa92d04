"""The pool under test: how to reach it and its node, and what the checks may do to it."""

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import trio

from stratum_miner.bitcoin.header import display_hash

OpenPoolStream: TypeAlias = Callable[[], Awaitable[trio.abc.Stream]]
"""Function that opens one connection to the pool. Raises OSError, an ExceptionGroup of OSErrors, or trio.TooSlowError
if there is no connection."""

CONNECT_SECONDS = 20.0
"""Seconds within which a TCP connection must be made."""


@dataclass(frozen=True, slots=True)
class ChainTip:
    """The last block of the node's best chain. ``hash`` contains 32 bytes in internal order, as in a block header."""

    height: int
    hash: bytes

    def __str__(self) -> str:
        return f"height {self.height}, {display_hash(self.hash)}"


class Chain(Protocol):
    """The pool's Bitcoin node, with the methods that checks need. They raise ChainError if the node does not
    answer."""

    async def tip(self) -> ChainTip:
        """Return the last block of the best chain."""
        ...

    async def time(self) -> int:
        """Return the time that the node gives the next block on the best chain, in seconds since 1970."""
        ...

    async def submit(self, block: bytes) -> str:
        """Submit a serialized block. Return "" if the node accepted the block. Otherwise return the reason of the
        rejection, in the words of BIP 22."""
        ...


class ChainError(Exception):
    """The node sent no usable answer. The message is one line and contains no credentials."""


class Unreachable(Exception):  # noqa: N818  the term for such a pool
    """No connection to the pool can be made. The message says why, without credentials."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolUnderTest:
    """The pool to check: how to connect, which worker to use, and what the checks may do.

    Get ``dial`` from ``tcp_dialer``, or write a function that returns any ``trio.abc.Stream``, for example over TLS.
    """

    name: str
    """Name of the pool in reports and errors, usually its URL. It must not contain a password."""
    dial: OpenPoolStream = field(repr=False)
    """Function that opens a connection to the pool. If the pool uses TLS, the function also does the TLS handshake. The
    checks call it many times, also in parallel."""
    worker: str
    """Worker name, the first parameter of mining.authorize. Many solo pools accept only a payout address of their block
    chain."""
    password: str = field(default="x", repr=False)
    """Second parameter of mining.authorize. In transcripts it is replaced by ***."""
    owned: bool = False
    """Whether the pool is the user's own. If it is not, intrusive checks are skipped. [default: False]"""
    tls: bool = False
    """Whether ``dial`` makes TLS connections."""
    dial_raw: OpenPoolStream | None = field(default=None, repr=False)
    """For a pool with TLS: function that opens a TCP connection without a TLS handshake. If it is None, the check
    LD-17 (failed TLS handshakes) is skipped, and other checks use ``dial`` instead."""
    chain: Chain | None = field(default=None, repr=False)
    """The pool's node. Without it, the checks of the kind CHAIN are skipped."""
    work_seconds: float = 60.0
    """Maximum number of seconds of processor time that each check may use to find shares. [default: 60]"""
    retarget_seconds: float | None = None
    """Seconds between two adjustments of the share difficulty by the pool. If it is None, the checks VD-02 to VD-04 are
    skipped."""


def reason_of(error: BaseException) -> str:
    """Return a text that says why a connection could not be made. If ``error`` contains other errors or was caused by
    another error, the text is that of the innermost error."""
    while (inner := error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error.__cause__) is not None:
        error = inner
    if isinstance(error, trio.TooSlowError):
        return f"no connection within {CONNECT_SECONDS:g} s"
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)  # ``str(error)`` would also contain the addresses
    return str(getattr(error, "strerror", None) or error) or type(error).__name__


def tcp_dialer(host: str, port: int) -> OpenPoolStream:
    """Return a function that opens a TCP connection to ``host`` and ``port``, for ``PoolUnderTest.dial``.

    The returned function raises OSError or an ExceptionGroup of OSErrors if there is no connection, and
    trio.TooSlowError after 20 s.
    """

    async def dial() -> trio.abc.Stream:
        with trio.fail_after(CONNECT_SECONDS):
            return await trio.open_tcp_stream(host, port)

    return dial
