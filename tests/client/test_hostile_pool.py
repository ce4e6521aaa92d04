"""A hostile pool: the client's memory stays limited, each share gets a result, and the pauses between connections
grow."""

import contextlib
import json
import tracemalloc
from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from stratum_miner.stratum.client_connection import MAX_BAD_LINES, MAX_EMPTY_LINES, MAX_LINE
from stratum_miner.testing.manual_pool import REGTEST_JOB
from stratum_miner.work.share_result import ShareOutcome
from tests.client.client_lab import lab
from tests.work.jobs import body_of


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
async def test_poison_ends_the_connection_and_a_new_one_is_made(autojump_clock: MockClock, poison: bytes) -> None:
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
    autojump_clock: MockClock, change: dict[int, Any]
) -> None:
    async with lab() as it:
        pool = await it.connection()
        await pool.accept()
        await pool.notify("good")
        params = list(REGTEST_JOB)
        for index, value in change.items():
            params[index] = value
        await pool.send_call("mining.notify", *params)
        await pool.notify("also good")
        await it.recorder.until(lambda: len(it.recorder.jobs) >= 2)
        assert [job.job_id for job in it.recorder.jobs] == ["good", "also good"]
        assert it.client.snapshot().bad_lines == 1
        assert it.recorder.lost_work == []


async def test_settings_out_of_range_are_told_and_ignored(autojump_clock: MockClock) -> None:
    async with lab() as it:
        pool = await it.connection()
        await pool.accept()
        values: list[Any] = [0, -1, "x", None, [], True]
        for value in values:
            await pool.send_call("mining.set_difficulty", value)
        await pool.send_call("mining.set_extranonce", "abc", 4)
        await pool.send_call("mining.set_extranonce", "abcd", 33)
        await pool.notify()
        await it.recorder.until(lambda: it.recorder.jobs)
        job = it.recorder.jobs[0]
        assert (job.share_difficulty, body_of(job).extranonce1.hex(), job.extranonce2_size) == (1e-9, "a1b2c3d4", 4)
        assert it.client.snapshot().bad_lines == 8


@pytest.mark.parametrize("size", [0, 1, 2, 3, 8, 16])
async def test_every_extranonce_size_is_honoured(autojump_clock: MockClock, size: int) -> None:
    async with lab() as it:
        pool = await it.connection()
        await pool.accept()
        await pool.send_call("mining.set_extranonce", "0102030405", size)
        await pool.notify()
        await it.recorder.until(lambda: it.recorder.jobs)
        it.client.submit(it.shares(it.recorder.jobs[0], 1)[0])
        submit = await pool.request("mining.submit")
        assert len(submit["params"][2]) == 2 * size


async def test_flood_of_pings_is_answered_and_of_jobs_absorbed(autojump_clock: MockClock) -> None:
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


PING = b'{"id":42,"method":"mining.ping","params":[]}\n'


def stop_reading(it: Any) -> trio.Event:
    """Let the pool read nothing until the event is set."""
    reads_again = trio.Event()
    stream = it.client._connection._stream.send_stream
    deliver = stream.send_all_hook

    async def wait() -> None:
        await reads_again.wait()
        await deliver()

    stream.send_all_hook = wait
    return reads_again


@pytest.mark.parametrize(
    "question",
    [PING, b'{"id":1,"method":"x"}\n', b'{"id":"%b","method":"client.get_version"}\n' % (b"x" * 700)],
    ids=["pings", "unknown requests", "long ids"],
)
async def test_a_pool_that_asks_and_does_not_read_is_not_read_either(
    autojump_clock: MockClock, question: bytes
) -> None:
    async with lab() as it:
        pool = await it.mining()
        stop_reading(it)
        before = it.client.snapshot().bytes_received
        await pool.stream.send_all(question * (20_000_000 // len(question)))
        with trio.fail_after(59):
            await trio.testing.wait_all_tasks_blocked()
        session: Any = it.client._connection
        assert 262_144 < session.connection.unsent < 400_000, "256 KiB, and the answers to what was read with them"
        assert it.client.snapshot().bytes_received - before < 2_000_000
        await it.recorder.until(lambda: it.recorder.lost_work)
        assert it.recorder.lost_work == ["the pool accepted no data for 60 s"]


async def test_a_pool_that_reads_late_gets_all_its_answers(autojump_clock: MockClock) -> None:
    async with lab() as it:
        pool = await it.mining()
        reads_again = stop_reading(it)
        await pool.stream.send_all(PING * 20_000)
        await trio.sleep(50)
        reads_again.set()
        for _ in range(20_000):
            assert await pool.request() == {"id": 42, "result": "pong", "error": None}
        await pool.notify("2")
        await it.recorder.until(lambda: len(it.recorder.jobs) == 2)
        assert it.recorder.lost_work == []


async def test_who_is_asked_after_the_pool_is_gone_keeps_no_answers(autojump_clock: MockClock) -> None:
    async with lab() as it:
        pool = await it.mining()
        session: Any = it.client._connection

        async def broken() -> None:
            raise trio.BrokenResourceError

        session._stream.send_stream.send_all_hook = broken
        await pool.stream.send_all(PING * 20_000)
        await trio.testing.wait_all_tasks_blocked()
        assert session.connection.unsent == 0
        assert isinstance(pool.stream, trio.StapledStream)
        await pool.stream.send_eof()
        await it.recorder.until(lambda: it.recorder.lost_work)


async def test_an_id_that_no_answer_has_room_for_is_a_bad_line(autojump_clock: MockClock) -> None:
    async with lab() as it:
        pool = await it.mining()
        for method in ("mining.ping", "x"):
            await pool.send({"id": "x" * 900_000, "method": method, "params": []})
        await pool.stream.send_all(PING)
        assert await pool.request() == {"id": 42, "result": "pong", "error": None}
        assert it.client.snapshot().bad_lines == 2


BAD = b'{"id":null,"method":"mining.notify","params":[]}\n'
GOOD = b'{"id":null,"method":"mining.set_difficulty","params":[1]}\n'


@pytest.mark.parametrize(
    ("flood", "reason"),
    [
        ((BAD * 9 + GOOD) * 13, "more unusable lines than usable"),
        ((BAD * 2 + GOOD) * 100, "more unusable lines than usable"),
        (b"\n" * MAX_EMPTY_LINES, "empty lines in a row"),
        (b" \r\n" * MAX_EMPTY_LINES, "empty lines in a row"),
    ],
    ids=["nine of ten are bad", "two of three are bad", "empty", "blank"],
)
async def test_a_flood_of_lines_without_use_ends_the_connection(
    autojump_clock: MockClock, flood: bytes, reason: str
) -> None:
    async with lab() as it:
        pool = await it.mining()
        with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await pool.stream.send_all(flood)
        await it.recorder.until(lambda: it.recorder.lost_work)
        assert reason in it.recorder.lost_work[0]


async def test_a_pool_whose_every_other_line_is_bad_or_empty_is_borne(autojump_clock: MockClock) -> None:
    async with lab() as it:
        pool = await it.mining()
        await pool.stream.send_all((BAD + GOOD + b"\n" * 10) * 200)
        await pool.stream.send_all(PING)
        assert await pool.request() == {"id": 42, "result": "pong", "error": None}
        assert it.recorder.lost_work == []


def job_line(job_id: str, *, clean: bool = False) -> bytes:
    params = [job_id, *REGTEST_JOB[1:8], clean]
    return json.dumps({"id": None, "method": "mining.notify", "params": params}).encode() + b"\n"


def mask_line(mask: int) -> bytes:
    return b'{"id":null,"method":"mining.set_version_mask","params":["%08x"]}\n' % mask


async def test_of_a_storm_of_jobs_only_the_last_is_searched_and_all_are_counted(autojump_clock: MockClock) -> None:
    async with lab() as it:
        pool = await it.mining()
        storm = [job_line(f"s{number}", clean=number == 50) for number in range(60)]
        await pool.stream.send_all(b"".join(storm))
        await it.recorder.until(lambda: it.recorder.jobs[-1].job_id == "s59")
        assert len(it.recorder.jobs) == 1 + 4 + 1
        assert [job.clean_jobs for job in it.recorder.jobs[1:]] == [False] * 4 + [True]
        assert it.client.snapshot().jobs == 61
        it.client.submit(it.shares(it.recorder.jobs[-1], 1)[0])
        await pool.reply(await pool.request("mining.submit"), True)
        await it.recorder.until(lambda: it.recorder.fates == ["accepted"])


async def test_of_a_storm_of_masks_only_the_last_starts_the_search_anew(autojump_clock: MockClock) -> None:
    async with lab() as it:
        pool = await it.connection()
        await pool.accept(mask="1fffe000")
        await pool.notify()
        await it.recorder.until(lambda: it.recorder.jobs)
        masks = [number << 13 for number in range(900)]
        await pool.stream.send_all(job_line("clean", clean=True) + b"".join(map(mask_line, masks)))
        await it.recorder.until(lambda: it.recorder.jobs[-1].version_mask == masks[-1])
        assert len(it.recorder.jobs) == 1 + 4 + 1
        assert it.recorder.jobs[1].clean_jobs
        assert not it.recorder.jobs[-1].clean_jobs


async def test_jobs_that_come_one_by_one_are_all_searched(autojump_clock: MockClock) -> None:
    async with lab() as it:
        pool = await it.mining()
        for number in range(20):
            await pool.notify(str(number))
            await it.recorder.until(lambda number=number: it.recorder.jobs[-1].job_id == str(number))
        assert len(it.recorder.jobs) == 21


async def test_colliding_ids_and_replies_out_of_order(autojump_clock: MockClock) -> None:
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
        await it.recorder.until(lambda: len(it.recorder.results) == 3)
        assert [(o.share, o.outcome) for o in it.recorder.results] == [
            (shares[2], ShareOutcome.ACCEPTED),
            (shares[1], ShareOutcome.ACCEPTED),
            (shares[0], ShareOutcome.REJECTED),
        ]


async def test_mask_after_configure_and_its_withdrawal(autojump_clock: MockClock) -> None:
    async with lab() as it:
        pool = await it.connection()
        await pool.accept(mask="1fffe000")
        await pool.notify()
        await it.recorder.until(lambda: it.recorder.jobs)
        await pool.send_call("mining.set_version_mask", "00000000")
        await it.recorder.until(lambda: len(it.recorder.jobs) == 2)
        amended = it.recorder.jobs[1]
        assert amended.version_mask == 0
        assert not amended.clean_jobs
        it.client.submit(it.shares(amended, 1)[0])
        assert (await pool.request("mining.submit"))["params"][5] == "00000000"


async def test_plain_text_before_the_end_is_shown(autojump_clock: MockClock) -> None:
    async with lab(retry=False) as it:
        pool = await it.connection()
        await pool.accept()
        await pool.stream.send_all(b"Invalid JSON, disconnec")
        await pool.stream.aclose()
        await it.ended.wait()
        assert "Invalid JSON, disconnec" in str(it.error)
