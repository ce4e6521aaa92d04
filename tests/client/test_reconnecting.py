"""One pool on memory streams and a mock clock: handshake, jobs, shares, the end of a connection and the next one."""

import itertools
import re
from dataclasses import replace
from typing import Any

import pytest
import trio
import trio.testing
from structlog.testing import capture_logs
from trio.testing import MockClock

from stratum_miner.client import PoolUnreachable, PoolUrl, WorkerRefused
from stratum_miner.client.events import ConnectionState
from stratum_miner.client.reconnecting import Destination
from stratum_miner.testing.manual_pool import ManualPool
from stratum_miner.work.share_result import ShareOutcome
from tests.client.client_lab import Lab, lab
from tests.work.jobs import body_of

OTHER_TIP = "00" * 28 + "12345678"


async def test_handshake_in_order_and_first_job(autojump_clock: MockClock) -> None:
    async with lab() as it:
        pool = await it.connection()
        configure = await pool.request("mining.configure")
        assert configure["params"][1]["version-rolling.mask"] == "1fffe000"
        await pool.reply(configure, {"version-rolling": True, "version-rolling.mask": "ffffffff"})
        subscribe = await pool.request("mining.subscribe")
        assert subscribe["params"][0].startswith("stratum_miner/")
        assert len(subscribe["params"]) == 1
        await pool.reply(subscribe, [[["mining.notify", "s1"]], "a1b2c3d4", 4])
        authorize = await pool.request("mining.authorize")
        assert authorize["params"] == ["worker", "hunter2"]
        await pool.reply(authorize, True)
        await pool.send_call("mining.set_difficulty", 0.5)
        await pool.notify()
        await it.recorder.until(lambda: it.recorder.jobs)
        job = it.recorder.jobs[0]
        assert (job.share_difficulty, body_of(job).extranonce1.hex(), job.extranonce2_size) == (0.5, "a1b2c3d4", 4)
        assert job.version_mask == 0x1FFFE000, "cut to what we asked for"
        assert it.client.snapshot().state is ConnectionState.MINING


async def test_jobs_before_authorize_are_mined_and_shares_held_back(autojump_clock: MockClock) -> None:
    async with lab(version_mask=0, extranonce_subscribe=False) as it:
        pool = await it.connection()
        await pool.reply(await pool.request("mining.subscribe"), [[], "a1b2c3d4", 4])
        await pool.send_call("mining.set_difficulty", 1e-9)
        await pool.notify()
        await it.recorder.until(lambda: it.recorder.jobs)
        [share] = it.shares(it.recorder.jobs[0], 1)
        it.client.submit(share)
        authorize = await pool.request("mining.authorize")
        await pool.reply(authorize, True)
        submit = await pool.request("mining.submit")
        assert len(submit["params"]) == 5, "five parameters without version rolling"
        await pool.reply(submit, True)
        await it.recorder.until(lambda: it.recorder.results)
        assert it.recorder.fates == ["accepted"]


@pytest.mark.parametrize(
    ("result", "error", "fate"),
    [
        (True, None, ShareOutcome.ACCEPTED),
        (None, [21, "job not found", None], ShareOutcome.STALE),
        (False, "Stale", ShareOutcome.STALE),
        (None, [22, "duplicate share"], ShareOutcome.REJECTED),
        (False, {"code": 23, "message": "low difficulty share"}, ShareOutcome.REJECTED),
        (False, None, ShareOutcome.REJECTED),
        (None, None, ShareOutcome.REJECTED),
        ("true", None, ShareOutcome.REJECTED),
    ],
)
async def test_each_reply_becomes_one_outcome(
    autojump_clock: MockClock, result: Any, error: Any, fate: ShareOutcome
) -> None:
    async with lab() as it:
        pool = await it.mining()
        it.client.submit(it.shares(it.recorder.jobs[0], 1)[0])
        submit = await pool.request("mining.submit")
        assert len(submit["params"]) == 6, "six parameters once version rolling is granted"
        await pool.reply(submit, result, error)
        await it.recorder.until(lambda: it.recorder.results)
        assert [result.outcome for result in it.recorder.results] == [fate]


async def test_replies_are_paired_by_id_and_strays_are_counted(autojump_clock: MockClock) -> None:
    async with lab() as it:
        pool = await it.mining()
        first, second = it.shares(it.recorder.jobs[0], 2)
        it.client.submit(first)
        it.client.submit(second)
        one, two = await pool.request("mining.submit"), await pool.request("mining.submit")
        await pool.send({"id": 4711, "result": True, "error": None})
        await pool.reply(two, True)
        await pool.reply(one, None, [23, "low difficulty share", None])
        await pool.reply(one, True)
        await pool.send_call("client.show_message", "hello\x1b[31m")
        await it.recorder.until(lambda: it.recorder.messages)
        assert [(result.share, result.outcome) for result in it.recorder.results] == [
            (second, ShareOutcome.ACCEPTED),
            (first, ShareOutcome.REJECTED),
        ]
        assert it.client.snapshot().unpaired_replies == 2
        assert "\x1b" not in it.recorder.messages[0]


async def test_a_resumed_session_gets_its_open_shares_again(autojump_clock: MockClock) -> None:
    async with lab(extranonce_subscribe=False) as it:
        pool = await it.connection()
        await pool.accept(session="s1", xnsub=False)
        await pool.notify()
        await it.recorder.until(lambda: it.recorder.jobs)
        first, second, third = it.shares(it.recorder.jobs[0], 3)
        it.client.submit(first)
        it.client.submit(second)
        await pool.request("mining.submit")
        await pool.stream.aclose()
        await it.recorder.until(lambda: it.recorder.lost_work)
        it.client.submit(third)  # found while there was no connection
        again = await it.connection()
        subscribe = await again.accept(session="s2", xnsub=False)
        assert subscribe["params"][1] == "s1"
        for _ in range(3):
            await again.reply(await again.request("mining.submit"), True)
        await it.recorder.until(lambda: len(it.recorder.results) == 3)
        assert it.recorder.fates == ["accepted"] * 3


async def test_session_that_is_not_resumed_loses_its_open_shares(autojump_clock: MockClock) -> None:
    async with lab() as it:
        pool = await it.connection()
        await pool.accept(extranonce1="a1b2c3d4")
        await pool.notify()
        await it.recorder.until(lambda: it.recorder.jobs)
        first, late = it.shares(it.recorder.jobs[0], 2)
        it.client.submit(first)
        await pool.request("mining.submit")
        await pool.stream.aclose()
        again = await it.connection()
        await again.accept(extranonce1="ffffffff")
        await again.notify()
        await it.recorder.until(lambda: len(it.recorder.jobs) == 2)
        it.client.submit(late)  # of the old session: must not go to the new one
        assert it.recorder.fates == ["lost", "lost"]
        assert it.recorder.jobs[0].origin.session != it.recorder.jobs[1].origin.session
        assert it.recorder.lost_work, "the search was stopped while there was no session"


async def test_a_share_found_while_the_next_session_begins_waits_to_see_which_one_it_is(
    autojump_clock: MockClock,
) -> None:
    async with lab(extranonce_subscribe=False) as it:
        pool = await it.connection()
        await pool.accept(extranonce1="a1b2c3d4", xnsub=False)
        await pool.notify()
        await it.recorder.until(lambda: it.recorder.jobs)
        [first] = it.shares(it.recorder.jobs[0], 1)
        await pool.stream.aclose()
        again = await it.connection()
        await trio.testing.wait_all_tasks_blocked()  # the connection stands, the handshake is on its way
        it.client.submit(first)
        await again.accept(extranonce1="ffffffff", xnsub=False)
        await again.notify()
        await it.recorder.until(lambda: len(it.recorder.jobs) == 2)
        assert it.recorder.fates == ["lost"]  # not sent to a session that knows nothing of its job
        [mine] = it.shares(it.recorder.jobs[1], 1)
        it.client.submit(mine)
        assert (await again.request("mining.submit"))["params"][1] == mine.job.job_id
        await again.stream.aclose()
        third = await it.connection()
        await trio.testing.wait_all_tasks_blocked()
        it.client.submit(it.shares(it.recorder.jobs[1], 2)[1])
        await third.accept(extranonce1="ffffffff", xnsub=False)
        for _ in range(2):  # this one is the same: both go to it
            await third.reply(await third.request("mining.submit"), True)
        await it.recorder.until(lambda: len(it.recorder.results) == 3)
        assert it.recorder.fates == ["lost", "accepted", "accepted"]


async def test_stale_before_it_leaves_unless_it_solves_a_block(autojump_clock: MockClock) -> None:
    async with lab() as it:
        pool = await it.connection()
        await pool.accept()
        await pool.notify("1")
        await it.recorder.until(lambda: it.recorder.jobs)
        share = it.shares(it.recorder.jobs[0], 1)[0]
        await pool.notify("2", previous=OTHER_TIP, clean=False)
        await it.recorder.until(lambda: len(it.recorder.jobs) == 2)
        assert share.is_block
        it.client.submit(share)
        submit = await pool.request("mining.submit")
        await pool.reply(submit, None, [21, "job not found", None])
        await it.recorder.until(lambda: it.recorder.results)
        assert it.recorder.fates == ["stale"]


async def test_unanswered_submit_and_silence_end_the_connection(autojump_clock: MockClock) -> None:
    async with lab() as it:
        await it.mining()
        it.client.submit(it.shares(it.recorder.jobs[0], 1)[0])
        before = trio.current_time()
        await it.recorder.until(lambda: it.recorder.lost_work)
        assert 60 <= trio.current_time() - before <= 62
        again = await it.connection()
        await again.accept(extranonce1="bbbbbbbb")
        before = trio.current_time()
        await it.recorder.until(lambda: len(it.recorder.lost_work) == 2)
        assert 180 <= trio.current_time() - before <= 182
        assert it.recorder.fates == ["lost"]


async def test_ten_refusals_of_the_current_job_end_the_connection(autojump_clock: MockClock) -> None:
    async with lab() as it:
        pool = await it.mining()
        for number, share in enumerate(it.shares(it.recorder.jobs[0], 10), 1):
            it.client.submit(share)
            await pool.reply(await pool.request("mining.submit"), None, [21, "job not found", None])
            await it.recorder.until(lambda wanted=number: len(it.recorder.results) == wanted)
        await it.recorder.until(lambda: it.recorder.lost_work)
        assert "the pool rejected 10 shares in a row" in it.recorder.lost_work[0]


async def test_shares_on_the_way_while_the_job_changed_do_not_end_it(autojump_clock: MockClock) -> None:
    async with lab() as it:
        pool = await it.mining()
        for share in it.shares(it.recorder.jobs[0], 25):
            it.client.submit(share)
        requests = [await pool.request("mining.submit") for _ in range(25)]
        await pool.notify("2", previous="00" * 28 + "12345678")
        for request in requests:
            await pool.reply(request, None, [21, "stale", None])
        await it.recorder.until(lambda: len(it.recorder.results) == 25)
        assert set(it.recorder.fates) == {"stale"}
        assert not it.recorder.lost_work


async def test_no_reply_to_subscribe_means_another_try(autojump_clock: MockClock) -> None:
    async with lab(version_mask=0) as it:
        pool = await it.connection()
        await pool.request("mining.subscribe")
        again = await it.connection()
        assert trio.current_time() >= 30
        await again.request("mining.subscribe")


async def test_refused_worker_ends_the_client(autojump_clock: MockClock) -> None:
    async with lab(version_mask=0) as it:
        pool = await it.connection()
        await pool.reply(await pool.request("mining.subscribe"), [[], "a1b2c3d4", 4])
        await pool.reply(await pool.request("mining.authorize"), False, [24, "unauthorized worker", None])
        await it.ended.wait()
        assert isinstance(it.error, WorkerRefused)
        assert "worker" in str(it.error)
        assert "hunter2" not in str(it.error)


async def test_without_retry_the_first_failure_is_told(autojump_clock: MockClock) -> None:
    async with lab(retry=False, version_mask=0) as it:
        pool = await it.connection()
        await pool.stream.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await it.ended.wait()
        assert isinstance(it.error, PoolUnreachable)
        assert "HTTP" in str(it.error)


async def test_reconnect_to_the_same_host_is_followed_once(autojump_clock: MockClock) -> None:
    async with lab() as it:
        pool = await it.connection()
        await pool.accept()
        before = trio.current_time()
        await pool.send_call("client.reconnect", "pool.example", "4444", 7)
        again = await it.connection()
        assert trio.current_time() - before >= 7
        assert ConnectionState.CONNECTING in it.recorder.states
        await again.accept()


@pytest.mark.parametrize("host", ["evil.example", "\x1b[2J.pool.example", "a\nb.pool.example"])
async def test_reconnect_to_a_stranger_is_refused_and_mining_goes_on(host: str, autojump_clock: MockClock) -> None:
    async with lab() as it:
        pool = await it.connection()
        await pool.accept()
        await pool.send_call("client.reconnect", host, 4444, 0)
        await pool.notify()
        await it.recorder.until(lambda: it.recorder.jobs)
        assert it.client.snapshot().connects == 1


@pytest.mark.parametrize("params", [(), ("pool.example", 4444, 0)])
async def test_a_user_may_forbid_to_follow_a_reconnect(params: tuple[Any, ...], autojump_clock: MockClock) -> None:
    async with lab(follow_redirects=False) as it:
        pool = await it.connection()
        await pool.accept()
        await pool.send_call("client.reconnect", *params)
        await pool.notify()
        await it.recorder.until(lambda: it.recorder.jobs)
        assert it.client.snapshot().connects == 1


async def test_reconnect_within_the_domain_is_followed_with_the_same_tls(autojump_clock: MockClock) -> None:
    async with lab(url=PoolUrl("pool.example.com", 443, True)) as it:
        pool = await it.connection()
        await pool.accept()
        await pool.send_call("client.reconnect", "eu.example.com", 4444, 0)
        again = await it.connection()
        assert it.urls == [PoolUrl("pool.example.com", 443, True), PoolUrl("eu.example.com", 4444, True)]
        await again.accept()
        await again.stream.aclose()
        await it.connection()
        assert it.urls[2] == it.urls[0]  # the pool's word holds once


async def test_ten_refusals_in_a_row_start_a_fresh_session(autojump_clock: MockClock) -> None:
    async with lab() as it:
        pool = await it.mining()
        for share in it.shares(it.recorder.jobs[0], 10):
            it.client.submit(share)
            await pool.reply(await pool.request("mining.submit"), None, [23, "low difficulty share", None])
        await it.connection()
        assert it.recorder.fates == ["rejected"] * 10


async def test_pauses_grow_while_the_pool_is_useless(autojump_clock: MockClock) -> None:
    async with lab(version_mask=0) as it:
        times = []
        for _ in range(12):
            pool = await it.connection()
            times.append(trio.current_time())
            await pool.stream.aclose()
        pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
        assert max(pauses) <= 60
        assert max(pauses[6:]) > max(pauses[:2])
        assert min(pauses) >= 1


async def test_stopping_resolves_open_shares(autojump_clock: MockClock) -> None:
    async with lab() as it:
        pool = await it.mining()
        it.client.submit(it.shares(it.recorder.jobs[0], 1)[0])
        await pool.request("mining.submit")
    assert it.recorder.fates == ["lost"]
    assert it.client.snapshot().unanswered == 0


@pytest.mark.parametrize("text", ["stratum+tcp://h:3333", "h:3333", "tcp://h:3333/"])
def test_urls_that_work(text: str) -> None:
    assert PoolUrl.parse(text) == PoolUrl("h", 3333)


@pytest.mark.parametrize(
    ("text", "needle"),
    [
        ("stratum+tcp://h", "port"),
        ("stratum+tcp://u:secret@h:3333", "give them separately"),
        ("stratum+tcp://h:99999", "expected"),
        ("stratum+tcp://:3333", "no host"),
        ("stratum+tcp://h:3333/path", "after the port"),
        ("", "no host"),
    ],
)
def test_urls_that_do_not(text: str, needle: str) -> None:
    with pytest.raises(ValueError, match=needle) as info:
        PoolUrl.parse(text)
    assert "secret" not in str(info.value)


@pytest.mark.parametrize("scheme", ["stratum+ssl", "stratum+tls", "stratum+tcps", "stratums", "ssl", "tls"])
def test_tls_under_every_spelling(scheme: str) -> None:
    url = PoolUrl.parse(f"{scheme}://h:443")
    assert url == PoolUrl("h", 443, True)
    assert str(url) == "stratum+ssl://h:443"
    assert PoolUrl.parse(str(url)) == url


def test_a_misspelt_scheme_gets_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"got 'stratum\+sll': did you mean stratum\+ssl\?"):
        PoolUrl.parse("stratum+sll://h:443")


def test_ipv6_url_prints_as_it_parses() -> None:
    url = PoolUrl.parse("stratum+tcp://[::1]:3333")
    assert (url.host, PoolUrl.parse(str(url))) == ("::1", url)


async def test_a_difficulty_is_suggested_once_by_the_measured_hash_rate(autojump_clock: MockClock) -> None:
    async with lab(suggest_difficulty="auto") as it:
        pool = await it.connection()
        await pool.accept()
        it.client.note_hash_rate(20e6)
        first = await pool.request("mining.suggest_difficulty")
        assert first["params"] == [pytest.approx(20e6 * 10 / 2**32, rel=1e-4)]
        it.client.note_hash_rate(40e6)
        await pool.stream.aclose()
        again = await it.connection()
        await again.accept()
        assert (await again.request("mining.suggest_difficulty"))["params"] == first["params"]


async def test_bytes_are_counted_over_all_connections(autojump_clock: MockClock) -> None:
    async with lab() as it:
        pool = await it.mining()
        once = it.client.snapshot()
        assert once.bytes_received > 900  # a job and the handshake
        assert 300 < once.bytes_sent < 1200
        await pool.stream.aclose()
        await (await it.connection()).accept()
        await trio.testing.wait_all_tasks_blocked()
        again = it.client.snapshot()
        assert again.bytes_received > once.bytes_received
        assert again.bytes_sent == 2 * once.bytes_sent + len(', "s1"') - 1


async def test_no_difficulty_is_suggested_unasked(autojump_clock: MockClock) -> None:
    async with lab() as it:
        pool = await it.mining()
        it.client.note_hash_rate(20e6)
        [share] = it.shares(it.recorder.jobs[-1], 1)
        it.client.submit(share)
        await pool.request("mining.submit")


async def longest_pause(it: Lab, pool: ManualPool) -> float:
    """The longest of three pauses before the client connects again after the pool hung up."""
    pauses = []
    for _ in range(3):
        ended = trio.current_time()
        await pool.stream.aclose()
        pool = await it.connection()
        pauses.append(trio.current_time() - ended)
    return max(pauses)


@pytest.mark.parametrize(("after", "is_stable"), [(59.0, False), (60.0, True)])
async def test_a_connection_that_gave_credit_for_a_minute_makes_the_pauses_short_again(
    autojump_clock: MockClock, after: float, is_stable: bool
) -> None:
    """A pool that takes one share and hangs up is not called again and again at the shortest pause."""
    async with lab(version_mask=0, extranonce_subscribe=False) as it:
        for _ in range(8):  # the upper limit is then a minute
            await (await it.connection()).stream.aclose()
        pool = await it.connection()
        began = trio.current_time()
        await pool.accept(mask=None, xnsub=False)
        await pool.notify()
        await it.recorder.until(lambda: it.recorder.jobs)
        first, second = it.shares(it.recorder.jobs[0], 2)
        await trio.sleep(began + after - trio.current_time())
        for share, error in ((first, [22, "duplicate share", None]), (second, None)):
            it.client.submit(share)
            await pool.reply(await pool.request("mining.submit"), error is None, error)
        await it.recorder.until(lambda: len(it.recorder.results) == 2)
        assert (await longest_pause(it, pool) <= 8) is is_stable


async def test_a_rejected_share_makes_no_connection_stable(autojump_clock: MockClock) -> None:
    async with lab(version_mask=0, extranonce_subscribe=False) as it:
        for _ in range(8):
            await (await it.connection()).stream.aclose()
        pool = await it.connection()
        await pool.accept(mask=None, xnsub=False)
        await pool.notify()
        await it.recorder.until(lambda: it.recorder.jobs)
        await trio.sleep(100)
        it.client.submit(it.shares(it.recorder.jobs[0], 1)[0])
        await pool.reply(await pool.request("mining.submit"), None, [22, "duplicate share", None])
        await it.recorder.until(lambda: it.recorder.results)
        assert await longest_pause(it, pool) > 8


async def test_each_state_is_shown_with_its_detail(autojump_clock: MockClock) -> None:
    async with lab(version_mask=0, extranonce_subscribe=False) as it:
        url = "stratum+tcp://pool.example:3333"
        details = []
        for step in ("handshake", "mining", "waiting", "connecting"):
            if step == "handshake":
                pool = await it.connection()
            elif step == "mining":
                await pool.accept(mask=None, xnsub=False)
            elif step == "waiting":
                await pool.stream.aclose()
            await trio.testing.wait_all_tasks_blocked()
            snapshot = it.client.snapshot()
            details.append((snapshot.state.value, snapshot.detail))
        waiting = details[2]
        assert details[:2] == [("handshake", url), ("mining", url)]
        assert waiting[0] == "waiting"
        assert re.fullmatch(r"next attempt in [12] s: the pool closed the connection", waiting[1])
    assert (it.client.snapshot().state, it.client.snapshot().detail) == (ConnectionState.STOPPED, "")


async def test_a_share_of_another_block_is_stale_before_it_leaves(autojump_clock: MockClock) -> None:
    async with lab() as it:
        pool = await it.connection()
        await pool.accept(difficulty=1e-11)
        await pool.notify("1")
        await it.recorder.until(lambda: it.recorder.jobs)
        share = next(share for share in it.shares(it.recorder.jobs[0], 64) if not share.is_block)
        await pool.notify("2", previous=OTHER_TIP, clean=False)
        await it.recorder.until(lambda: len(it.recorder.jobs) == 2)
        it.client.submit(share)
        assert [(result.outcome.value, result.reason) for result in it.recorder.results] == [
            ("stale", "the previous block changed before it was found")
        ]
        mine = next(share for share in it.shares(it.recorder.jobs[1], 64) if not share.is_block)
        it.client.submit(mine)
        assert (await pool.request("mining.submit"))["params"][1] == "2"


async def test_a_share_for_a_client_that_does_not_run_is_lost(autojump_clock: MockClock) -> None:
    async with lab() as it:
        await it.mining()
        [share] = it.shares(it.recorder.jobs[0], 1)
    it.client.submit(share)
    assert [(result.outcome.value, result.reason) for result in it.recorder.results] == [
        ("lost", "its pool is not connected to any more")
    ]


@pytest.mark.parametrize(
    ("note", "reason"),
    [
        ((), "the miner stopped before the pool answered"),
        (("the miner left",), "the miner left"),
        (("the miner left", ""), "the miner stopped before the pool answered"),
    ],
)
async def test_a_share_without_a_reply_at_the_end_is_lost_for_the_reason_that_was_noted(
    autojump_clock: MockClock, note: tuple[str, ...], reason: str
) -> None:
    async with lab() as it:
        await it.mining()
        it.client.submit(it.shares(it.recorder.jobs[0], 1)[0])
        for text in note:
            it.client.note_stop_reason(text)
    assert [result.reason for result in it.recorder.results] == [reason]


async def test_a_share_of_a_pool_that_is_not_reached_again_is_lost(autojump_clock: MockClock) -> None:
    async with lab(retries=0) as it:
        pool = await it.mining()
        it.client.submit(it.shares(it.recorder.jobs[0], 1)[0])
        await pool.request("mining.submit")
        await pool.stream.aclose()
        await it.ended.wait()
        assert [result.reason for result in it.recorder.results] == ["the pool could not be reached again"]
        assert isinstance(it.error, PoolUnreachable)
        assert str(it.error) == "stratum+tcp://pool.example:3333: the pool closed the connection"


async def test_of_too_many_shares_without_a_connection_the_oldest_are_lost(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stratum_miner.client.resume.MAX_CARRIED", 2)
    async with lab() as it:
        pool = await it.mining()
        shares = it.shares(it.recorder.jobs[0], 3)
        await pool.stream.aclose()
        await it.recorder.until(lambda: it.recorder.lost_work)
        for share in shares:
            it.client.submit(share)
        assert it.client.unanswered == 2
        assert [(result.share, result.reason) for result in it.recorder.results] == [
            (shares[0], "too many shares without a connection")
        ]


async def test_a_share_is_destined_for_its_pool_worker_and_session(autojump_clock: MockClock) -> None:
    async with lab(workers=(("usb", "worker.usb"),)) as it:
        assert it.client.origin.session == 0
        pool = await it.connection()
        await pool.accept_subscribe(session="abc")
        await pool.notify()
        await it.recorder.until(lambda: it.recorder.jobs)
        [share] = it.shares(it.recorder.jobs[0], 1)
        url = "stratum+tcp://pool.example:3333"
        assert it.client.destination(share) == Destination(url, "worker", "abc")
        assert it.client.destination(replace(share, backend="usb")) == Destination(url, "worker.usb", "abc")


async def test_what_ends_a_connection_is_told_with_the_pause_or_the_next_url(autojump_clock: MockClock) -> None:
    other = PoolUrl("other.example", 1)
    with capture_logs() as lines:
        async with lab(version_mask=0, extranonce_subscribe=False, addresses=(other,)) as it:
            for _ in range(2):
                await (await it.connection()).stream.aclose()
            pool = await it.connection()
            await pool.send_call("client.reconnect", "pool.example", 4444, 7)
            await it.connection()
    lines = [line for line in lines if line["event"] != "handshake_shortened"]
    assert [(line["event"], line["log_level"], line.get("next")) for line in lines] == [
        ("connection_ended", "warning", "stratum+tcp://other.example:1"),
        ("connection_ended", "warning", None),
        ("reconnect_followed", "info", None),
    ]
    reason = "the pool closed the connection without sending anything"
    assert [line["reason"] for line in lines[:2]] == [reason, reason]
    assert 1 <= lines[1]["retry_in_s"] <= 2
    assert (lines[2]["host"], lines[2]["port"], lines[2]["wait_s"]) == ("pool.example", 4444, 7)


async def test_a_shorter_handshake_and_a_suggested_difficulty_are_told(autojump_clock: MockClock) -> None:
    with capture_logs() as lines:
        async with lab(suggest_difficulty="auto") as it:
            for _ in range(4):
                await (await it.connection()).stream.aclose()
            it.client.note_hash_rate(20e6)
            it.client.note_hash_rate(30e6)
    assert [line["without"] for line in lines if line["event"] == "handshake_shortened"] == [
        "mining.extranonce.subscribe",
        "mining.extranonce.subscribe and mining.configure",
    ]
    assert [line["difficulty"] for line in lines if line["event"] == "difficulty_suggested"] == [0.04657]


async def test_a_refused_worker_that_is_tried_again_is_told_with_its_pool(autojump_clock: MockClock) -> None:
    with capture_logs() as lines:
        async with lab() as it:
            pool = await it.connection()
            await pool.accept_subscribe()
            await pool.reply(await pool.request("mining.authorize"), None, [20, "try again later", None])
            await it.recorder.until(lambda: it.recorder.lost_work)
            [worker] = it.client.snapshot().workers
            assert worker.refusal == "20: try again later", "shown while there is no connection"
    [line] = [line for line in lines if line["event"] == "worker_refused"]
    assert (line["pool"], line["log_level"]) == ("stratum+tcp://pool.example:3333", "warning")
    assert line["reason"] == "the pool refused the worker 'worker': 20: try again later"
    assert 2 <= line["retry_in_s"] <= 4


async def test_a_suggestion_of_the_user_is_made_on_every_connection(autojump_clock: MockClock) -> None:
    async with lab(suggest_difficulty=0.25) as it:
        for _ in range(2):
            pool = await it.connection()
            await pool.accept()
            it.client.note_hash_rate(20e6)
            assert (await pool.request("mining.suggest_difficulty"))["params"] == [0.25]
            await pool.stream.aclose()
