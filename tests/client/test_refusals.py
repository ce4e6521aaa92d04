"""A worker name that a pool refuses: temporary and permanent refusals, and what the client does meanwhile."""

import itertools
from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from stratum_miner.client import PoolUrl, WorkerRefused
from stratum_miner.client.temporary_refusals import PHRASES, is_temporary_refusal
from stratum_miner.testing.manual_pool import ManualPool
from tests.client.client_lab import lab


async def refuse(pool: ManualPool, error: Any = None) -> None:
    await pool.accept_subscribe()
    await pool.reply(await pool.request("mining.authorize"), False if error is None else None, error)


async def test_a_worker_that_was_accepted_is_tried_again_with_growing_pauses(autojump_clock: MockClock) -> None:
    async with lab() as it:
        pool = await it.mining()
        await trio.sleep(12)
        await pool.stream.aclose()
        times = []
        for _ in range(12):
            await refuse(await it.connection())
            times.append(trio.current_time())
        pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
        assert pauses[0] < 5, "one refusal costs seconds"
        assert all(earlier < later for earlier, later in itertools.pairwise(pauses[:7])), "hammering is punished"
        assert max(pauses) <= 600
        again = await it.connection()
        await again.accept()
        await again.notify()
        await it.recorder.until(lambda: len(it.recorder.jobs) == 2)
        assert it.error is None


@pytest.mark.parametrize(
    "error",
    [
        [20, "Internal error: database unavailable, try again later", None],
        [-1, "Internal Server Error", None],
        {"code": 30, "message": "Internal error"},
        "Too many connections",
        [20, "(2006, 'MySQL server has gone away')", "Traceback"],
    ],
    ids=str,
)
async def test_a_refusal_that_says_later_is_tried_again(autojump_clock: MockClock, error: Any) -> None:
    async with lab() as it:
        for _ in range(3):
            await refuse(await it.connection(), error)
        pool = await it.connection()
        await pool.accept()
        await pool.notify()
        await it.recorder.until(lambda: it.recorder.jobs)


@pytest.mark.parametrize(
    "error",
    [
        None,
        [24, "unauthorized worker", None],
        [20, "Authorization validation error", ", invalid address"],
        "Invalid username",
        [20, "user not found in the database", None],
        [20, "wrong password, try again", None],
        [20, "account suspended", None],
    ],
    ids=str,
)
async def test_any_other_refusal_from_the_start_is_final(autojump_clock: MockClock, error: Any) -> None:
    async with lab() as it:
        await refuse(await it.connection(), error)
        await it.ended.wait()
        assert isinstance(it.error, WorkerRefused)


async def test_without_retry_a_passing_refusal_ends_it(autojump_clock: MockClock) -> None:
    async with lab(retry=False) as it:
        await refuse(await it.connection(), [20, "try again later", None])
        await it.ended.wait()
        assert isinstance(it.error, WorkerRefused)


async def test_a_refusal_after_a_redirect_leads_back_to_the_configured_address(autojump_clock: MockClock) -> None:
    async with lab(url=PoolUrl("pool.example.com", 3333)) as it:
        pool = await it.connection()
        await pool.send_call("client.reconnect", "eu.example.com", 4444, 0)
        await refuse(await it.connection())
        pool = await it.connection()
        await pool.accept()
        await pool.notify()
        await it.recorder.until(lambda: it.recorder.jobs)
        assert [url.host for url in it.urls] == ["pool.example.com", "eu.example.com", "pool.example.com"]
        assert it.error is None


async def test_a_redirect_that_leads_nowhere_leads_back_too(autojump_clock: MockClock) -> None:
    second = PoolUrl("backup.example.com", 3333)
    async with lab(url=PoolUrl("pool.example.com", 3333), addresses=(second,)) as it:
        await (await it.connection()).send_call("client.reconnect", "eu.example.com", 4444, 0)
        await (await it.connection()).stream.aclose()
        await it.connection()
        assert [url.host for url in it.urls] == ["pool.example.com", "eu.example.com", "pool.example.com"]


async def test_open_shares_of_a_worker_refused_for_good_are_lost_with_that_reason(autojump_clock: MockClock) -> None:
    async with lab() as it:
        pool = await it.connection()
        await pool.accept_subscribe()
        await pool.notify()
        await it.recorder.until(lambda: it.recorder.jobs)
        it.client.submit(it.shares(it.recorder.jobs[0], 1)[0])
        await pool.reply(await pool.request("mining.authorize"), None, [24, "unauthorized worker", None])
        await it.ended.wait()
        assert [outcome.reason for outcome in it.recorder.results] == ["the pool refused the worker"], "no foreign word"


def test_each_phrase_is_in_lower_case_and_has_a_source() -> None:
    for phrase, source in PHRASES.items():
        assert phrase == phrase.lower()
        assert (
            "#" in source
            or "src/" in source
            or "RFC" in source
            or "error" in source
            or "same" in source
            or "SQL" in source
        )
        assert is_temporary_refusal(f"24: The pool says: {phrase.upper()}!")
