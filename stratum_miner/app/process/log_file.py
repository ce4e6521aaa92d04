"""``--log-file``: every event as a JSON line, in a file that is rotated. A full disk costs lines and nothing else."""

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
"""Older files: FILE.1 to FILE.5."""


class LogFile:
    """A rotated log file; any thread may write. Raises UsageError if it cannot be opened; a full disk raises none."""

    def __init__(self, path: Path, *, max_bytes: int = MAX_BYTES, kept: int = KEPT) -> None:
        self.path = path
        self.failures = 0
        """Lines that could not be written."""
        self.problem = ""
        """Why the last line could not be written; empty when it was."""
        self._max_bytes, self._kept = max_bytes, kept
        self._lock = threading.Lock()
        self._file = -1
        output_files.check_writable(path, "--log-file")
        try:
            self._open()
        except OSError as error:
            raise UsageError(f"--log-file: cannot write {str(path)!r}: {error.strerror}") from None

    def write(self, event: dict[str, Any]) -> None:
        """Write one line."""
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
        """Nothing is written any more."""
        with self._lock, suppress(OSError):  # some network file systems tell only now what they could not keep
            os.close(self._file)
        self._file = -1  # a thread that still logs must not write to whoever gets the number next

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
                os.ftruncate(self._file, self._size)  # no half lines
            raise
        self._size += done

    def _rotate(self) -> None:
        names = [self.path, *(self.path.with_name(f"{self.path.name}.{number + 1}") for number in range(self._kept))]
        if self.path.exists():  # else the last try renamed it, and could not open the next one
            for newer, older in reversed([*pairwise(names)]):
                if newer.exists():
                    os.replace(newer, older)
        before = self._file
        self._open()
        os.close(before)
