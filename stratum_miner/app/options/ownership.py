"""Checks that a pool belongs to the user. Commands that put load on a pool or disturb it accept only a pool on this
computer, or one that the user declares to be their own."""

import ipaddress
import socket
from typing import Annotated, TypeAlias

from cyclopts import Parameter

from stratum_miner.app.process.exit_codes import CommandFailed, ExitCode, UsageError
from stratum_miner.client import PoolUrl

OwnThisPool: TypeAlias = Annotated[
    bool,
    Parameter(
        name="--i-own-this-pool",
        help="Confirm that the pool is yours. The command requires this for a pool on another computer.",
        negative=(),
        show_default=False,
    ),
]


def check(host: str, owned: bool, why: str) -> None:
    """Check that a command may put load on the pool at ``host`` or disturb this pool. The command may do so if ``host``
    is this computer, or if ``owned`` says that the user owns the pool.

    Raises UsageError for another host; ``why`` is the reason in this error. Raises CommandFailed for a host name that
    has no IP address.
    """
    if owned:
        return
    try:
        loopback = is_loopback(host)
    except (OSError, UnicodeError) as error:  # a host name whose label has more than 63 characters raises UnicodeError
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise CommandFailed(f"{host}: {reason}", ExitCode.POOL_UNREACHABLE) from None
    if not loopback:
        raise UsageError(f"{host} is not this computer: {why}. If the pool is yours, add --i-own-this-pool")


def check_other(url: PoolUrl, host: str, port: int, option: str) -> None:
    """Raise UsageError if ``url``, the URL of a pool, leads to ``host:port``, the address at which this command will
    listen.

    The command would otherwise connect to itself: each connection would make it open another one, without end.
    """
    if url.port != port:
        return
    try:
        of_pool, own = _addresses(url.host), _addresses(host)
    except (OSError, UnicodeError):
        return  # a host name that cannot be resolved is reported later, by connecting or listening
    everywhere = any(address.is_unspecified for address in own)
    if of_pool & own or (everywhere and any(address.is_loopback or address.is_unspecified for address in of_pool)):
        raise UsageError(
            f"{option}: expected the URL of another program, got {url}, the address at which this command listens"
        )


def is_loopback(host: str) -> bool:
    """Return whether all addresses of a host name are loopback addresses. Raises OSError if the name has no address."""
    return all(address.is_loopback for address in _addresses(host))


def _addresses(host: str) -> set[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    found = {str(item[4][0]) for item in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    return {ipaddress.ip_address(address.partition("%")[0]) for address in found}
