"""One connection: its time limits, what it logs, and what it does when it ends."""

from dataclasses import replace
from typing import Any

import pytest
import trio
import trio.testing
from structlog.testing import capture_logs
from trio.testing import MockClock

from stratum_miner.client.events import ConnectionState
from stratum_miner.testing.manual_pool import ManualPool
from tests.client.client_lab import Lab, lab


async def lost_after(it: Lab) -> tuple[float, str]:
    """Wait until the connection ends. Return how long that took, in seconds, and the reason."""
    before, count = trio.current_time(), len(it.recorder.lost_work)
    await it.recorder.until(lambda: len(it.recorder.lost_work) > count)
    return trio.current_time() - before, it.recorder.lost_work[-1]


# ---- time limits: they are checked once a second --------------------------------------------------------------------


async def test_silence_ends_a_connection_after_three_minutes(autojump_clock: MockClock) -> None:
    async with lab() as it:
        await it.mining()
        seconds, reason = await lost_after(it)
        assert reason == "no data from the pool for 180 s"
        assert seconds == 181


async def test_a_share_waits_a_minute_for_its_reply(autojump_clock: MockClock) -> None:
    async with lab() as it:
        pool = await it.mining()
        first, second = it.shares(it.recorder.jobs[0], 2)
        it.client.submit(first)
        request = await pool.request("mining.submit")
        await trio.sleep(59)
        it.client.submit(second)
        await pool.reply(request, True)
        seconds, reason = await lost_after(it)
        assert reason == "a share got no reply for 60 s"
        assert seconds == 62, "from the oldest share without a reply, and a second for late replies"


async def test_the_first_reply_is_waited_for_half_a_minute(autojump_clock: MockClock) -> None:
    async with lab() as it:
        await it.connection()
        assert await lost_after(it) == (30, "no reply to mining.subscribe within 30 s")


@pytest.mark.parametrize(("has_job", "limit"), [(False, 30), (True, 120)])
async def test_an_authorization_is_waited_for_four_times_as_long_if_there_is_work(
    autojump_clock: MockClock, has_job: bool, limit: int
) -> None:
    async with lab() as it:
        pool = await it.connection()
        await pool.accept_subscribe()
        if has_job:
            await pool.notify()
        seconds, reason = await lost_after(it)
        assert reason == f"no reply to mining.authorize within {limit} s"
        assert seconds == limit


async def test_a_further_worker_name_without_a_reply_is_refused_after_half_a_minute(autojump_clock: MockClock) -> None:
    async with lab(version_mask=0, extranonce_subscribe=False, workers=(("usb", "worker.usb"),)) as it:
        pool = await it.connection()
        await pool.accept_subscribe(mask=None)
        await pool.reply(await pool.request("mining.authorize"), True)
        await pool.notify()
        await it.recorder.until(lambda: it.recorder.jobs)
        it.client.submit(replace(it.shares(it.recorder.jobs[0], 1)[0], backend="usb"))
        await pool.request("mining.authorize")
        before = trio.current_time()
        assert (await pool.request("mining.submit"))["params"][0] == "worker"
        assert 30 < trio.current_time() - before <= 31
        refusals = {worker.name: worker.refusal for worker in it.client.snapshot().workers}
        assert refusals == {"worker": "", "worker.usb": "no reply within 30 s"}


async def test_replies_are_waited_for_a_second_when_the_client_closes_a_connection(autojump_clock: MockClock) -> None:
    """The pool asks the miner to connect elsewhere while two shares have no reply."""
    async with lab() as it:
        pool = await it.mining()
        first, second = it.shares(it.recorder.jobs[0], 2)
        it.client.submit(first)
        it.client.submit(second)
        requests = [await pool.request("mining.submit") for _ in range(2)]
        await pool.send_call("client.reconnect")
        before = trio.current_time()
        await trio.sleep(0.9)
        await pool.notify("2")  # this is ignored
        await pool.reply(requests[1], True)
        await it.recorder.until(lambda: it.recorder.lost_work)
        assert trio.current_time() - before == 1
        assert (it.recorder.fates, len(it.recorder.jobs)) == (["accepted"], 1)
        assert it.recorder.results[0].share is second
        assert it.client.snapshot().unanswered == 1


async def test_without_an_open_share_a_connection_is_closed_at_once(autojump_clock: MockClock) -> None:
    async with lab() as it:
        pool = await it.mining()
        before = trio.current_time()
        await pool.send_call("client.reconnect")
        await it.recorder.until(lambda: it.recorder.lost_work)
        assert trio.current_time() == before


# ---- what is logged and counted -------------------------------------------------------------------------------------


async def told(pool: ManualPool, *messages: Any) -> list[dict[str, Any]]:
    """What the client logs when the pool sends these calls: a method and its parameters."""
    with capture_logs() as lines:
        for method, *params in messages:
            await pool.send_call(method, *params)
        await trio.testing.wait_all_tasks_blocked()
    return [dict(line) for line in lines]


async def test_what_a_pool_says_to_the_user_is_shown_without_the_password(autojump_clock: MockClock) -> None:
    async with lab() as it:
        pool = await it.mining()
        assert await told(pool, ("client.show_message", "hello hunter2")) == [
            {"event": "pool_message", "text": "hello ***", "log_level": "info"}
        ]
        assert it.recorder.messages == ["hello ***"]


async def test_unusable_lines_are_told_and_counted(autojump_clock: MockClock) -> None:
    async with lab() as it:
        pool = await it.mining()
        lines = await told(pool, ("mining.set_difficulty", "x"), ("mining.notify", "2", "zz"))
        assert [(line["event"], line["log_level"]) for line in lines] == [("bad_line", "warning")] * 2
        assert it.client.snapshot().bad_lines == 2
        assert len(it.recorder.jobs) == 1


async def test_a_reply_to_nothing_is_told_with_its_id_shortened(autojump_clock: MockClock) -> None:
    async with lab() as it:
        pool = await it.mining()
        with capture_logs() as lines:
            await pool.send({"id": 10**50, "result": True, "error": [20, "who is hunter2?", None]})
            await trio.testing.wait_all_tasks_blocked()
        [line] = lines
        assert (line["event"], line["log_level"]) == ("unpaired_reply", "warning")
        assert (len(line["id"]), line["error"]) == (40, "20: who is ***?")
        assert it.client.snapshot().unpaired_replies == 1


async def test_a_redirect_that_is_not_followed_is_told_with_the_reason(autojump_clock: MockClock) -> None:
    async with lab() as it:
        pool = await it.mining()
        [line] = await told(pool, ("client.reconnect", "evil.example", 4444, 0))
        assert (line["event"], line["host"], line["port"]) == ("reconnect_refused", "evil.example", 4444)
        assert line["reason"] == "expected the configured host, or a host of the same registered domain"
    async with lab(follow_redirects=False) as it:
        pool = await it.mining()
        for params, host in (((), "pool.example"), (("eu.example", 5), "eu.example")):
            [line] = await told(pool, ("client.reconnect", *params))
            assert (line["event"], line["host"], line["reason"]) == ("reconnect_refused", host, "pool_redirect is off")


async def test_every_line_is_traced_on_demand_without_the_password(autojump_clock: MockClock) -> None:
    with capture_logs() as lines:
        async with lab(trace=True) as it:
            await it.mining()
    sent = [line["line"] for line in lines if line["event"] == "sent"]
    received = [line["line"] for line in lines if line["event"] == "received"]
    assert sum('"mining.authorize","params":["worker","***"]' in line for line in sent) == 1
    assert "hunter2" not in str(lines)
    assert sum('"method": "mining.notify"' in line for line in received) == 1
    assert all(line.startswith("{") for line in sent + received)


# ---- shares ---------------------------------------------------------------------------------------------------------


async def test_a_share_that_no_line_has_room_for_is_lost_with_the_reason(autojump_clock: MockClock) -> None:
    async with lab() as it:
        await it.mining()
        [share] = it.shares(it.recorder.jobs[0], 1)
        it.client.submit(replace(share, extranonce2=bytes(2_000_000)))
        [result] = it.recorder.results
        assert result.outcome.value == "lost"
        assert result.text


async def test_a_changed_extranonce_is_that_of_the_session_to_resume(autojump_clock: MockClock) -> None:
    with capture_logs() as lines:
        async with lab(extranonce_subscribe=True) as it:
            pool = await it.mining()
            await pool.send_call("mining.set_extranonce", "0102", 3)
            await pool.notify("2")
            await it.recorder.until(lambda: len(it.recorder.jobs) == 2)
            it.client.submit(it.shares(it.recorder.jobs[1], 1)[0])
            await pool.request("mining.submit")
            await pool.stream.aclose()
            again = await it.connection()
            await again.accept(extranonce1="0102", extranonce2_size=3, xnsub=False)
            await again.reply(await again.request("mining.submit"), True)
            await it.recorder.until(lambda: it.recorder.results)
            assert it.recorder.fates == ["accepted"]
    assert [line["resubmitted"] for line in lines if line["event"] == "session_resumed"] == [1]


async def test_nothing_is_asked_on_a_connection_that_has_ended(autojump_clock: MockClock) -> None:
    async with lab() as it:
        pool = await it.mining()
        [share] = it.shares(it.recorder.jobs[0], 1)
        session: Any = it.client._connection
        await pool.stream.aclose()
        await it.recorder.until(lambda: it.recorder.lost_work)
        session._ask_for("another")
        session._ask_the_rest()
        session.suggest_difficulty(1.0)
        session.submit(share)
        assert "another" not in session.workers
        assert session.connection.outstanding == {}
        assert [(item.share, item.sent) for item in session.take_unanswered()] == [(share, False)]
        await session.wait_until_unanswered(-1)  # an ended connection is not waited for


async def test_the_mask_of_the_last_connection_is_shown_until_the_next_session(autojump_clock: MockClock) -> None:
    async with lab() as it:
        before = it.client.snapshot()
        assert (before.version_mask, before.session, before.difficulty, before.connects) == (0, 0, None, 0)
        pool = await it.connection()
        assert it.limits == {10}, "seconds"
        await pool.accept(mask="0000e000")
        await pool.notify()
        await it.recorder.until(lambda: it.recorder.jobs)
        assert it.client.snapshot().version_mask == 0xE000
        await pool.stream.aclose()
        await it.recorder.until(lambda: it.recorder.lost_work)
        assert it.client.snapshot().version_mask == 0xE000, "that of the last connection"
        assert it.recorder.states[:4] == [
            ConnectionState.CONNECTING, ConnectionState.HANDSHAKE, ConnectionState.MINING, ConnectionState.WAITING
        ]  # fmt: skip
        again = await it.connection()
        await trio.testing.wait_all_tasks_blocked()
        assert it.client.snapshot().version_mask == 0xE000
        await again.accept(mask="00006000", xnsub=False)
        await trio.testing.wait_all_tasks_blocked()
        after = it.client.snapshot()
        assert (after.version_mask, after.connects, after.jobs, after.difficulty) == (0x6000, 2, 1, 1e-9)


@pytest.mark.parametrize("open_shares", [999, 1000])
async def test_the_search_pauses_at_a_thousand_open_shares(autojump_clock: MockClock, open_shares: int) -> None:
    async with lab(extranonce_subscribe=False) as it:
        pool = await it.connection()
        await pool.accept(xnsub=False)
        await pool.notify()
        await it.recorder.until(lambda: it.recorder.jobs)
        for share in it.shares(it.recorder.jobs[0], open_shares):
            it.client.submit(share)
        assert it.client.snapshot().unanswered == open_shares
        with trio.move_on_after(1) as room:
            await it.client.wait_for_room()
        assert room.cancelled_caught is (open_shares == 1000)
        with trio.move_on_after(1) as answers:
            await it.client.wait_all_answered()
        assert answers.cancelled_caught
        async with trio.open_nursery() as nursery:
            nursery.start_soon(it.client.wait_for_room)
            await pool.reply(await pool.request("mining.submit"), True)
        for _ in range(open_shares - 1):
            await pool.reply(await pool.request("mining.submit"), True)
        await it.client.wait_all_answered()
        assert it.client.unanswered == 0
