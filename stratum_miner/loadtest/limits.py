"""Limits of the operating system that many connections reach: open files and source ports."""

import errno
import os
import socket
import sys

from stratum_miner.network import files

SPARE_FILES = 64
"""Number of open files that the process needs besides the connections of the miners, for example for its standard
streams."""
PORTS_OF_ADDRESS = 25_000
"""Maximum number of connections from one source address to one port. Linux has 28,232 ephemeral ports by default."""
IP_BIND_ADDRESS_NO_PORT = 24
"""Linux socket option: choose the source port at connect(), not at bind(). Python 3.11's socket module has no name for
it. On other systems the number means another option."""


class LoadError(Exception):
    """A run cannot begin, or cannot be carried out as planned. The message is one line and says why."""


class NoPoolError(LoadError):
    """The pool cannot be reached. The message is one line and says why."""


def raise_file_limit(connections: int) -> None:
    """Allow this process to open ``connections`` sockets and some other files.

    Raises LoadError if the operating system does not permit so many open files.
    """
    needed = connections + SPARE_FILES
    allowed = files.allow(needed)
    if 0 <= allowed < needed:
        raise LoadError(
            f"{connections} miners need {needed} open files and this process may have {allowed}. Raise the hard limit "
            "(ulimit -Hn, LimitNOFILE= of a systemd service, --ulimit nofile of a container), or use fewer --miners"
        )


def source_address(target: str, number: int, total: int) -> str | None:
    """Return the loopback address from which miner ``number`` of ``total`` connects; None to let the system choose one.

    An address is returned only if the pool is on 127.0.0.0/8 and one address has too few ports for all miners.
    """
    if total <= PORTS_OF_ADDRESS or not target.startswith("127."):
        return None
    return f"127.0.0.{1 + number // PORTS_OF_ADDRESS}"


def choose_port_late(sock: socket.socket) -> None:
    """Make connect(), and not bind(), choose the source port of a socket that is bound to an address without a port.
    Unlike bind(), connect() can choose a port that other connections already use. Do nothing on a system other than
    Linux."""
    if sys.platform == "linux":
        sock.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)


def connect_error(code: int) -> str:
    """Return why a connection could not be made, from an error number of the operating system."""
    if code == errno.EADDRNOTAVAIL:
        return "no free source port: too many connections to one pool from this address"
    if code in (errno.EMFILE, errno.ENFILE):
        return "this computer allows no more open files"
    return os.strerror(code)
