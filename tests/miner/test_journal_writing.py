"""When records of a share journal are written and synced: nothing waits for the disk."""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stratum_miner.client.reconnecting import Destination
from stratum_miner.miner import ShareCounts, journal
from stratum_miner.miner.journal import Journal, JournalError, read
from stratum_miner.miner.journal_file import JournalFile
from stratum_miner.work.share_result import ShareOutcome
from tests.miner.journals import (
    TO,
    WAIT_S,
    Events,
    FullDisk,
    Opener,
    events,
    outcome,
    records,
    shares,
)


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
