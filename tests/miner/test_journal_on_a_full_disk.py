"""A share journal on a disk that is full."""

import os
import threading
from pathlib import Path

import pytest

from stratum_miner.miner import ShareCounts, journal
from stratum_miner.miner.journal import read
from stratum_miner.miner.journal_records import RunClosed
from stratum_miner.work.share_result import ShareOutcome
from tests.miner.journals import (
    TO,
    WAIT_S,
    Events,
    FullDisk,
    Opener,
    as_after_a_crash,
    events,
    outcome,
    shares,
)


def test_a_full_disk_is_told_once_and_everything_is_written_when_there_is_room(
    tmp_path: Path, opened: Opener, monkeypatch: pytest.MonkeyPatch, logged: Events
) -> None:
    monkeypatch.setattr(journal, "RETRY_SECONDS", 0.005)
    it = opened(tmp_path / "shares.jsonl")
    assert it.flush()
    disk = FullDisk(monkeypatch)
    for share in shares(5):
        it.submitted(share, TO)
        it.resolved(outcome(share))
    for _ in range(3):
        disk.tried.clear()
        assert disk.tried.wait(WAIT_S)
    assert it.counts.accepted == 5
    assert it.problem.endswith("shares.jsonl': No space left on device")
    disk.full = False
    assert it.flush(WAIT_S)
    it.close()
    assert it.problem == ""
    assert [event["event"] for event in logged] == ["journal_failed", "journal_recovered"]
    assert logged[1]["missing"] is None
    assert events(it.path) == ["opened", *["found", "settled"] * 5, "closed"]
    assert read(it.path).counts == it.counts


def test_where_too_much_waits_the_totals_stay_exact(
    tmp_path: Path, opened: Opener, monkeypatch: pytest.MonkeyPatch, logged: Events
) -> None:
    monkeypatch.setattr(journal, "RETRY_SECONDS", 0.005)
    monkeypatch.setattr(journal, "MAX_WAITING", 10)
    it = opened(tmp_path / "shares.jsonl")
    assert it.flush()
    disk = FullDisk(monkeypatch)
    kept, *rest = shares(40)
    it.submitted(kept, TO)
    for share in rest:
        it.submitted(share, TO)
        it.resolved(outcome(share, ShareOutcome.STALE))
        assert len(it._waiting) <= 11 + it.open
    assert disk.tried.wait(WAIT_S)
    disk.full = False
    assert it.flush(WAIT_S)
    reading = read(as_after_a_crash(it))
    assert (reading.counts, len(reading.open)) == (ShareCounts(stale=39), 1)
    assert (reading.next_id, reading.damaged) == (41, 0)
    assert logged[-1]["event"] == "journal_recovered"
    assert logged[-1]["missing"] > 0
    it.resolved(outcome(kept))
    it.close()
    assert read(it.path).counts == ShareCounts(accepted=1, stale=39)


def test_ten_thousand_records_more_than_open_shares_may_wait(
    tmp_path: Path, opened: Opener, monkeypatch: pytest.MonkeyPatch, logged: Events
) -> None:
    """Here it is ten in place of ten thousand, while the first record of the run is being written."""
    monkeypatch.setattr(journal, "RETRY_SECONDS", 0.005)
    monkeypatch.setattr(journal, "MAX_WAITING", 10)
    reached, go_on, write = threading.Event(), threading.Event(), os.write

    def fail_once(descriptor: int, data: bytes) -> int:
        if go_on.is_set():
            return write(descriptor, data)
        reached.set()
        assert go_on.wait(WAIT_S)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "write", fail_once)
    it = opened(tmp_path / "shares.jsonl")
    assert reached.wait(WAIT_S)
    submitted = shares(12)
    for share in submitted:
        it.submitted(share, TO)
    for share in submitted[:5]:
        it.resolved(outcome(share))
    assert (len(it._waiting), it.open) == (17, 7)
    it.resolved(outcome(submitted[5]))
    assert (len(it._waiting), it.open) == (7, 6), "the totals, and the open shares"
    go_on.set()
    assert it.flush(WAIT_S)
    assert [(event["event"], event.get("missing")) for event in logged] == [
        ("journal_failed", None),
        ("journal_recovered", 19),
    ]
    reading = read(as_after_a_crash(it))
    assert (reading.counts, len(reading.open), reading.damaged) == (ShareCounts(accepted=6), 6, 0)


def test_256_records_are_written_together_and_10_000_may_wait(
    tmp_path: Path, opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, go_on, write, batches = threading.Event(), threading.Event(), os.write, list[int]()

    def hang_first(descriptor: int, data: bytes) -> int:
        batches.append(data.count(b"\n") if isinstance(data, bytes) else bytes(data).count(b"\n"))
        reached.set()
        assert go_on.wait(WAIT_S)
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", hang_first)
    it = opened(tmp_path / "shares.jsonl")
    assert reached.wait(WAIT_S)
    for _ in range(10_000):
        it._add(RunClosed(time=1.0))
    assert len(it._waiting) == 10_000
    it._add(RunClosed(time=1.0))
    assert len(it._waiting) == 1, "the totals in their place"
    for _ in range(300):
        it._add(RunClosed(time=1.0))
    go_on.set()
    assert it.flush(WAIT_S)
    assert batches == [1, 256, 45]


def test_a_disk_that_is_full_at_the_end_is_told_with_what_is_missing(
    tmp_path: Path, opened: Opener, monkeypatch: pytest.MonkeyPatch, logged: Events
) -> None:
    it = opened(tmp_path / "shares.jsonl")
    assert it.flush()
    disk = FullDisk(monkeypatch)
    it.submitted(shares(1)[0], TO)
    assert disk.tried.wait(WAIT_S)
    it.close()
    assert disk.refusals == 2  # once, and once more at the end: no busy loop in between
    assert [event["event"] for event in logged] == ["journal_failed", "journal_incomplete"]
    assert (logged[1]["records"], logged[1]["reason"]) == (2, "No space left on device")


def test_a_rotation_that_fails_is_told_and_writing_goes_on(tmp_path: Path, opened: Opener, logged: Events) -> None:
    path = tmp_path / "shares.jsonl"
    for number in range(1, 5):
        (tmp_path / f"shares.jsonl.{number}").touch()
    (tmp_path / "shares.jsonl.5").mkdir()
    it = opened(path, max_bytes=10)
    for share in shares(3):
        it.submitted(share, TO)
        it.resolved(outcome(share))
        assert it.flush()
    assert "Is a directory" in it.problem
    assert sorted(item.name for item in tmp_path.iterdir()) == [
        "shares.jsonl", *(f"shares.jsonl.{number}" for number in range(1, 6))
    ]  # fmt: skip
    it.close()
    assert [event["event"] for event in logged] == ["journal_failed"]
    assert read(path).counts == ShareCounts(accepted=3)
