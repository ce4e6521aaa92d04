"""``--log-file``: every event as a JSON line, in a file that is rotated. A full disk costs lines, not mining."""

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

import msgspec

from stratum_miner.cli.exit_codes import UsageError

MAX_BYTES = 10 * 1024 * 1024
KEPT = 5
"""Older files: FILE.1 to FILE.5."""


class LogFile:
    """Writes through the standard library's rotating handler."""

    def __init__(self, path: Path, *, max_bytes: int = MAX_BYTES, kept: int = KEPT) -> None:
        try:
            self._handler = _Handler(path, maxBytes=max_bytes, backupCount=kept, encoding="utf-8")
        except OSError as error:
            raise UsageError(f"--log-file: cannot write {str(path)!r}: {error.strerror}") from None

    @property
    def failures(self) -> int:
        """Lines that could not be written."""
        return self._handler.failures

    def write(self, event: dict[str, Any]) -> None:
        """One line."""
        line = msgspec.json.encode(event, enc_hook=str).decode()
        self._handler.handle(logging.LogRecord("", logging.INFO, "", 0, line, None, None))

    def close(self) -> None:
        """Nothing is written any more."""
        self._handler.close()


class _Handler(RotatingFileHandler):
    """Counts what it cannot write instead of printing tracebacks to a terminal that shows something else."""

    failures = 0

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  the library's name
        self.failures += 1
