"""Finds the program that listens on a TCP port of this computer. A program of another user is found only as root."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePath

import psutil

from stratum_miner.foreign_text import sanitize

_PROGRAM, _PACKAGE = "stratum-miner", "stratum_miner"
_OPTIONS_WITH_VALUE = frozenset({"-W", "-X"})
"""Options of Python that are followed by a value in an argument of its own."""


@dataclass(frozen=True, slots=True)
class PortHolder:
    """A process that listens on a port."""

    name: str
    pid: int
    is_stratum_miner: bool

    def __str__(self) -> str:
        return f"{self.name} (process {self.pid})"


def holder_of_port(address: str) -> PortHolder | None:
    """Return the process that listens on ``address`` (HOST:PORT). Return None if no process is found."""
    port = address.rpartition(":")[2]
    with suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and str(connection.laddr.port) == port and connection.pid:
                return _holder(connection.pid)
    return None


def _holder(pid: int) -> PortHolder:
    with suppress(psutil.Error, OSError):
        process = psutil.Process(pid)
        if is_stratum_miner(process.cmdline()):
            return PortHolder(_PROGRAM, pid, is_stratum_miner=True)
        return PortHolder(sanitize(process.name()) or "a program", pid, is_stratum_miner=False)
    return PortHolder("a program", pid, is_stratum_miner=False)


def is_stratum_miner(command: Sequence[str]) -> bool:
    """Return whether a command line runs this program. The names of directories in it do not count.

    The program is a script that Python runs, or the module ``stratum_miner`` or a part of it. It may also have replaced
    its command line by a text that begins with its name, in order to hide a password.
    """
    first, *rest = (command[0].split() if len(command) == 1 else command) or [""]
    if PurePath(first).name == _PROGRAM:
        return True
    words = iter(rest)
    for word in words:
        if word == "-m":
            return next(words, "").partition(".")[0] == _PACKAGE
        if word in _OPTIONS_WITH_VALUE:
            next(words, "")
        elif not word.startswith("-"):
            return PurePath(word).name == _PROGRAM
        elif word == "-c":
            return False
    return False
