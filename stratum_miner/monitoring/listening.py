"""Opens the addresses at which a miner can be watched: those of ``--http``, ``--axeos-api`` and ``--cgminer-api``.

By default, an address must be one that other computers cannot reach. An option permits other addresses; the server then
checks its clients more strictly.
"""

import ipaddress
import socket


class ListenError(Exception):
    """The program cannot listen on the given address. The message says why."""


def listening_socket(address: str, *, network: bool = False, permission: str = "--http-network") -> socket.socket:
    """Return a socket that listens on ``HOST:PORT``. With port 0, the system chooses a free port.

    Raises ListenError if the socket cannot listen there, or if other computers can reach the address and ``network`` is
    false. In the second case, the message names ``permission``, the option that permits such an address.
    """
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise ListenError(f"expected HOST:PORT, as in 127.0.0.1:7780, got {address!r}")
    try:
        numeric = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host.strip("[]"))
    except ValueError:
        raise ListenError(f"expected an IP address of this computer, as in 127.0.0.1:7780, got {address!r}") from None
    if not (numeric.is_loopback or network):
        raise ListenError(
            f"expected a loopback address, got {host}. To let other computers reach the port, add {permission}"
        )
    family = socket.AF_INET6 if numeric.version == 6 else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, True)
        bound.bind((str(numeric), int(port)))
        bound.listen()
    except OSError as error:
        bound.close()
        raise ListenError(f"cannot listen on {address}: {error.strerror}") from None
    return bound


def is_loopback(host: str) -> bool:
    """Return whether only this computer can reach the IP address ``host``."""
    return ipaddress.ip_address(host).is_loopback
