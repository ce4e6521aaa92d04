"""The address at which miners connect, and the errors when nobody can listen there."""

import contextlib
import re
from collections.abc import Iterator

import trio

from stratum_miner.app.process.exit_codes import CommandFailed, UsageError
from stratum_miner.client.dialing.url import HOST_FORM, is_host
from stratum_miner.exception_groups import leading_cause
from stratum_miner.network.accepting import ListenerError


def parse_listen(text: str, option: str = "--listen") -> tuple[str, int]:
    """HOST:PORT, :PORT or PORT; an IPv6 host in brackets. UsageError otherwise."""
    match = re.fullmatch(r"(?:(\[[0-9a-fA-F:.%]+\]|[^\s:\[\]]*):)?(\d{1,5})", text)
    if match is None or int(match[2]) > 65535:
        raise UsageError(f"{option}: expected HOST:PORT, as in 127.0.0.1:3333, got {text!r}")
    host = (match[1] or "127.0.0.1").strip("[]")
    if not is_host(host):
        raise UsageError(f"{option}: expected a host name of {HOST_FORM}, got {host!r}")
    return host, int(match[2])


async def open_listeners(host: str, port: int) -> list[trio.SocketListener]:
    """TCP listeners. CommandFailed when the address cannot be had."""
    try:
        return await trio.open_tcp_listeners(port, host=host)
    except OSError as error:
        raise CommandFailed(f"cannot listen on {host}:{port}: {error.strerror or error}") from None


def listening(listeners: list[trio.SocketListener]) -> str:
    """The URLs at which listeners accept miners."""
    names = [each.socket.getsockname() for each in listeners]
    return " ".join(f"stratum+tcp://{f'[{name[0]}]' if ':' in name[0] else name[0]}:{name[1]}" for name in names)


@contextlib.contextmanager
def telling_of_listeners() -> Iterator[None]:
    """CommandFailed when nobody can connect any more."""
    try:
        yield
    except* ListenerError as errors:
        raise CommandFailed(str(leading_cause(errors, ListenerError))) from None
