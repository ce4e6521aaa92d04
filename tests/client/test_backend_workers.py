"""Several worker names on one connection: which are authorized, which one a share gets, and what a refusal changes."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from stratum_miner.client import WorkerRefused
from stratum_miner.client.events import ConnectionState
from stratum_miner.testing.manual_pool import ManualPool
from stratum_miner.work.job import Job
from stratum_miner.work.share import Share
from tests.client.client_lab import lab

WORKERS = (("cpu", "worker.cpu"), ("usb", "worker.usb"))
REFUSAL = [24, "Unauthorized worker", None]


async def asked(it: Any) -> tuple[ManualPool, list[dict[str, Any]]]:
    """Return the next connection after its subscription and first job, and its unanswered mining.authorize requests."""
    pool = await it.connection()
    await pool.accept_subscribe()
    requests = [await pool.request("mining.authorize") for _ in range(3)]
    await pool.send_call("mining.set_difficulty", 1e-9)
    await pool.notify()
    await it.recorder.until(lambda: it.recorder.jobs)
    return pool, requests


def found_by(it: Any, job: Job, backends: Sequence[str]) -> list[Share]:
    shares = it.shares(job, len(backends))
    return [replace(share, backend=backend) for share, backend in zip(shares, backends, strict=True)]


async def test_all_workers_are_authorized_and_each_share_goes_under_its_own(autojump_clock: MockClock) -> None:
    async with lab(workers=WORKERS, extranonce_subscribe=False) as it:
        pool, requests = await asked(it)
        assert [request["params"] for request in requests] == [
            ["worker", "hunter2"], ["worker.cpu", "hunter2"], ["worker.usb", "hunter2"],
        ]  # fmt: skip
        for request in requests:
            await pool.reply(request, True)
        await trio.testing.wait_all_tasks_blocked()
        for share in found_by(it, it.recorder.jobs[0], ["usb", "cpu", "other", ""]):
            it.client.submit(share)
        submits = [await pool.request("mining.submit") for _ in range(4)]
        assert [submit["params"][0] for submit in submits] == ["worker.usb", "worker.cpu", "worker", "worker"]
        for submit, error in zip(submits, (None, None, None, [23, "low", None]), strict=True):
            await pool.reply(submit, error is None, error)
        await it.recorder.until(lambda: len(it.recorder.results) == 4)
        assert [outcome.worker_name for outcome in it.recorder.results] == [
            "worker.usb", "worker.cpu", "worker", "worker",
        ]  # fmt: skip
        counted = {item.name: (item.accepted, item.rejected) for item in it.client.snapshot().workers}
        assert counted == {"worker": (1, 1), "worker.cpu": (1, 0), "worker.usb": (1, 0)}
        assert it.recorder.states.count(ConnectionState.MINING) == 1


async def test_a_share_waits_for_its_own_worker_only(autojump_clock: MockClock) -> None:
    async with lab(workers=WORKERS, extranonce_subscribe=False) as it:
        pool, (main, cpu, usb) = await asked(it)
        await pool.reply(main, True)
        await pool.reply(usb, True)
        await it.recorder.until(lambda: ConnectionState.MINING in it.recorder.states)
        await trio.testing.wait_all_tasks_blocked()
        for share in found_by(it, it.recorder.jobs[0], ["cpu", "usb"]):
            it.client.submit(share)
        assert (await pool.request("mining.submit"))["params"][0] == "worker.usb"
        await pool.reply(cpu, True)
        assert (await pool.request("mining.submit"))["params"][0] == "worker.cpu"


@pytest.mark.parametrize("refused", ["worker", "worker.cpu"])
async def test_a_refused_worker_does_not_hit_the_others(autojump_clock: MockClock, refused: str) -> None:
    async with lab(workers=WORKERS, extranonce_subscribe=False) as it:
        pool, requests = await asked(it)
        early = found_by(it, it.recorder.jobs[0], ["", "cpu", "usb"])
        for share in early:
            it.client.submit(share)
        for request in requests:
            error = REFUSAL if request["params"][0] == refused else None
            await pool.reply(request, error is None, error)
        taken = [(await pool.request("mining.submit"))["params"][0] for _ in range(3)]
        others = [name for name in ("worker", "worker.cpu", "worker.usb") if name != refused]
        assert sorted(taken) == sorted([*others, others[0]]), "its share went under the first that was not refused"
        refusals = {item.name: item.refusal for item in it.client.snapshot().workers if item.refusal}
        assert list(refusals) == [refused]
        assert "Unauthorized" in refusals[refused]


async def test_a_worker_without_an_answer_counts_as_refused_in_time(autojump_clock: MockClock) -> None:
    async with lab(workers=WORKERS, extranonce_subscribe=False) as it:
        pool, (main, _, usb) = await asked(it)
        await pool.reply(main, True)
        await pool.reply(usb, True)
        [share] = found_by(it, it.recorder.jobs[0], ["cpu"])
        it.client.submit(share)
        assert (await pool.request("mining.submit"))["params"][0] == "worker"
        assert "no reply" in it.client.snapshot().workers[1].refusal


async def test_the_pool_is_lost_when_it_refuses_all(autojump_clock: MockClock) -> None:
    async with lab(workers=WORKERS, extranonce_subscribe=False) as it:
        pool, requests = await asked(it)
        for request in requests:
            await pool.reply(request, False, REFUSAL)
        await it.ended.wait()
        assert isinstance(it.error, WorkerRefused)
        assert "'worker.usb'" in str(it.error)


async def test_open_shares_of_several_workers_are_sent_again_after_a_resume(autojump_clock: MockClock) -> None:
    async with lab(workers=WORKERS, extranonce_subscribe=False) as it:
        pool, requests = await asked(it)
        for request in requests:
            await pool.reply(request, True)
        for share in found_by(it, it.recorder.jobs[0], ["cpu", "usb"]):
            it.client.submit(share)
        before = [(await pool.request("mining.submit"))["params"] for _ in range(2)]
        await pool.stream.aclose()
        pool, requests = await asked(it)
        for request in requests:
            await pool.reply(request, True)
        assert [(await pool.request("mining.submit"))["params"] for _ in range(2)] == before
