"""The sixth parameter of mining.submit: in the form of BIP 310, or in that of ESP-Miner."""

import json
from typing import Any

import pytest
import trio
import trio.testing
from structlog.testing import capture_logs
from trio.testing import MockClock

from stratum_miner.bitcoin.sha256d import sha256d
from stratum_miner.testing.manual_pool import REGTEST_JOB, ManualPool
from stratum_miner.work.job import Job
from stratum_miner.work.share import Share
from tests.client.client_lab import lab

SIGNALLING = "30000000"
"""A version with bit 28 set, which is inside the mask."""
EASY = 1e-11
"""A share difficulty so low that each block of the regtest job is a share, too."""
LOW = [23, "Difficulty too low", None]


def rolled_shares(job: Job, count: int) -> list[Share]:
    """Shares whose version has bit 13 rolled."""
    found: list[Share] = []
    version, extranonce2 = job.version | 0x2000, bytes(job.extranonce2_size)
    for nonce in range(10000):
        header = job.header(extranonce2, job.ntime, nonce, version).to_bytes()
        share = Share(
            job=job,
            extranonce2=extranonce2,
            ntime=job.ntime,
            nonce=nonce,
            version=version,
            header=header,
            digest=sha256d(header),
        )
        if share.meets_share_target and len(found) < count:
            found.append(share)
    return found


class Judge:
    """A pool that computes the header's version from the sixth parameter in one of the two forms."""

    def __init__(self, pool: ManualPool, form: str) -> None:
        self.pool = pool
        self.form = form
        self.bits: list[str] = []

    async def judge(self, share: Share) -> bool:
        """Answer the next submit, which must be for this share."""
        request = await self.pool.request("mining.submit")
        bits = request["params"][5]
        self.bits.append(bits)
        version, mask = share.job.version, 0x1FFFE000
        merged = version ^ int(bits, 16) if self.form == "xor" else version & ~mask | int(bits, 16)
        good = merged == share.version
        await self.pool.reply(request, good or None, None if good else LOW)
        return good


async def announced(it: Any, form: str, version: str = SIGNALLING) -> tuple[Judge, Job]:
    pool = await it.connection()
    await pool.accept(difficulty=EASY)
    params: list[Any] = list(REGTEST_JOB)
    params[5] = version
    await pool.send_call("mining.notify", *params)
    await it.recorder.until(lambda: it.recorder.jobs)
    return Judge(pool, form), it.recorder.jobs[-1]


async def test_a_pool_that_takes_differences_gets_them_after_one_refusal(autojump_clock: MockClock) -> None:
    async with lab() as it:
        judge, job = await announced(it, "xor")
        first, second = it.shares(job, 2)
        it.client.submit(first)
        assert not await judge.judge(first)
        assert not it.recorder.results, "the share has one fate, and not yet"
        assert it.client.snapshot().unanswered == 1
        with capture_logs() as lines:
            assert await judge.judge(first)
            await it.recorder.until(lambda: it.recorder.results)
        assert [line["form"] for line in lines if line["event"] == "version_bits_form"] == [
            "XOR with the job's version"
        ]
        it.client.submit(second)
        assert await judge.judge(second)
        await it.recorder.until(lambda: len(it.recorder.results) == 2)
        assert it.recorder.fates == ["accepted", "accepted"]
        assert judge.bits == ["10000000", "00000000", "00000000"]


async def test_a_pool_by_the_standard_is_asked_once_and_the_form_stays(autojump_clock: MockClock) -> None:
    async with lab() as it:
        judge, job = await announced(it, "bip 310")
        shares = it.shares(job, 3)
        for share in shares:
            it.client.submit(share)
            assert await judge.judge(share)
        await it.recorder.until(lambda: len(it.recorder.results) == 3)
        assert judge.bits == ["10000000"] * 3


async def test_one_refusal_alone_changes_nothing(autojump_clock: MockClock) -> None:
    async with lab() as it:
        judge, job = await announced(it, "bip 310")
        weak, good = it.shares(job, 2)
        it.client.submit(weak)
        for _ in range(2):  # it is refused in both forms: it is simply too weak
            await judge.pool.reply(await judge.pool.request("mining.submit"), None, LOW)
        await it.recorder.until(lambda: it.recorder.results)
        it.client.submit(good)
        assert await judge.judge(good)
        await it.recorder.until(lambda: len(it.recorder.results) == 2)
        assert it.recorder.fates == ["rejected", "accepted"]


async def test_shares_on_their_way_while_the_form_changes_go_again_in_the_new_one(autojump_clock: MockClock) -> None:
    async with lab() as it:
        judge, job = await announced(it, "xor")
        shares = it.shares(job, 5)
        for share in shares:
            it.client.submit(share)
        for share in shares:
            assert not await judge.judge(share)
        for share in shares:
            assert await judge.judge(share)
        await it.recorder.until(lambda: len(it.recorder.results) == 5)
        assert it.recorder.fates == ["accepted"] * 5
        assert it.client.snapshot().connects == 1


@pytest.mark.parametrize(
    ("version", "error"),
    [("20000000", LOW), (SIGNALLING, [21, "job not found", None]), (SIGNALLING, [22, "duplicate share", None])],
)
async def test_nothing_else_is_sent_twice(autojump_clock: MockClock, version: str, error: list[Any]) -> None:
    async with lab() as it:
        judge, job = await announced(it, "xor", version)
        it.client.submit(it.shares(job, 1)[0])
        await judge.pool.reply(await judge.pool.request("mining.submit"), None, error)
        await it.recorder.until(lambda: it.recorder.results)
        with trio.move_on_after(30) as nothing_came:
            await judge.pool.request()
        assert nothing_came.cancelled_caught


async def test_the_form_is_kept_for_the_connection_only(autojump_clock: MockClock) -> None:
    async with lab(extranonce_subscribe=False) as it:
        pool = await it.connection()
        await pool.accept(xnsub=False, difficulty=EASY)
        params: list[Any] = list(REGTEST_JOB)
        params[5] = SIGNALLING
        await pool.send_call("mining.notify", *params)
        await it.recorder.until(lambda: it.recorder.jobs)
        first, second = it.shares(it.recorder.jobs[0], 2)
        judge = Judge(pool, "xor")
        it.client.submit(first)
        assert not await judge.judge(first)
        assert await judge.judge(first)
        await pool.stream.aclose()
        await it.recorder.until(lambda: it.recorder.lost_work)
        it.client.submit(second)
        again = await it.connection()
        await again.accept(xnsub=False, difficulty=EASY)
        judge = Judge(again, "bip 310")
        assert await judge.judge(second)


async def test_where_no_bit_is_set_both_forms_are_the_same(autojump_clock: MockClock) -> None:
    async with lab() as it:
        judge, job = await announced(it, "xor", "20000000")
        for share in rolled_shares(job, 2):
            it.client.submit(share)
            assert await judge.judge(share)
        assert judge.bits == ["00002000"] * 2


async def test_rolled_bits_and_bits_of_the_job_together(autojump_clock: MockClock) -> None:
    async with lab() as it:
        judge, job = await announced(it, "xor")
        [share] = rolled_shares(job, 1)
        it.client.submit(share)
        assert not await judge.judge(share)
        assert await judge.judge(share)
        assert judge.bits == ["10002000", "00002000"]


async def test_a_widened_mask_reaches_shares_of_the_job_before(autojump_clock: MockClock) -> None:
    """By BIP 310 a mask is in force at once: the pool replaces the bits under the new mask by those of the submit."""
    async with lab() as it:
        pool = await it.connection()
        await pool.accept(mask="0fffe000")
        params: list[Any] = list(REGTEST_JOB)
        params[5] = SIGNALLING
        await pool.send_call("mining.notify", *params)
        await it.recorder.until(lambda: it.recorder.jobs)
        early, later = it.shares(it.recorder.jobs[0], 2)
        it.client.submit(early)
        assert (await pool.request("mining.submit"))["params"][5] == "00000000"
        await pool.send_call("mining.set_version_mask", "1fffe000")
        await it.recorder.until(lambda: len(it.recorder.jobs) == 2)
        it.client.submit(later)
        assert (await pool.request("mining.submit"))["params"][5] == "10000000"
        await pool.send_call("mining.set_version_mask", "00000000")
        await it.recorder.until(lambda: len(it.recorder.jobs) == 3)
        it.client.submit(it.shares(it.recorder.jobs[1], 3)[2])
        assert (await pool.request("mining.submit"))["params"][5] == "10000000", "found under the mask of its job"


def test_the_played_job_has_no_bit_of_the_mask_by_itself() -> None:
    assert int(json.loads(json.dumps(REGTEST_JOB))[5], 16) & 0x1FFFE000 == 0
