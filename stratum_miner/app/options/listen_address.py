"""Parses the address at which a command accepts connections, listens there, and reports errors."""

import contextlib
import re
from collections.abc import Iterator

import trio

from stratum_miner.app.process.exit_codes import CommandFailed, UsageError
from stratum_miner.client.dialing.url import HOST_FORM, is_host
from stratum_miner.exception_groups import leading_cause
from stratum_miner.network.accepting import ListenerError


def parse_listen(text: str, option: str = "--listen") -> tuple[str, int]:
    """Return the host and the port in ``text``: ``HOST:PORT``, ``:PORT`` or ``PORT``. Without a host, the host is
    127.0.0.1.

    An IPv6 host must be in brackets. Raises UsageError for any other form; the error names ``option``.
    """
    match = re.fullmatch(r"(?:(\[[0-9a-fA-F:.%]+\]|[^\s:\[\]]*):)?(\d{1,5})", text)
    if match is None or int(match[2]) > 65535:
        raise UsageError(f"{option}: expected HOST:PORT, as in 127.0.0.1:3333, got {text!r}")
    host = (match[1] or "127.0.0.1").strip("[]")
    if not is_host(host):
        raise UsageError(f"{option}: expected a host name of {HOST_FORM}, got {host!r}")
    return host, int(match[2])


async def open_listeners(host: str, port: int) -> list[trio.SocketListener]:
    """Return TCP listeners at an address. Raises CommandFailed if the address cannot be opened."""
    try:
        return await trio.open_tcp_listeners(port, host=host)
    except OSError as error:
        raise CommandFailed(
            f"cannot listen on {host}:{port}: {error.strerror or error}; choose another address or port"
        ) from None


def listening(listeners: list[trio.SocketListener]) -> str:
    """Return the URLs with which miners can connect to the listeners, separated by spaces."""
    names = [each.socket.getsockname() for each in listeners]
    return " ".join(f"stratum+tcp://{f'[{name[0]}]' if ':' in name[0] else name[0]}:{name[1]}" for name in names)


@contextlib.contextmanager
def failing_with_listeners() -> Iterator[None]:
    """Raise CommandFailed if a listener fails inside the ``with`` block, because miners can then no longer connect."""
    try:
        yield
    except* ListenerError as errors:
        raise CommandFailed(str(leading_cause(errors, ListenerError))) from None
