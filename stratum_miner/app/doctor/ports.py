"""Finds the program that listens on a TCP port of this computer. A program of another user is found only as root."""

import ipaddress
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePath

import psutil

from stratum_miner.foreign_text import sanitize

NAME = "stratum-miner"
MINERS = frozenset({"mine", "solo", "demo"})
"""Commands of this program that run a miner."""
_WITH_VALUE = ("-X", "-W", "--check-hash-based-pycs")
"""Options of Python after which a value follows."""


@dataclass(frozen=True, slots=True)
class Process:
    """A running program. If the process runs stratum-miner, ``command`` is the command, such as "mine"; otherwise it is
    empty."""

    pid: int
    name: str
    command: str = ""

    @property
    def is_miner(self) -> bool:
        """Whether the process is a miner of this program."""
        return self.name == NAME and (self.command or "mine") in MINERS

    def __str__(self) -> str:
        return f"{f'{self.name} {self.command}'.strip()} (process {self.pid})"


def holder_of_port(address: str) -> Process | None:
    """Return the program that already listens at ``address`` (an IP address and a port), so that this process cannot
    listen there. Return None if no program is found."""
    host, _, port = address.rpartition(":")
    with suppress(psutil.Error, OSError, ValueError):
        wanted = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host.strip("[]"))
        for connection in psutil.net_connections("tcp"):
            if connection.status != psutil.CONN_LISTEN or str(connection.laddr.port) != port or not connection.pid:
                continue
            if _overlap(wanted, ipaddress.ip_address(connection.laddr.ip.partition("%")[0])):
                return process(connection.pid)
    return None


def process(pid: int) -> Process:
    """Return what is known about a process."""
    with suppress(psutil.Error, OSError):
        running = psutil.Process(pid)
        with suppress(psutil.Error, OSError):
            command = command_of(running.cmdline())
            if command is not None:
                return Process(pid, NAME, command)
        return Process(pid, sanitize(running.name()) or "a program")
    return Process(pid, "a program")


def command_of(arguments: Sequence[str]) -> str | None:
    """Return the command of stratum-miner, such as "mine", that a process with these arguments runs. Return None if the
    process runs another program, and an empty text if stratum-miner runs without a command.

    Only the file name of the program counts, not its directory: ``python /home/me/stratum_miner/web.py`` is another
    program.
    """
    words = list(arguments)
    if len(words) == 1:
        words = words[0].split()  # a stratum-miner that hides a password replaces its arguments by one text
    if not words:
        return None
    first = PurePath(words.pop(0)).name
    if first.startswith(("python", "pypy")):
        first = _script(words)
    if first not in (NAME, "stratum_miner"):
        return None
    return next((sanitize(word, 40) for word in words[:1] if not word.startswith("-")), "")


def _script(words: list[str]) -> str:
    """Remove the options and the script or module from the arguments of Python. Return the name of the script or
    module, or an empty text for ``-c`` and for a file ``NAME.py``, because neither can be stratum-miner."""
    while words:
        word = words.pop(0)
        if word == "-m":
            return words.pop(0).partition(".")[0] if words else ""
        if word in _WITH_VALUE:
            del words[:1]
        elif word.startswith("-c"):
            return ""
        elif not word.startswith("-"):
            path = PurePath(word)
            return path.parent.name if path.name == "__main__.py" else path.name if path.suffix != ".py" else ""
    return ""


def _overlap(
    wanted: ipaddress.IPv4Address | ipaddress.IPv6Address, taken: ipaddress.IPv4Address | ipaddress.IPv6Address
) -> bool:
    """Return whether it is impossible to listen at both addresses with the same port."""
    wanted, taken = (getattr(each, "ipv4_mapped", None) or each for each in (wanted, taken))
    if wanted == taken:
        return True
    if wanted.version == taken.version:
        return wanted.is_unspecified or taken.is_unspecified
    return taken.is_unspecified and taken.version == 6  # a listener at [::] usually takes IPv4 connections, too
