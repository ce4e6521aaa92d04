"""What a proxy reports to ``on_event``, and that the function cannot lose a share."""

import pytest
import trio
import trio.testing

from stratum_miner.client import PoolSettings, PoolUrl
from stratum_miner.downstream.vardiff import VardiffConfig
from stratum_miner.proxy import (
    MinerAuthorized,
    MinerConnected,
    MinerDisconnected,
    ProxyConfig,
    ProxyEvent,
    ShareForwarded,
    ShareKept,
    ShareRefused,
    ShareResolved,
    UpstreamAdded,
    UpstreamRemoved,
    open_proxy,
)
from stratum_miner.stratum.errors import ErrorReason
from stratum_miner.work.share_result import ShareOutcome
from tests.proxy.proxy_lab import proxy_lab, submit, verdict

Clock = trio.testing.MockClock


async def test_each_share_has_its_events_in_order(autojump_clock: Clock) -> None:
    seen: list[ProxyEvent] = []
    async with proxy_lab(on_event=seen.append) as lab:
        pool = await lab.working()
        miner = await lab.miner()
        good = miner.miner.solve()
        sent = await submit(miner, good)
        await trio.sleep(1)
        request = await pool.request("mining.submit")
        await pool.reply(request, True)
        assert await verdict(miner, sent) == 0
        assert await miner.submit(good) == 22
        sent = await submit(miner, miner.miner.solve())
        await pool.reply(await pool.request("mining.submit"), None, [23, "low difficulty share", None])
        assert await verdict(miner, sent) == 23
    rejected = seen.pop(-2)
    assert isinstance(rejected, ShareResolved)
    assert (rejected.outcome, rejected.reason) == (ShareOutcome.REJECTED, "23: low difficulty share")
    assert seen == [
        MinerConnected(1, "in memory"),
        MinerAuthorized(1, "alice.rig", "wire_miner/1"),
        ShareForwarded(1, "alice.rig"),
        ShareResolved(1, "alice.rig", ShareOutcome.ACCEPTED, "", 1.0),
        ShareRefused(1, "alice.rig", ErrorReason.DUPLICATE, "duplicate share"),
        ShareForwarded(1, "alice.rig"),
        MinerDisconnected(1, "in memory", "the proxy stops"),
    ]


async def test_a_share_that_is_kept_and_one_that_is_lost(autojump_clock: Clock) -> None:
    seen: list[ProxyEvent] = []
    vardiff = VardiffConfig(target_seconds=1.0, minimum=1e-9)
    async with proxy_lab(vardiff=vardiff, on_event=seen.append) as lab:
        pool = await lab.working(difficulty=1e-6)
        miner = lab.connect()
        await miner.stream.send_all(miner.miner.login(password="d=1e-8"))
        await miner.read_jobs(1)
        pools_target = int(0xFFFF * 2**208 / 1e-6)
        assert await miner.submit(miner.miner.solve(above=2 * pools_target)) == 0
        await submit(miner, miner.miner.solve(at_most=pools_target // 2))
        await pool.request("mining.submit")
    kept, forwarded, left, lost = seen[2:]
    assert kept == ShareKept(1, "alice.rig", 1e-8)
    assert forwarded == ShareForwarded(1, "alice.rig")
    assert isinstance(left, MinerDisconnected)
    assert isinstance(lost, ShareResolved)
    assert (lost.outcome, lost.latency) == (ShareOutcome.LOST, None)


async def test_further_connections_to_the_pool(autojump_clock: Clock) -> None:
    seen: list[ProxyEvent] = []
    async with proxy_lab(on_event=seen.append) as lab:
        await lab.working(extranonce2_size=2)
        await lab.miner()
        second = lab.connect("second")
        await second.stream.send_all(second.miner.login())
        await lab.working(extranonce1="0badcafe", extranonce2_size=2)
        await second.read_jobs(1)
        await second.stream.aclose()
        await trio.sleep(62)
        assert [event for event in seen if isinstance(event, UpstreamAdded | UpstreamRemoved)] == [
            UpstreamAdded(2),
            UpstreamRemoved(1),
        ]


@pytest.mark.parametrize("kind", [ShareForwarded, ShareResolved])
async def test_an_error_of_on_event_ends_the_proxy_and_loses_no_share(
    autojump_clock: Clock, kind: type[ProxyEvent]
) -> None:
    def fail(event: ProxyEvent) -> None:
        if isinstance(event, kind):
            raise ZeroDivisionError

    with pytest.RaisesExc(ZeroDivisionError):
        async with proxy_lab(on_event=fail) as lab:
            pool = await lab.working()
            miner = await lab.miner()
            sent = await submit(miner, miner.miner.solve())
            await pool.reply(await pool.request("mining.submit"), True)
            assert await verdict(miner, sent) == 0
            await trio.sleep_forever()


async def test_a_single_pool_needs_no_list() -> None:
    settings = PoolSettings(url=PoolUrl("127.0.0.1", 1), worker_name="alice.rig")
    async with open_proxy(settings, ProxyConfig(port=0)) as proxy:
        assert len(proxy.snapshot().pools) == 1


async def test_a_proxy_without_a_listener_is_refused() -> None:
    settings = PoolSettings(url=PoolUrl("127.0.0.1", 1), worker_name="alice.rig")
    with pytest.RaisesExc(ValueError, match="^listeners: expected at least one, got none$"):
        async with open_proxy(settings, ProxyConfig(port=0), listeners=[]):
            pass


async def test_a_proxy_serves_once() -> None:
    settings = PoolSettings(url=PoolUrl("127.0.0.1", 1), worker_name="alice.rig")
    async with open_proxy(settings, ProxyConfig(port=0)) as proxy:
        with pytest.RaisesExc(RuntimeError, match="^Proxy.serve: expected one call, got a second$"):
            await proxy.serve()
    with pytest.RaisesExc(RuntimeError, match="^Proxy.serve: expected one call, got a second$"):
        await proxy.serve()
