"""Checks that a pool belongs to the user. Commands that load or disturb a pool accept a pool on this computer, or any
pool that the user declares as their own.
"""

import ipaddress
import socket
from typing import Annotated, TypeAlias

from cyclopts import Parameter

from stratum_miner.app.process.exit_codes import CommandFailed, ExitCode, UsageError
from stratum_miner.client import PoolUrl

OwnThisPool: TypeAlias = Annotated[
    bool,
    Parameter(name="--i-own-this-pool", help="Needed when it is not on this machine.", negative=(), show_default=False),
]


def check(host: str, owned: bool, why: str) -> None:
    """UsageError for a host that is not this machine and not said to be the user's own; ``why`` it matters ends it.

    CommandFailed for a name that stands for nothing.
    """
    if owned:
        return
    try:
        loopback = is_loopback(host)
    except (OSError, UnicodeError) as error:  # UnicodeError: a label of more than 63 characters
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise CommandFailed(f"{host}: {reason}", ExitCode.POOL_UNREACHABLE) from None
    if not loopback:
        raise UsageError(f"{host} is not this machine: {why}; --i-own-this-pool says that it is yours")


def check_other(url: PoolUrl, host: str, port: int, option: str) -> None:
    """UsageError when a pool is what we are about to listen on: each connection would make another, without end."""
    if url.port != port:
        return
    try:
        theirs, ours = _addresses(url.host), _addresses(host)
    except (OSError, UnicodeError):
        return  # what cannot be resolved is said when it is connected to, or listened on
    everywhere = any(address.is_unspecified for address in ours)
    if theirs & ours or (everywhere and any(address.is_loopback or address.is_unspecified for address in theirs)):
        raise UsageError(f"{option}: expected another pool than what listens here, got {url}")


def is_loopback(host: str) -> bool:
    """Whether every address that the name stands for is this machine's loopback. OSError when it has none."""
    return all(address.is_loopback for address in _addresses(host))


def _addresses(host: str) -> set[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    found = {str(item[4][0]) for item in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    return {ipaddress.ip_address(address.partition("%")[0]) for address in found}
