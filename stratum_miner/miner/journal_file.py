"""Writes the file of a share journal: appends records, syncs them to the disk, and replaces a large file by a new one.

All methods wait for the disk, so ``journal`` calls them in its own threads.

If the program crashes at any system call, the file keeps the records of each ``append`` that has returned. After a
power failure, records that were not synced may be missing.

When the file (here ``FILE``) is large, it becomes ``FILE.1``, and a new ``FILE`` begins, in these steps:

1. Write the totals and the open shares to ``FILE.new``.
2. Rename the older files, the oldest first: ``FILE.1`` becomes ``FILE.2``, for example.
3. Rename ``FILE`` to ``FILE.1``.
4. Rename ``FILE.new`` to ``FILE``.

If the program ends between steps 3 and 4, ``FILE`` is missing, and the next run continues with the totals of ``FILE.1``
(see ``read``). It does the same if a power failure has left an empty ``FILE``.
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
"""Size in bytes from which the journal continues in a new file."""
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND
_NOT_SYNCED = (errno.EINVAL, errno.ENOTSUP)
"""Errors with which fsync reports that a file of this kind cannot be synced: a device, or a directory on some network
file systems."""


class JournalFile:
    """The file of a share journal, open for appending and locked, so that only one process uses it.

    ``max_bytes``: size from which ``is_large`` is true.
    Raises JournalError if the file cannot be opened, is not a share journal, or is in use.
    """

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
        """The totals and the open shares of the records in the file."""
        self._size = self.before.whole_bytes
        self._torn = self._is_regular
        """Whether an incomplete record may follow the first ``_size`` bytes of the file."""
        self._unended = self.before.unended
        self._continues = self.before.continued
        self._lock = threading.Lock()
        """Guards ``_old``, and each change of ``_file``, because ``sync`` runs in another thread."""
        self._old: list[int] = []
        """File descriptors that the next ``sync`` syncs and closes."""
        self._sync_directory()

    def append(self, records: Sequence[JournalRecord], now: float) -> None:
        """Write these records. Raises JournalError if one of them cannot be written. In this case, all of them count as
        not written.

        ``now``: Unix time in seconds.
        """
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
            with suppress(JournalError):  # the next ``append`` tries again to remove the incomplete record
                self._cut_off()
            raise
        for record in records:
            self.account.take(record)
        self._size += len(data)
        self._unended = self._continues = False

    @property
    def is_large(self) -> bool:
        """Whether the file is so large that the journal should continue in a new one."""
        return self._is_regular and self._size > self._max_bytes

    def rotate(self, now: float) -> None:
        """Continue in a new file. ``now``: Unix time in seconds.

        Raises JournalError if that fails; ``append`` still works then, in the present file or in a new one.
        """
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
        """Sync all appended records and the names of the files to the disk. Any thread may call it, but only one at a
        time.

        Raises JournalError if that fails.
        """
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
        """Close the file. Nothing can be written or synced afterwards."""
        for descriptor in (*self._old, self._file):
            os.close(descriptor)
        self._old = []

    def _begin_again(self) -> None:
        """Continue in a new file, because another program has removed or renamed the present one."""
        file, is_regular = _opened(self.path, is_ours=True)
        if not is_regular or os.fstat(file).st_size:
            os.close(file)
            raise JournalError(self.path, "another program replaced it by another file. Move that file away")
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
        """Return the renames that free the name of the journal (``FILE``), in order. Each rename is a pair: the present
        and the new path.

        The oldest file is renamed first, and ``FILE`` last. If a number is missing, for example ``FILE.2``, that name
        is free, so files with higher numbers keep their names."""
        names = [self.path]
        while names[-1].exists() and len(names) <= MAX_OLDER_FILES:
            names.append(older_file(self.path, len(names)))
        return [*reversed([*pairwise(names)])]

    def _sync_directory(self) -> None:
        """Let the next ``sync`` also sync the directory, which contains the names of the files."""
        with suppress(OSError):  # without the permission to read a directory, it cannot be synced
            descriptor = os.open(self.path.parent, os.O_RDONLY)
            with self._lock:
                self._old.append(descriptor)

    def _guard(self, call: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return call(*arguments)
        except OSError as error:
            raise JournalError(self.path, error.strerror) from None


def _opened(path: Path, *, is_ours: bool = False) -> tuple[int, bool]:
    """Open a file for appending. If it is a regular file, lock it. Return its descriptor, and whether it is a regular
    file.

    ``is_ours``: whether this process had opened and locked the journal at this path before another program removed or
    renamed the file. If not, an empty file may mean that another miner is just rotating its journal at this path. The
    function checks this (see ``_check_rotation``).

    Raises JournalError if the file cannot be opened, or is in use.
    """
    while True:
        try:
            file = os.open(path, _FLAGS | os.O_NONBLOCK, 0o600)  # O_NONBLOCK: do not wait for the reader of a pipe
        except OSError as error:
            is_pipe = error.errno == errno.ENXIO
            raise JournalError(path, "expected a file, got a pipe or a socket" if is_pipe else error.strerror) from None
        status = os.fstat(file)
        os.set_blocking(file, True)
        if stat.S_ISCHR(status.st_mode):  # a device such as /dev/null: several miners may write to it
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
        os.close(file)  # another miner has renamed this file since it was opened: open the path again


def examine(path: Path) -> None:
    """Raise JournalError if no share journal can be kept in the file at ``path`` now, because it is a file of another
    kind, or because another miner uses it. The file is not changed. Raises OSError if the file cannot be opened."""
    file = os.open(path, os.O_NONBLOCK)
    try:
        if stat.S_ISREG(os.fstat(file).st_mode):
            _lock(file, path)
            _checked(path)
    finally:
        os.close(file)


def _lock(file: int, path: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        reason = "another running miner uses this file. Give each miner a --journal file of its own"
        raise JournalError(path, reason) from None
    except OSError:  # this file system has no locks
        pass


def _check_rotation(path: Path) -> None:
    """Raise JournalError if another miner is rotating this journal. During a rotation, the miner has the file
    ``path``.1 locked."""
    try:
        older = os.open(older_file(path, 1), os.O_WRONLY | os.O_NONBLOCK)
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
    """Read the journal. Raises JournalError if it is a file of another kind. The file is not changed."""
    reading = read(path)
    if reading.damaged and not reading.records and not reading.continued:
        # If the first run crashed while it wrote the first line, the file holds only the beginning of this line. Such a
        # file is accepted.
        with path.open("rb") as file:
            first = file.readline(MAX_LINE)
        if first.endswith(b"\n") or not any(first.startswith(begin[: len(first)]) for begin in BEGINNINGS):
            raise JournalError(path, "expected a share journal, got another kind of file")
    return reading


def _line(record: JournalRecord) -> bytes:
    return escape_json(msgspec.json.encode(record).decode()).encode() + b"\n"
