"""Whose pool it is: what burdens or breaks one is done to this machine's own, or to one that the user calls theirs."""

import ipaddress
import socket

from stratum_miner.cli.exit_codes import CommandFailed, ExitCode, UsageError


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


def is_loopback(host: str) -> bool:
    """Whether every address that the name stands for is this machine's loopback. OSError when it has none."""
    addresses = {str(item[4][0]) for item in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    return all(ipaddress.ip_address(address.partition("%")[0]).is_loopback for address in addresses)
