"""Several addresses of one pool: the client tries the next one after a second, and pauses after all have failed."""

import itertools

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from stratum_miner.client import PoolSettings, PoolUnreachable, PoolUrl
from stratum_miner.client.addresses import Addresses
from tests.client.client_lab import lab

FIRST, SECOND, THIRD = (PoolUrl(host, 3333) for host in ("a.example", "b.example", "c.example"))


async def test_a_silent_address_is_passed_over_without_a_long_pause(autojump_clock: MockClock) -> None:
    async with lab(url=FIRST, addresses=(SECOND, THIRD)) as it:
        pool = await it.connection()
        before = trio.current_time()
        await pool.stream.aclose()
        await it.connection()
        assert 1 <= trio.current_time() - before <= 1.5, "a pool causes one connection a second, wherever it goes"
        assert it.urls == [FIRST, SECOND]
        assert it.client.snapshot().url == SECOND


async def test_an_address_that_gave_jobs_is_tried_again_first(autojump_clock: MockClock) -> None:
    async with lab(url=FIRST, addresses=(SECOND,), version_mask=0, extranonce_subscribe=False) as it:
        await (await it.connection()).stream.aclose()
        pool = await it.connection()
        await pool.accept(mask=None, xnsub=False)
        await pool.notify()
        await it.recorder.until(lambda: it.recorder.jobs)
        await pool.stream.aclose()
        await it.connection()
        assert it.urls == [FIRST, SECOND, SECOND]


async def test_a_round_in_vain_is_followed_by_a_pause(autojump_clock: MockClock) -> None:
    async with lab(url=FIRST, addresses=(SECOND,), version_mask=0, extranonce_subscribe=False) as it:
        times = []
        for _ in range(4):
            pool = await it.connection()
            times.append(trio.current_time())
            await pool.stream.aclose()
            await trio.testing.wait_all_tasks_blocked()
        assert it.urls[:4] == [FIRST, SECOND, FIRST, SECOND]
        first, pause, second = (later - earlier for earlier, later in itertools.pairwise(times))
        assert 1 <= first <= 1.5
        assert 1 <= second <= 1.5
        assert 1 <= pause <= 2


async def test_without_retry_every_address_is_tried_once(autojump_clock: MockClock) -> None:
    async with lab(url=FIRST, addresses=(SECOND,), version_mask=0, extranonce_subscribe=False, retry=False) as it:
        for _ in range(2):
            await (await it.connection()).stream.aclose()
        await it.ended.wait()
        assert it.urls == [FIRST, SECOND]
        assert isinstance(it.error, PoolUnreachable)


def test_after_each_round_of_all_urls_there_is_a_pause() -> None:
    it = Addresses(PoolSettings(url=FIRST, worker_name="w", addresses=(SECOND, THIRD)))
    assert [(it.current.host, it.next()) for _ in range(4)] == [
        ("a.example", True),
        ("b.example", True),
        ("c.example", False),
        ("a.example", True),
    ]
    it.note_job()
    assert [(it.current.host, it.next()) for _ in range(3)] == [
        ("b.example", True),
        ("c.example", True),
        ("a.example", False),
    ]


@pytest.mark.parametrize(
    ("host", "port", "url"),
    [("eu.example", None, "eu.example:443"), (None, 4444, "a.example:4444"), ("eu.example", 4444, "eu.example:4444")],
)
def test_a_redirect_holds_once_and_keeps_what_it_does_not_name(host: str | None, port: int | None, url: str) -> None:
    configured = PoolUrl("a.example", 443, True)
    it = Addresses(PoolSettings(url=configured, worker_name="w"))
    assert it.take() == (configured, False)
    it.redirect(host, port)
    assert it.take() == (PoolUrl.parse(f"stratum+ssl://{url}"), True)
    assert it.take() == (configured, False)
