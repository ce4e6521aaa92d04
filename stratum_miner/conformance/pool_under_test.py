"""The pool under test, and everything a user says about a run."""

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import trio

from stratum_miner.bitcoin.header import display_hash

OpenPoolStream: TypeAlias = Callable[[], Awaitable[trio.abc.Stream]]
"""Opens one connection. OSError, a group of them, or trio.TooSlowError when it cannot."""

CONNECT_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class ChainTip:
    """The last block of the node's best chain; the hash in internal order."""

    height: int
    hash: bytes

    def __str__(self) -> str:
        return f"height {self.height}, {display_hash(self.hash)}"


class Chain(Protocol):
    """The node below the pool, as far as checks need it. Both raise ChainError when there is no answer."""

    async def tip(self) -> ChainTip:
        """The last block of the best chain."""
        ...

    async def submit(self, block: bytes) -> str:
        """Give it a serialized block; returns its objection, empty when there is none."""
        ...


class ChainError(Exception):
    """The node gave no answer that can be used; one line, free of credentials."""


class Unreachable(Exception):  # noqa: N818  the field's word
    """The pool does not take connections."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolUnderTest:
    """One pool, one worker, and what may be done to them."""

    name: str
    """The URL, for reports."""
    dial: OpenPoolStream = field(repr=False)
    worker: str
    password: str = field(default="x", repr=False)
    owned: bool = False
    """Intrusive checks are allowed."""
    tls: bool = False
    dial_raw: OpenPoolStream | None = field(default=None, repr=False)
    """Opens a connection to a pool with TLS on which no handshake was made."""
    chain: Chain | None = field(default=None, repr=False)
    work_seconds: float = 60.0
    """Hashing that one check may cost."""
    retarget_seconds: float | None = None
    """How often the pool adjusts difficulties, where the user says so; else vardiff cannot be judged."""


def reason_of(error: BaseException) -> str:
    """Why a connection could not be made, in the innermost words."""
    while (inner := error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error.__cause__) is not None:
        error = inner
    if isinstance(error, trio.TooSlowError):
        return f"no connection in {CONNECT_SECONDS:g} s"
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)  # without the addresses that trio puts before it
    return str(getattr(error, "strerror", None) or error) or type(error).__name__


def tcp_dialer(host: str, port: int) -> OpenPoolStream:
    """Connections over TCP."""

    async def dial() -> trio.abc.Stream:
        with trio.fail_after(CONNECT_SECONDS):
            return await trio.open_tcp_stream(host, port)

    return dial
