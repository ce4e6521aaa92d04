"""The file of a share journal: appended to, synced, and continued in a new file when it is large.

All of it takes as long as the disk does; ``journal`` calls it from threads of its own.

What a crash of the program leaves, whatever system call it strikes at: the records of every ``append`` that returned.
A large ``FILE`` becomes ``FILE.1`` in this order: write the totals and the open shares to ``FILE.new``; rename the
older files, the oldest first; rename ``FILE`` to ``FILE.1``; rename ``FILE.new`` to ``FILE``. If the program ends
before the last step, ``FILE`` is missing and the next run continues with what ``FILE.1`` adds up to (see ``read``).
A power failure may also leave a ``FILE`` without content, which the same rule covers. It costs what was not synced.
"""

import errno
import fcntl
import os
import stat
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from stratum_miner.foreign_text import escape_json
from stratum_miner.miner.journal_records import (
    BEGINNINGS,
    MAX_LINE,
    MAX_OLDER_FILES,
    JournalError,
    JournalRecord,
    Reading,
    older_file,
    read,
)

MAX_BYTES = 64 << 20
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
_NOT_SYNCED = (errno.EINVAL, errno.ENOTSUP)
"""What fsync answers where there is nothing to sync: a device, or a directory of some network file systems."""


class JournalFile:
    """Open for appending, and locked: one process at a time. JournalError says why it cannot be opened."""

    def __init__(self, path: Path, *, max_bytes: int = MAX_BYTES) -> None:
        self.path = path
        self._max_bytes = max_bytes
        self._file, self._is_regular = _opened(path)
        try:
            self.before = _checked(path) if self._is_regular else Reading()
        except JournalError:
            os.close(self._file)
            raise
        self.account = self.before.account.copy()
        """What the records in the file add up to."""
        self._size = self.before.whole_bytes
        self._torn = self._is_regular
        """Whether something that is no whole record may follow ``_size``."""
        self._unended = self.before.unended
        self._continues = self.before.continued
        self._lock = threading.Lock()
        """Guards ``_old``, and each change of ``_file``, because ``sync`` runs in another thread."""
        self._old: list[int] = []
        """Descriptors to be synced and closed."""
        self._sync_directory()

    def append(self, records: Sequence[JournalRecord], now: float) -> None:
        """Write all of these, or none and raise JournalError. ``now`` is Unix time."""
        if self._is_regular and not _is_still_at(self.path, os.fstat(self._file)):
            self._begin_again()
        if self._torn:
            self._cut_off()
        written = [*self.account.totals(now), *records] if self._continues else records
        data = b"\n" * self._unended + b"".join(map(_line, written))
        try:
            self._write(self._file, data)
        except JournalError:
            self._torn = self._is_regular
            with suppress(JournalError):  # it is tried again before the next record
                self._cut_off()
            raise
        for record in records:
            self.account.take(record)
        self._size += len(data)
        self._unended = self._continues = False

    @property
    def is_large(self) -> bool:
        """Whether it is time for a new file."""
        return self._is_regular and self._size > self._max_bytes

    def rotate(self, now: float) -> None:
        """Continue in a new file. After a JournalError ``append`` goes on, in the present file or in a new one."""
        data = b"".join(map(_line, self.account.totals(now)))
        new = self.path.with_name(f"{self.path.name}.new")
        descriptor: int = self._guard(os.open, new, _FLAGS | os.O_TRUNC, 0o600)
        try:
            _lock(descriptor, self.path)
            self._write(descriptor, data)
            for newer, older in self._renames():
                self._guard(os.replace, newer, older)
            self._guard(os.replace, new, self.path)
        except JournalError:
            os.close(descriptor)
            with suppress(OSError):
                os.unlink(new)
            raise
        with self._lock:
            self._old.append(self._file)
            self._file = descriptor
        self._size = len(data)
        self._sync_directory()

    def sync(self) -> None:
        """Have the disk keep everything that was appended, and the names of the files. From any one thread."""
        with self._lock:
            old, self._old = self._old, []
            current = self._file
        failure: OSError | None = None
        for descriptor in (*old, current):
            try:
                os.fsync(descriptor)
            except OSError as error:
                failure = failure if error.errno in _NOT_SYNCED else error
        for descriptor in old:
            os.close(descriptor)
        if failure is not None:
            raise JournalError(self.path, failure.strerror)

    def close(self) -> None:
        """Give the file back. Nothing can be written or synced afterwards."""
        for descriptor in (*self._old, self._file):
            os.close(descriptor)
        self._old = []

    def _begin_again(self) -> None:
        """The file was removed, or has another name by now: go on in a new one, as if it were full."""
        file, is_regular = _opened(self.path, is_ours=True)
        if not is_regular or os.fstat(file).st_size:
            os.close(file)
            raise JournalError(self.path, "another file took its place")
        with self._lock:
            self._old.append(self._file)
            self._file = file
        self._size, self._torn, self._unended, self._continues = 0, False, False, True
        self._sync_directory()

    def _cut_off(self) -> None:
        self._guard(os.ftruncate, self._file, self._size)
        self._torn = False

    def _write(self, descriptor: int, data: bytes) -> None:
        done = 0
        while done < len(data):
            done += self._guard(os.write, descriptor, memoryview(data)[done:])

    def _renames(self) -> list[tuple[Path, Path]]:
        """The older files up to the first missing number, the oldest first; then the present one, if it is there."""
        names = [self.path]
        while names[-1].exists() and len(names) <= MAX_OLDER_FILES:
            names.append(older_file(self.path, len(names)))
        return [*reversed([*pairwise(names)])]

    def _sync_directory(self) -> None:
        """Have the next ``sync`` keep the names of the files, too."""
        with suppress(OSError):  # a directory that we may not read cannot be synced
            descriptor = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            with self._lock:
                self._old.append(descriptor)

    def _guard(self, call: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return call(*arguments)
        except OSError as error:
            raise JournalError(self.path, error.strerror) from None


def _opened(path: Path, *, is_ours: bool = False) -> tuple[int, bool]:
    """A descriptor, and whether it is a regular file, which is locked then. JournalError.

    ``is_ours``: we have the lock of the file that was there before.
    """
    while True:
        try:
            file = os.open(path, _FLAGS | os.O_NONBLOCK, 0o600)  # without it a pipe holds us until somebody reads it
        except OSError as error:
            raise JournalError(path, error.strerror if error.errno != errno.ENXIO else "expected a file") from None
        status = os.fstat(file)
        os.set_blocking(file, True)
        if stat.S_ISCHR(status.st_mode):  # such as /dev/null; several miners may write to it
            return file, False
        try:
            if not stat.S_ISREG(status.st_mode):
                raise JournalError(path, "expected a file, got a pipe or a socket")
            _lock(file, path)
            if not status.st_size and not is_ours:
                _check_rotation(path)
            if _is_still_at(path, status):
                return file, True
        except JournalError:
            os.close(file)
            raise
        os.close(file)  # the miner that had the lock gave the file another name meanwhile


def _lock(file: int, path: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        reason = "another miner writes it. Give each miner a --journal file of its own"
        raise JournalError(path, reason) from None
    except OSError:  # a file system without locks
        pass


def _check_rotation(path: Path) -> None:
    """JournalError while another miner is between renaming ``FILE`` and renaming ``FILE.new``."""
    try:
        older = os.open(older_file(path, 1), os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return
    try:
        _lock(older, path)
    finally:
        os.close(older)


def _is_still_at(path: Path, status: os.stat_result) -> bool:
    try:
        return os.path.samestat(path.stat(), status)
    except OSError:
        return False


def _checked(path: Path) -> Reading:
    """The journal read back; JournalError for a file of another kind, which is left as it is."""
    reading = read(path)
    if reading.damaged and not reading.records and not reading.continued:
        # A first run that died while it wrote its first line left a part of it
        with path.open("rb") as file:
            first = file.readline(MAX_LINE)
        if first.endswith(b"\n") or not any(first.startswith(begin[: len(first)]) for begin in BEGINNINGS):
            raise JournalError(path, "expected a share journal, got another kind of file")
    return reading


def _line(record: JournalRecord) -> bytes:
    return escape_json(msgspec.json.encode(record).decode()).encode() + b"\n"
