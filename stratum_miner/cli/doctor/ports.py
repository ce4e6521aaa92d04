"""Who listens at a TCP port of this machine, as far as /proc shows it to us: all to root, else our own processes."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from stratum_miner.foreign_text import sanitize

PROC = Path("/proc")
_LISTENING = "0A"
"""State of a line of /proc/net/tcp: TCP_LISTEN of include/net/tcp_states.h."""


def holder_of_port(address: str, proc: Path = PROC) -> str | None:
    """Such as "stratum-miner (process 812)"; None where nobody listens at HOST:PORT or nothing tells who."""
    port = address.rpartition(":")[2]
    sockets = {f"socket:[{inode}]" for inode in _inodes(int(port), proc)} if port.isdecimal() else set()
    if not sockets:
        return None
    for process in _processes(proc):
        if sockets & set(_descriptors(process)):
            return f"{_name(process)} (process {process.name})"
    return None


def _inodes(port: int, proc: Path) -> Iterator[str]:
    for table in ("net/tcp", "net/tcp6"):
        with suppress(OSError):
            for line in (proc / table).read_text().splitlines()[1:]:
                fields = line.split()
                if len(fields) > 9 and fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                    yield fields[9]


def _processes(proc: Path) -> list[Path]:
    with suppress(OSError):
        return [path for path in proc.iterdir() if path.name.isdecimal()]
    return []


def _descriptors(process: Path) -> Iterator[str]:
    with suppress(OSError):
        for path in (process / "fd").iterdir():
            with suppress(OSError):
                yield os.readlink(path)


def _name(process: Path) -> str:
    """Of the program; an interpreter is named by its first arguments."""
    with suppress(OSError):
        arguments = (process / "cmdline").read_bytes().decode("utf-8", "replace").replace("\0", " ").split()
        if "stratum-miner" in " ".join(arguments[:3]) or "stratum_miner" in " ".join(arguments[:3]):
            return "stratum-miner"
        return sanitize((process / "comm").read_bytes().strip()) or "a program"
    return "a program"
