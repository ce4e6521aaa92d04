"""Our miner against our pool with Bitcoin Core's validation behind it, over real loopback TCP."""

import math
from dataclasses import replace

import pytest
import trio

pytest.importorskip("pbk", reason="needs the extra: pip install '.[regtest]'")

from stratum_miner.backends.base import Backend
from stratum_miner.backends.cpu.backend import CpuBackend
from stratum_miner.backends.reference import ReferenceBackend
from stratum_miner.backends.simulated import SimulatedBackend
from stratum_miner.bitcoin.address import Network, script_from_address
from stratum_miner.client import PoolSettings, PoolUrl
from stratum_miner.downstream.vardiff import VardiffConfig
from stratum_miner.miner import Assignment, Goals, Miner, MinerEvent, StopReason
from stratum_miner.pool import DifficultyChanged, Pool, PoolConfig, PoolEvent, ShareAccepted, open_pool
from stratum_miner.pool.nodes.kernel import KernelNode
from stratum_miner.stratum_job import submit_of
from stratum_miner.work.share_result import ShareOutcome, ShareResult

ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
SCRIPT = script_from_address(ADDRESS, Network.REGTEST)


def settings(pool: Pool, version_mask: int = 0x1FFFE000) -> PoolSettings:
    return PoolSettings(url=PoolUrl("127.0.0.1", pool.port), worker_name=f"{ADDRESS}.test", version_mask=version_mask)


@pytest.mark.parametrize("version_mask", [0x1FFFE000, 0x00006000, 0])
async def test_the_chain_rises_by_the_blocks_that_were_accepted(version_mask: int) -> None:
    events: list[MinerEvent] = []
    async with (
        KernelNode() as node,
        open_pool(node, PoolConfig(payout_script=SCRIPT, port=0, difficulty=0.0002)) as pool,
    ):
        miner = Miner(
            settings(pool, version_mask),
            [CpuBackend(priority="normal")],
            goals=Goals(blocks=25),
            on_event=events.append,
        )
        with trio.fail_after(120):
            assert await miner.run() is StopReason.BLOCKS_REACHED
        tip = await node.tip()
        digests = {await node.block_hash(height) for height in range(1, tip.height + 1)}
    accepted = [e.share for e in events if isinstance(e, ShareResult) and e.outcome is ShareOutcome.ACCEPTED]
    assert tip.height >= 25
    found = {event.share.digest for event in events if isinstance(event, ShareResult)}
    assert digests <= found, "every block of the chain is ours"
    assert all((submit_of(share, "").version_bits or 0) & ~version_mask == 0 for share in accepted)
    assert miner.snapshot().shares.rejected == 0
    snapshot = pool.snapshot()
    assert snapshot.shares.accepted >= 25
    assert snapshot.shares.rejected.total() == miner.snapshot().shares.stale


async def test_weak_blocks_on_plain_regtest() -> None:
    async with KernelNode() as node, open_pool(node, PoolConfig(payout_script=SCRIPT, port=0, difficulty=1e6)) as pool:
        backend = CpuBackend(threads=1, priority="normal")
        miner = Miner(settings(pool), [backend], goals=Goals(blocks=10), weak_blocks=True)
        with trio.fail_after(60):
            assert await miner.run() is StopReason.BLOCKS_REACHED
        assert (await node.tip()).height >= 10
        assert miner.snapshot().shares.rejected == 0


@pytest.mark.parametrize(
    "backend", [ReferenceBackend(), SimulatedBackend(hash_rate=2e5, seed=3, devices=3)], ids=lambda item: item.name
)
async def test_other_backends_mine_too(backend: Backend) -> None:
    async with KernelNode() as node, open_pool(node, PoolConfig(payout_script=SCRIPT, port=0, difficulty=1e-6)) as pool:
        miner = Miner(settings(pool), [backend], goals=Goals(shares=10))
        with trio.fail_after(120):
            assert await miner.run() is StopReason.SHARES_REACHED
        assert miner.snapshot().shares.rejected == 0
        assert miner.snapshot().hardware_errors == 0


async def test_vardiff_follows_the_hash_rate() -> None:
    config = PoolConfig(
        payout_script=SCRIPT,
        port=0,
        difficulty=1e-6,
        vardiff=VardiffConfig(target_seconds=0.2, retarget_seconds=1.0),
    )
    events: list[MinerEvent] = []
    send, receive = trio.open_memory_channel[PoolEvent](math.inf)
    async with KernelNode() as node, open_pool(node, config, on_event=send.send_nowait) as pool:
        miner = Miner(settings(pool), [SimulatedBackend(hash_rate=1e6)], on_event=events.append)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(miner.run)
            with trio.fail_after(60):
                async for event in receive:
                    if isinstance(event, DifficultyChanged) and pool.snapshot().shares.accepted > 20:
                        break
            miner.stop()
    assert miner.snapshot().shares.rejected == 0, miner.snapshot().reasons


async def test_two_miners_share_a_pool_without_meeting() -> None:
    async with KernelNode() as node, open_pool(node, PoolConfig(payout_script=SCRIPT, port=0, difficulty=1e-5)) as pool:
        miners = [
            Miner(settings(pool), [SimulatedBackend(hash_rate=1e6, seed=seed)], goals=Goals(shares=30))
            for seed in range(2)
        ]
        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                for miner in miners:
                    nursery.start_soon(miner.run)
        for miner in miners:
            assert miner.snapshot().shares.rejected == 0
            assert miner.snapshot().shares.accepted >= 30


async def test_several_workers_and_a_bound_backend_on_the_wire() -> None:
    """Two backends under two names on one connection; a third bound to another pool."""
    send, receive = trio.open_memory_channel[PoolEvent](math.inf)
    async with (
        KernelNode() as node,
        open_pool(node, PoolConfig(payout_script=SCRIPT, port=0, difficulty=1e-6), on_event=send.send_nowait) as pool,
        open_pool(node, PoolConfig(payout_script=SCRIPT, port=0, difficulty=1e-6)) as other,
    ):
        named = replace(settings(pool), workers=(("one", f"{ADDRESS}.one"), ("two", f"{ADDRESS}.two")))
        miner = Miner(
            named,
            [
                Assignment(backend=SimulatedBackend(hash_rate=1e5, seed=1), name="one"),
                Assignment(backend=SimulatedBackend(hash_rate=1e5, seed=2), name="two"),
                Assignment(backend=SimulatedBackend(hash_rate=1e5, seed=3), name="three", pool=settings(other)),
            ],
        )

        def names(of: Pool) -> set[str]:
            sessions = of.snapshot().sessions
            return {name for session in sessions for name, counts in session.workers.items() if counts.accepted}

        async with trio.open_nursery() as nursery:
            nursery.start_soon(miner.run)
            with trio.fail_after(60):
                async for _ in receive:
                    if names(pool) == {f"{ADDRESS}.one", f"{ADDRESS}.two"} and names(other) == {f"{ADDRESS}.test"}:
                        break
            assert len(pool.snapshot().sessions) == 1
            miner.stop()
        snapshot = miner.snapshot()
        assert snapshot.shares.rejected == 0, snapshot.reasons
        assert snapshot.hardware_errors == 0
        assert sum(status.work_share or 0 for status in snapshot.pools) == pytest.approx(1)
        assert snapshot.found == snapshot.shares.total


async def accepted_share(events: trio.MemoryReceiveChannel[PoolEvent]) -> None:
    async for event in events:
        if isinstance(event, ShareAccepted):
            return


async def test_pool_restart_is_survived() -> None:
    async with KernelNode() as node:
        config = PoolConfig(payout_script=SCRIPT, port=0, difficulty=1e-5)
        send, receive = trio.open_memory_channel[PoolEvent](math.inf)
        async with open_pool(node, config, on_event=send.send_nowait) as pool:
            port = pool.port
            miner = Miner(settings(pool), [SimulatedBackend(hash_rate=1e6)])
            async with trio.open_nursery() as nursery:
                nursery.start_soon(miner.run)
                with trio.fail_after(60):
                    await accepted_share(receive)
                pool.stop()
                again = PoolConfig(payout_script=SCRIPT, port=port, difficulty=1e-5)
                send, receive = trio.open_memory_channel[PoolEvent](math.inf)
                async with open_pool(node, again, on_event=send.send_nowait):
                    with trio.fail_after(60):
                        await accepted_share(receive)
                    miner.stop()
        snapshot = miner.snapshot()
        assert snapshot.found == snapshot.shares.total, "every share has a fate"
        assert snapshot.client.connects >= 2
