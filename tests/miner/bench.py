"""A miner whose pool and backends the test plays."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import trio
import trio.testing

from stratum_miner.backends.base import Backend, BackendError, WorkSource
from stratum_miner.backends.statistics import BackendStatistics, DeviceStatistics
from stratum_miner.bitcoin.target import target_from_difficulty
from stratum_miner.client import ClientOptions, PoolSettings, PoolUrl, WorkerRefused
from stratum_miner.miner import Miner, MinerEvent, StopReason
from stratum_miner.miner.events import EventListener
from stratum_miner.testing.manual_pool import ManualPool
from stratum_miner.work.job import Job
from stratum_miner.work.share import Share, verify
from stratum_miner.work.unit import NonceFound, WorkUnit
from tests.work.jobs import make_job


class ScriptedBackend(Backend):
    """Reports the nonces that the test chooses."""

    name = "scripted"
    exhaustive = False

    def __init__(self) -> None:
        self.source: WorkSource | None = None
        self.found: trio.MemorySendChannel[NonceFound] | None = None
        self.changes: list[bool] = []
        self.running = trio.Event()
        self.hashes = 1000
        self.own_errors = 0

    @classmethod
    def from_options(cls, options: Mapping[str, str]) -> "ScriptedBackend":
        return cls()

    async def run(self, source: WorkSource, found: trio.MemorySendChannel[NonceFound]) -> None:
        self.source, self.found = source, found
        unregister = source.on_change(self.changes.append)
        self.running.set()
        try:
            await trio.sleep_forever()
        finally:
            unregister()

    def statistics(self) -> BackendStatistics:
        return BackendStatistics(self.name, "scripted", (DeviceStatistics("s0", self.hashes, 0, self.own_errors),))

    def unit(self) -> WorkUnit:
        assert self.source is not None
        unit = self.source.next_unit()
        assert unit is not None
        return unit

    async def report(self, unit: WorkUnit, nonce: int) -> None:
        assert self.found is not None
        await self.found.send(NonceFound(unit, nonce, unit.version, "s0"))

    async def report_where(self, unit: WorkUnit, wanted: Callable[[Share], bool], *, count: int = 1) -> list[Share]:
        """Report the first real solutions that the test accepts."""
        shares: list[Share] = []
        nonce = 0
        while len(shares) < count:
            verdict = verify(NonceFound(unit, nonce, unit.version, "s0"))
            if isinstance(verdict, Share) and wanted(verdict):
                shares.append(verdict)
                await self.report(unit, nonce)
            nonce += 1
        return shares


class Bench:
    def __init__(self, miner: Miner, backend: ScriptedBackend, pool: ManualPool, events: list[MinerEvent]) -> None:
        self.miner = miner
        self.backend = backend
        self.pool = pool
        self.events = events
        self.ending: StopReason | None = None
        self.ended = trio.Event()
        self.error: Exception | None = None

    async def run(self) -> None:
        try:
            self.ending = await self.miner.run()
        except (WorkerRefused, BackendError, KeyError) as error:
            self.error = error
        self.ended.set()

    async def answer(self, result: Any = True, error: Any = None) -> None:
        await self.pool.reply(await self.pool.request("mining.submit"), result, error)
        await trio.testing.wait_all_tasks_blocked()

    async def settled(self) -> None:
        await trio.testing.wait_all_tasks_blocked()


@asynccontextmanager
async def bench(
    *,
    difficulty: float = 1e-9,
    handshake: bool = True,
    pool: Mapping[str, Any] | None = None,
    hear: EventListener | None = None,
    **options: Any,
) -> AsyncIterator[Bench]:
    ours, theirs = trio.testing.memory_stream_pair()
    streams = [ours]

    async def connect(url: PoolUrl, seconds: float) -> trio.abc.Stream:
        return streams.pop()

    events: list[MinerEvent] = []
    backend = ScriptedBackend()
    settings = PoolSettings(
        url=PoolUrl("pool.example", 3333),
        worker_name="worker",
        version_mask=0,
        extranonce_subscribe=False,
        **(pool or {}),
    )
    client = ClientOptions(clock=trio.current_time, connect=connect)
    miner = Miner(settings, [backend], on_event=hear or events.append, options=client, **options)
    made = Bench(miner, backend, ManualPool(theirs), events)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(made.run)
        if handshake:
            await made.pool.accept(mask=None, xnsub=False, difficulty=difficulty)
            await made.pool.notify()
            await made.settled()
        yield made
        nursery.cancel_scope.cancel()


def job_of(session: int, extranonce2_size: int) -> Job:
    return make_job(
        session=session, job_id="1", previous_hash=bytes(32), prefix=b"p", suffix=b"s",
        branch=(), version=0x20000000, nbits=0x1D00FFFF, ntime=1, clean_jobs=True, extranonce1=b"1",
        extranonce2_size=extranonce2_size, share_target=target_from_difficulty(1.0),
    )  # fmt: skip
