"""A pool on memory streams with somebody in between who changes what is said: for tests of whatever judges pools.

A ``ToyChain``, our own pool and a ``Meddler``: the pool is right, and the meddler makes it wrong in exactly one way.
"""

import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import trio
import trio.testing

from stratum_miner.bitcoin.address import Network
from stratum_miner.bitcoin.sha256d import sha256d
from stratum_miner.conformance.pool_under_test import ChainTip
from stratum_miner.pool.config import PoolConfig
from stratum_miner.pool.nodes.base import Node, SubmitResult
from stratum_miner.pool.pool import Pool, open_pool
from stratum_miner.pool.template import BlockTemplate

EASY_BITS = 0x207FFFFF
"""Regtest: every second hash is a block."""
EASY_DIFFICULTY = 3e-10
"""A little below regtest's: some three in ten hashes are shares without being blocks, two in ten are neither."""

Message: TypeAlias = dict[str, Any]
Change: TypeAlias = Callable[["Conversation", Message], list[Message | bytes] | None]
"""Given a message, what goes on instead of it; None leaves it as it is, an empty list swallows it."""


class ToyChain(Node):
    """A chain in memory that follows the highest block it was given first and validates nothing but the parent.

    It is a node for a pool and, with ``submit``, the node of a conformance run.
    """

    def __init__(self, nbits: int = EASY_BITS, height: int = 200) -> None:
        self.network = Network.REGTEST
        self.nbits = nbits
        self._best = ChainTip(height, sha256d(b"the toy chain"))
        self._blocks = {self._best.hash: self._best}
        self._changed = trio.Event()
        self._template = self._make()
        self._made_at: float | None = None

    async def get_template(self) -> BlockTemplate:
        """On the tip, without transactions."""
        await trio.lowlevel.checkpoint()
        return self._now()

    async def wait_template(self, after: BlockTemplate) -> BlockTemplate:
        """The next one."""
        while self._template.same_block(after):
            await self._changed.wait()
        await trio.lowlevel.checkpoint()
        return self._now()

    async def submit_block(self, block: bytes) -> SubmitResult:
        """Take any block whose parent is known."""
        return SubmitResult.from_text(await self.submit(block) or None)

    async def tip(self) -> Any:
        """The highest block, the first of its height."""
        await trio.lowlevel.checkpoint()
        return self._best

    async def submit(self, block: bytes) -> str:
        """The node's objection, empty when there is none."""
        await trio.lowlevel.checkpoint()
        digest, parent = sha256d(block[:80]), self._blocks.get(block[4:36])
        if digest in self._blocks:
            return "duplicate"
        if parent is None:
            return "prev-blk-not-found"
        self._blocks[digest] = ChainTip(parent.height + 1, digest)
        if parent.height < self._best.height:
            return "inconclusive"
        self._best = self._blocks[digest]
        self._template = self._make()
        self._made_at = trio.current_time()
        self._changed.set()
        self._changed = trio.Event()
        return ""

    def _now(self) -> BlockTemplate:
        if self._made_at is None:
            self._made_at = trio.current_time()
        return replace(self._template, curtime=self._template.curtime + int(trio.current_time() - self._made_at))

    def _make(self) -> BlockTemplate:
        return BlockTemplate(
            previous_hash=self._best.hash,
            height=self._best.height + 1,
            version=0x20000000,
            nbits=self.nbits,
            curtime=int(time.time()),
        )


@dataclass(slots=True)
class Conversation:
    """One connection as the meddler sees it. ``methods`` maps the ids of requests to their methods."""

    number: int
    client: trio.abc.Stream
    pool: trio.abc.Stream
    methods: dict[Any, str]
    memory: dict[str, Any]
    """For the changes, whatever they need to remember."""
    shared: dict[str, Any]
    """The same for all connections."""

    async def hang_up(self) -> None:
        """End it on both sides."""
        await trio.aclose_forcefully(self.client)
        await trio.aclose_forcefully(self.pool)


class HangUp(Exception):  # noqa: N818  a wish
    """Raised by a change that wants the connection ended."""


class Meddler:
    """Dials the pool and changes messages on the way: ``to_pool`` requests, ``to_client`` replies and notifications.

    ``raw`` sees the bytes from the client first. Each may raise HangUp. ``delay`` holds back what the pool says.
    """

    def __init__(
        self,
        nursery: trio.Nursery,
        accept: Callable[[trio.abc.Stream], None],
        *,
        to_pool: Change | None = None,
        to_client: Change | None = None,
        raw: Callable[[Conversation, bytes], bytes] | None = None,
        delay: Callable[[Conversation], float] | None = None,
    ) -> None:
        self._nursery = nursery
        self._accept = accept
        self._delay = delay
        self._to_pool = to_pool
        self._to_client = to_client
        self._raw = raw
        self._count = 0
        self._shared: dict[str, Any] = {}

    async def dial(self) -> trio.abc.Stream:
        """The client's end of a new connection."""
        await trio.lowlevel.checkpoint()
        ours, outer = trio.testing.memory_stream_pair()
        inner, theirs = trio.testing.memory_stream_pair()
        self._accept(theirs)
        self._count += 1
        self._shared["connections"] = self._count
        talk = Conversation(self._count, outer, inner, {}, {}, self._shared)
        self._nursery.start_soon(self._pump, talk, outer, inner, self._request)
        self._nursery.start_soon(self._pump, talk, inner, outer, self._answer)
        return ours

    async def _pump(
        self,
        talk: Conversation,
        source: trio.abc.Stream,
        sink: trio.abc.Stream,
        change: Callable[[Conversation, bytes], bytes],
    ) -> None:
        rest = b""
        try:
            while data := bytes(await source.receive_some(65536)):
                if source is talk.client and self._raw is not None:
                    data = self._raw(talk, data)
                *lines, rest = (rest + data).split(b"\n")
                if sink is talk.client and self._delay is not None:
                    await trio.sleep(self._delay(talk))
                for line in lines:
                    await sink.send_all(change(talk, line))
                if len(rest) > 1 << 16:
                    await sink.send_all(rest)
                    rest = b""
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        except HangUp:
            await talk.hang_up()
        else:
            if rest:
                with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                    await sink.send_all(rest)
            await trio.aclose_forcefully(sink)

    def _request(self, talk: Conversation, line: bytes) -> bytes:
        message = _object(line)
        if message is None:
            return line + b"\n"
        identifier = message.get("id")
        if isinstance(identifier, int | str) and isinstance(message.get("method"), str):
            talk.methods[identifier] = message["method"]
        return _changed(self._to_pool, talk, message, line)

    def _answer(self, talk: Conversation, line: bytes) -> bytes:
        message = _object(line)
        return line + b"\n" if message is None else _changed(self._to_client, talk, message, line)


def _object(line: bytes) -> Message | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _changed(change: Change | None, talk: Conversation, message: Message, line: bytes) -> bytes:
    instead = None if change is None else change(talk, message)
    if instead is None:
        return line + b"\n"
    return b"".join(each if isinstance(each, bytes) else json.dumps(each).encode() + b"\n" for each in instead)


class _Door(trio.abc.Listener[trio.abc.Stream]):
    """Accepts what is handed to it."""

    def __init__(self) -> None:
        self.send, self._receive = trio.open_memory_channel[trio.abc.Stream](10_000)

    async def accept(self) -> trio.abc.Stream:
        return await self._receive.receive()

    async def aclose(self) -> None:
        self._receive.close()
        await trio.lowlevel.checkpoint()


@asynccontextmanager
async def meddled_pool(
    chain: ToyChain,
    config: PoolConfig,
    *,
    to_pool: Change | None = None,
    to_client: Change | None = None,
    raw: Callable[[Conversation, bytes], bytes] | None = None,
    delay: Callable[[Conversation], float] | None = None,
) -> AsyncIterator[tuple[Pool, Meddler]]:
    """A pool over a chain, reached through a meddler, while the block runs. For a clock that jumps."""
    door = _Door()
    async with (
        trio.open_nursery() as nursery,
        open_pool(chain, config, listeners=[door], unix_time=time.time) as pool,
    ):
        await trio.testing.wait_all_tasks_blocked()
        yield pool, Meddler(nursery, door.send.send_nowait, to_pool=to_pool, to_client=to_client, raw=raw, delay=delay)
        nursery.cancel_scope.cancel()
