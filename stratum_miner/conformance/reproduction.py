"""Commands for a shell that send the requests of a check again, with printf and nc, or openssl for a pool with TLS.

The requests may quote the pool, for example a session id, and a shell must not take a byte of them for anything but
itself. All bytes that have a meaning between single quotes, or for printf, are therefore written as octal numbers.
"""

import math
import shlex
import string
from urllib.parse import urlsplit

from stratum_miner.conformance.verify import Result

LONGEST = 4000
"""Maximum number of bytes that a command sends."""
MAX_COMMANDS = 3
"""Maximum number of commands for one check. If the check used more connections, the commands are for the last ones."""
LEAST_SECONDS, MOST_SECONDS = 3, 130
"""A command waits for replies a little longer than the check did, within these limits."""
_PLAIN = frozenset(string.printable.encode()) - frozenset(b"'\\%!\t\n\r\x0b\x0c")
"""Bytes that mean themselves between single quotes and in a format of printf, in every common shell. The exclamation
mark is missing, because csh replaces it even between single quotes."""


def commands(pool: str, result: Result) -> list[str]:
    """Return a command for each connection of the check on which it sent something else. ``pool`` is the pool's URL.

    The list is empty if ``result.sent`` is empty or longer than ``LONGEST`` bytes, or if ``pool`` is no URL.
    """
    connect = _connect(pool)
    if connect is None or not result.sent or max(map(len, result.sent)) > LONGEST:
        return []
    seconds = min(max(LEAST_SECONDS, math.ceil(result.seconds) + 1), MOST_SECONDS)
    different = list(dict.fromkeys(result.sent))[-MAX_COMMANDS:]
    return [f"(printf '{_escaped(each)}'; sleep {seconds}) | {connect}" for each in different]


def _escaped(data: bytes) -> str:
    """Return bytes as a format of printf that can stand between single quotes."""
    return "".join(chr(byte) if byte in _PLAIN else "\\n" if byte == 10 else f"\\{byte:03o}" for byte in data)


def _connect(pool: str) -> str | None:
    """Return the command that connects its input and output with the pool. Return None if ``pool`` is no URL."""
    try:
        url = urlsplit(pool)
        host, port = url.hostname, url.port
    except ValueError:
        return None
    if url.scheme not in ("stratum+tcp", "stratum+ssl") or not host or port is None:
        return None
    if url.scheme == "stratum+tcp":
        return f"nc {shlex.quote(host)} {port}"
    return f"openssl s_client -quiet -connect {shlex.quote(f'[{host}]:{port}' if ':' in host else f'{host}:{port}')}"
