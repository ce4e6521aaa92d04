"""A pool that replies too late: the next connection waits longer, and no share is lost meanwhile."""

import trio
import trio.testing
from trio.testing import MockClock

from tests.client.client_lab import lab


async def test_shares_wait_for_an_authorization_while_jobs_come(autojump_clock: MockClock) -> None:
    async with lab(extranonce_subscribe=False) as it:
        pool = await it.connection()
        await pool.accept_subscribe()
        await pool.send_call("mining.set_difficulty", 1e-9)
        await pool.notify()
        await it.recorder.until(lambda: it.recorder.jobs)
        for share in it.shares(it.recorder.jobs[0], 94):
            it.client.submit(share)
        authorize = await pool.request("mining.authorize")
        await trio.sleep(100)
        await pool.reply(authorize, True)
        for _ in range(94):
            await pool.reply(await pool.request("mining.submit"), True)
        await it.recorder.until(lambda: len(it.recorder.results) == 94)
        assert it.recorder.fates == ["accepted"] * 94
        assert it.client.snapshot().connects == 1


async def test_each_limit_that_was_too_short_is_longer_at_the_next_try(autojump_clock: MockClock) -> None:
    """The pool needs 100 s for each authorization, and sends no job before it."""
    async with lab() as it:
        waited: list[int] = []
        for number in (1, 2):
            pool = await it.connection()
            before = trio.current_time()
            await pool.accept_subscribe()
            await pool.request("mining.authorize")
            await it.recorder.until(lambda wanted=number: len(it.recorder.lost_work) == wanted)
            waited.append(round(trio.current_time() - before))
        assert waited == [30, 60]
        pool = await it.connection()
        await pool.accept_subscribe()
        authorize = await pool.request("mining.authorize")
        await trio.sleep(100)
        await pool.reply(authorize, True)
        await pool.notify()
        await it.recorder.until(lambda: it.recorder.jobs)


async def test_a_slow_subscription_gets_longer_too(autojump_clock: MockClock) -> None:
    async with lab() as it:
        waited: list[int] = []
        for number in (1, 2, 3):
            await it.connection()
            before = trio.current_time()
            await it.recorder.until(lambda wanted=number: len(it.recorder.lost_work) == wanted)
            waited.append(round(trio.current_time() - before))
        assert waited == [30, 60, 120]


async def test_a_pool_that_answers_shares_slowly_is_not_left_for_ever(autojump_clock: MockClock) -> None:
    """The pool needs 100 s for each reply, longer than the first limit and shorter than the second."""
    async with lab(extranonce_subscribe=False) as it:
        pool = await it.connection()
        await pool.accept(xnsub=False)
        await pool.notify()
        await it.recorder.until(lambda: it.recorder.jobs)
        it.client.submit(it.shares(it.recorder.jobs[0], 1)[0])
        await it.recorder.until(lambda: it.recorder.lost_work)
        pool = await it.connection()
        await pool.accept(xnsub=False)
        submit = await pool.request("mining.submit")
        for _ in range(4):
            await trio.sleep(25)
            await pool.notify()
        await pool.reply(submit, True)
        await it.recorder.until(lambda: it.recorder.results)
        assert it.recorder.fates == ["accepted"]
        assert it.client.snapshot().connects == 2
