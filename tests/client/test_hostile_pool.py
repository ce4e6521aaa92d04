"""A pool that does its worst: the client stays bounded, keeps its account, and comes back with growing pauses."""

import contextlib
import json
import tracemalloc
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from stratum_miner.client import Fate
from stratum_miner.stratum.client_connection import MAX_BAD_LINES, MAX_LINE
from stratum_miner.testing.played_pool import REGTEST_JOB


@pytest.mark.parametrize(
    "poison",
    [
        b"x" * (MAX_LINE + 2),
        b"x" * (MAX_LINE + 1) + b"\n",
        b"\xff\xfe\n" * MAX_BAD_LINES,
        b"[]\n" * MAX_BAD_LINES,
        b'{"id":null,"method":"mining.notify","params":[]}\n' * MAX_BAD_LINES,
        b"[" * 5000 + b"\n" + b"{\n" * MAX_BAD_LINES,
    ],
    ids=["endless line", "oversized line", "not text", "arrays", "empty jobs", "nesting"],
)
async def test_poison_ends_the_connection_and_a_new_one_is_made(
    lab: Any, autojump_clock: MockClock, poison: bytes
) -> None:
    async with lab() as it:
        pool = await it.mining()
        it.client.submit(it.shares(it.recorder.jobs[0], 1)[0])
        with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await pool.stream.send_all(poison)
        await it.recorder.until(lambda: it.recorder.lost_work)
        again = await it.connection()
        await again.accept(extranonce1="01020304")
        await again.notify()
        await it.recorder.until(lambda: len(it.recorder.jobs) == 2)
        assert it.recorder.fates == ["lost"]


@pytest.mark.parametrize(
    "change",
    [
        {0: 5.5},
        {1: "00" * 31},
        {1: "zz" * 32},
        {2: "0"},
        {2: "0100000000010000"},
        {4: "branch"},
        {4: ["00" * 31]},
        {4: ["00" * 32] * 33},
        {5: "123456789"},
        {6: "00000000"},
        {6: "1d80ffff"},
        {7: None},
        {8: "true"},
    ],
    ids=str,
)
async def test_malformed_job_is_skipped_and_the_old_one_goes_on(
    lab: Any, autojump_clock: MockClock, change: dict[int, Any]
) -> None:
    async with lab() as it:
        pool = await it.connection()
        await pool.accept()
        await pool.notify("good")
        params = list(REGTEST_JOB)
        for index, value in change.items():
            params[index] = value
        await pool.say("mining.notify", *params)
        await pool.notify("also good")
        await it.recorder.until(lambda: len(it.recorder.jobs) >= 2)
        assert [job.job_id for job in it.recorder.jobs] == ["good", "also good"]
        assert it.client.snapshot().bad_lines == 1
        assert it.recorder.lost_work == []


async def test_settings_out_of_range_are_told_and_ignored(lab: Any, autojump_clock: MockClock) -> None:
    async with lab() as it:
        pool = await it.connection()
        await pool.accept()
        values: list[Any] = [0, -1, "x", None, [], True]
        for value in values:
            await pool.say("mining.set_difficulty", value)
        await pool.say("mining.set_extranonce", "abc", 4)
        await pool.say("mining.set_extranonce", "abcd", 33)
        await pool.notify()
        await it.recorder.until(lambda: it.recorder.jobs)
        job = it.recorder.jobs[0]
        assert (job.share_difficulty, job.extranonce1.hex(), job.extranonce2_size) == (1e-9, "a1b2c3d4", 4)
        assert it.client.snapshot().bad_lines == 8


@pytest.mark.parametrize("size", [0, 1, 2, 3, 8, 16])
async def test_every_extranonce_size_is_honoured(lab: Any, autojump_clock: MockClock, size: int) -> None:
    async with lab() as it:
        pool = await it.connection()
        await pool.accept()
        await pool.say("mining.set_extranonce", "0102030405", size)
        await pool.notify()
        await it.recorder.until(lambda: it.recorder.jobs)
        it.client.submit(it.shares(it.recorder.jobs[0], 1)[0])
        submit = await pool.request("mining.submit")
        assert len(submit["params"][2]) == 2 * size


async def test_flood_of_pings_is_answered_and_of_jobs_absorbed(lab: Any, autojump_clock: MockClock) -> None:
    async with lab() as it:
        pool = await it.connection()
        await pool.accept()
        notify = json.dumps({"id": None, "method": "mining.notify", "params": list(REGTEST_JOB)}).encode() + b"\n"
        ping = b'{"id":42,"method":"mining.ping","params":[]}\n'
        tracemalloc.start()
        for _ in range(20):
            await pool.stream.send_all((notify + ping) * 50)
            for _ in range(50):
                answer = await pool.request()
                assert answer == {"id": 42, "result": "pong", "error": None}
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert it.client.snapshot().jobs == 1000
        assert peak < 20_000_000


async def test_colliding_ids_and_replies_out_of_order(lab: Any, autojump_clock: MockClock) -> None:
    async with lab() as it:
        pool = await it.mining()
        shares = it.shares(it.recorder.jobs[0], 3)
        for share in shares:
            it.client.submit(share)
        requests = [await pool.request("mining.submit") for _ in shares]
        await pool.send({"id": requests[0]["id"], "method": "client.get_version", "params": []})
        version = await pool.request()
        assert version["id"] == requests[0]["id"]
        assert version["result"].startswith("stratum_miner/")
        await pool.notify("2")
        await pool.send({"id": str(requests[2]["id"]), "result": True, "error": None})
        await pool.send({"id": float(requests[1]["id"]), "result": True})
        await pool.send({"id": requests[0]["id"], "jsonrpc": "2.0", "error": {"code": 23, "message": "low"}})
        await it.recorder.until(lambda: len(it.recorder.outcomes) == 3)
        assert [(o.share, o.fate) for o in it.recorder.outcomes] == [
            (shares[2], Fate.ACCEPTED),
            (shares[1], Fate.ACCEPTED),
            (shares[0], Fate.REJECTED),
        ]


async def test_mask_after_configure_and_its_withdrawal(lab: Any, autojump_clock: MockClock) -> None:
    async with lab() as it:
        pool = await it.connection()
        await pool.accept(mask="1fffe000")
        await pool.notify()
        await it.recorder.until(lambda: it.recorder.jobs)
        await pool.say("mining.set_version_mask", "00000000")
        await it.recorder.until(lambda: len(it.recorder.jobs) == 2)
        amended = it.recorder.jobs[1]
        assert amended.version_mask == 0
        assert not amended.clean_jobs
        it.client.submit(it.shares(amended, 1)[0])
        assert (await pool.request("mining.submit"))["params"][5] == "00000000"


async def test_plain_text_before_the_end_is_shown(lab: Any, autojump_clock: MockClock) -> None:
    async with lab(retry=False) as it:
        pool = await it.connection()
        await pool.accept()
        await pool.stream.send_all(b"Invalid JSON, disconnec")
        await pool.stream.aclose()
        await it.ended.wait()
        assert "Invalid JSON, disconnec" in str(it.error)
