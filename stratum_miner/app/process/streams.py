"""Standard streams that are missing or full: mining is not to end because nobody can read what it says.

Loads quickly: it comes before everything else.
"""

import errno
import os
import sys
from typing import Any, TextIO, cast

_PASSING = (errno.ENOSPC, errno.EDQUOT, errno.EIO)
"""No space, which may come back; a terminal that went away, which SIGHUP tells us of. A pipe without a reader is not
among them: who closes it wants us to end."""


class Forgiving:
    """A stream for people whose lines are lost, no more, while they cannot be written."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.failures = 0

    def write(self, text: str) -> int:
        """Write, or lose it."""
        try:
            return self._stream.write(text)
        except OSError as error:
            self._lose(error)
            return len(text)

    def flush(self) -> None:
        """Flush, or lose it."""
        try:
            self._stream.flush()
        except OSError as error:
            self._lose(error)

    def _lose(self, error: OSError) -> None:
        if error.errno not in _PASSING:
            raise error
        self.failures += 1

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def prepare() -> None:
    """Open what is closed, so that no socket takes its number, and forgive a stderr that is full."""
    for number, mode in ((0, "r"), (1, "w"), (2, "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
            stream = open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115  as long as the process
            setattr(sys, ("stdin", "stdout", "stderr")[number], stream)
    sys.stderr = cast(TextIO, Forgiving(sys.stderr))


def finish() -> None:
    """Keep the interpreter from failing once more at what could not be written."""
    if isinstance(sys.stderr, Forgiving) and sys.stderr.failures:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
