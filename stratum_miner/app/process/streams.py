"""Keeps a command running if a standard stream is closed or the disk that it is written to is full.

This module is imported before everything else, so it must load quickly.
"""

import errno
import os
import sys
from typing import Any, TextIO, cast

_PASSING = (errno.ENOSPC, errno.EDQUOT, errno.EIO)
"""Numbers of the errors after which the program continues: the disk is full, or the terminal was closed.

A closed terminal also causes SIGHUP, which stops the program. EPIPE is not in this list: users close a pipe to stop the
program.
"""


class LossyStream:
    """A text stream that drops a line it cannot write (disk full, terminal gone) instead of raising OSError."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.failures = 0
        """Number of writes and flushes that failed."""

    def write(self, text: str) -> int:
        """Write a text. If this fails with an error in ``_PASSING``, drop the text and count a failure."""
        try:
            return self._stream.write(text)
        except OSError as error:
            self._count_failure(error)
            return len(text)

    def flush(self) -> None:
        """Flush the stream. If this fails with an error in ``_PASSING``, count a failure."""
        try:
            self._stream.flush()
        except OSError as error:
            self._count_failure(error)

    def _count_failure(self, error: OSError) -> None:
        if error.errno not in _PASSING:
            raise error
        self.failures += 1

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def prepare() -> None:
    """Open each standard stream that is closed, so that no socket gets its file descriptor. Make stderr a
    LossyStream."""
    for number, mode in ((0, "r"), (1, "w"), (2, "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free descriptor, which is that of the closed stream
            stream = open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115  open until the process exits
            setattr(sys, ("stdin", "stdout", "stderr")[number], stream)
    sys.stderr = cast(TextIO, LossyStream(sys.stderr))


def finish() -> None:
    """If writing to stderr has failed, redirect stderr to /dev/null. The interpreter flushes stderr when it exits, and
    this must not fail."""
    if isinstance(sys.stderr, LossyStream) and sys.stderr.failures:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
