"""The file of a share journal: the process is killed at each system call, or each one fails."""

import errno
import fcntl
import itertools
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from stratum_miner.miner.journal_file import JournalFile, examine
from stratum_miner.miner.journal_records import (
    JournalError,
    JournalRecord,
    ResolvedShare,
    SubmittedShare,
    older_file,
    read,
)

CALLS = ("open", "write", "ftruncate", "replace", "fsync", "close", "unlink", "fstat")
SHARES = 5


def found(number: int, *, block: bool = False) -> SubmittedShare:
    return SubmittedShare(id=number, time=float(number), header=f"{number:0160x}", block=block)


def accepted(number: int) -> ResolvedShare:
    return ResolvedShare(id=number, time=float(number), fate="accepted")


@contextmanager
def each_call(act: Callable[[int], None]) -> Iterator[None]:
    """Call ``act`` with a number before each system call of the code under test."""
    calls = itertools.count(1)

    def wrapped(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            act(next(calls))
            return real(*arguments, **options)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in CALLS:
            patch.setattr(os, name, wrapped(getattr(os, name)))
        patch.setattr(fcntl, "flock", wrapped(fcntl.flock))
        yield


class FailingCall:
    """Fails one system call."""

    def __init__(self, number: int) -> None:
        self.failed = False
        self._number = number

    def __call__(self, at: int) -> None:
        if at == self._number:
            self.failed = True
            raise OSError(5, "Input/output error")


def write_all(path: Path, told: Callable[[str], None]) -> None:
    """A run with ``SHARES`` shares and an open block that continues in a new file many times."""
    file = JournalFile(path, max_bytes=300)
    first = file.account.next_id
    file.append([found(first, block=True)], 1.0)
    told("block")
    for number in range(first + 1, first + SHARES):
        for record in (found(number), accepted(number)):
            records: list[JournalRecord] = [record]
            file.append(records, 1.0)
            told(type(record).__name__)
            if file.is_large:
                file.rotate(1.0)
        file.sync()
    file.close()


def kill_at_each_call(directory: Path) -> None:
    """Fork a child for each system call, which is killed there. It notes the records that were written in a file."""
    earlier = directory / "earlier"
    earlier.mkdir()
    write_all(earlier / "shares.jsonl", lambda what: None)  # there are older files to rename, and an open block
    for number in itertools.count(1):
        home = directory / f"{number:04}"
        shutil.copytree(earlier, home)
        child = os.fork()
        if not child:
            _run_until_killed(home, number)
            os._exit(0)
        if os.waitpid(child, 0)[1] == 0:
            return


def _run_until_killed(home: Path, number: int) -> None:
    told, write = os.open(home / "told", os.O_WRONLY | os.O_CREAT | os.O_APPEND), os.write

    def tell(what: str) -> None:
        write(told, what[:1].encode())

    def die(at: int) -> None:
        if at == number:
            os.kill(os.getpid(), signal.SIGKILL)

    with each_call(die):
        write_all(home / "shares.jsonl", tell)


def test_a_kill_at_any_system_call_costs_nothing_that_was_written(tmp_path: Path) -> None:
    subprocess.run([sys.executable, __file__, str(tmp_path)], check=True, timeout=300)
    before = read(tmp_path / "earlier" / "shares.jsonl").counts.accepted
    homes = sorted(tmp_path.glob("0*"))
    assert len(homes) > 100
    for home in homes:
        told = (home / "told").read_text()
        file = JournalFile(home / "shares.jsonl")
        account = file.account
        resolved = before + told.count("R")
        assert account.counts.accepted in (resolved, resolved + 1), home
        assert account.counts.total == account.counts.accepted
        opened = 1 + told.count("b") + told.count("S") - told.count("R")  # the block of the earlier run, too
        assert len(account.open) in (opened, opened + 1, opened - 1), home
        blocks = [record for record in account.open.values() if record.block]
        assert len({record.id for record in blocks}) == len(blocks) in (1 + told.count("b"), 2)
        assert file.before.damaged == 0
        assert account.next_id == SHARES + 1 + len(account.open) - 1 + account.counts.accepted - before
        file.append([], 2.0)
        file.close()
        again = read(home / "shares.jsonl")
        assert (again.counts, again.open.keys()) == (account.counts, account.open.keys()), home


def test_whatever_call_fails_the_next_append_writes_what_is_missing(tmp_path: Path) -> None:
    earlier = tmp_path / "earlier"
    earlier.mkdir()
    write_all(earlier / "shares.jsonl", lambda what: None)
    for number in range(1, 18):
        path = tmp_path / str(number) / "shares.jsonl"
        shutil.copytree(earlier, path.parent)
        file = JournalFile(path, max_bytes=300)
        before, failing = file.account.copy(), FailingCall(number)
        missing: list[JournalRecord] = [found(before.next_id), accepted(before.next_id), found(before.next_id + 1)]
        with each_call(failing), suppress(JournalError, OSError):
            file.append(missing, 1.0)
            missing = []
            file.rotate(1.0)
            file.sync()
        assert failing.failed
        file.append(missing, 1.0)
        reading = read(path)
        assert (reading.counts.accepted, reading.damaged) == (before.counts.accepted + 1, 0), number
        assert sorted(reading.open) == [*sorted(before.open), before.next_id + 1], number


def test_a_line_that_was_half_written_is_cut_off_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "shares.jsonl"
    file = JournalFile(path)
    file.append([found(1)], 1.0)
    content, write, left = path.read_bytes(), os.write, [20]

    def full(descriptor: int, data: bytes) -> int:
        if not left:
            raise OSError(28, "No space left on device")
        return write(descriptor, data[: left.pop()])

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(JournalError, match="No space left on device"):
        file.append([accepted(1)], 1.0)
    assert path.read_bytes() == content
    file.close()


def test_the_directory_is_synced_when_a_file_is_new_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[bool] = []
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(os.path.samestat(os.fstat(file), tmp_path.stat())))
    file = JournalFile(tmp_path / "shares.jsonl", max_bytes=10)
    file.append([found(1)], 1.0)
    file.sync()
    assert sorted(synced) == [False, True]
    synced.clear()
    file.rotate(1.0)
    file.sync()
    assert sorted(synced) == [False, False, True]  # the old file, the new one, their directory
    synced.clear()
    file.sync()
    assert synced == [False]
    file.close()


def test_a_file_that_somebody_removes_begins_again_with_the_totals(tmp_path: Path) -> None:
    path = tmp_path / "shares.jsonl"
    file = JournalFile(path)
    file.append([found(1), accepted(1), found(2)], 1.0)
    path.rename(tmp_path / "shares.jsonl.1")
    file.append([accepted(2)], 1.0)
    assert (read(path).counts.accepted, read(path).open) == (2, {})
    path.unlink()
    path.write_text("notes of mine")
    with pytest.raises(JournalError, match="replaced it by another file"):
        file.append([found(3)], 1.0)
    assert path.read_text() == "notes of mine"
    path.unlink()
    file.append([found(3)], 1.0)
    assert (read(path).counts.accepted, [*read(path).open]) == (2, [3])
    file.close()


def open_files(folder: Path) -> int:
    """Number of files in a folder, and below, that this process has open. The folder itself counts, too."""
    count = 0
    for number in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # the descriptor that lists them
            count += os.readlink(f"/proc/self/fd/{number}").startswith(str(folder))
    return count


LISTED = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="this system does not list open files")


def test_what_was_half_written_after_a_removal_is_cut_off_from_the_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "shares.jsonl"
    file = JournalFile(path)
    file.append([found(1)], 1.0)
    path.unlink()
    write, left = os.write, [5]

    def full(descriptor: int, data: bytes) -> int:
        if not left:
            raise OSError(28, "No space left on device")
        return write(descriptor, data[: left.pop()])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(JournalError, match="No space left on device"):
            file.append([found(2)], 1.0)
    assert path.read_bytes() == b""
    file.append([found(2)], 1.0)
    assert [*read(path).open] == [1, 2]
    file.close()


@LISTED
def test_no_file_stays_open_after_a_failure_or_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert open_files(tmp_path) == 0
    notes, path = tmp_path / "notes", tmp_path / "shares.jsonl"
    notes.write_text("notes of mine")
    for wrong in (notes, tmp_path):
        with pytest.raises(JournalError):
            JournalFile(wrong)
        assert open_files(tmp_path) == 0
    file = JournalFile(path, max_bytes=10)
    file.append([found(1)], 1.0)
    assert os.get_blocking(file._file)
    with pytest.raises(JournalError, match="another running miner uses this file"):
        JournalFile(path)
    file.sync()
    running = open_files(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", lambda *names: (_ for _ in ()).throw(OSError(13, "Permission denied")))
        with pytest.raises(JournalError, match="Permission denied"):
            file.rotate(1.0)
    assert (open_files(tmp_path), (tmp_path / "shares.jsonl.new").exists()) == (running, False)
    path.unlink()
    path.write_text("notes of mine")
    with pytest.raises(JournalError, match="replaced it by another file"):
        file.append([found(2)], 1.0)
    assert open_files(tmp_path) == running
    path.unlink()
    file.append([found(2)], 1.0)
    file.rotate(1.0)
    file.sync()
    assert open_files(tmp_path) == running
    file.append([found(3)], 1.0)
    file.rotate(1.0)  # the old file and the directory are closed at the end, without a sync
    file.close()
    assert open_files(tmp_path) == 0


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP])
def test_a_file_that_cannot_be_synced_by_its_kind_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    file = JournalFile(tmp_path / "shares.jsonl")
    monkeypatch.setattr(os, "fsync", lambda descriptor: (_ for _ in ()).throw(OSError(number, "no")))
    file.sync()
    monkeypatch.setattr(os, "fsync", lambda descriptor: (_ for _ in ()).throw(OSError(errno.EIO, "broken")))
    with pytest.raises(JournalError, match="broken"):
        file.sync()
    file.close()


def test_a_failure_to_sync_an_earlier_file_is_told_though_the_newest_was_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = JournalFile(tmp_path / "shares.jsonl")
    failures = [OSError(errno.EIO, "broken")]

    def sync(descriptor: int) -> None:
        if failures:
            raise failures.pop()

    monkeypatch.setattr(os, "fsync", sync)
    with pytest.raises(JournalError, match="broken"):
        file.sync()
    file.close()


def test_a_file_is_large_beyond_its_limit(tmp_path: Path) -> None:
    path = tmp_path / "shares.jsonl"
    file = JournalFile(path)
    file.append([found(1)], 1.0)
    file.close()
    size = path.stat().st_size
    for limit, is_large in ((size - 1, True), (size, False)):
        file = JournalFile(path, max_bytes=limit)
        assert file.is_large is is_large
        file.close()


def test_without_a_limit_of_its_own_a_file_is_large_beyond_64_mib(tmp_path: Path) -> None:
    file = JournalFile(tmp_path / "shares.jsonl")
    for size, is_large in ((67_108_864, False), (67_108_865, True)):
        file._size = size  # a real file of this size would take long to read
        assert file.is_large is is_large
    file.close()


def test_a_gap_between_older_files_is_filled_and_the_sixth_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "shares.jsonl"
    for number in (1, 3):
        older_file(path, number).write_text(f"was {number}")
    file = JournalFile(path)
    file.append([found(1)], 1.0)
    file.rotate(1.0)
    assert older_file(path, 2).read_text() == "was 1"
    assert older_file(path, 3).read_text() == "was 3", "it needs not move"
    for _ in range(5):
        file.rotate(1.0)
    assert sorted(item.name for item in tmp_path.iterdir()) == [
        "shares.jsonl", *(f"shares.jsonl.{number}" for number in range(1, 6))
    ]  # fmt: skip
    file.close()


@LISTED
def test_a_file_is_examined_without_a_change(tmp_path: Path) -> None:
    path = tmp_path / "shares.jsonl"
    with pytest.raises(FileNotFoundError):
        examine(path)
    file = JournalFile(path)
    file.append([found(1)], 1.0)
    with pytest.raises(JournalError, match="another running miner uses this file"):
        examine(path)
    file.close()
    content = path.read_bytes()
    examine(path)
    examine(Path("/dev/null"))
    assert path.read_bytes() == content
    path.write_text("notes of mine\n")
    with pytest.raises(JournalError, match="expected a share journal, got another kind of file"):
        examine(path)
    assert path.read_text() == "notes of mine\n"
    assert open_files(tmp_path) == 0


def test_each_file_whose_beginning_is_damaged_continues_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "shares.jsonl"
    for number in range(1, 7):
        older_file(path, number).write_bytes(b'damaged\n{"event":"found","id":%d,"time":1}\n' % number)
    path.touch()
    reading = read(path)
    assert ([*reading.open], reading.continued) == ([5, 4, 3, 2, 1], True), "there are five older files"
    path.write_bytes(b'damaged\n{"event":"found","id":9,"time":1}\n')
    reading = read(path)
    assert ([*reading.open], reading.continued) == ([5, 4, 3, 2, 1, 9], True)
    assert (reading.records, reading.damaged) == (1, 1), "of this file alone"


if __name__ == "__main__":
    kill_at_each_call(Path(sys.argv[1]))
