"""What the system grants a process that wants ten thousand connections: open files and source ports."""

import errno
import os

from stratum_miner.network import files

SPARE_FILES = 64
"""Beside the connections: standard streams, libraries, the loop's own."""
PORTS_OF_ADDRESS = 25_000
"""Connections from one source address to one port; Linux has 28 232 ephemeral ports by default."""
IP_BIND_ADDRESS_NO_PORT = 24
"""Linux: let connect choose the port, when it knows the other side; not in the socket module of Python 3.11."""


class LoadError(Exception):
    """The run cannot be what was asked for; one line says why."""


def raise_file_limit(connections: int) -> None:
    """Allow this process as many open files as it needs. LoadError when the system does not."""
    needed = connections + SPARE_FILES
    allowed = files.allow(needed)
    if 0 <= allowed < needed:
        raise LoadError(
            f"{connections} miners need {needed} open files and this process may have {allowed}: raise the hard limit "
            "(ulimit -Hn, LimitNOFILE= of a service, --ulimit nofile of a container) or ask for fewer miners"
        )


def source_address(target: str, number: int, total: int) -> str | None:
    """The loopback address that miner ``number`` connects from, when one address has too few ports for all."""
    if total <= PORTS_OF_ADDRESS or not target.startswith("127."):
        return None
    return f"127.0.0.{1 + number // PORTS_OF_ADDRESS}"


def connect_error(code: int) -> str:
    """Why a connection could not be made, with what to do where it is this machine's fault."""
    if code == errno.EADDRNOTAVAIL:
        return "no free source port: too many connections to one pool from this address"
    if code in (errno.EMFILE, errno.ENFILE):
        return "no free file descriptor on this machine"
    return os.strerror(code)
