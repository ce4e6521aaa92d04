"""Shares through the proxy: what goes up, what does not, and whose answer comes back."""

from typing import Any

import pytest
import trio
import trio.testing

from stratum_miner.proxy import WorkerNames
from stratum_miner.stratum.errors import SHARE_LOST_TEXT, ErrorReason
from tests.downstream.wire_client import WireClient
from tests.proxy.proxy_lab import ProxyLab, job, proxy_lab, submit, upstream_header, verdict

Clock = trio.testing.MockClock
OTHER_PREVIOUS = "11" * 32


async def test_a_share_is_the_same_header_upstream_and_the_answer_comes_back(autojump_clock: Clock) -> None:
    async with proxy_lab() as lab:
        pool = await lab.working(extranonce2_size=8)
        miner = await lab.miner()
        share = miner.miner.solve()
        sent = await submit(miner, share)
        request = await pool.request("mining.submit")
        assert request["params"][:2] == ["farm", "1"], "our worker, the pool's job id"
        assert len(request["params"][2]) == 16
        theirs = upstream_header(job(), "a1b2c3d4", request["params"])
        assert theirs == miner.miner.jobs[-1].header(share[2], int(share[3], 16), int(share[4], 16))
        await pool.reply(request, True)
        assert await verdict(miner, sent) == 0


async def test_miners_search_in_different_places(autojump_clock: Clock) -> None:
    async with proxy_lab() as lab:
        pool = await lab.working()
        miners = [await lab.miner(f"rig{number}") for number in range(3)]
        assert len({item.miner.extranonce1 for item in miners}) == 3
        assert {item.miner.extranonce2_size for item in miners} == {3}
        places = set()
        for item in miners:  # the same extranonce2 of each
            await submit(item, item.miner.solve(extranonce2="000001"))
            places.add((await pool.request("mining.submit"))["params"][2])
        assert len(places) == 3
        assert {place[2:] for place in places} == {"000001"}


async def test_answers_reach_the_miner_and_the_request_that_asked(autojump_clock: Clock) -> None:
    async with proxy_lab() as lab:
        pool = await lab.working()
        first, second = await lab.miner("one"), await lab.miner("two")
        sent = [await submit(first, first.miner.solve()), await submit(first, first.miner.solve())]
        requests = [await pool.request("mining.submit") for _ in sent]
        other = await submit(second, second.miner.solve())
        requests.append(await pool.request("mining.submit"))
        await pool.reply(requests[2], None, [23, "low difficulty share of 0.1", None])
        await pool.reply(requests[1], False, "Stale")
        await pool.reply(requests[0], True)
        assert await verdict(first, sent[0]) == 0
        assert await verdict(first, sent[1]) == 21
        assert await verdict(second, other) == 23
        assert second.miner.reply(other)["error"][1] == "low difficulty share of 0.1"
        assert trio.current_time() == 0


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ([20, "odd", None], 20),
        ([22, "duplicate share", None], 22),
        ([24, "unauthorized worker", None], 24),
        ({"code": -1, "message": "Above target"}, 23),
        ("whatever", 20),
        (None, 20),
    ],
)
async def test_every_form_of_refusal_becomes_the_classic_one(autojump_clock: Clock, error: Any, code: int) -> None:
    async with proxy_lab() as lab:
        pool = await lab.working()
        miner = await lab.miner()
        sent = await submit(miner, miner.miner.solve())
        await pool.reply(await pool.request("mining.submit"), None, error)
        assert await verdict(miner, sent) == code
        assert lab.proxy.snapshot().shares.rejected.total() == 1


async def test_bad_shares_never_go_up(autojump_clock: Clock) -> None:
    async with proxy_lab() as lab:
        pool = await lab.working()
        miner = await lab.miner()
        good = miner.miner.solve()
        sent = await submit(miner, good)
        request = await pool.request("mining.submit")
        assert await miner.submit(good) == 22, "on its way up already"
        await pool.reply(request, True)
        assert await verdict(miner, sent) == 0
        assert await miner.submit(good) == 22
        target = miner.miner.jobs[-1].target
        assert await miner.submit(miner.miner.solve(at_most=2**256 - 1, above=target)) == 23
        assert await miner.submit([good[0], "nonsense", *good[2:]]) == 21
        assert await miner.submit([good[0], good[1], "00", *good[3:]]) == 20
        assert await miner.submit(["stranger", *good[1:]]) == 24
        late = f"{int(good[3], 16) + 10_000:08x}"
        assert await miner.submit([*good[:3], late, good[4]]) == 20
        assert await miner.submit([*good, "00002000"]) == 20, "bits that were not granted"
        shares = lab.proxy.snapshot().miners[0].shares
        assert (shares.received, shares.accepted, shares.stale, shares.open) == (9, 1, 1, 0)
        assert shares.refused == {
            ErrorReason.DUPLICATE: 2,
            ErrorReason.LOW_DIFFICULTY: 1,
            ErrorReason.OTHER: 3,
            ErrorReason.UNAUTHORIZED: 1,
        }
        assert trio.current_time() == 0, "each answer comes at once"
        # nothing else reached the pool: the next thing it hears is the next good share
        await submit(miner, miner.miner.solve())
        assert (await pool.request("mining.submit"))["id"] == request["id"] + 1


async def test_stale_shares_are_judged_here_but_a_late_block_goes_up(autojump_clock: Clock) -> None:
    async with proxy_lab() as lab:
        pool = await lab.upstream()
        await pool.send_call("mining.notify", *job("1", nbits="1f00ffff"))
        miner = await lab.miner()
        old = miner.miner.jobs[-1]
        network = old.network_target
        await pool.send_call("mining.notify", *job("2", nbits="1f00ffff", previous=OTHER_PREVIOUS))
        await miner.read_jobs(2)
        assert await miner.submit(miner.miner.solve(old, above=network)) == 21
        block = miner.miner.solve(old, at_most=network)
        sent = await submit(miner, block)
        request = await pool.request("mining.submit")
        assert request["params"][1] == "1"
        await pool.reply(request, None, [21, "Stale", None])
        assert await verdict(miner, sent) == 21
        assert lab.proxy.snapshot().shares.stale == 2


async def test_a_miner_that_leaves_before_the_answer_is_still_counted(autojump_clock: Clock) -> None:
    async with proxy_lab() as lab:
        pool = await lab.working()
        miner = await lab.miner()
        await submit(miner, miner.miner.solve())
        request = await pool.request("mining.submit")
        await miner.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert lab.proxy.snapshot().miners == ()
        assert lab.proxy.snapshot().shares.open == 1
        await pool.reply(request, True)
        await trio.testing.wait_all_tasks_blocked()
        shares = lab.proxy.snapshot().shares
        assert (shares.received, shares.accepted, shares.open) == (1, 1, 0)


async def test_stopping_waits_for_open_answers(autojump_clock: Clock) -> None:
    async with proxy_lab() as lab:
        pool = await lab.working()
        miner = await lab.miner()
        sent = await submit(miner, miner.miner.solve())
        request = await pool.request("mining.submit")
        lab.proxy.stop()
        await trio.testing.wait_all_tasks_blocked()
        await pool.reply(request, True)
        await miner.read_to_end()
        assert miner.miner.verdict(sent) == 0


async def test_a_pool_that_never_answers_leaves_no_share_without_a_fate(autojump_clock: Clock) -> None:
    async with proxy_lab() as lab:
        pool = await lab.working()
        miner = await lab.miner()
        sent = await submit(miner, miner.miner.solve())
        await pool.request("mining.submit")
        await lab.upstream(extranonce1="00000001", session="s2")  # the client gave the first one up
        assert await verdict(miner, sent) == 20
        assert miner.miner.reply(sent)["error"][1] == SHARE_LOST_TEXT
        shares = lab.proxy.snapshot().shares
        assert (shares.received, shares.lost, shares.open) == (1, 1, 0)


async def test_a_share_that_was_told_lost_goes_up_again_when_it_is_sent_again(autojump_clock: Clock) -> None:
    async with proxy_lab(answer_timeout=20) as lab:
        pool = await lab.working()
        miner = await lab.miner()
        share = miner.miner.solve()
        sent = await submit(miner, share)
        await pool.request("mining.submit")
        assert await miner.submit(share) == 22, "while its answer may still come it is a duplicate"
        assert await verdict(miner, sent) == 20
        again = await submit(miner, share)
        await pool.reply(await pool.request("mining.submit"), True)
        assert await verdict(miner, again) == 0
        assert await miner.submit(share) == 22
        shares = lab.proxy.snapshot().shares
        assert (shares.received, shares.accepted, shares.lost, shares.open) == (4, 1, 1, 0)
        assert shares.refused == {ErrorReason.DUPLICATE: 2}


async def back_again(lab: ProxyLab, miner: WireClient) -> WireClient:
    """The same miner on a new connection, its session resumed."""
    await miner.stream.aclose()
    await trio.testing.wait_all_tasks_blocked()
    again = lab.connect()
    await again.login("wire_miner/1", miner.miner.session_id)
    assert again.miner.extranonce1 == miner.miner.extranonce1
    return again


@pytest.mark.parametrize(
    ("answer", "code", "count"),
    [
        ((True,), 0, {"accepted": 1}),
        ((None, [21, "Stale", None]), 21, {"stale": 1}),
        ((None, [23, "high-hash", None]), 23, {"rejected": {ErrorReason.LOW_DIFFICULTY: 1}}),
        (None, 20, {"lost": 1}),
    ],
    ids=["accepted", "stale", "rejected", "lost"],
)
async def test_a_miner_that_comes_back_gets_the_answer_that_was_on_the_way(
    autojump_clock: Clock, answer: Any, code: int, count: dict[str, Any]
) -> None:
    async with proxy_lab(answer_timeout=20) as lab:
        pool = await lab.working()
        miner = await lab.miner()
        share = miner.miner.solve()
        await submit(miner, share)
        request = await pool.request("mining.submit")
        miner = await back_again(lab, miner)
        sent = await submit(miner, share)
        await trio.testing.wait_all_tasks_blocked()
        assert not miner.miner.replies(sent), "nobody knows yet"
        assert await miner.submit(share) == 22, "this connection waits for it already"
        if answer is not None:
            await pool.reply(request, *answer)
        assert await verdict(miner, sent) == code
        for shares in (lab.proxy.snapshot().shares, lab.proxy.snapshot().miners[0].shares):
            assert (shares.received, shares.open) == (2, 0)
            assert {name: getattr(shares, name) for name in count} == count
        assert lab.proxy.snapshot().left[0].shares.received == 0
        assert lab.proxy.snapshot().answered_late == 0


async def test_a_share_whose_answer_came_while_its_miner_was_away_is_a_duplicate(autojump_clock: Clock) -> None:
    async with proxy_lab() as lab:
        pool = await lab.working()
        miner = await lab.miner()
        share = miner.miner.solve()
        await submit(miner, share)
        request = await pool.request("mining.submit")
        again = await back_again(lab, miner)
        await pool.reply(request, True)
        await trio.testing.wait_all_tasks_blocked()
        assert await again.submit(share) == 22
        shares = lab.proxy.snapshot().shares
        assert (shares.received, shares.accepted) == (2, 1)
        assert shares.refused == {ErrorReason.DUPLICATE: 1}


@pytest.mark.parametrize("said", ["stale: job of an older block", "Invalid JobID", "job not found"])
async def test_a_pools_words_for_a_stale_share_arrive_as_they_are(autojump_clock: Clock, said: str) -> None:
    async with proxy_lab() as lab:
        pool = await lab.working()
        miner = await lab.miner()
        sent = await submit(miner, miner.miner.solve())
        await pool.reply(await pool.request("mining.submit"), None, [21, said, None])
        assert await verdict(miner, sent) == 21
        assert miner.miner.reply(sent)["error"][1] == said


async def test_a_share_of_a_job_that_the_pool_sends_under_another_id_goes_up_once(autojump_clock: Clock) -> None:
    async with proxy_lab() as lab:
        pool = await lab.working()
        miner = await lab.miner()
        share = miner.miner.solve()
        sent = await submit(miner, share)
        await pool.reply(await pool.request("mining.submit"), True)
        assert await verdict(miner, sent) == 0
        for job_id in ("2", "3"):
            await pool.send_call("mining.notify", *job(job_id, clean=False))
            await miner.read_jobs(len(miner.miner.jobs) + 1)
            assert await miner.submit([share[0], miner.miner.jobs[-1].job_id, *share[2:]]) == 22


async def test_a_share_that_was_accepted_is_a_duplicate_once_its_job_is_stale(autojump_clock: Clock) -> None:
    async with proxy_lab() as lab:
        pool = await lab.working()
        miner = await lab.miner()
        share = miner.miner.solve()
        sent = await submit(miner, share)
        await pool.reply(await pool.request("mining.submit"), True)
        assert await verdict(miner, sent) == 0
        for number in range(2, 50):
            await pool.send_call("mining.notify", *job(str(number), previous=OTHER_PREVIOUS))
            await miner.read_jobs(number)
            if number in (2, 49):
                assert await miner.submit(share) == 22


@pytest.mark.parametrize(
    ("names", "logins"),
    [
        (WorkerNames.SUFFIX, ["farm.rig1", "farm.two"]),
        (WorkerNames.MINER, ["account.rig1", "two"]),
    ],
)
async def test_miners_names_go_up_and_are_authorized_on_the_same_connection(
    autojump_clock: Clock, names: WorkerNames, logins: list[str]
) -> None:
    async with proxy_lab(worker_names=names) as lab:
        pool = await lab.working()
        for name, login in zip(("account.rig1", "two"), logins, strict=True):
            miner = await lab.miner(name)
            sent = [await submit(miner, miner.miner.solve()) for _ in range(2)]
            authorize = await pool.request("mining.authorize")
            assert authorize["params"][0] == login
            await pool.reply(authorize, True)
            for each in sent:
                request = await pool.request("mining.submit")
                assert request["params"][0] == login
                await pool.reply(request, True)
                assert await verdict(miner, each) == 0


async def test_a_name_that_the_pool_refuses_costs_no_share(autojump_clock: Clock) -> None:
    async with proxy_lab(worker_names=WorkerNames.MINER) as lab:
        pool = await lab.working()
        miner = await lab.miner("stranger")
        sent = await submit(miner, miner.miner.solve())
        await pool.reply(await pool.request("mining.authorize"), False, [24, "unauthorized worker", None])
        request = await pool.request("mining.submit")
        assert request["params"][0] == "farm"
        await pool.reply(request, True)
        assert await verdict(miner, sent) == 0
