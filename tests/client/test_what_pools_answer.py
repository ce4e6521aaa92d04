"""The result of a share is the pool's reply to it, independent of other shares and connections."""

from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from stratum_miner.stratum.errors import SHARE_LOST_TEXT
from stratum_miner.testing.manual_pool import ManualPool
from tests.client.client_lab import lab

DUPLICATE = [22, "duplicate share", None]
LOST = [20, SHARE_LOST_TEXT, None]


async def mining(it: Any) -> ManualPool:
    """Return the next connection after its handshake, and after the first job if there was none yet."""
    pool: ManualPool = await it.connection()
    await pool.accept(xnsub=False)
    await pool.notify()
    await it.recorder.until(lambda: it.recorder.jobs)
    return pool


async def test_a_duplicate_after_a_lost_answer_is_lost_and_not_accepted(autojump_clock: MockClock) -> None:
    async with lab(extranonce_subscribe=False) as it:
        pool = await mining(it)
        sent, unsent = it.shares(it.recorder.jobs[0], 2)
        it.client.submit(sent)
        await pool.request("mining.submit")
        await pool.stream.aclose()
        await it.recorder.until(lambda: it.recorder.lost_work)
        it.client.submit(unsent)  # while there is no connection: no pool has seen it
        again = await it.connection()
        await again.accept(xnsub=False)
        for _ in range(2):
            await again.reply(await again.request("mining.submit"), None, DUPLICATE)
        await it.recorder.until(lambda: len(it.recorder.results) == 2)
        assert [(result.share, result.outcome.value, result.reason) for result in it.recorder.results] == [
            (sent, "lost", "the pool had seen it; its answer was lost"),
            (unsent, "rejected", "22: duplicate share"),
        ]


async def test_answers_to_requests_of_an_earlier_connection_resolve_nothing(autojump_clock: MockClock) -> None:
    async with lab(extranonce_subscribe=False) as it:
        pool = await mining(it)
        for share in it.shares(it.recorder.jobs[0], 3):
            it.client.submit(share)
        late = [await pool.request("mining.submit") for _ in range(3)]
        await pool.stream.aclose()
        again = await it.connection()
        await again.accept(xnsub=False)
        for request in late:
            await again.reply(request, True)
        for _ in late:
            await again.reply(await again.request("mining.submit"), None, DUPLICATE)
        await it.recorder.until(lambda: len(it.recorder.results) == 3)
        assert it.recorder.fates == ["lost", "lost", "lost"]


async def test_what_was_sent_twice_stays_so_over_further_connections(autojump_clock: MockClock) -> None:
    async with lab(extranonce_subscribe=False) as it:
        pool = await mining(it)
        it.client.submit(it.shares(it.recorder.jobs[0], 1)[0])
        await pool.request("mining.submit")
        await pool.stream.aclose()
        hangs_up = await it.connection()
        await hangs_up.accept_subscribe()
        await hangs_up.stream.aclose()  # before the worker is authorized: the share was not sent again
        again = await it.connection()
        await again.accept(xnsub=False)
        await again.reply(await again.request("mining.submit"), None, DUPLICATE)
        await it.recorder.until(lambda: it.recorder.results)
        assert it.recorder.fates == ["lost"]


@pytest.mark.parametrize(
    ("error", "fate"),
    [
        (LOST, "lost"),
        ([20, SHARE_LOST_TEXT], "lost"),
        ([21, SHARE_LOST_TEXT, None], "stale"),
        ([20, SHARE_LOST_TEXT + ".", None], "rejected"),
        ([20, "lost", None], "rejected"),
        (SHARE_LOST_TEXT, "rejected"),
    ],
)
async def test_a_proxy_tells_of_a_lost_share_by_code_and_text(autojump_clock: MockClock, error: Any, fate: str) -> None:
    async with lab(extranonce_subscribe=False) as it:
        pool = await mining(it)
        it.client.submit(it.shares(it.recorder.jobs[0], 1)[0])
        await pool.reply(await pool.request("mining.submit"), None, error)
        await it.recorder.until(lambda: it.recorder.results)
        assert it.recorder.fates == [fate]
        if fate == "lost":
            assert it.recorder.results[0].reason == "the upstream pool's answer did not arrive", "lost is said once"


@pytest.mark.parametrize("error", [LOST, DUPLICATE, [21, "job not found"], [23, "low difficulty share"]], ids=str)
async def test_a_burst_of_refusals_does_not_end_a_session(autojump_clock: MockClock, error: Any) -> None:
    async with lab(extranonce_subscribe=False) as it:
        pool = await mining(it)
        shares = it.shares(it.recorder.jobs[0], 41)
        for share in shares[:40]:
            it.client.submit(share)
        for request in [await pool.request("mining.submit") for _ in range(40)]:
            await pool.reply(request, None, error)
        await it.recorder.until(lambda: len(it.recorder.results) == 40)
        it.client.submit(shares[40])
        await pool.reply(await pool.request("mining.submit"), True)
        await it.recorder.until(lambda: len(it.recorder.results) == 41)
        assert it.recorder.results[-1].outcome.value == "accepted"
        assert it.client.snapshot().connects == 1


async def test_lost_answers_of_a_proxy_never_end_a_session(autojump_clock: MockClock) -> None:
    async with lab(extranonce_subscribe=False) as it:
        pool = await mining(it)
        for number, share in enumerate(it.shares(it.recorder.jobs[0], 30), 1):
            it.client.submit(share)
            await pool.reply(await pool.request("mining.submit"), None, LOST)
            await it.recorder.until(lambda wanted=number: len(it.recorder.results) == wanted)
        assert it.client.snapshot().connects == 1


@pytest.mark.parametrize("last", ["reconnect", "refusals"])
async def test_answers_that_came_are_heard_before_a_session_is_given_up(autojump_clock: MockClock, last: str) -> None:
    """The replies come together with what ends the session, or just after it."""
    async with lab(extranonce_subscribe=False) as it:
        pool = await mining(it)
        shares = it.shares(it.recorder.jobs[0], 13)
        if last == "refusals":
            for number, share in enumerate(shares[:9], 1):
                it.client.submit(share)
                await pool.reply(await pool.request("mining.submit"), None, [23, "low difficulty share", None])
                await it.recorder.until(lambda wanted=number: len(it.recorder.results) == wanted)
        for share in shares[9:]:
            it.client.submit(share)
        requests = [await pool.request("mining.submit") for _ in range(4)]
        end = (
            {"id": None, "method": "client.reconnect", "params": []}
            if last == "reconnect"
            else {"id": requests[0]["id"], "result": None, "error": [23, "low difficulty share", None]}
        )
        answers = [{"id": request["id"], "result": True, "error": None} for request in requests[1:]]
        await pool.send(end, *answers[:2])
        await pool.send(answers[2])
        again = await it.connection()
        await again.accept(xnsub=False)
        assert it.recorder.fates.count("accepted") == 3
        open_shares = 1 if last == "reconnect" else 0
        assert it.client.snapshot().unanswered == open_shares


async def test_a_pool_that_says_no_more_is_waited_for_a_second_only(autojump_clock: MockClock) -> None:
    async with lab(extranonce_subscribe=False) as it:
        pool = await mining(it)
        it.client.submit(it.shares(it.recorder.jobs[0], 1)[0])
        await pool.request("mining.submit")
        before = trio.current_time()
        await pool.send_call("client.reconnect", "pool.example", 3333, 0)
        await it.recorder.until(lambda: it.recorder.lost_work)
        assert trio.current_time() - before == pytest.approx(1)
