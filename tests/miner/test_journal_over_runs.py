"""What a share journal keeps over several runs, and what a crash leaves."""

import shutil
from pathlib import Path

import pytest

from stratum_miner.miner import ShareCounts
from stratum_miner.miner.journal import CRASHED, JournalError, read
from stratum_miner.work.job import Origin, PoolKey
from stratum_miner.work.share_result import ShareOutcome
from tests.miner.journals import (
    CLOCK,
    JOB,
    TO,
    Opener,
    as_after_a_crash,
    events,
    outcome,
    records,
    shares,
)


def test_totals_go_on_over_runs(tmp_path: Path, opened: Opener) -> None:
    path = tmp_path / "shares.jsonl"
    for _ in range(3):
        it = opened(path)
        assert not it.unclean
        for share in shares(4):
            it.submitted(share, TO)
            it.resolved(outcome(share))
        it.close()
    assert it.counts == ShareCounts(accepted=12)
    assert read(path).counts == ShareCounts(accepted=12)
    assert [record["id"] for record in records(path) if record["event"] == "found"] == list(range(1, 13))


def test_what_a_crash_left_open_is_lost_and_blocks_come_back(tmp_path: Path, opened: Opener) -> None:
    it = opened(tmp_path / "shares.jsonl")
    [block] = shares(1)
    it.submitted(block, TO)
    path = as_after_a_crash(it)
    with path.open("ab") as file:
        file.write(b'{"event":"found","id":2,"ti')
    CLOCK.now += 60
    again = opened(path)
    assert (again.damaged, again.unclean) == (1, True)
    [recovered] = again.recovered
    assert recovered.share.header == block.header
    assert recovered.share.job.body == JOB.body
    assert (recovered.pool, recovered.resumable.session_id) == (TO.pool, "s1")
    assert (recovered.resumable.extranonce1, recovered.resumable.extranonce2_size) == (b"\xa1\xb2", 4)
    assert again.open == 1
    again.adopt(recovered)
    again.resolved(outcome(recovered.share))
    assert again.counts == ShareCounts(accepted=1)
    assert again.blocks == 1
    again.close()
    final = read(path)
    assert (final.damaged, final.closed) == (0, True)  # the half line was cut off
    assert opened(path).recovered == ()


@pytest.mark.parametrize("age", [600, 601])
def test_a_block_is_handed_back_for_ten_minutes(tmp_path: Path, opened: Opener, age: int) -> None:
    it = opened(tmp_path / "shares.jsonl")
    [block] = shares(1)
    it.submitted(block, TO)
    path = as_after_a_crash(it)
    CLOCK.now += age
    again = opened(path)
    assert len(again.recovered) == (age == 600)
    assert again.submitted_earlier == ({block.header} if age == 600 else set())
    if again.recovered:
        assert again.recovered[0].share.job.origin == Origin(PoolKey(TO.pool), "worker", 0, "s1")


def test_a_block_that_is_given_up_has_the_reason_that_is_given(tmp_path: Path, opened: Opener) -> None:
    it = opened(tmp_path / "shares.jsonl")
    it.submitted(shares(1)[0], TO)
    path = as_after_a_crash(it)
    again = opened(path)
    again.mark_lost(again.recovered[0], "no such pool")
    again.close()
    assert again.counts == ShareCounts(lost=1)
    [settled] = [record for record in records(path) if record["event"] == "settled"]
    assert (settled["id"], settled["fate"], settled["reason"], settled["latency"]) == (1, "lost", "no such pool", None)


def test_an_old_block_is_not_handed_back(tmp_path: Path, opened: Opener) -> None:
    it = opened(tmp_path / "shares.jsonl")
    [block] = shares(1)
    it.submitted(block, TO)
    path = as_after_a_crash(it)
    CLOCK.now += 601
    again = opened(path)
    assert again.recovered == ()
    assert again.counts == ShareCounts(lost=1)
    again.close()
    assert [record["reason"] for record in records(path) if record["event"] == "settled"] == [CRASHED]


def test_a_run_of_which_only_the_beginning_is_left_has_crashed(tmp_path: Path, opened: Opener) -> None:
    it = opened(tmp_path / "shares.jsonl")
    assert not it.unclean
    path = as_after_a_crash(it)
    assert events(path) == ["opened"]
    assert opened(path).unclean


def test_a_run_that_was_killed_before_its_first_record_is_told_too(tmp_path: Path, opened: Opener) -> None:
    path = tmp_path / "shares.jsonl"
    opened(path).close()
    copy = as_after_a_crash(opened(path))
    assert opened(copy).unclean


def test_what_earlier_runs_found_lately_is_known(tmp_path: Path, opened: Opener) -> None:
    path = tmp_path / "shares.jsonl"
    old, *rest = shares(9)
    it = opened(path)
    it.submitted(old, TO)
    it.close()
    CLOCK.now += 601
    it = opened(path, max_bytes=6000)  # the file is exchanged in between
    for share in rest:
        it.submitted(share, TO)
        it.resolved(outcome(share))
        assert it.flush()
    it.close()
    assert path.with_name("shares.jsonl.1").exists()
    assert not path.with_name("shares.jsonl.2").exists()
    assert opened(path).submitted_earlier == {share.header for share in rest}


def test_a_large_file_is_rotated_and_the_new_one_stands_alone(tmp_path: Path, opened: Opener) -> None:
    path = tmp_path / "shares.jsonl"
    it = opened(path, max_bytes=4000)
    kept, *rest = shares(40)
    it.submitted(kept, TO)
    for share in rest:
        it.submitted(share, TO)
        it.resolved(outcome(share))
        assert it.flush()
    it.resolved(outcome(kept, ShareOutcome.STALE))
    it.close()
    names = sorted(item.name for item in tmp_path.iterdir())
    assert names == ["shares.jsonl", *(f"shares.jsonl.{number}" for number in range(1, 6))]
    shutil.copy(path, tmp_path / "alone")
    reading = read(tmp_path / "alone")
    assert reading.counts == ShareCounts(accepted=39, stale=1)
    assert (reading.open, reading.damaged) == ({}, 0)
    assert opened(path).counts == reading.counts


def test_two_miners_do_not_write_one_journal(tmp_path: Path, opened: Opener) -> None:
    path = tmp_path / "shares.jsonl"
    it = opened(path)
    [share] = shares(1)
    it.submitted(share, TO)
    assert it.flush()
    before = path.read_bytes()
    with pytest.raises(JournalError, match="another running miner uses this file"):
        opened(path)
    path.rename(tmp_path / "shares.jsonl.1")  # as in the middle of a rotation
    with pytest.raises(JournalError, match="another running miner uses this file"):
        opened(path)
    (tmp_path / "shares.jsonl.1").rename(path)
    assert path.read_bytes() == before  # its open share is not settled as lost
    it.close()
    opened(path)
