"""Several worker names on one connection: a device with a name of its own, which the pool accepts or refuses."""

from dataclasses import replace
from typing import Any

import pytest
import trio
import trio.testing
from structlog.testing import capture_logs
from trio.testing import MockClock

from stratum_miner.client import PoolSettings, PoolUrl, WorkerRefused, pool_tally, workers
from stratum_miner.client.workers import Workers, worker_name_at
from stratum_miner.testing.manual_pool import ManualPool
from stratum_miner.work.share import Share
from tests.client.client_lab import lab


async def mining(it: Any) -> tuple[ManualPool, list[Share]]:
    pool: ManualPool = await it.connection()
    await pool.accept(mask=None, xnsub=False)
    await pool.notify()
    await it.recorder.until(lambda: it.recorder.jobs)
    return pool, it.shares(it.recorder.jobs[-1], 6)


def own(share: Share, worker_name: str) -> Share:
    return replace(share, worker_name=worker_name)


@pytest.mark.parametrize(
    ("own_name", "login"), [("", "rig"), (".stick", "rig.stick"), ("someone.else", "someone.else"), ("rig", "rig")]
)
async def test_whose_share_it_is(autojump_clock: MockClock, own_name: str, login: str) -> None:
    async with lab(version_mask=0, extranonce_subscribe=False) as it:
        _, shares = await mining(it)
        assert worker_name_at(own(shares[0], own_name), "rig") == login


async def test_a_worker_is_authorized_once_and_its_shares_wait_for_that(autojump_clock: MockClock) -> None:
    async with lab(version_mask=0, extranonce_subscribe=False) as it:
        pool, shares = await mining(it)
        it.client.submit(own(shares[0], ".stick"))
        it.client.submit(own(shares[1], ".stick"))
        it.client.submit(shares[2])
        authorize = await pool.request("mining.authorize")
        assert authorize["params"] == ["worker.stick", "hunter2"]
        first = await pool.request("mining.submit")
        assert first["params"][0] == "worker"
        await pool.reply(authorize, True)
        for _ in range(2):
            submit = await pool.request("mining.submit")
            assert submit["params"][0] == "worker.stick"
            await pool.reply(submit, True)
        await pool.reply(first, True)
        it.client.submit(own(shares[3], ".stick"))
        assert (await pool.request("mining.submit"))["params"][0] == "worker.stick"
        await it.recorder.until(lambda: len(it.recorder.results) == 3)
        assert it.recorder.fates == ["accepted"] * 3


async def test_miners_that_think_of_ever_more_names_fill_no_table(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "MAX_WORKER_NAMES", 3)
    monkeypatch.setattr(pool_tally, "MAX_WORKERS", 2)
    async with lab(version_mask=0, extranonce_subscribe=False) as it:
        pool, shares = await mining(it)
        for number in range(2):
            it.client.submit(own(shares[number], f".{number}"))
            await pool.reply(await pool.request("mining.authorize"), True)
            await pool.reply(await pool.request("mining.submit"), True)
        for number in range(2, 6):
            it.client.submit(own(shares[number], f".{number}"))
            submit = await pool.request()
            assert (submit["method"], submit["params"][0]) == ("mining.submit", "worker")
            await pool.reply(submit, True)
        await it.recorder.until(lambda: len(it.recorder.results) == 6)
        assert it.recorder.fates == ["accepted"] * 6
        assert len(it.client._tally.workers) == 2


async def test_shares_of_a_refused_worker_go_under_the_pools_own_login(autojump_clock: MockClock) -> None:
    async with lab(version_mask=0, extranonce_subscribe=False) as it:
        pool, shares = await mining(it)
        it.client.submit(own(shares[0], "other"))
        await pool.reply(await pool.request("mining.authorize"), False)
        submit = await pool.request("mining.submit")
        assert submit["params"][0] == "worker"
        await pool.reply(submit, True)
        it.client.submit(own(shares[1], "other"))
        assert (await pool.request("mining.submit"))["params"][0] == "worker"
        await it.recorder.until(lambda: it.recorder.results)
        assert it.error is None


async def test_a_pool_that_says_nothing_to_it_is_not_waited_for(autojump_clock: MockClock) -> None:
    async with lab(version_mask=0, extranonce_subscribe=False) as it:
        pool, shares = await mining(it)
        it.client.submit(own(shares[0], "other"))
        await pool.request("mining.authorize")
        submit = await pool.request("mining.submit")
        assert submit["params"][0] == "worker"


async def test_a_login_too_long_for_a_line_goes_under_the_pools_own(autojump_clock: MockClock) -> None:
    async with lab(version_mask=0, extranonce_subscribe=False) as it:
        pool, shares = await mining(it)
        it.client.submit(own(shares[0], "x" * 100_000))
        assert (await pool.request("mining.submit"))["params"][0] == "worker"


async def test_a_new_connection_authorizes_anew_and_a_resumed_share_keeps_its_worker(autojump_clock: MockClock) -> None:
    async with lab(version_mask=0, extranonce_subscribe=False) as it:
        pool, shares = await mining(it)
        it.client.submit(own(shares[0], ".stick"))
        await pool.reply(await pool.request("mining.authorize"), True)
        await pool.request("mining.submit")
        await pool.stream.aclose()
        again: ManualPool = await it.connection()
        await again.accept(mask=None, xnsub=False)
        authorize = await again.request("mining.authorize")
        assert authorize["params"][0] == "worker.stick"
        await again.reply(authorize, True)
        submit = await again.request("mining.submit")
        assert submit["params"][0] == "worker.stick"
        await again.reply(submit, True)
        await it.recorder.until(lambda: it.recorder.results)
        assert it.recorder.fates == ["accepted"]


async def test_a_refusal_of_one_worker_that_was_accepted_before_is_not_for_good(autojump_clock: MockClock) -> None:
    async with lab(version_mask=0, extranonce_subscribe=False) as it:
        pool, shares = await mining(it)
        it.client.submit(own(shares[0], ".stick"))
        await pool.reply(await pool.request("mining.authorize"), True)
        await pool.reply(await pool.request("mining.submit"), True)
        await pool.stream.aclose()
        await it.recorder.until(lambda: it.recorder.lost_work)
        again: ManualPool = await it.connection()
        await again.accept(mask=None, xnsub=False)
        await again.notify("2")
        await it.recorder.until(lambda: len(it.recorder.jobs) == 2)
        it.client.submit(own(shares[1], ".stick"))
        await again.reply(await again.request("mining.authorize"), False)
        before = trio.current_time()
        submit = await again.request("mining.submit")
        assert submit["params"][0] == "worker", "nothing is lost meanwhile"
        await again.reply(submit, True)
        for pause in (5, 10, 20):
            authorize = await again.request("mining.authorize")
            assert authorize["params"][0] == "worker.stick"
            assert pause <= trio.current_time() - before <= pause + 2
            before = trio.current_time()
            it.client.submit(own(shares[2], ".stick"))
            await again.reply(await again.request("mining.submit"), True)  # under the other name, at once
            await again.reply(authorize, pause == 20)
        await trio.testing.wait_all_tasks_blocked()
        it.client.submit(own(shares[3], ".stick"))
        assert (await again.request("mining.submit"))["params"][0] == "worker.stick"


async def test_a_worker_refused_for_good_is_asked_for_once(autojump_clock: MockClock) -> None:
    async with lab(version_mask=0, extranonce_subscribe=False) as it:
        pool, shares = await mining(it)
        it.client.submit(own(shares[0], "other"))
        await pool.reply(await pool.request("mining.authorize"), None, [24, "unauthorized worker", None])
        await pool.reply(await pool.request("mining.submit"), True)
        with trio.move_on_after(150) as nothing_came:
            await pool.request()
        assert nothing_came.cancelled_caught


# ---- the table of worker names alone --------------------------------------------------------------------------------

SETTINGS = PoolSettings(
    url=PoolUrl("pool.example", 3333), worker_name="main", workers=(("usb", "main.usb"), ("cpu", "main.cpu"))
)


def table(accepted: set[str] | None = None, names: tuple[str, ...] = SETTINGS.worker_names) -> Workers:
    """The configured names, for each of which mining.authorize was sent at the time 100."""
    it = Workers(SETTINGS, set() if accepted is None else accepted)
    for name in names:
        it.asked(name, 100.0)
    return it


def test_the_stand_in_is_the_first_name_that_is_not_refused() -> None:
    it = table()
    assert "main" in it
    assert "other" not in it
    assert it.stand_in("main.cpu") is None, "it has no answer yet"
    it.answered("main.usb", "", 101.0)
    assert it.stand_in("main.usb") == "main.usb"
    assert it.stand_in("never asked for") is None, "main comes first, and has no answer yet"
    it.answered("main", "no", 101.0)
    assert it.stand_in("main") == it.stand_in("never asked for") == "main.usb"
    it.answered("main.usb", "no", 102.0)
    assert it.stand_in("main") is None, "main.cpu may still be accepted"
    assert it.refusals == {"main": "no", "main.usb": "no"}


@pytest.mark.parametrize("is_temporary", [True, False])
def test_when_all_names_are_refused_the_worker_is(is_temporary: bool) -> None:
    it = table()
    it.answered("main", "busy", 101.0, is_temporary=is_temporary)
    it.answered("main.usb", "no", 101.0)
    with pytest.raises(WorkerRefused) as info:
        it.answered("main.cpu", "never", 101.0)
    assert info.value.is_temporary is is_temporary
    assert str(info.value) == (
        "the pool refused the worker 'main': busy; the pool refused the worker 'main.usb': no; "
        "the pool refused the worker 'main.cpu': never"
    )


def test_a_name_that_was_not_asked_for_is_not_refused() -> None:
    it = table(names=("main", "main.usb"))
    for name in ("main", "main.usb", "stranger"):
        it.answered(name, "no", 101.0)
    assert it.refusals == {"main": "no", "main.usb": "no"}


def test_a_refusal_is_told_with_the_name_that_is_used_instead() -> None:
    it = table()
    with capture_logs() as lines:
        it.answered("main", "", 101.0)
        it.answered("main.usb", "no", 101.0)
    assert lines == [
        {"event": "login_refused", "worker": "main.usb", "reason": "no", "instead": "main", "log_level": "warning"}
    ]


def test_a_name_that_may_be_accepted_later_is_asked_for_again_after_a_pause_that_doubles() -> None:
    it, now, pauses = table(), 100.0, []
    for _ in range(9):
        it.answered("main.usb", "busy", now, is_temporary=True)
        pause = next(seconds for seconds in range(2000) if it.due_again(now + seconds))
        assert it.due_again(now + pause) == [], "once for each refusal"
        pauses.append(pause)
        now += pause
    assert pauses == [5, 10, 20, 40, 80, 160, 320, 600, 600]
    it.answered("main.usb", "", now)
    assert it.due_again(now + 2000) == []


def test_only_a_temporary_refusal_or_one_of_an_accepted_name_leads_to_another_try() -> None:
    it = table({"main.cpu"})
    for name in ("main.usb", "main.cpu"):
        it.answered(name, "no", 100.0)
    assert it.due_again(104.9) == []
    assert it.due_again(105.0) == ["main.cpu"]


def test_a_name_is_overdue_until_it_is_answered() -> None:
    it = table()
    it.asked("late", 101.0)
    it.answered("main", "", 101.0)
    assert it.overdue(100.0) == ()
    assert it.overdue(100.1) == ("main.usb", "main.cpu")
    it.answered("main.usb", "no", 101.0)
    assert it.overdue(200.0) == ("main.cpu", "late")


def test_ten_thousand_names_are_asked_for_and_a_thousand_remembered_as_accepted() -> None:
    accepted: set[str] = set()
    it = table(accepted)
    for number in range(9_996):
        it.asked(f"w{number}", 100.0)
        it.answered(f"w{number}", "", 100.0)
    assert not it.is_full
    it.asked("the last", 100.0)
    assert it.is_full
    assert len(accepted) == 1000
    assert {"w0", "w999"} < accepted
