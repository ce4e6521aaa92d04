"""Miners that are hostile or slow, on memory streams and a clock that jumps: each loses its own connection only."""

from dataclasses import replace

import pytest
import trio
import trio.testing

from stratum_miner.downstream.endings import DisconnectReason
from stratum_miner.pool import MinerDisconnected, PoolEvent
from stratum_miner.testing.scripted_node import ScriptedNode, make_template
from tests.downstream.memory_pool import CONFIG, Clock, pool_of


async def test_a_connection_that_never_authorizes_is_closed(autojump_clock: Clock) -> None:
    async with pool_of(ScriptedNode()) as (_, listener):
        silent, half, drip = (listener.connect() for _ in range(3))
        await half.stream.send_all(half.miner.request("mining.subscribe"))

        async def trickle() -> None:
            for byte in b'{"id":1,"method":"mining.subscribe","params":["' + b"x" * 100:
                await trio.sleep(1)
                if drip.closed:
                    return
                await drip.stream.send_all(bytes([byte]))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(trickle)
            for client in (silent, half, drip):
                await client.read_to_end()
                assert trio.current_time() == 60


async def test_an_authorized_client_is_closed_only_after_long_silence(autojump_clock: Clock) -> None:
    async with pool_of(ScriptedNode(), replace(CONFIG, idle_timeout=500.0)) as (_, listener):
        client = listener.connect()
        await client.login()
        await trio.sleep(400)
        await client.stream.send_all(client.miner.request("mining.ping"))
        await client.read_to_end()
        assert trio.current_time() == 900


async def test_a_slow_reader_is_dropped_and_nobody_waits_for_it(autojump_clock: Clock) -> None:
    node = ScriptedNode()
    async with pool_of(node) as (pool, listener):
        slow, quick = listener.connect(lockstep=True), listener.connect()
        await quick.login()
        await slow.login()
        node.push(make_template(102))
        await quick.read_jobs(2)
        assert trio.current_time() == 0
        await trio.sleep(CONFIG.send_timeout + 2)
        assert [session.session for session in pool.snapshot().sessions] == [2]
        await slow.read_to_end()


async def test_a_reader_that_falls_behind_is_dropped_at_the_high_water_mark(autojump_clock: Clock) -> None:
    node = ScriptedNode()
    seen: list[PoolEvent] = []
    async with pool_of(node, replace(CONFIG, max_queue=5000), seen.append) as (pool, listener):
        slow = listener.connect(lockstep=True)
        await slow.login()
        for height in range(102, 130):
            node.push(make_template(height))
            await trio.testing.wait_all_tasks_blocked()
        assert trio.current_time() == 0
        assert pool.snapshot().sessions == ()
        (left,) = [event for event in seen if isinstance(event, MinerDisconnected)]
        assert left.reason.startswith("slow reader")


async def test_connections_beyond_the_limit_are_closed_at_once(autojump_clock: Clock) -> None:
    async with pool_of(ScriptedNode(), replace(CONFIG, max_connections=2)) as (pool, listener):
        first, second = listener.connect(), listener.connect()
        await first.login()
        await second.login()
        third = listener.connect()
        await third.read_to_end()
        assert trio.current_time() == 0
        assert pool.snapshot().connections_refused == 1
        await second.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        await listener.connect().login()


async def test_who_holds_places_without_logging_in_loses_them_to_miners(autojump_clock: Clock) -> None:
    async with pool_of(ScriptedNode(), replace(CONFIG, max_connections=3)) as (pool, listener):
        miner = listener.connect()
        await miner.login()
        idle = [listener.connect() for _ in range(20)]
        await trio.testing.wait_all_tasks_blocked()
        assert len(pool.snapshot().sessions) == 3
        await listener.connect().login()
        await listener.connect().login()
        for each in idle:
            await each.read_to_end()
        assert trio.current_time() == 0
        refused = listener.connect()
        await refused.read_to_end()
        snapshot = pool.snapshot()
        assert [session.workers != {} for session in snapshot.sessions] == [True] * 3
        assert (snapshot.connections_refused, snapshot.connections_ended[DisconnectReason.NOT_AUTHORIZED]) == (1, 20)


async def test_connections_from_one_address_are_limited(autojump_clock: Clock) -> None:
    async with pool_of(ScriptedNode(), replace(CONFIG, max_connections_per_address=1)) as (_, listener):
        await listener.connect().login()
        refused = listener.connect()
        await refused.read_to_end()
        assert trio.current_time() == 0


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n",
        b'{"id":1,"method":\n',
        b'{"id":1,"method":"mining.subscribe","params":["\xff\xfe"]}\n',
        b"[" * 2000 + b"\n",
        b"x" * 17000,
    ],
)
async def test_garbage_closes_its_connection_silently_and_no_other(autojump_clock: Clock, data: bytes) -> None:
    async with pool_of(ScriptedNode()) as (_, listener):
        good, bad = listener.connect(), listener.connect()
        await good.login()
        await bad.stream.send_all(data)
        await bad.read_to_end()
        assert bad.miner.messages == []
        assert trio.current_time() == 0
        assert await good.submit(good.miner.solve()) == 0


async def test_a_mistake_of_ours_costs_one_connection(autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[PoolEvent] = []
    async with pool_of(ScriptedNode(), on_event=seen.append) as (_, listener):
        good, bad = listener.connect(), listener.connect()
        await good.login()

        def fail(password: str) -> float:
            raise ZeroDivisionError(password)

        monkeypatch.setattr("stratum_miner.downstream.miner_session.password_difficulty", fail)
        await bad.stream.send_all(bad.miner.login())
        await bad.read_to_end()
        assert await good.submit(good.miner.solve()) == 0
        assert [event.reason for event in seen if isinstance(event, MinerDisconnected)] == ["internal error"]
