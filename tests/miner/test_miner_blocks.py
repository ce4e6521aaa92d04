"""Blocks of a miner: judged by a node, and kept in the share journal."""

import itertools
import json
import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import trio
import trio.testing
from structlog.testing import capture_logs
from trio.testing import MockClock

from stratum_miner.bitcoin.header import display_hash
from stratum_miner.bitcoin.sha256d import sha256d
from stratum_miner.client.reconnecting import Destination
from stratum_miner.miner import Goals, Journal, ShareCounts, StopReason
from stratum_miner.miner.journal import read
from stratum_miner.work.job import Job
from stratum_miner.work.share import Share
from tests.miner.bench import bench, job_of


async def test_what_the_node_takes_counts_as_a_block_and_nothing_else(autojump_clock: MockClock) -> None:
    async with bench(node_judges=True, goals=Goals(blocks=2)) as it:
        shares = await it.backend.report_where(it.backend.unit(), lambda share: share.is_block, count=4)
        hashes = [display_hash(share.digest) for share in shares]
        it.miner.block_judged(hashes[0], accepted=True)  # before the pool answered
        for _ in shares:
            await it.answer()
        it.miner.block_judged(hashes[1], accepted=False)
        it.miner.block_judged(hashes[2], accepted=False)
        it.miner.block_judged(hashes[0], accepted=True)
        it.miner.block_judged("00" * 32, accepted=True)
        await it.settled()
        snapshot = it.miner.snapshot()
        assert (snapshot.shares.accepted, snapshot.blocks_accepted) == (4, 1)
        assert not it.ended.is_set()
        await it.pool.notify("2", previous="00" * 28 + "12345678")  # another parent
        await it.settled()
        [other] = await it.backend.report_where(it.backend.unit(), lambda share: share.is_block)
        await it.answer()
        it.miner.block_judged(display_hash(other.digest), accepted=False)  # it could not be reached
        it.miner.block_judged(display_hash(other.digest), accepted=True)
        await it.ended.wait()
        assert it.ending is StopReason.BLOCKS_REACHED


async def test_the_end_waits_for_no_judgement_of_a_share_that_was_refused(autojump_clock: MockClock) -> None:
    async with bench(node_judges=True) as it:
        await it.backend.report_where(it.backend.unit(), lambda share: share.is_block)
        await it.answer(None, [21, "stale", None])
        before = trio.current_time()
        it.miner.stop()
        await it.ended.wait()
        assert trio.current_time() == before


async def test_the_end_waits_for_the_nodes_judgement(autojump_clock: MockClock) -> None:
    async with bench(node_judges=True) as it:
        [share] = await it.backend.report_where(it.backend.unit(), lambda share: share.is_block)
        await it.answer()
        it.miner.stop()
        await it.settled()
        assert not it.ended.is_set()
        it.miner.block_judged(display_hash(share.digest), accepted=True)
        await it.ended.wait()
        assert it.miner.snapshot().blocks_accepted == 1


# ---- with a journal -------------------------------------------------------------------------------------------------


async def test_a_block_goes_out_while_the_journals_disk_hangs(
    autojump_clock: MockClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path / "shares.jsonl")
    assert journal.flush()
    go_on, write = threading.Event(), os.write

    def hanging(descriptor: int, data: bytes) -> int:
        if threading.current_thread() is threading.main_thread():
            raise AssertionError("the miner's thread must not write")
        assert go_on.wait(30)
        return write(descriptor, data)

    async with bench(journal=journal) as it:
        monkeypatch.setattr(os, "write", hanging)
        [share] = await it.backend.report_where(it.backend.unit(), lambda share: share.is_block)
        await it.answer()
        assert it.miner.snapshot().blocks_accepted == 1
        assert it.miner.snapshot().journalled == ShareCounts(accepted=1)
        go_on.set()
        assert journal.flush()
    journal.close()
    assert read(journal.path).blocks == 1
    assert share.header.hex() in journal.path.read_text()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
async def test_mining_goes_on_where_the_journal_cannot_be_written(autojump_clock: MockClock) -> None:
    journal = Journal(Path("/dev/full"))
    async with bench(journal=journal, goals=Goals(shares=2)) as it:
        await it.backend.report_where(it.backend.unit(), lambda share: share.is_block, count=2)
        await it.answer()
        await it.answer()
        await it.ended.wait()
        assert it.ending is StopReason.SHARES_REACHED
        journal.close()
        assert it.miner.snapshot().journal_problem == (
            "cannot write the share journal '/dev/full': No space left on device"
        )


async def test_what_an_earlier_run_submitted_is_not_submitted_again(autojump_clock: MockClock, tmp_path: Path) -> None:
    path = tmp_path / "shares.jsonl"
    for run in (1, 2):
        journal = Journal(path)
        async with bench(journal=journal, first_extranonce2=0) as it:
            await it.backend.report_where(it.backend.unit(), lambda share: share.meets_share_target)
            await it.settled()
            snapshot = it.miner.snapshot()
            assert (snapshot.found, snapshot.withheld) == ((1, 0) if run == 1 else (0, 1))
        journal.close()


async def test_the_blocks_of_a_crashed_run_go_to_their_pools_or_are_lost(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    """A pool can resume one session, that of its last block. The pool ``gone.example`` is not used any more."""
    path, copy = tmp_path / "shares.jsonl", tmp_path / "copy.jsonl"
    journal = Journal(path)
    pool = "stratum+tcp://pool.example:3333"
    job = job_of(1, 4)
    blocks = [share_on(number, job) for number in range(4)]
    for share, (url, session) in zip(
        blocks, [(pool, "s1"), ("stratum+tcp://gone.example:1", "s1"), (pool, "s2"), (pool, "s2")], strict=True
    ):
        journal.submitted(share, Destination(url, "worker", session))
    assert journal.flush()
    copy.write_bytes(path.read_bytes())
    journal.close()
    journal = Journal(copy)
    assert len(journal.recovered) == 4
    with capture_logs() as lines:
        async with bench(journal=journal, handshake=False) as it:
            assert [(line["event"], line["hash"], line["pool"]) for line in lines] == [
                ("block_handed_back", display_hash(share.digest), pool) for share in blocks[2:]
            ]
            assert (journal.counts.lost, journal.open) == (2, 2)
            subscribe = await it.pool.accept(mask=None, xnsub=False, extranonce1="31")
            assert subscribe["params"][1] == "s2"
            for _ in range(2):
                await it.answer()
            assert (journal.counts.accepted, journal.blocks, journal.open) == (2, 2, 0)
    journal.close()
    reasons = [record["reason"] for record in map(json.loads, copy.read_text().splitlines()) if "fate" in record]
    assert sorted(reasons) == [
        "",
        "",
        *["the miner stopped before the pool answered, and now mines on other pools"] * 2,
    ]


def share_on(number: int, job: Job) -> Share:
    """The share of a job with the first nonce after ``number`` thousand that solves a block."""
    job = replace(job, nbits=0x207FFFFF)
    for nonce in itertools.count(number * 1000):
        header = job.header(bytes(4), job.ntime, nonce, job.version).to_bytes()
        share = Share(
            job=job, extranonce2=bytes(4), ntime=job.ntime, nonce=nonce, version=job.version, header=header,
            digest=sha256d(header),
        )  # fmt: skip
        if share.is_block:
            return share
    raise AssertionError
