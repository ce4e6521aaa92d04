"""A correct pool on memory streams, and a relay that changes its messages, for tests of checks of pools.

The pool is that of this package, on a chain in memory. A ``MessageChanger`` makes it wrong in exactly one respect.
"""

import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeAlias

import trio
import trio.testing

from stratum_miner.pool.config import PoolConfig
from stratum_miner.pool.nodes.base import Node
from stratum_miner.pool.nodes.memory import LOWEST_DIFFICULTY, MemoryNode
from stratum_miner.pool.pool import Pool, open_pool

EASY_DIFFICULTY = 3e-10
"""A little below the difficulty of regtest. About 30 % of the hashes are shares and no blocks, 20 % are neither."""

Message: TypeAlias = dict[str, Any]
Change: TypeAlias = Callable[["RelayedConnection", Message], list[Message | bytes] | None]
"""Takes a message and returns the messages to forward instead; None forwards it unchanged, an empty list drops it."""


def memory_chain(network_difficulty: float = LOWEST_DIFFICULTY) -> MemoryNode:
    """A block chain whose clock shows the time of its making, and advances as trio's does."""
    made_at = time.time()
    started: list[float] = []

    def unix_time() -> float:
        now = trio.current_time()
        started[:] = started or [now]
        return made_at + now - started[0]

    return MemoryNode(network_difficulty, unix_time=unix_time)


@dataclass(slots=True)
class RelayedConnection:
    """One relayed connection. ``methods`` maps the ids of requests to their methods."""

    number: int
    client: trio.abc.Stream
    pool: trio.abc.Stream
    methods: dict[Any, str]
    memory: dict[str, Any]
    """Values that the changes of this connection remember."""
    shared: dict[str, Any]
    """Values that the changes of all connections remember."""

    async def close(self) -> None:
        """Close both sides of the connection."""
        await trio.aclose_forcefully(self.client)
        await trio.aclose_forcefully(self.pool)


class CloseConnection(Exception):  # noqa: N818  a request, not an error
    """Raised by a change to close the connection."""


class MessageChanger:
    """Relays connections to the pool and changes messages.

    ``to_pool`` changes requests, and ``to_client`` changes replies and notifications. ``raw`` changes the client's
    bytes before both. Each of them may raise CloseConnection. ``delay`` returns the seconds by which the pool's
    messages are delayed.
    """

    def __init__(
        self,
        nursery: trio.Nursery,
        accept: Callable[[trio.abc.Stream], None],
        *,
        to_pool: Change | None = None,
        to_client: Change | None = None,
        raw: Callable[[RelayedConnection, bytes], bytes] | None = None,
        delay: Callable[[RelayedConnection], float] | None = None,
    ) -> None:
        self._nursery = nursery
        self._accept = accept
        self._delay = delay
        self._to_pool = to_pool
        self._to_client = to_client
        self._raw = raw
        self.relayed: list[RelayedConnection] = []
        """All connections, in the order in which they were opened."""
        self._count = 0
        self._shared: dict[str, Any] = {}

    async def dial(self) -> trio.abc.Stream:
        """Open a connection to the pool and return the client's end."""
        await trio.lowlevel.checkpoint()
        ours, outer = trio.testing.memory_stream_pair()
        inner, theirs = trio.testing.memory_stream_pair()
        self._accept(theirs)
        self._count += 1
        self._shared["connections"] = self._count
        relayed = RelayedConnection(self._count, outer, inner, {}, {}, self._shared)
        self.relayed.append(relayed)
        self._nursery.start_soon(self._pump, relayed, outer, inner, self._request)
        self._nursery.start_soon(self._pump, relayed, inner, outer, self._answer)
        return ours

    async def _pump(
        self,
        relayed: RelayedConnection,
        source: trio.abc.Stream,
        sink: trio.abc.Stream,
        change: Callable[[RelayedConnection, bytes], bytes],
    ) -> None:
        rest = b""
        try:
            while data := bytes(await source.receive_some(65536)):
                if source is relayed.client and self._raw is not None:
                    data = self._raw(relayed, data)
                *lines, rest = (rest + data).split(b"\n")
                if sink is relayed.client and self._delay is not None:
                    await trio.sleep(self._delay(relayed))
                for line in lines:
                    await sink.send_all(change(relayed, line))
                if len(rest) > 1 << 16:
                    await sink.send_all(rest)
                    rest = b""
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        except CloseConnection:
            await relayed.close()
        else:
            if rest:
                with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                    await sink.send_all(rest)
            await trio.aclose_forcefully(sink)

    def _request(self, relayed: RelayedConnection, line: bytes) -> bytes:
        message = _object(line)
        if message is None:
            return line + b"\n"
        identifier = message.get("id")
        if isinstance(identifier, int | str) and isinstance(message.get("method"), str):
            relayed.methods[identifier] = message["method"]
        return _changed(self._to_pool, relayed, message, line)

    def _answer(self, relayed: RelayedConnection, line: bytes) -> bytes:
        message = _object(line)
        return line + b"\n" if message is None else _changed(self._to_client, relayed, message, line)


def _object(line: bytes) -> Message | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _changed(change: Change | None, relayed: RelayedConnection, message: Message, line: bytes) -> bytes:
    instead = None if change is None else change(relayed, message)
    if instead is None:
        return line + b"\n"
    return b"".join(each if isinstance(each, bytes) else json.dumps(each).encode() + b"\n" for each in instead)


class _MemoryListener(trio.abc.Listener[trio.abc.Stream]):
    """A listener that accepts the streams given to ``send``."""

    def __init__(self) -> None:
        self.send, self._receive = trio.open_memory_channel[trio.abc.Stream](10_000)

    async def accept(self) -> trio.abc.Stream:
        return await self._receive.receive()

    async def aclose(self) -> None:
        self._receive.close()
        await trio.lowlevel.checkpoint()


@asynccontextmanager
async def open_changed_pool(
    chain: Node,
    config: PoolConfig,
    *,
    to_pool: Change | None = None,
    to_client: Change | None = None,
    raw: Callable[[RelayedConnection, bytes], bytes] | None = None,
    delay: Callable[[RelayedConnection], float] | None = None,
) -> AsyncIterator[tuple[Pool, MessageChanger]]:
    """Run a pool on a block chain, and yield it with a changer that relays to it. It needs an autojump clock."""
    listener = _MemoryListener()
    async with (
        trio.open_nursery() as nursery,
        open_pool(chain, config, listeners=[listener], unix_time=time.time) as pool,
    ):
        await trio.testing.wait_all_tasks_blocked()
        yield (
            pool,
            MessageChanger(
                nursery, listener.send.send_nowait, to_pool=to_pool, to_client=to_client, raw=raw, delay=delay
            ),
        )
        nursery.cancel_scope.cancel()
