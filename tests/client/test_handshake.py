"""The requests of a handshake, and those that the client leaves out after a pool has disconnected during one."""

from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from stratum_miner.client import PoolUnreachable
from stratum_miner.client.pool_memory import KEPT_S
from stratum_miner.testing.manual_pool import ManualPool
from tests.client.client_lab import lab

GRANT = {"version-rolling": True, "version-rolling.mask": "1fffe000"}


async def asked(pool: ManualPool) -> tuple[bool, bool]:
    """Do the handshake and send a job. Return whether configure and extranonce.subscribe were sent."""
    requests = [await pool.request()]
    configured = requests[0]["method"] == "mining.configure"
    if configured:
        await pool.reply(requests[0], GRANT)
        requests.append(await pool.request())
    await pool.reply(requests[-1], [[["mining.notify", "s1"]], "a1b2c3d4", 4])
    await pool.reply(await pool.request("mining.authorize"), True)
    await pool.send_call("mining.set_difficulty", 1e-9)
    await pool.notify()
    request = None
    with trio.move_on_after(1):
        request = await pool.request("mining.extranonce.subscribe")
        await pool.reply(request, True)
    return configured, request is not None


async def hang_up(it: Any) -> list[str]:
    """End the next connection before its first job. Return the methods that were sent on it."""
    pool: ManualPool = await it.connection()
    methods: list[str] = []
    while not methods or methods[-1] != "mining.authorize":
        request = await pool.request()
        methods.append(request["method"])
        if methods[-1] == "mining.configure" and "subscribe-extranonce" in request["params"][0]:
            methods.append("subscribe-extranonce")
    await pool.stream.aclose()
    return methods


FULL = ["mining.configure", "subscribe-extranonce", "mining.subscribe", "mining.authorize"]
WITHOUT_EXTRANONCE = ["mining.configure", "mining.subscribe", "mining.authorize"]
BARE = ["mining.subscribe", "mining.authorize"]


async def test_everything_is_asked_before_anything_is_answered(autojump_clock: MockClock) -> None:
    async with lab() as it:
        pool = await it.connection()
        before = trio.current_time()
        data = await pool.stream.receive_some(65536)
        assert [line.split(b'"')[5] for line in bytes(data).splitlines()] == [
            b"mining.configure",
            b"mining.subscribe",
            b"mining.authorize",
        ], "in one piece, as firmware sends them"
        assert trio.current_time() == before


async def test_a_pool_that_is_silent_to_configure_costs_no_time(autojump_clock: MockClock) -> None:
    async with lab() as it:
        pool = await it.connection()
        before = trio.current_time()
        configure = await pool.request("mining.configure")
        await pool.reply(await pool.request("mining.subscribe"), [[], "a1b2c3d4", 4])
        await pool.reply(await pool.request("mining.authorize"), True)
        await pool.send_call("mining.set_difficulty", 1e-9)
        await pool.notify()
        await it.recorder.until(lambda: it.recorder.jobs)
        assert trio.current_time() == before
        assert it.recorder.jobs[0].version_mask == 0
        await trio.sleep(20)
        [early] = it.shares(it.recorder.jobs[0], 1)
        await pool.reply(configure, GRANT)
        await it.recorder.until(lambda: len(it.recorder.jobs) == 2)
        assert it.recorder.jobs[1].version_mask == 0x1FFFE000, "the answer is used when it comes"
        await pool.request("mining.extranonce.subscribe")
        it.client.submit(early)
        assert len((await pool.request("mining.submit"))["params"]) == 6, "as it is negotiated when the share leaves"


async def test_two_hang_ups_shorten_the_handshake_step_by_step(autojump_clock: MockClock) -> None:
    async with lab() as it:
        forms = [await hang_up(it) for _ in range(7)]
        assert forms == [FULL, FULL, WITHOUT_EXTRANONCE, BARE, FULL, WITHOUT_EXTRANONCE, BARE]


async def test_one_hang_up_is_forgotten(autojump_clock: MockClock) -> None:
    """A pool disconnects once because it restarts. Once, the client never asked it for version rolling again."""
    async with lab() as it:
        for _ in range(4):
            assert await hang_up(it) == FULL
            pool = await it.connection()
            assert await asked(pool) == (True, True)
            await pool.stream.aclose()


async def test_the_form_that_worked_is_kept_for_an_hour(autojump_clock: MockClock) -> None:
    async with lab() as it:
        assert [await hang_up(it) for _ in range(3)] == [FULL, FULL, WITHOUT_EXTRANONCE]
        began = trio.current_time()
        pool = await it.connection()
        while trio.current_time() - began < KEPT_S - 200:
            assert await asked(pool) == (False, False)
            await trio.sleep(120)
            await pool.stream.aclose()
            pool = await it.connection()
        assert await asked(pool) == (False, False)
        await pool.notify("2")
        await trio.sleep(150)
        await pool.notify("3")
        await trio.sleep(150)
        await pool.stream.aclose()
        assert await asked(await it.connection()) == (True, True), "then the full one is tried again"


async def test_after_an_hour_a_connection_that_lasts_asks_for_the_rest(autojump_clock: MockClock) -> None:
    async with lab() as it:
        assert [await hang_up(it) for _ in range(3)] == [FULL, FULL, WITHOUT_EXTRANONCE]
        pool = await it.connection()
        assert await asked(pool) == (False, False)
        began = trio.current_time()
        async with trio.open_nursery() as nursery:

            async def renew() -> None:
                while True:
                    await trio.sleep(60)
                    await pool.notify()

            nursery.start_soon(renew)
            configure = await pool.request("mining.configure")
            assert KEPT_S - 5 < trio.current_time() - began < KEPT_S + 5
            await pool.request("mining.extranonce.subscribe")
            await pool.reply(configure, GRANT)
            await it.recorder.until(lambda: it.recorder.jobs[-1].version_mask == 0x1FFFE000)
            with trio.move_on_after(600) as nothing_came:
                await pool.request()
            assert nothing_came.cancelled_caught, "once is enough"
            nursery.cancel_scope.cancel()


async def test_a_pool_that_answered_everything_tolerates_it(autojump_clock: MockClock) -> None:
    """The pool disconnects before its first job, but not because of a request."""
    async with lab() as it:
        assert await hang_up(it) == FULL
        for _ in range(6):
            pool = await it.connection()
            await pool.accept()  # which insists on both requests
            await pool.stream.aclose()


@pytest.mark.parametrize("has_job", [False, True])
async def test_a_pool_that_hangs_up_on_extranonce_subscribe_is_spared_it(
    autojump_clock: MockClock, has_job: bool
) -> None:
    async with lab() as it:
        for _ in range(2):
            pool = await it.connection()
            await pool.accept(xnsub=False)
            if has_job:
                await pool.notify()
            await pool.request("mining.extranonce.subscribe")
            await pool.stream.aclose()
        assert await asked(await it.connection()) == (True, False)


async def test_a_hang_up_in_the_middle_of_mining_shortens_nothing(autojump_clock: MockClock) -> None:
    """The same if the pool never answers one of the requests, as many pools do not."""
    async with lab() as it:
        for _ in range(5):
            pool = await it.connection()
            await pool.accept(xnsub=False)
            await pool.notify()
            await pool.request("mining.extranonce.subscribe")
            await trio.sleep(6)
            await pool.stream.aclose()


async def test_a_pool_that_never_says_a_word_counts_as_one_that_hangs_up(autojump_clock: MockClock) -> None:
    async with lab() as it:
        first = await it.connection()
        second = await it.connection()
        third = await it.connection()
        for pool, method in ((first, FULL[0]), (second, FULL[0]), (third, WITHOUT_EXTRANONCE[0])):
            request = await pool.request(method)
            assert ("subscribe-extranonce" in request["params"][0]) == (pool is not third)


async def test_without_retry_a_pool_that_hangs_up_on_configure_gets_one_try_more(autojump_clock: MockClock) -> None:
    async with lab(retry=False) as it:
        assert await hang_up(it) == FULL
        assert await hang_up(it) == BARE
        await it.ended.wait()
        assert isinstance(it.error, PoolUnreachable)


async def test_a_pool_that_refuses_to_resume_is_asked_for_a_new_session(autojump_clock: MockClock) -> None:
    async with lab() as it:
        pool = await it.mining()
        it.client.submit(it.shares(it.recorder.jobs[0], 1)[0])
        await pool.stream.aclose()
        again = await it.connection()
        await again.request("mining.configure")
        subscribe = await again.request("mining.subscribe")
        assert subscribe["params"][1:] == ["s1"]
        await again.reply(subscribe, None, [20, "unknown session", None])
        third = await it.connection()
        await third.request("mining.configure")
        subscribe = await third.request("mining.subscribe")
        assert subscribe["params"][1:] == []
        await third.reply(subscribe, [[], "a1b2c3d4", 4])
        await it.recorder.until(lambda: it.recorder.results)
        assert it.recorder.results[0].reason == "the pool did not resume the session"
