"""Our miner outlives every fault of a pool: it goes on where it can, waits where it must, and leaves when told to."""

import errno
import os
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
import trio
import trio.testing

from stratum_miner.backends.simulated import SimulatedBackend
from stratum_miner.client import ClientOptions, PoolSettings, PoolUrl, WorkerRefused
from stratum_miner.client.events import StateChanged
from stratum_miner.faults.faulty_server import behind_faults
from stratum_miner.faults.inner_listener import InnerListener
from stratum_miner.faults.pool_faults import POOL_FAULTS
from stratum_miner.miner import Miner, MinerEvent
from stratum_miner.pool import Pool, PoolConfig, open_pool
from stratum_miner.pool.nodes.base import Node
from stratum_miner.pool.nodes.memory import LOWEST_DIFFICULTY, MemoryNode
from stratum_miner.testing.scripted_node import HARD_BITS, ScriptedNode, make_template
from stratum_miner.work.share_result import ShareOutcome, ShareResult
from tests.downstream.wire_client import MemoryListener

MINES = "finds a share that is accepted"
REFUSED = "has shares refused and goes on"
COMES_BACK = "loses the connection and comes back"
WAITS = "stays connected and waits"
EXPECTED = {
    "silent": COMES_BACK,
    "dead": COMES_BACK,
    "disconnect-after": COMES_BACK,
    "disconnect-after-shares": COMES_BACK,
    "half-line": COMES_BACK,
    "http": COMES_BACK,
    "oversized": COMES_BACK,
    "reconnect": COMES_BACK,
    "no-submit-replies": COMES_BACK,
    "wrong-ids": COMES_BACK,
    "reject-all": REFUSED,
    "changed-extranonce": REFUSED,
    "no-jobs": COMES_BACK,
}
MAX_CONNECTIONS = 3


class Watch:
    """What the miner says, and an event for what was to be seen."""

    def __init__(self) -> None:
        self.fates: Counter[ShareOutcome] = Counter()
        self.connections = 0
        self.changed = trio.Event()

    def __call__(self, event: MinerEvent) -> None:
        if isinstance(event, ShareResult):
            self.fates[event.outcome] += 1
        if isinstance(event, StateChanged) and event.state.value == "handshake":
            self.connections += 1
        self.changed.set()
        self.changed = trio.Event()

    def saw(self, outcome: str) -> bool:
        match outcome:
            case "finds a share that is accepted":
                return self.fates[ShareOutcome.ACCEPTED] >= 3
            case "has shares refused and goes on":
                return self.fates[ShareOutcome.REJECTED] + self.fates[ShareOutcome.STALE] >= 3
            case _:
                return self.connections >= MAX_CONNECTIONS


@asynccontextmanager
async def mining_on(*faults: str, seed: int = 1, node: Node | None = None) -> AsyncIterator[tuple[Miner, Watch]]:
    """A simulated miner on our pool behind these faults, in memory."""
    outside = InnerListener()
    config = PoolConfig(payout_script=b"\x51", port=0, difficulty=1e-6, notify_interval=20)
    watch = Watch()

    async def connect(url: PoolUrl, seconds: float) -> trio.abc.Stream:
        return await outside.connect()

    chain = node or ScriptedNode(make_template(nbits=HARD_BITS))
    async with behind_faults(
        lambda inner: open_pool(chain, config, listeners=inner), faults, seed=seed, listeners=[outside]
    ):
        miner = Miner(
            PoolSettings(url=PoolUrl("pool.example", 3333), worker_name="worker"),
            [SimulatedBackend(hash_rate=1000, seed=1)],
            on_event=watch,
            options=ClientOptions(clock=trio.current_time, connect=connect),
        )
        yield miner, watch


@pytest.mark.parametrize("name", POOL_FAULTS)
async def test_the_miner_outlives_it(name: str, autojump_clock: trio.testing.MockClock) -> None:
    async with mining_on(name) as (miner, watch):
        if name == "refuse-worker":
            with pytest.raises(WorkerRefused):
                await miner.run()
            return
        async with trio.open_nursery() as nursery:
            nursery.start_soon(miner.run)
            with trio.fail_after(3 * 86400):
                while not watch.saw(EXPECTED.get(name, MINES)):
                    await watch.changed.wait()
            miner.stop()
        snapshot = miner.snapshot()
        assert snapshot.found == snapshot.shares.total  # every share has a fate
        assert snapshot.hardware_errors == 0


@pytest.mark.parametrize("difficulty", [LOWEST_DIFFICULTY, 1.0], ids=["every_share_is_a_block", "no_share_is_a_block"])
@pytest.mark.parametrize("fault", ["changed-extranonce", "reject-all"])
async def test_a_fault_that_rejects_every_share_does_so_on_every_chain(
    fault: str, difficulty: float, autojump_clock: trio.testing.MockClock
) -> None:
    for seed in range(6):
        chain = MemoryNode(difficulty)
        async with mining_on(fault, seed=seed, node=chain) as (miner, watch), trio.open_nursery() as nursery:
            nursery.start_soon(miner.run)
            with trio.fail_after(86400):
                while watch.fates.total() < 8:
                    await watch.changed.wait()
            miner.stop()
        assert watch.fates[ShareOutcome.ACCEPTED] == 0


async def test_a_job_that_stays_is_mined_on_where_a_share_is_no_block(autojump_clock: trio.testing.MockClock) -> None:
    async with mining_on("stuck-job", node=MemoryNode(1.0)) as (miner, watch), trio.open_nursery() as nursery:
        nursery.start_soon(miner.run)
        with trio.fail_after(86400):
            while watch.fates.total() < 8:
                await watch.changed.wait()
        miner.stop()
    assert watch.fates[ShareOutcome.ACCEPTED] >= 8


async def test_the_miner_outlives_several_faults_at_once(autojump_clock: trio.testing.MockClock) -> None:
    async with mining_on("bytewise", "odd-ids", "garbage=0.1") as (miner, watch), trio.open_nursery() as nursery:
        nursery.start_soon(miner.run)
        with trio.fail_after(86400):
            while not watch.saw(MINES):
                await watch.changed.wait()
        miner.stop()


async def test_a_shortage_of_files_costs_one_connection_and_not_the_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    listener = MemoryListener()
    make = socket.socketpair

    def scarce(*arguments: Any) -> Any:
        monkeypatch.setattr(socket, "socketpair", make)
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    config = PoolConfig(payout_script=b"\x51", difficulty=1e-8)

    def serve(inner: Any) -> AbstractAsyncContextManager[Pool]:
        return open_pool(ScriptedNode(), config, listeners=inner)

    async with behind_faults(serve, ["slow-replies=0.001"], listeners=[listener]):
        monkeypatch.setattr(socket, "socketpair", scarce)
        with trio.fail_after(60):
            await listener.connect().read_to_end()
            await listener.connect().login()
