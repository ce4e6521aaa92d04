"""A client on memory streams and a mock clock; the test sends the pool's messages by hand."""

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import trio
import trio.testing

from stratum_miner.client import ClientOptions, PoolClient, PoolSettings, PoolUrl
from stratum_miner.client.events import (
    ClientEvent,
    ConnectionState,
    JobArrived,
    MessageShown,
    ShareAnswered,
    StateChanged,
    WorkLost,
)
from stratum_miner.testing.manual_pool import ManualPool
from stratum_miner.work.job import Job
from stratum_miner.work.share import Share, verify
from stratum_miner.work.share_result import ShareResult
from stratum_miner.work.space import SearchSpace
from stratum_miner.work.unit import NonceFound


class Recorder:
    """Records all events."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self.results: list[ShareResult] = []
        self.lost_work: list[str] = []
        self.states: list[ConnectionState] = []
        self.messages: list[str] = []
        self.changed = trio.Event()

    def note(self) -> None:
        self.changed.set()
        self.changed = trio.Event()

    def tell(self, event: ClientEvent) -> None:
        match event:
            case JobArrived(job):
                self.jobs.append(job)
            case WorkLost(reason=reason):
                self.lost_work.append(reason)
            case ShareAnswered(result):
                self.results.append(result)
            case StateChanged(state=state):
                self.states.append(state)
            case MessageShown(text=text):
                self.messages.append(text)
        self.note()

    async def until(self, condition: Callable[..., object]) -> None:
        """Wait for a condition over what was recorded; fails after a day of mock time."""
        with trio.fail_after(86400):
            while not condition():
                await self.changed.wait()

    @property
    def fates(self) -> list[str]:
        return [result.outcome.value for result in self.results]


class Lab:
    """A client under test, its recorder, and the connections that it opens."""

    def __init__(
        self, client: PoolClient, recorder: Recorder, connections: trio.MemoryReceiveChannel[ManualPool]
    ) -> None:
        self.client = client
        self.recorder = recorder
        self._connections = connections
        self.urls: list[PoolUrl] = []
        self.limits: set[float] = set()
        """The seconds within which the connections were to be made."""
        self.ended = trio.Event()
        self.error: BaseException | None = None

    async def connection(self) -> ManualPool:
        """Return the next connection that the client opens."""
        with trio.fail_after(86400):
            return await self._connections.receive()

    async def mining(self) -> ManualPool:
        """Return the next connection, after its handshake and its first job."""
        pool = await self.connection()
        await pool.accept()
        await pool.notify()
        await self.recorder.until(lambda: self.recorder.jobs)
        return pool

    def shares(self, job: Job, count: int) -> list[Share]:
        """Return real shares of a job, found by trying nonces. On regtest every second hash is one."""
        return find_shares(job, count)

    async def run(self) -> None:
        try:
            await self.client.run()
        except Exception as error:
            self.error = error
        finally:
            self.ended.set()


def find_shares(job: Job, count: int) -> list[Share]:
    space = SearchSpace()
    space.set_job(job)
    unit = space.next_unit(job.received_at)
    assert unit is not None
    found: list[Share] = []
    nonce = 0
    while len(found) < count:
        verdict = verify(NonceFound(unit, nonce, unit.version))
        if isinstance(verdict, Share):
            found.append(verdict)
        nonce += 1
    return found


@asynccontextmanager
async def lab(*, retry: bool = True, retries: int | None = None, **settings: Any) -> AsyncIterator[Lab]:
    send, receive = trio.open_memory_channel[ManualPool](16)

    async def connect(url: PoolUrl, seconds: float) -> trio.abc.Stream:
        ours, theirs = trio.testing.memory_stream_pair()
        made.urls.append(url)
        made.limits.add(seconds)
        await send.send(ManualPool(theirs))
        return ours

    recorder = Recorder()
    client = PoolClient(
        PoolSettings(
            **{"url": PoolUrl("pool.example", 3333), "worker_name": "worker", "password": "hunter2", **settings}
        ),
        recorder.tell,
        ClientOptions(retry=retry, retries=retries, clock=trio.current_time, rng=random.Random(1), connect=connect),
    )
    made = Lab(client, recorder, receive)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(made.run)
        yield made
        nursery.cancel_scope.cancel()
