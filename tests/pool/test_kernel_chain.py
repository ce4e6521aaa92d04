"""End to end on Bitcoin Core's own validation: our pool, a miner of few lines, and a chain that grows."""

import pytest
import trio

from stratum_miner.bitcoin.address import script_from_address
from stratum_miner.bitcoin.header import display_hash
from stratum_miner.pool import PoolConfig, open_pool
from stratum_miner.pool.nodes import open_node
from stratum_miner.pool.nodes.base import Node
from tests.downstream.wire_miner import WireMiner

pytest.importorskip("pbk")

ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
PATIENCE = 60.0
"""Seconds after which a test fails; nothing here takes a fraction of it."""


class Client:
    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.miner = WireMiner(worker_name=f"{ADDRESS}.rig")

    async def read(self) -> None:
        data = await self.stream.receive_some(65536)
        assert data, "the pool closed the connection"
        self.miner.receive(bytes(data))

    async def wait_jobs(self, count: int) -> None:
        while len(self.miner.jobs) < count:
            await self.read()

    async def submit(self, share: list[str]) -> int:
        await self.stream.send_all(self.miner.submit(share))
        while not self.miner.replies():
            await self.read()
        return self.miner.verdict()


def _config(node: Node, difficulty: float) -> PoolConfig:
    return PoolConfig(payout_script=script_from_address(ADDRESS, node.network), port=0, difficulty=difficulty)


@pytest.mark.parametrize("mask", [None, "1fffe000"])
async def test_the_chain_grows_by_every_block_found(mask: str | None) -> None:
    with trio.fail_after(PATIENCE):
        async with open_node("kernel") as node, open_pool(node, _config(node, 1e-9)) as pool:
            start = (await node.tip()).height
            client = Client(await trio.open_tcp_stream("127.0.0.1", pool.port))
            if mask:
                await client.stream.send_all(client.miner.configure(mask))
            await client.stream.send_all(client.miner.login())
            for height in range(start + 1, start + 21):
                await client.wait_jobs(height - start)
                job = client.miner.jobs[-1]
                share = client.miner.solve(
                    job,
                    at_most=job.network_target,
                    extranonce2=f"{height:016x}",
                    version_bits=0x2000 * height & 0x1FFFE000 if mask else None,
                )
                assert await client.submit(share) == 0
            await client.wait_jobs(21)
            assert (await node.tip()).height == start + 20
            blocks = pool.snapshot().blocks
            assert [block.height for block in blocks] == list(range(start + 1, start + 21))
            assert all(block.accepted for block in blocks)
            assert [display_hash(await node.block_hash(block.height)) for block in blocks] == [
                block.hash for block in blocks
            ]
            await client.stream.aclose()


async def test_a_hash_that_misses_the_network_target_is_only_a_share() -> None:
    with trio.fail_after(PATIENCE):
        async with open_node("kernel") as node, open_pool(node, _config(node, 2.0**-32)) as pool:
            start = (await node.tip()).height
            client = Client(await trio.open_tcp_stream("127.0.0.1", pool.port))
            await client.stream.send_all(client.miner.login())
            await client.wait_jobs(1)
            job = client.miner.jobs[-1]
            assert await client.submit(client.miner.solve(at_most=job.target, above=job.network_target)) == 0
            assert (await node.tip()).height == start
            assert pool.snapshot().blocks == ()
            await client.stream.aclose()


async def test_two_miners_at_one_height_and_a_late_block() -> None:
    with trio.fail_after(PATIENCE):
        async with open_node("kernel") as node, open_pool(node, _config(node, 1e-9)) as pool:
            start = (await node.tip()).height
            first, second = [Client(await trio.open_tcp_stream("127.0.0.1", pool.port)) for _ in range(2)]
            for client in (first, second):
                await client.stream.send_all(client.miner.login())
                await client.wait_jobs(1)
            late = second.miner.solve(at_most=second.miner.jobs[0].network_target)
            assert await first.submit(first.miner.solve(at_most=first.miner.jobs[0].network_target)) == 0
            await second.wait_jobs(2)
            assert await second.submit(late) == 21
            await first.wait_jobs(2)
            assert await second.submit(second.miner.solve(at_most=second.miner.jobs[1].network_target)) == 0
            await first.wait_jobs(3)
            assert (await node.tip()).height == start + 2
            results = [(block.height - start, block.accepted, block.stale) for block in pool.snapshot().blocks]
            assert results == [(1, True, False), (2, True, False)]  # the late one was but a sibling
            await first.stream.aclose()
            await second.stream.aclose()
