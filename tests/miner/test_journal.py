"""The share journal: when records are written, what a crash leaves, and the totals afterwards."""

import json
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from stratum_miner.bitcoin.target import target_from_difficulty
from stratum_miner.client.reconnecting import Destination
from stratum_miner.client.resume import Resumable
from stratum_miner.miner import ShareCounts, journal
from stratum_miner.miner.journal import CRASHED, Journal, JournalError, read
from stratum_miner.miner.journal_file import JournalFile
from stratum_miner.miner.journal_records import RunClosed
from stratum_miner.work.job import HeaderBody, Job, Origin, PoolKey
from stratum_miner.work.share import Share, verify
from stratum_miner.work.share_result import ShareOutcome, ShareResult
from stratum_miner.work.space import SearchSpace
from stratum_miner.work.unit import NonceFound
from tests.work.jobs import make_job

TO = Destination("stratum+tcp://pool.example:3333", "worker", "s1")
JOB = make_job(
    session=1, job_id="j1", previous_hash=bytes(range(32)), prefix=b"\x01" * 40, suffix=b"\x02" * 40,
    branch=(b"\x03" * 32, b"\x04" * 32), version=0x20000000, nbits=0x207FFFFF, ntime=1_700_000_000,
    clean_jobs=True, extranonce1=b"\xa1\xb2", extranonce2_size=4,
    share_target=target_from_difficulty(1e-9), version_mask=0x1FFFE000,
    version_rolling=True,
)  # fmt: skip
WAIT_S = 30.0
"""Seconds to wait for a thread. Only a failing test takes so long."""


class Clock:
    """A clock of Unix time that the test sets."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


CLOCK = Clock()


def shares(count: int, job: Job = JOB, *, block: bool = True) -> list[Share]:
    space = SearchSpace()
    space.set_job(job if block else replace(job, nbits=0x1D00FFFF))
    unit = space.next_unit(0.0)
    assert unit is not None
    found: list[Share] = []
    for nonce in range(100_000):
        verdict = verify(NonceFound(unit, nonce, unit.version))
        if isinstance(verdict, Share) and verdict.is_block is block:
            found.append(verdict)
            if len(found) == count:
                return found
    raise AssertionError("not enough shares")


Opener = Callable[..., Journal]
Events = list[MutableMapping[str, Any]]


@pytest.fixture
def opened() -> Iterator[Opener]:
    """Opens share journals, and closes them at the end."""
    journals: list[Journal] = []

    def open_journal(path: Path, **options: Any) -> Journal:
        journals.append(Journal(path, wall_clock=CLOCK, **options))
        return journals[-1]

    yield open_journal
    for it in journals:
        if it._writer.is_alive():
            it.close()


@pytest.fixture
def logged() -> Iterator[Events]:
    with structlog.testing.capture_logs() as events:
        yield events


def outcome(share: Share, fate: ShareOutcome = ShareOutcome.ACCEPTED, reason: str = "") -> ShareResult:
    return ShareResult(share, fate, reason, latency=0.01)


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def events(path: Path) -> list[str]:
    return [record["event"] for record in records(path)]


def as_after_a_crash(it: Journal) -> Path:
    """Copy the file as it is now, as another process would find it after this one was killed."""
    assert it.flush()
    copy = it.path.with_name("copy.jsonl")
    shutil.copy(it.path, copy)
    return copy


def test_each_share_and_its_result_is_a_line(tmp_path: Path, opened: Opener) -> None:
    path = tmp_path / "shares.jsonl"
    it = opened(path)
    first, second = shares(2)
    it.submitted(first, TO)
    it.submitted(second, TO)
    it.resolved(outcome(second, ShareOutcome.REJECTED, "23: low difficulty"))
    it.resolved(outcome(first))
    it.resolved(outcome(first))  # nothing to settle any more
    it.close()
    assert events(path) == ["opened", "found", "found", "settled", "settled", "closed"]
    assert it.counts == ShareCounts(accepted=1, rejected=1)
    lines = records(path)[1:]
    assert lines[0]["pool"] == "stratum+tcp://pool.example:3333"
    assert (lines[0]["job"], lines[0]["nonce"], lines[0]["hash"]) == ("j1", first.nonce, first.digest[::-1].hex())
    assert (lines[2]["id"], lines[2]["fate"], lines[2]["reason"]) == (2, "rejected", "23: low difficulty")
    assert oct(path.stat().st_mode & 0o777) == "0o600"


def test_what_is_no_text_is_written_all_the_same(tmp_path: Path, opened: Opener) -> None:
    it = opened(tmp_path / "shares.jsonl")
    [share] = shares(1)
    it.submitted(share, Destination("pool", "w\udcff", "\ud800"))
    it.resolved(outcome(share, ShareOutcome.LOST, "\udcfe"))
    it.close()
    assert read(it.path).counts == ShareCounts(lost=1)
    assert records(it.path)[1]["worker"] == "w\\udcff"


# ---- threads: nothing waits for the disk ------------------------------------------------------------------------


def test_neither_submitted_nor_resolved_waits_for_the_disk(
    tmp_path: Path, opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = opened(tmp_path / "shares.jsonl")
    assert it.flush()
    reached, go_on, write = threading.Event(), threading.Event(), os.write

    def slow(descriptor: int, data: bytes) -> int:
        reached.set()
        assert go_on.wait(WAIT_S)
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", slow)
    [block] = shares(1)
    it.submitted(block, TO)
    assert reached.wait(WAIT_S)
    it.resolved(outcome(block))
    assert (it.counts.accepted, it.blocks, it.open) == (1, 1, 0)
    go_on.set()
    assert it.flush()
    assert events(it.path) == ["opened", "found", "settled"]


def test_a_block_is_synced_at_once_and_nothing_is_without_records(
    tmp_path: Path, opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "shares.jsonl"
    synced: list[tuple[threading.Thread, list[str]]] = []
    done, fsync = threading.Event(), os.fsync

    def noted(descriptor: int) -> None:
        if not os.path.samestat(os.fstat(descriptor), tmp_path.stat()):
            synced.append((threading.current_thread(), events(path)))
            done.set()
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    monkeypatch.setattr(journal, "SYNC_SECONDS", 10 * WAIT_S)
    idle = opened(path)
    idle.close()
    assert synced == []
    it = opened(path)
    [block] = shares(1)
    it.submitted(block, TO)
    assert done.wait(WAIT_S)
    [(thread, there)] = synced
    assert there[-1] == "found"
    assert thread is not threading.current_thread()


def test_other_records_are_synced_after_a_while(
    tmp_path: Path, opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "SYNC_SECONDS", 0.01)
    done = threading.Event()
    it = opened(tmp_path / "shares.jsonl")
    monkeypatch.setattr(os, "fsync", lambda descriptor: done.set())
    [share] = shares(1, block=False)
    it.submitted(share, TO)
    assert done.wait(WAIT_S)


def test_a_slow_sync_delays_no_record(tmp_path: Path, opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    it = opened(tmp_path / "shares.jsonl", max_bytes=2000)
    reached, go_on = threading.Event(), threading.Event()

    def slow(descriptor: int) -> None:
        reached.set()
        assert go_on.wait(WAIT_S)

    monkeypatch.setattr(os, "fsync", slow)
    [block] = shares(1)
    it.submitted(block, TO)
    assert reached.wait(WAIT_S)
    for share in shares(20, block=False):  # several files
        it.submitted(share, TO)
        it.resolved(outcome(share))
    assert it.flush()  # while the first sync still waits
    go_on.set()
    it.close()  # a file that is full may be exchanged until then
    assert read(it.path).counts.accepted == 20


def test_the_end_waits_for_a_disk_that_hangs_no_longer_than_it_may(
    tmp_path: Path, opened: Opener, monkeypatch: pytest.MonkeyPatch, logged: Events
) -> None:
    monkeypatch.setattr(journal, "CLOSE_SECONDS", 0.05)
    it = opened(tmp_path / "shares.jsonl")
    assert it.flush()
    go_on, write = threading.Event(), os.write

    def hanging(descriptor: int, data: bytes) -> int:
        assert go_on.wait(WAIT_S)
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", hanging)
    it.submitted(shares(1)[0], TO)
    it.close()
    [told] = [event for event in logged if event["event"] == "journal_incomplete"]
    assert (told["records"], told["reason"]) == (2, "the disk does not respond")
    assert os.fstat(it._file._file), "the thread that hangs may still need the file"
    go_on.set()
    it._writer.join(WAIT_S)


def test_a_sync_that_hangs_keeps_the_file_open_and_the_end_does_not_wait_for_it(
    tmp_path: Path, opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "CLOSE_SECONDS", 0.05)
    it = opened(tmp_path / "shares.jsonl")
    reached, go_on = threading.Event(), threading.Event()

    def hanging(descriptor: int) -> None:
        reached.set()
        assert go_on.wait(WAIT_S)

    monkeypatch.setattr(os, "fsync", hanging)
    it.submitted(shares(1)[0], TO)
    assert reached.wait(WAIT_S)
    it.close()
    assert os.fstat(it._file._file)
    go_on.set()
    it._syncer._thread.join(WAIT_S)


class Watched:
    """The moments at which a journal asks for a sync and tries to rotate, on a clock that the test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.syncs: list[float] = []
        self.rotations: list[float] = []
        monkeypatch.setattr(journal._Syncer, "want", lambda syncer: self.syncs.append(self.now))

    def write(self, it: Journal, now: float, *, block: bool = False) -> None:
        """Write two records, the second after all that the first causes has happened."""
        self.now = now
        for _ in range(2):
            it.submitted(shares(1, block=block)[0], TO)
            assert it.flush(WAIT_S)


def test_records_are_synced_five_seconds_after_the_first_of_them(
    tmp_path: Path, opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = Watched(monkeypatch)
    it = opened(tmp_path / "shares.jsonl", clock=lambda: watched.now)
    for now in (100.0, 102.0, 104.9, 105.0, 105.5, 109.9):
        watched.write(it, now)
    assert watched.syncs == [105.0]
    watched.write(it, 110.0)
    assert watched.syncs == [105.0, 110.0]


def test_a_rotation_that_failed_is_tried_again_a_minute_later(
    tmp_path: Path, opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = Watched(monkeypatch)

    def refuse(file: object, now: float) -> None:
        watched.rotations.append(watched.now)
        raise JournalError(Path("x"), "no")

    monkeypatch.setattr(JournalFile, "rotate", refuse)
    it = opened(tmp_path / "shares.jsonl", clock=lambda: watched.now, max_bytes=10)
    assert it.flush(WAIT_S)
    for now in (10.0, 59.9, 60.0, 61.0, 119.9, 120.0):
        watched.write(it, now)
    assert watched.rotations == [0.0, 60.0, 120.0]


def test_the_end_waits_5_s_for_the_disk_and_a_failed_write_is_tried_again_after_5_s(
    tmp_path: Path, opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No clock is needed: the seconds are what the threads are asked to wait."""
    waits: list[float | None] = []

    class Watched(threading.Condition):
        def wait_for(self, predicate: Callable[[], Any], timeout: float | None = None) -> Any:
            waits.append(timeout)
            return super().wait_for(predicate, timeout if timeout != 5.0 else 0.001)

    monkeypatch.setattr(threading, "Condition", Watched)
    it = opened(tmp_path / "shares.jsonl")
    assert it.flush(WAIT_S)
    waits.clear()
    disk = FullDisk(monkeypatch)
    it.submitted(shares(1, block=False)[0], TO)
    assert disk.tried.wait(WAIT_S)
    disk.full = False
    assert it.flush(WAIT_S)
    assert 5.0 in waits
    joins: list[float] = []
    monkeypatch.setattr(it._writer, "join", joins.append)
    it.close()
    assert joins == [5.0]
    threading.Thread.join(it._writer, WAIT_S)


# ---- a disk that is full ----------------------------------------------------------------------------------------


class FullDisk:
    """``os.write`` on a full disk. It writes a few bytes of a line first, as file systems do."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full = True
        self.tried = threading.Event()
        self.refusals = 0
        self._write = os.write
        self._last = b""
        monkeypatch.setattr(os, "write", self)

    def __call__(self, descriptor: int, data: bytes) -> int:
        if not self.full:
            return self._write(descriptor, data)
        if len(data) > 40 and data != self._last:
            self._last = data[30:]
            return self._write(descriptor, data[:30])
        self._last = b""
        self.refusals += 1
        self.tried.set()
        raise OSError(28, "No space left on device")


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


# ---- over several runs ------------------------------------------------------------------------------------------


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


# ---- damage -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"notes of mine", b"a\nb", b'{"event":"nothing"}\n', b"\xff\xfe\n\n", b"\n"])
def test_a_file_of_another_kind_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(JournalError, match="expected a share journal, got another kind of file"):
        Journal(path)
    assert path.read_bytes() == content


def test_a_last_line_without_its_end_counts_the_same_every_time(tmp_path: Path, opened: Opener) -> None:
    it = opened(tmp_path / "shares.jsonl")
    [share] = shares(1)
    it.submitted(share, TO)
    it.resolved(outcome(share))
    path = as_after_a_crash(it)
    path.write_bytes(path.read_bytes().removesuffix(b"\n"))
    for _ in range(3):
        again = opened(path)
        assert (again.counts, again.damaged) == (ShareCounts(accepted=1), 0)
        again.close()
    assert read(path).counts == ShareCounts(accepted=1)


def _journal_of_a_block(it: Journal) -> tuple[Share, list[dict[str, Any]]]:
    [block] = shares(1)
    [other] = shares(1, block=False)
    it.submitted(other, TO)
    it.resolved(outcome(other))
    it.submitted(block, TO)
    return block, records(as_after_a_crash(it))


@pytest.mark.parametrize("value", [-1, 1 << 32, 1 << 33, 1 << 70, 10**400, "x", None, 1.5, [], True])
@pytest.mark.parametrize("name", ["nonce", "ntime", "version", "difficulty", "extranonce1", "hash", "job"])
def test_a_block_is_recovered_whatever_else_its_record_says(
    tmp_path: Path, opened: Opener, name: str, value: Any
) -> None:
    block, lines = _journal_of_a_block(opened(tmp_path / "shares.jsonl"))
    lines[-1][name] = value
    path = tmp_path / "damaged.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    again = opened(path)
    assert again.counts.accepted == 1
    if again.recovered:
        assert again.recovered[0].share.header == block.header
    assert again.counts.lost == (0 if again.recovered else 1)
    out_of_range = isinstance(value, int) and not isinstance(value, bool) and name in ("nonce", "ntime", "version")
    assert again.recovered or not out_of_range


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("header", "00"), ("header", "zz"), ("header", 1), ("extranonce2", "0"), ("extranonce2", "00" * 40),
        ("job_fields", "x"), ("job_fields", []), ("job_fields", {}), ("session_id", 7), ("time", "x"),
    ],
)  # fmt: skip
def test_a_block_that_cannot_be_rebuilt_is_lost_and_the_rest_stays(
    tmp_path: Path, opened: Opener, name: str, value: Any
) -> None:
    _, lines = _journal_of_a_block(opened(tmp_path / "shares.jsonl"))
    lines[-1][name] = value
    path = tmp_path / "damaged.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    again = opened(path)
    assert (again.recovered, again.counts) == ((), ShareCounts(accepted=1, lost=1))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("nbits", 0), ("nbits", -1), ("nbits", "x"), ("nbits", 0x1D00FFFF), ("ntime", 1 << 40), ("version", 1 << 40),
        ("extranonce2_size", 10**9), ("share_difficulty", 0), ("share_difficulty", "x"), ("version_mask", 1 << 70),
        ("branch", [1]), ("branch", None), ("previous_hash", "zz"), ("unknown", 1), ("job_id", 5), ("prefix", "00"),
        ("body", None), ("body", {}), ("kind", "header"), ("kind", 1), ("extranonce2_size", "4"), ("origin", None),
    ],
)  # fmt: skip
def test_a_block_of_a_damaged_job_is_never_handed_back_changed(
    tmp_path: Path, opened: Opener, name: str, value: Any
) -> None:
    block, lines = _journal_of_a_block(opened(tmp_path / "shares.jsonl"))
    fields = lines[-1]["job_fields"]
    (fields["body"] if name in fields["body"] else fields)[name] = value
    path = tmp_path / "damaged.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    again = opened(path)
    assert again.counts.accepted == 1
    assert [item.share.header for item in again.recovered] in ([], [block.header])
    assert again.open + again.counts.lost == 1


@pytest.mark.parametrize("value", [-1, 1 << 32, "x", True, None, 0, (1 << 32) - 1])
@pytest.mark.parametrize("name", ["version", "ntime", "version_mask"])
def test_a_damaged_number_of_a_job_is_replaced_by_that_of_the_header(
    tmp_path: Path, opened: Opener, name: str, value: Any
) -> None:
    block, lines = _journal_of_a_block(opened(tmp_path / "shares.jsonl"))
    lines[-1]["job_fields"][name] = value
    path = tmp_path / "damaged.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    [recovered] = opened(path).recovered
    of_header = {"version": block.version, "ntime": block.ntime, "version_mask": 0}
    is_valid = type(value) is int and 0 <= value < 1 << 32
    assert getattr(recovered.share.job, name) == (value if is_valid else of_header[name])


def test_a_block_is_recovered_from_a_record_of_before_jobs_had_bodies(tmp_path: Path, opened: Opener) -> None:
    block, lines = _journal_of_a_block(opened(tmp_path / "shares.jsonl"))
    body = lines[-1]["job_fields"].pop("body")
    lines[-1]["job_fields"] |= {
        "session": 1, "coinbase_prefix": body["prefix"], "coinbase_suffix": body["suffix"],
        "merkle_branch": body["branch"], "extranonce1": body["extranonce1"],
        "extranonce2_size": body["extranonce2_size"],
    }  # fmt: skip
    path = tmp_path / "older.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    [recovered] = opened(path).recovered
    assert recovered.share == replace(block, job=recovered.share.job, worker_name="worker")
    assert recovered.share.job.body == JOB.body
    assert recovered.resumable == Resumable("s1", b"\xa1\xb2", 4)


def test_a_block_of_a_bare_root_cannot_be_handed_back(tmp_path: Path, opened: Opener) -> None:
    it = opened(tmp_path / "shares.jsonl")
    job = replace(JOB, body=HeaderBody(bytes(32)))
    [block] = shares(1, job)
    it.submitted(block, TO)
    path = as_after_a_crash(it)
    [_, record] = records(path)
    assert record["job_fields"]["body"] == {"kind": "header", "merkle_root": "00" * 32}
    again = opened(path)
    assert (again.recovered, again.counts.lost) == ((), 1)


@pytest.mark.parametrize(
    "line",
    [
        b'{"event":"settled","id":1180591620717411303424,"time":1,"fate":"lost"}\n',
        b'{"event":"settled","id":1,"time":1,"fate":"accepted"}\n',  # once more
        b'{"event":"found","id":1,"time":1,"block":true}\n',  # once more
        b'{"event":"totals","time":1,"accepted":-5,"rejected":0,"stale":0,"lost":0,"blocks":0,"next_id":9}\n',
        b'{"event":"totals","time":1,"accepted":9223372036854775807,"rejected":0,"stale":0,"lost":0,"blocks":0,'
        b'"next_id":9}\n',
        b'{"event":"found","id":9007199254740992,"time":1}\n',
        b'{"event":"found","id":0,"time":1}\n', b'{"event":"found","job_fields":' + b"[" * 100_000 + b"\n",
        b"\0" * 4096 + b"\n", b"x" * (5 << 20) + b"\n", b"\xef\xbb\xbf\n", b"\n",
    ],
)  # fmt: skip
def test_a_line_that_is_no_record_costs_nothing_else(tmp_path: Path, opened: Opener, line: bytes) -> None:
    _, lines = _journal_of_a_block(opened(tmp_path / "shares.jsonl"))
    path = tmp_path / "damaged.jsonl"
    whole = [json.dumps(item).encode() + b"\n" for item in lines]
    path.write_bytes(b"".join([*whole[:3], line, *whole[3:]]))
    again = opened(path)
    assert (again.counts, again.damaged, len(again.recovered)) == (ShareCounts(accepted=1), 1, 1)
    assert again.recovered[0].id == 2


def test_a_number_that_was_changed_costs_no_other_share(tmp_path: Path, opened: Opener) -> None:
    it = opened(tmp_path / "shares.jsonl")
    for share in shares(9):
        it.submitted(share, TO)
        it.resolved(outcome(share))
    content = as_after_a_crash(it).read_bytes()
    path = tmp_path / "damaged.jsonl"
    path.write_bytes(content.replace(b'"found","id":2,', b'"found","id":800,'))
    again = opened(path)
    assert (again.counts, again.damaged) == (ShareCounts(accepted=8), 1)
    assert [record.share.header for record in again.recovered] == [shares(2)[1].header]


def test_a_file_that_lost_its_beginning_goes_on_from_the_one_before(tmp_path: Path, opened: Opener) -> None:
    path = tmp_path / "shares.jsonl"
    it = opened(path, max_bytes=4000)
    for share in shares(30):
        it.submitted(share, TO)
        it.resolved(outcome(share))
        assert it.flush()
    it.close()
    it.submitted(shares(1)[0], TO)
    before = read(path.with_name("shares.jsonl.1")).counts.accepted
    content = path.read_bytes()
    for lost, expected in ((content, before), (content[:40], 30), (content[:1], 30)):
        path.write_bytes(content.removeprefix(lost) if lost != content[:40] else b"\0" * 40 + content[40:])
        again = opened(path)
        assert again.counts.accepted == expected
        again.close()
        assert read(path).counts.accepted == expected
    path.unlink()
    again = opened(path)
    assert again.counts.accepted == before
    for share in shares(3):
        again.submitted(share, TO)
        assert again.flush()
    assert events(path) == ["totals", "opened", *["found"] * 3]


@settings(max_examples=40)
@given(st.lists(st.sampled_from(list(ShareOutcome)), max_size=12), st.integers(0, 4000), st.binary(max_size=40))
def test_any_cut_and_any_garbage_can_be_read(fates: list[ShareOutcome], cut: int, garbage: bytes) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "shares.jsonl"
        it = Journal(path, wall_clock=CLOCK)
        for share, fate in zip(shares(len(fates) or 1), fates, strict=False):
            it.submitted(share, TO)
            it.resolved(outcome(share, fate))
        it.close()
        content = path.read_bytes()[: cut or None]
        path.write_bytes(content + garbage)
        if not read(path).records and path.stat().st_size and (garbage or b"\n" in content):
            return  # nothing of a journal is left: test_a_file_of_another_kind_is_left_alone
        again = Journal(path, wall_clock=CLOCK)
        whole = sum(b'"settled"' in line for line in content.split(b"\n")[:-1])
        last = b'"settled"' in content.rpartition(b"\n")[2]
        opened_ = sum(b'"found"' in line for line in content.split(b"\n"))
        assert whole <= again.counts.total + len(again.recovered) <= opened_ + last
        again.close()
        final = read(path)
        assert final.counts == again.counts


# ---- files ------------------------------------------------------------------------------------------------------


def test_a_file_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=r"share journal '.*nowhere.*': No such file or directory"):
        Journal(tmp_path / "nowhere" / "shares.jsonl")
    with pytest.raises(JournalError, match="Is a directory"):
        Journal(tmp_path)


def test_a_pipe_is_refused_whether_anybody_reads_it_or_not(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(JournalError, match="expected a file"):
        Journal(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(JournalError, match="expected a file, got a pipe"):
        Journal(path)
    os.close(reader)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_device_is_neither_locked_nor_exchanged(opened: Opener, logged: Events) -> None:
    it, _ = opened(Path("/dev/null"), max_bytes=10), opened(Path("/dev/null"))
    for share in shares(3):
        it.submitted(share, TO)
    assert it.flush()
    assert (it.problem, Path("/dev/null").is_char_device()) == ("", True)
    full = opened(Path("/dev/full"))
    full.submitted(shares(1)[0], TO)
    full.close()
    assert [event["event"] for event in logged] == ["journal_failed", "journal_incomplete"]
