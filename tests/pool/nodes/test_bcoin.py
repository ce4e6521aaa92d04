"""The JSON-RPC node against a node that we did not write: bcoin, in memory, with transactions in its mempool."""

import math
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
import trio

from stratum_miner.bitcoin.address import Network
from stratum_miner.bitcoin.header import BlockHeader
from stratum_miner.bitcoin.merkle import fold_branch
from stratum_miner.bitcoin.sha256d import sha256d
from stratum_miner.bitcoin.target import hash_value, target_from_bits
from stratum_miner.pool import BlockFound, PoolConfig, PoolEvent, open_pool
from stratum_miner.pool.nodes import open_node
from stratum_miner.pool.nodes.base import Node, NodeRpcError, NodeUnauthorizedError, NodeUnreachableError
from stratum_miner.pool.template import BlockTemplate, assemble_block, coinbase_parts
from tests.downstream.wire_miner import WireMiner

pytestmark = pytest.mark.node

RealPoolFactory = Callable[..., AbstractAsyncContextManager[Any]]
PATIENCE = 120.0


def mine(template: BlockTemplate, *, payout: bytes = b"\x51", wrong_root: bool = False) -> bytes:
    """Every second hash wins."""
    prefix, suffix = coinbase_parts(template, payout_script=payout, extranonce_size=8)
    coinbase = prefix + bytes(8) + suffix
    root = bytes(32) if wrong_root else fold_branch(sha256d(coinbase), template.merkle_branch)
    for nonce in range(1000):
        header = BlockHeader(template.version, template.previous_hash, root, template.curtime, template.nbits, nonce)
        if hash_value(header.digest()) <= target_from_bits(template.nbits):
            return assemble_block(template, coinbase, header.to_bytes())
    raise AssertionError("a thousand hashes above half of all")


@asynccontextmanager
async def bcoin(real_pool: RealPoolFactory, **options: str) -> AsyncIterator[tuple[Node, Any]]:
    with trio.fail_after(PATIENCE):
        async with real_pool(**options) as pool, open_node(f"http://x:p@127.0.0.1:{pool.rpc_port}") as node:
            yield node, pool


async def test_blocks_with_transactions_are_accepted_and_wake_a_long_poll(real_pool: RealPoolFactory) -> None:
    async with bcoin(real_pool, TXS="6") as (node, _):
        assert node.network is Network.REGTEST
        template = await node.get_template()
        assert len(template.transactions) == 6
        assert len(template.merkle_branch) == 3
        start = await node.tip()
        assert (start.height, start.hash) == (template.height - 1, template.previous_hash)
        for _ in range(3):
            woken: list[BlockTemplate] = []

            async def wait(after: BlockTemplate, woken: list[BlockTemplate] = woken) -> None:
                woken.append(await node.wait_template(after))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(wait, template)
                block = mine(template)
                result = await node.submit_block(block)
                assert result.accepted, result
            assert woken[0].previous_hash == sha256d(block[:80])
            assert woken[0].height == template.height + 1
            template = woken[0]
        assert await node.block_hash(template.height - 1) == template.previous_hash
        assert (await node.tip()).height == start.height + 3


async def test_our_pool_mines_on_bcoin(real_pool: RealPoolFactory) -> None:
    """Template, job, share and block with transactions: bcoin judges what the pool made of its template."""
    async with bcoin(real_pool, TXS="6") as (node, _):
        start = (await node.tip()).height
        config = PoolConfig(payout_script=b"\x51", port=0, difficulty=1e-9)
        send, receive = trio.open_memory_channel[PoolEvent](math.inf)
        async with (
            open_pool(node, config, on_event=send.send_nowait) as pool,
            await trio.open_tcp_stream("127.0.0.1", pool.port) as stream,
        ):
            miner = WireMiner(worker_name="rig")
            await stream.send_all(miner.configure("1fffe000") + miner.login())
            mined: set[str] = set()
            for height in (start + 1, start + 2, start + 3):
                while not miner.jobs or miner.jobs[-1].params[1] in mined:
                    miner.receive(bytes(await stream.receive_some(65536)))
                job = miner.jobs[-1]
                mined.add(job.params[1])
                await stream.send_all(miner.submit(miner.solve(job, at_most=job.network_target, version_bits=0x2000)))
                found = await _next_block(receive)
                assert (found.accepted, found.height) == (True, height), found
            assert len(miner.jobs[0].params[4]) == 3
        assert (await node.tip()).height == start + 3


async def _next_block(events: AsyncIterator[PoolEvent]) -> BlockFound:
    async for event in events:
        if isinstance(event, BlockFound):
            return event
    raise AssertionError("the pool stopped before it found a block")


async def test_what_bcoin_refuses_is_explained(real_pool: RealPoolFactory) -> None:
    async with bcoin(real_pool) as (node, _):
        template = await node.get_template()
        block = mine(template)
        sibling = mine(template, payout=b"\x52")
        assert (await node.submit_block(block)).accepted
        again = await node.submit_block(block)
        assert (again.accepted, again.result) == (True, "duplicate")
        late = await node.submit_block(sibling)
        assert not late.accepted
        assert late.inconclusive
        assert "another block of the same height first" in late.explanation
        wrong = await node.submit_block(mine(await node.get_template(), wrong_root=True))
        assert (wrong.accepted, wrong.result) == (False, "bad-txnmrklroot")
        assert "merkle root" in wrong.explanation
        with pytest.raises(NodeRpcError, match="getblockhash: error"):
            await node.block_hash(1000)


async def test_a_wrong_password_and_a_node_that_is_gone(real_pool: RealPoolFactory) -> None:
    async with bcoin(real_pool) as (_, pool):
        with pytest.raises(NodeUnauthorizedError) as caught:
            async with open_node(f"http://x:wrong-password@127.0.0.1:{pool.rpc_port}"):
                pass
        assert "wrong-password" not in str(caught.value)
    with pytest.raises(NodeUnreachableError, match="cannot connect"):
        async with open_node(f"http://x:p@127.0.0.1:{pool.rpc_port}"):
            pass
