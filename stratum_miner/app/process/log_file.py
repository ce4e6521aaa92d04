"""The log file of ``--log-file``, which is rotated. Each event is a line of JSON. If the disk is full, lines are lost,
but the program continues."""

import os
import stat
import threading
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from stratum_miner.app.process import output_files
from stratum_miner.app.process.exit_codes import UsageError

MAX_BYTES = 10 * 1024 * 1024
KEPT = 5
"""Number of older log files that are kept by rotation: FILE.1 to FILE.5."""


class LogFile:
    """A log file that is rotated. Any thread may write to it. Raises UsageError if the file cannot be opened.

    Errors after that, such as a full disk, raise nothing. They are counted in ``failures``.
    """

    def __init__(self, path: Path, *, max_bytes: int = MAX_BYTES, kept: int = KEPT) -> None:
        self.path = path
        self.failures = 0
        """Number of lines that could not be written."""
        self.problem = ""
        """Why the last line could not be written; empty if it was written."""
        self._max_bytes, self._kept = max_bytes, kept
        self._lock = threading.Lock()
        self._file = -1
        output_files.check_writable(path, "--log-file")
        try:
            self._open()
        except OSError as error:
            raise UsageError(f"--log-file: cannot write {str(path)!r}: {error.strerror}") from None

    def write(self, event: dict[str, Any]) -> None:
        """Write one event as a line."""
        line = msgspec.json.encode(event, enc_hook=str) + b"\n"
        with self._lock:
            try:
                if self._is_regular and self._size and self._size + len(line) > self._max_bytes:
                    self._rotate()
                self._append(line)
            except OSError as error:
                self.failures += 1
                self.problem = error.strerror or str(error)
            else:
                self.problem = ""

    def close(self) -> None:
        """Close the file. Nothing is written afterwards."""
        with self._lock, suppress(OSError):  # some network file systems report write errors only when a file is closed
            os.close(self._file)
        self._file = -1  # another file may get the same descriptor, and a thread that still logs must not write to it

    def _open(self) -> None:
        self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        status = os.fstat(self._file)
        self._is_regular, self._size = stat.S_ISREG(status.st_mode), status.st_size

    def _append(self, line: bytes) -> None:
        done = 0
        try:
            while done < len(line):
                done += os.write(self._file, line[done:])
        except OSError:
            if done and self._is_regular:
                os.ftruncate(self._file, self._size)  # remove the incomplete line
            raise
        self._size += done

    def _rotate(self) -> None:
        names = [self.path, *(self.path.with_name(f"{self.path.name}.{number + 1}") for number in range(self._kept))]
        if self.path.exists():  # it is missing if the last rotation failed after renaming it
            for newer, older in reversed([*pairwise(names)]):
                if newer.exists():
                    os.replace(newer, older)
        before = self._file
        self._open()
        os.close(before)
