"""What a pool changes, and what becomes of it for the miners: difficulty, mask, extranonce, jobs, its own absence."""

from typing import Any

import pytest
import trio
import trio.testing

from stratum_miner.client import WorkerRefused
from stratum_miner.client.settings import Strategy
from stratum_miner.downstream.vardiff import VardiffConfig
from stratum_miner.stratum.errors import SHARE_LOST_TEXT
from tests.downstream.wire_client import WireClient
from tests.proxy.proxy_lab import ProxyLab, job, proxy_lab, submit, upstream_header, verdict

Clock = trio.testing.MockClock
OTHER_PREVIOUS = "11" * 32


async def check_share(lab: ProxyLab, pool: Any, miner: WireClient, params: list[Any], extranonce1: str) -> None:
    """The miner's newest job gives shares that the pool finds to be good under its own."""
    await trio.testing.wait_all_tasks_blocked()
    share = miner.miner.solve()
    sent = await submit(miner, share)
    request = await pool.request("mining.submit")
    assert request["params"][1] == params[0]
    wanted = miner.miner.jobs[-1].header(share[2], int(share[3], 16), int(share[4], 16))
    assert upstream_header(params, extranonce1, request["params"]) == wanted
    await pool.reply(request, True)
    assert await verdict(miner, sent) == 0


# ---- jobs and difficulty --------------------------------------------------------------------------------------------


async def test_jobs_come_with_what_the_pool_said_of_them(autojump_clock: Clock) -> None:
    async with proxy_lab() as lab:
        pool = await lab.working()
        miner = await lab.miner()
        assert miner.miner.jobs[-1].clean, "a first job always is"
        await pool.send_call("mining.notify", *job("2", clean=False))
        await miner.read_jobs(2)
        await pool.send_call("mining.notify", *job("3", clean=True, previous=OTHER_PREVIOUS))
        await miner.read_jobs(3)
        assert [item.clean for item in miner.miner.jobs] == [True, False, True]
        assert len({item.job_id for item in miner.miner.jobs}) == 3
        await check_share(lab, pool, miner, job("3", previous=OTHER_PREVIOUS), "a1b2c3d4")


async def test_a_job_that_is_repeated_comes_as_new_work(autojump_clock: Clock) -> None:
    """Some miners count from the beginning again at every notify."""
    async with proxy_lab() as lab:
        pool = await lab.working()
        miner = await lab.miner()
        await trio.sleep(5)
        await pool.send_call("mining.notify", *job("1", clean=False))
        await miner.read_jobs(2)
        first, second = miner.miner.jobs
        assert first.job_id != second.job_id
        assert second.ntime == first.ntime + 5
        assert not second.clean
        await check_share(lab, pool, miner, job("1"), "a1b2c3d4")


async def test_a_miner_that_comes_back_to_its_prefix_gets_new_work(autojump_clock: Clock) -> None:
    async with proxy_lab() as lab:
        pool = await lab.working()
        miner, other = await lab.miner(), await lab.miner("other")
        await miner.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        again = lab.connect()
        await again.login("wire_miner/1", miner.miner.session_id)
        assert again.miner.extranonce1 == miner.miner.extranonce1
        assert again.miner.jobs[-1].ntime == miner.miner.jobs[-1].ntime + 1
        assert len(other.miner.jobs) == 1, "what another miner has is as good as before"
        await check_share(lab, pool, again, job(), "a1b2c3d4")
        await check_share(lab, pool, other, job(), "a1b2c3d4")


async def test_a_new_difficulty_counts_from_the_next_job_on(autojump_clock: Clock) -> None:
    async with proxy_lab() as lab:
        pool = await lab.working()
        miner = await lab.miner()
        easy = miner.miner.jobs[-1]
        await pool.send_call("mining.set_difficulty", 2e-7)
        await trio.testing.wait_all_tasks_blocked()
        assert miner.miner.difficulty == 1e-7
        await pool.send_call("mining.notify", *job("2", clean=False))
        await miner.read_jobs(2)
        hard = miner.miner.jobs[-1]
        assert (easy.difficulty, hard.difficulty) == (1e-7, 2e-7)
        assert await miner.submit(miner.miner.solve(hard, at_most=easy.target, above=hard.target)) == 23
        sent = await submit(miner, miner.miner.solve(easy, above=hard.target))
        await pool.reply(await pool.request("mining.submit"), True)
        assert await verdict(miner, sent) == 0, "judged by its own job"
        await pool.send_call("mining.set_difficulty", 5e-8)
        await pool.send_call("mining.notify", *job("3", clean=False))
        await miner.read_jobs(3)
        assert miner.miner.jobs[-1].difficulty == 5e-8


async def test_a_difficulty_that_comes_after_its_first_job(autojump_clock: Clock) -> None:
    async with proxy_lab() as lab:  # as ckpool does in solo mode
        pool = await lab.upstream(difficulty=None)
        await pool.send_call("mining.notify", *job())
        await trio.testing.wait_all_tasks_blocked()
        miner = await lab.miner()
        assert miner.miner.jobs[-1].difficulty == 1
        await pool.send_call("mining.set_difficulty", 1e-7)
        await miner.read_jobs(2)
        assert miner.miner.jobs[-1].difficulty == 1e-7
        await check_share(lab, pool, miner, job(), "a1b2c3d4")


async def test_own_difficulties_keep_easy_shares_here(autojump_clock: Clock) -> None:
    async with proxy_lab(vardiff=VardiffConfig(target_seconds=10)) as lab:
        pool = await lab.working(difficulty=1e-6)
        miner = lab.connect()
        await miner.stream.send_all(miner.miner.login(password="d=1e-7"))
        await miner.read_jobs(1)
        assert miner.miner.difficulty == 1e-7
        upstream_target = int((0xFFFF << 208) / 1e-6)
        assert await miner.submit(miner.miner.solve(above=upstream_target)) == 0
        sent = await submit(miner, miner.miner.solve(at_most=upstream_target))
        await pool.reply(await pool.request("mining.submit"), True)
        assert await verdict(miner, sent) == 0
        shares = lab.proxy.snapshot().miners[0].shares
        assert (shares.received, shares.kept, shares.accepted) == (2, 1, 1)
        assert shares.difficulty == pytest.approx(2e-7)
        # never harder than the pool asks for: its shares would be kept from it
        await miner.stream.send_all(miner.miner.request("mining.suggest_difficulty", 5))
        await miner.read_until(miner.miner.replies)
        await pool.send_call("mining.notify", *job("2"))
        await miner.read_jobs(2)
        assert miner.miner.difficulty == 1e-6


async def test_own_difficulties_follow_the_share_rate_up_to_the_pools(autojump_clock: Clock) -> None:
    async with proxy_lab(vardiff=VardiffConfig(target_seconds=10, retarget_seconds=30)) as lab:
        pool = await lab.working(difficulty=1e-6)
        miner = lab.connect()
        await miner.stream.send_all(miner.miner.request("mining.suggest_difficulty", 1e-8) + miner.miner.login())
        await miner.read_jobs(1)
        assert miner.miner.difficulty == 1e-8
        easy = int((0xFFFF << 208) / 1e-6)
        for _ in range(40):
            assert await miner.submit(miner.miner.solve(above=easy)) == 0
            await trio.sleep(0.1)
        await pool.send_call("mining.notify", *job("2", clean=False))
        await miner.read_jobs(2)
        assert 1e-8 < miner.miner.difficulty <= 1e-6


# ---- version rolling ------------------------------------------------------------------------------------------------


async def test_versions_are_rolled_within_the_pools_mask(autojump_clock: Clock) -> None:
    async with proxy_lab() as lab:
        pool = await lab.working(mask="00ffe000")
        miner = lab.connect()
        await miner.stream.send_all(miner.miner.configure("1ffe0000") + miner.miner.login())
        await miner.read_jobs(1)
        (configured,) = [item for item in miner.miner.messages if item["id"] == 1]
        assert configured["result"] == {"version-rolling": True, "version-rolling.mask": "00fe0000"}
        share = miner.miner.solve(version_bits=0x00FE0000)
        sent = await submit(miner, share)
        request = await pool.request("mining.submit")
        assert request["params"][5] == "00fe0000"
        await pool.reply(request, True)
        assert await verdict(miner, sent) == 0


async def test_a_new_mask_counts_at_once_and_old_bits_stay_good(autojump_clock: Clock) -> None:
    async with proxy_lab() as lab:
        pool = await lab.working(mask="0000e000")
        miner = lab.connect()
        await miner.stream.send_all(miner.miner.configure() + miner.miner.login())
        await miner.read_jobs(1)
        await pool.send_call("mining.set_version_mask", "00ff0000")
        await miner.read_until(lambda: miner.miner.notifications("mining.set_version_mask"))
        assert miner.miner.notifications("mining.set_version_mask") == [["00ff0000"]]
        assert len(miner.miner.jobs) == 1, "no new job for that"
        for bits in (0x00FF0000, 0x00002000):
            sent = await submit(miner, miner.miner.solve(version_bits=bits))
            request = await pool.request("mining.submit")
            assert int(request["params"][5], 16) == bits
            await pool.reply(request, True)
            assert await verdict(miner, sent) == 0
        assert await miner.submit(miner.miner.solve(version_bits=0x10000000)) == 20


async def test_bits_that_the_jobs_version_uses_are_not_for_rolling(autojump_clock: Clock) -> None:
    async with proxy_lab() as lab:
        pool = await lab.working()
        miner = lab.connect()
        await miner.stream.send_all(miner.miner.configure() + miner.miner.login())
        await miner.read_jobs(1)
        await pool.send_call("mining.notify", *job("2", version="20010000"))
        await miner.read_jobs(2)
        assert miner.miner.notifications("mining.set_version_mask") == [["1ffee000"]]
        share = miner.miner.solve(version_bits=0x00002000)
        await submit(miner, share)
        request = await pool.request("mining.submit")
        assert request["params"][5] == "00012000", "with the job's own bits: readings that assign and that OR agree"


async def test_a_pool_that_refuses_rolling_and_a_later_one_that_does_not(autojump_clock: Clock) -> None:
    async with proxy_lab() as lab:
        pool = await lab.upstream(mask="00000000")
        await pool.send_call("mining.notify", *job())
        await trio.testing.wait_all_tasks_blocked()
        miner = lab.connect()
        await miner.stream.send_all(miner.miner.configure() + miner.miner.login())
        await miner.read_jobs(1)
        assert miner.miner.reply(1)["result"] == {"version-rolling": False}
        await pool.send_call("mining.set_version_mask", "1fffe000")
        await pool.send_call("mining.notify", *job("2"))
        await miner.read_to_end()  # only a new connection can tell it
        assert trio.current_time() == 0
        assert miner.miner.notifications("client.reconnect") == [[]]


# ---- extranonces ----------------------------------------------------------------------------------------------------


async def test_miners_do_not_notice_another_extranonce1(autojump_clock: Clock) -> None:
    async with proxy_lab() as lab:
        pool = await lab.working()
        miner = await lab.miner()
        await pool.send_call("mining.set_extranonce", "ffeeddccbbaa", 6)
        await pool.send_call("mining.notify", *job("2"))
        await miner.read_jobs(2)
        assert miner.miner.notifications("mining.set_extranonce") == []
        await check_share(lab, pool, miner, job("2"), "ffeeddccbbaa")


async def test_less_extranonce2_than_before_moves_those_who_can_and_reconnects_the_others(
    autojump_clock: Clock,
) -> None:
    async with proxy_lab() as lab:
        pool = await lab.working()
        plain, modern = await lab.miner("plain"), await lab.miner("modern")
        await modern.stream.send_all(modern.miner.request("mining.extranonce.subscribe"))
        await modern.read_until(modern.miner.replies)
        await pool.send_call("mining.set_extranonce", "ffeeddcc", 3)
        await pool.send_call("mining.notify", *job("2"))
        await modern.read_jobs(2)
        assert modern.miner.extranonce2_size == 2
        await check_share(lab, pool, modern, job("2"), "ffeeddcc")
        await plain.read_to_end()
        assert trio.current_time() == 0
        assert plain.miner.notifications("client.reconnect") == [[]]
        again = await lab.miner("plain")
        assert again.miner.extranonce1 != modern.miner.extranonce1
        await check_share(lab, pool, again, job("2"), "ffeeddcc")


@pytest.mark.parametrize("size", [0, 1, 2])
async def test_where_there_is_room_for_one_miner_each_gets_a_connection_of_its_own(
    autojump_clock: Clock, size: int
) -> None:
    async with proxy_lab() as lab:
        pool = await lab.working(extranonce2_size=size)
        miner = await lab.miner()
        assert miner.miner.extranonce2_size == size
        await check_share(lab, pool, miner, job(), "a1b2c3d4")
        second = lab.connect("second")
        await second.stream.send_all(second.miner.login())
        other = await lab.working(extranonce1="0badcafe", extranonce2_size=size)
        await second.read_jobs(1)
        await check_share(lab, other, second, job(), "0badcafe")
        await check_share(lab, pool, miner, job(), "a1b2c3d4")
        assert lab.proxy.snapshot().upstreams == 2
        await other.send_call("mining.notify", *job("2"))
        await second.read_jobs(2)
        assert len(miner.miner.jobs) == 1, "another connection's job"
        await second.stream.aclose()
        await trio.sleep(62)
        assert lab.proxy.snapshot().upstreams == 1
        assert lab.proxy.snapshot().shares.accepted == 3
        (told,) = lab.proxy.snapshot().pools  # one pool, whose counts are those of all connections to it
        assert (told.accepted, told.answers.count, told.client.connects) == (3, 3, 2)
        assert lab.proxy.snapshot().answers.count == 3


async def test_a_second_connection_that_the_pool_refuses_does_not_end_the_first(autojump_clock: Clock) -> None:
    async with proxy_lab() as lab:
        pool = await lab.working(extranonce2_size=2)
        miner = await lab.miner()
        second = lab.connect("second")
        await second.stream.send_all(second.miner.login())
        other = await lab.connection()
        await other.reply(await other.request("mining.configure"), {})
        await other.reply(await other.request("mining.subscribe"), [[], "0badcafe", 2])
        await other.reply(await other.request("mining.authorize"), False, [24, "one is enough", None])
        await second.read_to_end()
        await check_share(lab, pool, miner, job(), "a1b2c3d4")
        assert lab.proxy.snapshot().upstreams == 1


async def test_prefixes_are_not_given_out_twice_until_all_were_used(autojump_clock: Clock) -> None:
    async with proxy_lab(max_miners=4) as lab:
        await lab.working()
        seen = []
        for _ in range(256):
            miner = await lab.miner()
            seen.append(miner.miner.extranonce1)
            await miner.stream.aclose()
            await trio.testing.wait_all_tasks_blocked()
        assert len(set(seen)) == 256
        assert (await lab.miner()).miner.extranonce1 == seen[0], "the one that rested longest"


async def test_a_miner_that_comes_back_keeps_its_prefix_and_its_jobs(autojump_clock: Clock) -> None:
    async with proxy_lab() as lab:
        pool = await lab.working()
        miner = await lab.miner()
        share = miner.miner.solve()
        await miner.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        again = lab.connect()
        await again.login("wire_miner/1", miner.miner.session_id)
        assert again.miner.extranonce1 == miner.miner.extranonce1
        sent = await submit(again, share)
        await pool.reply(await pool.request("mining.submit"), True)
        assert await verdict(again, sent) == 0


# ---- the pool goes and comes ----------------------------------------------------------------------------------------


async def test_miners_stay_while_the_pool_is_away_and_no_share_is_forgotten(autojump_clock: Clock) -> None:
    async with proxy_lab() as lab:
        pool = await lab.working()
        miner = await lab.miner()
        before = await submit(miner, miner.miner.solve())
        await pool.request("mining.submit")
        await pool.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        meanwhile = await submit(miner, miner.miner.solve())
        assert not lab.proxy.snapshot().has_work
        pool = await lab.upstream(extranonce1="00112233", session="s2")
        await pool.send_call("mining.notify", *job("1", clean=False))
        await miner.read_jobs(2)
        assert miner.miner.jobs[-1].clean, "whatever the pool calls it, the old work is void"
        assert await verdict(miner, before) == 20
        assert await verdict(miner, meanwhile) == 20
        assert {miner.miner.reply(each)["error"][1] for each in (before, meanwhile)} == {SHARE_LOST_TEXT}
        await check_share(lab, pool, miner, job("1"), "00112233")
        shares = lab.proxy.snapshot().shares
        assert (shares.received, shares.accepted, shares.lost, shares.open) == (3, 1, 2, 0)


async def test_a_session_that_is_resumed_takes_the_open_shares(autojump_clock: Clock) -> None:
    async with proxy_lab() as lab:
        pool = await lab.working()
        miner = await lab.miner()
        sent = await submit(miner, miner.miner.solve())
        first = await pool.request("mining.submit")
        await pool.stream.aclose()
        pool = await lab.upstream(xnsub=False)  # asked for after the shares
        again = await pool.request("mining.submit")
        assert again["params"] == first["params"]
        await pool.reply(again, True)
        assert await verdict(miner, sent) == 0


async def test_another_pool_takes_over_with_job_ids_that_are_the_same(autojump_clock: Clock) -> None:
    async with proxy_lab(pools=2) as lab:
        primary = await lab.working()
        miner = await lab.miner()
        old = miner.miner.jobs[-1]
        await primary.stream.aclose()
        backup = await lab.upstream(extranonce1="0badcafe", extranonce2_size=8)
        while True:  # the primary is tried again too, and says nothing
            await backup.send_call("mining.notify", *job("1"))
            await trio.testing.wait_all_tasks_blocked()
            if lab.proxy.snapshot().has_work:
                break
            backup = await lab.upstream(extranonce1="0badcafe", extranonce2_size=8)
        await miner.read_jobs(2)
        await check_share(lab, backup, miner, job("1"), "0badcafe")
        late = await submit(miner, miner.miner.solve(old))
        assert await verdict(miner, late) == 20, "its session does not come back"
        assert miner.miner.reply(late)["error"][1] == SHARE_LOST_TEXT


async def test_two_pools_in_turns_get_each_their_own_shares(autojump_clock: Clock) -> None:
    async with proxy_lab(pools=2, strategy=Strategy.QUOTA) as lab:
        pools = {}
        for extranonce1 in ("aaaaaaaa", "bbbbbbbb"):
            pools[extranonce1] = await lab.upstream(extranonce1=extranonce1)
            await pools[extranonce1].send_call("mining.notify", *job("1"))
        miner = await lab.miner()
        turns = []
        for _ in range(5):
            owner = next(name for name in pools if miner.miner.jobs[-1].params[2].endswith(name))
            turns.append(owner)
            await check_share(lab, pools[owner], miner, job("1"), owner)
            await miner.read_jobs(len(miner.miner.jobs) + 1)
        assert set(turns) == set(pools)
        assert miner.miner.notifications("mining.set_extranonce") == []
        assert lab.proxy.snapshot().shares.accepted == 5


async def test_a_difficulty_is_suggested_that_fits_what_the_shares_say(autojump_clock: Clock) -> None:
    async with proxy_lab(suggest="auto") as lab:
        pool = await lab.working()
        miner = await lab.miner()
        for _ in range(65):  # a share a second of 429 hashes each
            await submit(miner, miner.miner.solve())
            request = await pool.request()
            if request["method"] != "mining.submit":
                break
            await pool.reply(request, True)
            await trio.sleep(1)
        assert request["method"] == "mining.suggest_difficulty"
        assert request["params"][0] == pytest.approx(1e-6, rel=0.1), "for a share in ten seconds"
        assert trio.current_time() == 60, "a minute after the first share"


async def test_subscribers_wait_for_the_first_job_but_configure_does_not(autojump_clock: Clock) -> None:
    async with proxy_lab() as lab:
        early = lab.connect()
        await early.stream.send_all(early.miner.configure() + early.miner.login())
        await early.read_until(lambda: early.miner.replies(1))
        assert early.miner.reply(1)["result"]["version-rolling.mask"] == "1fffe000"
        assert early.miner.replies(2) == []
        pool = await lab.working(mask="0000e000")
        await early.read_jobs(1)
        assert early.miner.notifications("mining.set_version_mask") == [["0000e000"]], "the truth, before the job"
        await check_share(lab, pool, early, job(), "a1b2c3d4")
        late = lab.connect()
        await late.read_to_end()  # 60 s without a word


async def test_without_a_pool_miners_are_sent_away_to_find_another(autojump_clock: Clock) -> None:
    async with proxy_lab() as lab:
        miner = lab.connect()
        await miner.stream.send_all(miner.miner.login())
        await miner.read_to_end()
        assert trio.current_time() == pytest.approx(60)


async def test_a_worker_that_the_pool_refuses_ends_the_proxy(autojump_clock: Clock) -> None:
    with pytest.RaisesExc(WorkerRefused):
        async with proxy_lab() as lab:
            pool = await lab.connection()
            await pool.reply(await pool.request("mining.configure"), {})
            await pool.reply(await pool.request("mining.subscribe"), [[], "a1b2c3d4", 4])
            await pool.reply(await pool.request("mining.authorize"), False, [24, "unauthorized", None])
            await trio.sleep(10)


async def test_a_proxy_that_has_served_a_miner_outlives_a_refusal(autojump_clock: Clock) -> None:
    """Also when the pool gave jobs, and so the miner a place, before it said anything of the worker."""
    async with proxy_lab() as lab:
        pool = await lab.connection()
        await pool.accept_subscribe(extranonce2_size=8)
        authorize = await pool.request("mining.authorize")
        await pool.send_call("mining.notify", *job("1"))
        await trio.testing.wait_all_tasks_blocked()
        await lab.miner()
        await pool.reply(authorize, False, [24, "unauthorized", None])
        await trio.sleep(10)
        again = await lab.connection()
        await again.accept_subscribe(extranonce2_size=8)
        await again.reply(await again.request("mining.authorize"), True)
