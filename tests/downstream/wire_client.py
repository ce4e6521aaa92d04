"""``WireMiner`` on a stream, and a listener in memory on which a server accepts such miners. For tests of servers."""

from collections.abc import Callable
from typing import Any

import trio
import trio.testing

from tests.downstream.wire_miner import WireMiner


class WireClient:
    """A miner's connection, driven by a test."""

    def __init__(self, stream: trio.abc.Stream, worker_name: str = "alice.rig") -> None:
        self.stream = stream
        self.miner = WireMiner(worker_name)
        self.closed = False

    async def read(self) -> None:
        """Receive the next bytes. At the end of the stream, set ``closed``."""
        try:
            data = bytes(await self.stream.receive_some(65536))
        except trio.BrokenResourceError:
            data = b""
        self.closed = not data
        self.miner.receive(data)

    async def read_until(self, condition: Callable[[], Any]) -> None:
        """Read until a condition holds. Raises AssertionError if the server closes the connection first."""
        while not condition():
            assert not self.closed, "the pool closed the connection"
            await self.read()

    async def read_to_end(self) -> None:
        """Read until the server closes the connection."""
        while not self.closed:
            await self.read()

    async def read_jobs(self, count: int) -> None:
        """Read until this number of jobs has come."""
        await self.read_until(lambda: len(self.miner.jobs) >= count)

    async def login(self, *subscribe: Any) -> None:
        """Subscribe, authorize, and wait for a job."""
        await self.stream.send_all(self.miner.login(*subscribe))
        await self.read_until(lambda: self.miner.jobs)

    async def submit(self, share: list[Any]) -> int:
        """Submit a share and wait for its verdict: 0, or the error code."""
        await self.stream.send_all(self.miner.submit(share))
        await self.read_until(self.miner.replies)
        return self.miner.verdict()


class MemoryListener(trio.abc.Listener[trio.abc.Stream]):
    """A listener that accepts the connections that ``connect`` makes."""

    def __init__(self) -> None:
        self._send, self._receive = trio.open_memory_channel[trio.abc.Stream](1000)

    def connect(self, worker_name: str = "alice.rig", *, lockstep: bool = False) -> WireClient:
        """Make a connection that the server will accept, and return the miner's end of it."""
        make: Callable[[], tuple[trio.abc.Stream, trio.abc.Stream]] = (
            trio.testing.lockstep_stream_pair if lockstep else trio.testing.memory_stream_pair
        )
        ours, theirs = make()
        self._send.send_nowait(theirs)
        return WireClient(ours, worker_name)

    async def accept(self) -> trio.abc.Stream:
        """Return the next connection."""
        return await self._receive.receive()

    def fail(self) -> None:
        """Fail to accept connections from now on, like a broken socket."""
        self._receive.close()

    async def aclose(self) -> None:
        """Stop accepting connections."""
        self._receive.close()
        await trio.lowlevel.checkpoint()
