"""What an operator reads of a proxy: each line once, when it happens, with its figures."""

from dataclasses import replace

import trio
import trio.testing
from structlog.testing import capture_logs

from stratum_miner.client.events import JobArrived
from stratum_miner.work.job import MAX_EXTRANONCE2_SIZE, HeaderBody
from tests.log_lines import lines
from tests.proxy.proxy_lab import job, proxy_lab, submit, verdict
from tests.proxy.test_forwarding import upstream_job

Clock = trio.testing.MockClock


async def test_the_life_of_a_proxy(autojump_clock: Clock) -> None:
    with capture_logs() as logs:
        async with proxy_lab() as lab:
            pool = await lab.working(extranonce2_size=8)
            miner = await lab.miner()
            share = miner.miner.solve()
            sent = await submit(miner, share)
            await pool.reply(await pool.request("mining.submit"), True)
            assert await verdict(miner, sent) == 0
            assert await miner.submit(share) == 22
            await submit(miner, miner.miner.solve())
            await pool.request("mining.submit")
            await pool.stream.aclose()
            await trio.testing.wait_all_tasks_blocked()
    assert lines(logs, "proxy_listening", "miner_connected", "worker_authorized") == [
        ("proxy_listening", "debug", ()),
        ("miner_connected", "info", "in memory", 1),
        ("worker_authorized", "info", 1, "wire_miner/1", "alice.rig"),
    ]
    assert lines(logs, "extranonce_divided") == [("extranonce_divided", "info", 3, 1, 256, 8)]
    assert lines(logs, "share_refused") == [("share_refused", "debug", "duplicate share", 1, "alice.rig")]
    (lost,) = [line for line in logs if line["event"] == "upstream_lost"]
    assert (lost["log_level"], lost["miners"], lost["open_shares"]) == ("warning", 1, 1)
    assert lines(logs, "proxy_stopping") == [("proxy_stopping", "info", 1, 1)]
    (left,) = [line for line in logs if line["event"] == "miner_left"]
    assert (left["accepted"], left["refused"], left["reason"], left["session"]) == (1, 1, "the proxy stops", 1)
    states = [(line["state"], line["log_level"]) for line in logs if line["event"] == "upstream"]
    assert states[:3] == [("connecting", "debug"), ("handshake", "debug"), ("mining", "info")]


async def test_an_answer_that_comes_too_late_is_said(autojump_clock: Clock) -> None:
    with capture_logs() as logs:
        async with proxy_lab(answer_timeout=20) as lab:
            pool = await lab.working()
            miner = await lab.miner()
            sent = await submit(miner, miner.miner.solve())
            request = await pool.request("mining.submit")
            assert await verdict(miner, sent) == 20
            await pool.reply(request, None, [23, "low difficulty share", None])
            await trio.testing.wait_all_tasks_blocked()
    assert lines(logs, "share_answered_late") == [
        ("share_answered_late", "info", "rejected", "23: low difficulty share")
    ]
    (lost,) = [line for line in logs if line["event"] == "share_lost"]
    assert (lost["reason"], lost["latency_ms"], lost["log_level"]) == (
        "no answer of the pool within 20 s", None, "info"
    )  # fmt: skip


async def test_a_job_that_cannot_be_divided_is_left_out(autojump_clock: Clock) -> None:
    with capture_logs() as logs:
        async with proxy_lab() as lab:
            await lab.working()
            miner = await lab.miner()
            upstream = lab.proxy._first
            upstream._take(JobArrived(replace(upstream_job(), body=HeaderBody(bytes(32)))))
            await trio.testing.wait_all_tasks_blocked()
            assert lab.proxy.snapshot().has_work
            assert len(miner.miner.jobs) == 1
    assert lines(logs, "job_without_coinbase") == [("job_without_coinbase", "warning", "1")]


async def test_stopping_is_no_loss_of_the_pool(autojump_clock: Clock) -> None:
    with capture_logs() as logs:
        async with proxy_lab() as lab:
            pool = await lab.working()
            await pool.send_call("mining.notify", *job("2"))
            await lab.miner()
    assert lines(logs, "upstream_lost") == []


async def test_a_new_job_reaches_each_miner_at_once_and_who_had_it_gets_other_work(autojump_clock: Clock) -> None:
    async with proxy_lab() as lab:
        pool = await lab.working()
        miners = [await lab.miner(f"rig{number}") for number in range(3)]
        await pool.send_call("mining.notify", *job("2"))
        for miner in miners:
            await miner.read_jobs(2)
        assert trio.current_time() == 0
        before = miners[0]
        await before.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        again = lab.connect()
        await again.login("wire_miner/1", before.miner.session_id)
        assert again.miner.jobs[-1].job_id != before.miner.jobs[-1].job_id


async def test_what_a_proxy_draws_by_lot(autojump_clock: Clock) -> None:
    """As many bits as job ids, extranonce prefixes and the padding may have, and session ids of 64 bits."""
    async with proxy_lab() as lab:
        assert lab.secrets.asked == [32, 32, 8 * MAX_EXTRANONCE2_SIZE]
        await lab.working()
        miner = await lab.miner()
        assert len(bytes.fromhex(miner.miner.session_id)) == 8
