"""Sixteen of our miners on one proxy, over real sockets: on our own pool, and on one that other people wrote."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
import trio

from stratum_miner.backends.simulated import SimulatedBackend
from stratum_miner.client import PoolSettings, PoolUrl
from stratum_miner.miner import Miner, MinerEvent
from stratum_miner.pool import PoolConfig, open_pool
from stratum_miner.proxy import Proxy, ProxyConfig, open_proxy
from stratum_miner.testing.scripted_node import ScriptedNode, make_template
from stratum_miner.work.share_result import ShareOutcome, ShareResult
from tests.network.free_port import free_port

MINERS = 16
HARD_BITS = 0x1D00FFFF
HARD_CHAIN = "1e09ffff"
"""Chain difficulty 0.0004: a share of 0.00002 is a block one time in twenty."""

RealPoolFactory = Callable[..., AbstractAsyncContextManager[Any]]


@asynccontextmanager
async def proxy_with_miners(
    port: int, *, hash_rate: float, on_event: Callable[[MinerEvent], None] = lambda event: None
) -> AsyncIterator[tuple[Proxy, list[Miner]]]:
    """A proxy to a pool on this port, and its miners at work."""
    upstream = PoolSettings(url=PoolUrl("127.0.0.1", port), worker_name="mfWxJ45yp2SFn7UciZyNpvDKrzbhyfKrY8")
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with open_proxy([upstream], ProxyConfig(), listeners=listeners) as proxy:
        miners = [
            Miner(
                PoolSettings(url=PoolUrl("127.0.0.1", proxy.port), worker_name=f"rig{number}"),
                [SimulatedBackend(hash_rate=hash_rate, seed=number)],
                on_event=on_event,
            )
            for number in range(MINERS)
        ]
        async with trio.open_nursery() as nursery:
            for miner in miners:
                nursery.start_soon(miner.run)
            yield proxy, miners
            for miner in miners:
                miner.stop()


async def wait_until(proxy: Proxy, condition: Callable[[], object]) -> None:
    with trio.move_on_after(120):
        while not condition():  # noqa: ASYNC110  snapshots have no events
            await trio.sleep(0.05)
        return
    raise AssertionError(f"waited 120 s, and saw {proxy.snapshot()}")


def check_every_share_has_a_fate(proxy: Proxy, miners: list[Miner]) -> None:
    shares = proxy.snapshot().shares
    assert shares.open == 0
    assert not shares.rejected, "every share that went up is valid there"
    assert not shares.refused, "no miner searched where another did"
    counts = [miner.snapshot().shares for miner in miners]
    assert sum(item.accepted for item in counts) == shares.accepted
    assert sum(item.total for item in counts) == sum(miner.snapshot().found for miner in miners)


async def test_sixteen_miners_on_our_own_pool() -> None:
    node = ScriptedNode(make_template(nbits=HARD_BITS))
    async with open_pool(node, PoolConfig(payout_script=b"\x51", port=0, difficulty=1e-5)) as pool:
        async with proxy_with_miners(pool.port, hash_rate=100_000) as (proxy, miners):
            await wait_until(proxy, lambda: proxy.snapshot().shares.accepted >= 100)
            assert len(pool.snapshot().sessions) == 1, "one connection for all"
            statuses = proxy.snapshot().miners
            assert len({status.extranonce1 for status in statuses}) == MINERS
            assert {status.user_agent.split("/")[0] for status in statuses} == {"stratum_miner"}
        check_every_share_has_a_fate(proxy, miners)
        assert pool.snapshot().shares.accepted == proxy.snapshot().shares.accepted
        assert sum(pool.snapshot().shares.rejected.values()) == proxy.snapshot().shares.stale == 0


async def test_a_pool_that_comes_back_without_its_sessions_leaves_one_count_to_all() -> None:
    """Ten and more shares are lost at once then; none may be told accepted that the pool never had."""
    port, accepted = free_port(), list[int]()
    config = PoolConfig(payout_script=b"\x51", port=port, difficulty=2e-6)
    node = ScriptedNode(make_template(nbits=HARD_BITS))

    async def serve(stop: trio.Event) -> None:
        async with open_pool(node, config) as pool:
            await stop.wait()
        accepted.append(pool.snapshot().shares.accepted)

    async with trio.open_nursery() as pools:
        first, second = trio.Event(), trio.Event()
        pools.start_soon(serve, first)
        async with proxy_with_miners(port, hash_rate=25_000) as (proxy, miners):
            await wait_until(proxy, lambda: proxy.snapshot().shares.accepted >= 50)
            first.set()
            await wait_until(proxy, lambda: proxy.snapshot().shares.open >= 50)
            pools.start_soon(serve, second)
            await wait_until(proxy, lambda: proxy.snapshot().shares.lost >= 50)
            before = proxy.snapshot().shares.accepted
            await wait_until(proxy, lambda: proxy.snapshot().shares.accepted >= before + 50)
        second.set()
    check_every_share_has_a_fate(proxy, miners)
    shares = proxy.snapshot().shares
    assert sum(accepted) == shares.accepted
    assert sum(miner.snapshot().shares.lost for miner in miners) >= shares.lost
    assert shares.stale == 0


async def keep_pool(
    real_pool: RealPoolFactory, stop: trio.Event, port: int, *, task_status: trio.TaskStatus[list[str]]
) -> None:
    """A foreign pool in a task of its own; gives what it logs."""
    async with real_pool(DIFF="0.00002", BITS=HARD_CHAIN, PORT=str(port)) as pool:
        task_status.started(pool.log)
        await stop.wait()


@pytest.mark.node
async def test_sixteen_miners_on_a_foreign_pool_that_restarts(real_pool: RealPoolFactory) -> None:
    """The pool logs a share before it answers, but one that is a block after its node has judged it: of those, the last
    before its end may not be in its log.
    """
    port, stop, logs, events = free_port(), trio.Event(), [], list[MinerEvent]()
    async with trio.open_nursery() as pools:
        logs.append(await pools.start(keep_pool, real_pool, stop, port))
        async with proxy_with_miners(port, hash_rate=150_000, on_event=events.append) as (proxy, miners):
            await wait_until(proxy, lambda: proxy.snapshot().shares.accepted >= 40)
            before = proxy.snapshot()
            stop.set()
            await wait_until(proxy, lambda: not proxy.snapshot().has_work)
            again = trio.Event()
            logs.append(await pools.start(keep_pool, real_pool, again, port))
            await wait_until(proxy, lambda: proxy.snapshot().shares.accepted >= before.shares.accepted + 40)
            after = proxy.snapshot()
            assert [item.session for item in after.miners] == [item.session for item in before.miners], "nobody left"
            assert after.pools[0].client.connects >= 2
        check_every_share_has_a_fate(proxy, miners)
        again.set()
    shares = proxy.snapshot().shares
    valid = [line for log in logs for line in log if " SHARE valid " in line]
    accepted = [each for each in events if isinstance(each, ShareResult) and each.outcome is ShareOutcome.ACCEPTED]
    assert len(accepted) == shares.accepted
    logged = shares.accepted - sum(each.share.is_block for each in accepted)
    assert logged <= len(valid) <= shares.accepted + shares.lost, "the pools counted what the miners were told"
