"""The proxy as a whole: its connections to the pool, its figures, its end."""

import pytest
import trio
import trio.testing
from structlog.testing import capture_logs

from stratum_miner.client import PoolSettings, PoolUrl
from stratum_miner.client.dialing.dialer import Connector
from stratum_miner.client.dialing.url import PoolUnreachable
from stratum_miner.client.options import ClientOptions
from stratum_miner.downstream.endings import DisconnectReason
from stratum_miner.downstream.vardiff import VardiffConfig
from stratum_miner.proxy import (
    MinerConnected,
    MinerDisconnected,
    Proxy,
    ProxyConfig,
    ProxyEvent,
    ShareForwarded,
    ShareResolved,
    UpstreamAdded,
    UpstreamRemoved,
    open_proxy,
)
from stratum_miner.testing.manual_pool import ManualPool
from stratum_miner.work.share_result import ShareOutcome
from tests.downstream.wire_client import MemoryListener, WireClient
from tests.proxy.proxy_lab import NOW, ProxyLab, job, proxy_lab, submit, verdict

Clock = trio.testing.MockClock
EASY = "207fffff"
"""Bits of regtest: every second hash is a block."""


# ---- blocks ---------------------------------------------------------------------------------------------------------


async def test_a_block_goes_up_though_it_misses_the_pools_share_target(autojump_clock: Clock) -> None:
    """As on test chains, where a block may be easier than a share."""
    async with proxy_lab(vardiff=VardiffConfig(minimum=1e-9)) as lab:
        pool = await lab.upstream(difficulty=1e-6)
        await pool.send_call("mining.notify", *job(nbits=EASY))
        miner = lab.connect()
        await miner.stream.send_all(miner.miner.login(password="d=1e-9"))
        await miner.read_jobs(1)
        target_of_pool, target = int((0xFFFF << 208) / 1e-6), miner.miner.jobs[-1].target
        good = miner.miner.solve(above=target_of_pool)
        weak = miner.miner.solve(above=target, at_most=miner.miner.jobs[-1].network_target)
        for block in (good, weak):
            sent = await submit(miner, block)
            request = await pool.request("mining.submit")
            await pool.reply(request, True)
            assert await verdict(miner, sent) == 0
        nothing = miner.miner.solve(above=miner.miner.jobs[-1].network_target, at_most=2**256)
        assert await miner.submit(nothing) == 23


# ---- further connections to the pool --------------------------------------------------------------------------------


async def second_connection(lab: ProxyLab) -> None:
    """A pool where each miner needs a connection, with one miner on the first."""
    await lab.working(extranonce2_size=2)
    await lab.miner()


async def second_miner(lab: ProxyLab) -> tuple[WireClient, ManualPool]:
    """A miner that works on a second connection of the proxy, and the pool's end of this connection."""
    await second_connection(lab)
    second = lab.connect("second")
    await second.stream.send_all(second.miner.login())
    other = await lab.working(extranonce1="0badcafe", extranonce2_size=2)
    await second.read_jobs(1)
    return second, other


async def test_an_unused_connection_is_closed_after_a_minute(autojump_clock: Clock) -> None:
    async with proxy_lab() as lab:
        second, other = await second_miner(lab)
        await trio.sleep(100)
        await second.stream.aclose()
        await trio.sleep(59.5)
        assert lab.proxy.snapshot().upstreams == 2
        await trio.sleep(1)
        assert lab.proxy.snapshot().upstreams == 1
        with trio.fail_after(30), pytest.raises((AssertionError, trio.BrokenResourceError)):
            await other.request()  # the pool sees the end of the connection


async def test_a_connection_that_its_miner_did_not_wait_for_is_closed_too(autojump_clock: Clock) -> None:
    async with proxy_lab() as lab:
        await second_connection(lab)
        second = lab.connect("second")
        await second.stream.send_all(second.miner.login())
        await trio.testing.wait_all_tasks_blocked()
        await second.stream.aclose()
        await lab.working(extranonce1="0badcafe", extranonce2_size=2)
        await trio.sleep(58)
        assert lab.proxy.snapshot().upstreams == 2
        await trio.sleep(4)
        assert lab.proxy.snapshot().upstreams == 1


async def test_the_first_connection_stays_without_miners(autojump_clock: Clock) -> None:
    async with proxy_lab() as lab:
        await lab.working()
        miner = await lab.miner()
        await miner.stream.aclose()
        await trio.sleep(100)
        assert lab.proxy.snapshot().upstreams == 1
        await lab.miner()


async def test_a_deserted_connection_is_kept_until_its_shares_are_answered(autojump_clock: Clock) -> None:
    async with proxy_lab() as lab:
        second, other = await second_miner(lab)
        await submit(second, second.miner.solve())
        first = await other.request("mining.submit")
        await second.stream.aclose()
        # the pool client takes a pool that is silent for a minute for dead, and resumes the session
        other = await lab.upstream(extranonce1="0badcafe", extranonce2_size=2, xnsub=False)
        again = await other.request("mining.submit")
        assert again["params"] == first["params"]
        await trio.sleep(5)
        assert lab.proxy.snapshot().upstreams == 2
        await other.reply(again, True)
        await trio.sleep(1.5)
        shares = lab.proxy.snapshot().shares
        assert (shares.accepted, shares.lost) == (1, 0)
        assert lab.proxy.snapshot().upstreams == 1


async def test_miners_that_need_a_connection_at_once_wait_for_the_same_one(autojump_clock: Clock) -> None:
    async with proxy_lab() as lab:
        await second_connection(lab)
        waiting = [lab.connect(f"rig{number}") for number in range(2)]
        for each in waiting:
            await each.stream.send_all(each.miner.login())
        await trio.testing.wait_all_tasks_blocked()
        assert lab.proxy.snapshot().upstreams == 2
        await lab.working(extranonce1="0badcafe", extranonce2_size=2)
        await lab.working(extranonce1="0badcaff", extranonce2_size=2)
        for each in waiting:
            await each.read_jobs(1)
        assert lab.proxy.snapshot().upstreams == 3


async def test_a_miner_that_comes_back_comes_to_the_connection_where_it_was(autojump_clock: Clock) -> None:
    async with proxy_lab() as lab:
        pool = await lab.working(extranonce2_size=2)
        first = await lab.miner("first")
        second = lab.connect("second")
        await second.stream.send_all(second.miner.login())
        other = await lab.working(extranonce1="0badcafe", extranonce2_size=2)
        await second.read_jobs(1)
        for each in (first, second):
            await each.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        for before, upstream in ((second, other), (first, pool)):
            again = lab.connect()
            await again.login("wire_miner/1", before.miner.session_id)
            sent = await submit(again, again.miner.solve())
            await upstream.reply(await upstream.request("mining.submit"), True)
            assert await verdict(again, sent) == 0


async def test_there_are_no_more_than_64_connections_to_the_pool(autojump_clock: Clock) -> None:
    async with proxy_lab() as lab:
        await second_connection(lab)
        for number in range(63):
            miner = lab.connect(f"rig{number}")
            await miner.stream.send_all(miner.miner.login())
            await lab.working(extranonce1=f"{number:08x}", extranonce2_size=2)
            await miner.read_jobs(1)
        assert lab.proxy.snapshot().upstreams == 64
        one_more = lab.connect("one more")
        await one_more.stream.send_all(one_more.miner.login())
        await one_more.read_to_end()
        assert one_more.miner.reply(1)["error"][1].startswith("no free extranonce1")
        snapshot = lab.proxy.snapshot()
        assert (snapshot.upstreams, snapshot.connections_ended) == (64, {DisconnectReason.NO_ROOM: 1})


async def test_a_refused_further_connection_is_said_and_its_miner_sent_away(autojump_clock: Clock) -> None:
    with capture_logs() as logs:
        async with proxy_lab() as lab:
            await second_connection(lab)
            second = lab.connect("second")
            await second.stream.send_all(second.miner.login())
            other = await lab.connection()
            await other.accept_subscribe(extranonce1="0badcafe", extranonce2_size=2)
            authorize = await other.request("mining.authorize")
            await other.send_call("mining.notify", *job())
            await second.read_jobs(1)
            await other.reply(authorize, False, [24, "one is enough", None])
            await second.read_to_end()
            assert lab.proxy.snapshot().upstreams == 1
            assert lab.proxy.snapshot().left[0].address == "in memory"
    said = [line for line in logs if line["event"] in ("upstream_added", "upstream_refused", "upstream_removed")]
    assert [(line["event"], line.get("connections")) for line in said] == [
        ("upstream_added", 2),
        ("upstream_refused", None),
        ("upstream_removed", 1),
    ]
    assert "one is enough" in said[1]["reason"]
    left = [line["reason"] for line in logs if line["event"] == "miner_left"]
    assert left[0] == "the pool refused the connection that was opened for this miner"


# ---- figures --------------------------------------------------------------------------------------------------------


async def test_the_figures_of_a_proxy(autojump_clock: Clock) -> None:
    async with proxy_lab() as lab:
        before = lab.proxy.snapshot()
        assert (before.has_work, before.prefix_size, before.extranonce2_size, before.room) == (False, None, None, None)
        assert (before.difficulty, before.hash_rate, before.upstreams, before.answered_late) == (None, 0, 1, 0)
        assert (before.started_at, before.addresses, before.miners, before.left) == (NOW, (), (), ())
        pool = await lab.working(difficulty=1e-7, extranonce2_size=8)
        miner, silent = await lab.miner(), lab.connect()
        await trio.sleep(10)
        sent = await submit(miner, miner.miner.solve())
        await trio.sleep(2)
        await pool.reply(await pool.request("mining.submit"), True)
        assert await verdict(miner, sent) == 0
        await trio.sleep(8)
        after = lab.proxy.snapshot()
        assert (after.has_work, after.prefix_size, after.extranonce2_size, after.room) == (True, 1, 3, 256)
        assert after.difficulty == pytest.approx(1e-7)
        assert after.hash_rate == pytest.approx(429 / 20, rel=0.01)
        assert (after.connections_total, after.connections_refused) == (2, 0)
        assert after.answers.count == 1
        assert after.answers.total_s == pytest.approx(2.0)
        assert [each.session for each in after.miners] == [1, 2]
        assert [each.last_share_age for each in after.miners] == [10.0, None]
        await silent.stream.aclose()
        await miner.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        gone = lab.proxy.snapshot()
        assert gone.shares.accepted == 1
        assert [each.session for each in gone.left] == [1], "who never said its name is no miner"
        assert gone.connections_ended == {DisconnectReason.CLOSED: 2}
        assert gone.bytes_received >= after.bytes_received > 100
        assert gone.bytes_sent >= after.bytes_sent > 100


async def test_the_last_200_miners_that_left_are_known(autojump_clock: Clock) -> None:
    async with proxy_lab() as lab:
        await lab.working()
        for _ in range(201):
            await (await lab.miner()).stream.aclose()
            await trio.testing.wait_all_tasks_blocked()
        assert [each.session for each in lab.proxy.snapshot().left] == list(range(2, 202))


async def test_a_late_answer_is_counted_also_when_its_connection_is_closed(autojump_clock: Clock) -> None:
    async with proxy_lab(answer_timeout=20) as lab:
        second, other = await second_miner(lab)
        began = trio.current_time()
        sent = await submit(second, second.miner.solve())
        request = await other.request("mining.submit")
        assert await verdict(second, sent) == 20
        assert trio.current_time() == began + 20
        await other.reply(request, True)
        await trio.testing.wait_all_tasks_blocked()
        assert lab.proxy.snapshot().answered_late == 1
        await second.stream.aclose()
        await trio.sleep(62)
        assert (lab.proxy.snapshot().upstreams, lab.proxy.snapshot().answered_late) == (1, 1)


async def test_events_come_when_something_happens_and_not_later(autojump_clock: Clock) -> None:
    seen: list[ProxyEvent] = []
    async with proxy_lab(on_event=seen.append) as lab:
        await lab.working()
        client = lab.connect()
        await trio.testing.wait_all_tasks_blocked()
        assert seen == [MinerConnected(1, "in memory")]
        await client.login()
        await trio.testing.wait_all_tasks_blocked()
        assert len(seen) == 2
        await client.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert seen[2:] == [MinerDisconnected(1, "in memory", "the miner closed the connection")]


async def test_events_of_shares_and_connections_to_the_pool_come_at_once(autojump_clock: Clock) -> None:
    seen: list[ProxyEvent] = []
    async with proxy_lab(on_event=seen.append) as lab:
        pool = await lab.working(extranonce2_size=2)
        miner = await lab.miner()
        await submit(miner, miner.miner.solve())
        request = await pool.request("mining.submit")
        assert seen[-1:] == [ShareForwarded(1, "alice.rig")]
        await pool.reply(request, True)
        await trio.testing.wait_all_tasks_blocked()
        assert seen[-1:] == [ShareResolved(1, "alice.rig", ShareOutcome.ACCEPTED, "", 0.0)]
        second = lab.connect("second")
        await second.stream.send_all(second.miner.login())
        await trio.testing.wait_all_tasks_blocked()
        assert seen[-1:] == [UpstreamAdded(2)]
        await lab.working(extranonce1="0badcafe", extranonce2_size=2)
        await second.read_jobs(1)
        await second.stream.aclose()
        await trio.sleep(60.5)
        assert seen[-1:] == [UpstreamRemoved(1)]


async def test_a_rate_of_long_ago_is_none_and_no_events_pile_up(autojump_clock: Clock) -> None:
    async with proxy_lab() as lab:
        pool = await lab.working()
        miner = await lab.miner()
        await submit(miner, miner.miner.solve())
        await pool.request("mining.submit")
        await pool.send_call("mining.set_difficulty", 2e-7)
        await pool.send_call("mining.notify", *job("2"))
        await miner.read_jobs(2)
        await trio.sleep(2)
        assert lab.proxy.snapshot().hash_rate > 0
        assert [each.session._events for each in lab.proxy._miners] == [[]]
        await trio.sleep(400)
        assert lab.proxy.snapshot().hash_rate == 0


async def test_each_result_of_a_share_is_logged_with_its_time(autojump_clock: Clock) -> None:
    with capture_logs() as logs:
        async with proxy_lab() as lab:
            pool = await lab.working()
            miner = await lab.miner()
            for answer in ((True,), (None, [23, "low difficulty share", None])):
                sent = await submit(miner, miner.miner.solve())
                request = await pool.request("mining.submit")
                await trio.sleep(1.23456)
                await pool.reply(request, *answer)
                await verdict(miner, sent)
    results = [line for line in logs if line["event"] in ("share_accepted", "share_rejected")]
    assert results == [
        {"event": "share_accepted", "log_level": "debug", "session": 1, "worker_name": "alice.rig", "reason": "",
         "latency_ms": 1234.6},
        {"event": "share_rejected", "log_level": "info", "session": 1, "worker_name": "alice.rig",
         "reason": "23: low difficulty share", "latency_ms": 1234.6},
    ]  # fmt: skip
    (left,) = [line for line in logs if line["event"] == "miner_left"]
    assert (left["accepted"], left["rejected"], left["refused"], left["stale"], left["lost"]) == (1, 1, 0, 0, 0)


# ---- the end --------------------------------------------------------------------------------------------------------


async def test_stopping_waits_five_seconds_for_an_answer_and_not_longer(autojump_clock: Clock) -> None:
    async with proxy_lab() as lab:
        pool = await lab.working()
        miner = await lab.miner()
        await submit(miner, miner.miner.solve())
        await pool.request("mining.submit")
        began = trio.current_time()
        lab.proxy.stop()
        await miner.read_to_end()
        assert trio.current_time() == began + 5


async def test_a_proxy_without_a_tcp_listener_has_no_port(autojump_clock: Clock) -> None:
    async with proxy_lab() as lab:
        with pytest.raises(RuntimeError, match=r"^Proxy.port: expected a TCP listener, got none"):
            _ = lab.proxy.port


async def test_on_sockets_of_its_own() -> None:
    proxy = Proxy(PoolSettings(url=PoolUrl("127.0.0.1", 1), worker_name="alice.rig"), ProxyConfig(port=0))
    async with trio.open_nursery() as nursery:
        await nursery.start(proxy.serve)
        assert proxy.addresses == (f"127.0.0.1:{proxy.port}",)
        assert proxy.snapshot().addresses == proxy.addresses
        proxy.stop()


async def test_the_options_of_the_pool_client_are_used() -> None:
    wrapped: list[Connector] = []

    def wrap(connector: Connector) -> Connector:
        wrapped.append(connector)
        return connector

    settings = PoolSettings(url=PoolUrl("127.0.0.1", 1), worker_name="alice.rig")
    attempts = 0

    async def refuse(url: PoolUrl, seconds: float) -> trio.abc.Stream:
        nonlocal attempts
        attempts += 1
        raise PoolUnreachable("refused")

    options = ClientOptions(wrap=wrap)
    async with open_proxy(settings, ProxyConfig(), listeners=[MemoryListener()], options=options, connect=refuse):
        await trio.testing.wait_all_tasks_blocked()
    assert wrapped == [refuse]
    assert attempts == 1, "the next one comes after a random pause"


async def test_a_miner_that_is_not_authorized_yet_is_no_holder_of_a_job(autojump_clock: Clock) -> None:
    async with proxy_lab() as lab:
        pool = await lab.working()
        miner, late = await lab.miner(), lab.connect("late")
        await late.stream.send_all(late.miner.request("mining.subscribe"))
        await late.read_until(late.miner.replies)
        await pool.send_call("mining.notify", *job("2"))
        await miner.read_jobs(2)
        await late.stream.send_all(late.miner.request("mining.authorize", "late", "x"))
        await late.read_jobs(1)
        assert late.miner.jobs[0].job_id == miner.miner.jobs[1].job_id


async def test_a_miner_may_ask_for_extensions_before_it_subscribes(autojump_clock: Clock) -> None:
    async with proxy_lab() as lab:
        await lab.working()
        miner = lab.connect()
        await miner.stream.send_all(miner.miner.configure())
        await miner.read_until(miner.miner.replies)
        await miner.login()
        assert trio.current_time() == 0
