"""Finds the program that listens on a TCP port of this computer. A program of another user is found only as root."""

from contextlib import suppress

import psutil

from stratum_miner.foreign_text import sanitize


def holder_of_port(address: str) -> str | None:
    """Return a text that names the program listening on ``address`` (HOST:PORT), such as "stratum-miner (process 812)".
    Return None if no program is found."""
    port = address.rpartition(":")[2]
    with suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and str(connection.laddr.port) == port and connection.pid:
                return f"{_name(connection.pid)} (process {connection.pid})"
    return None


def _name(pid: int) -> str:
    """Return the name of the program of a process. stratum-miner is recognised by its first arguments."""
    with suppress(psutil.Error, OSError):
        process = psutil.Process(pid)
        arguments = " ".join(" ".join(process.cmdline()).split()[:3])
        if "stratum-miner" in arguments or "stratum_miner" in arguments:
            return "stratum-miner"
        return sanitize(process.name()) or "a program"
    return "a program"
