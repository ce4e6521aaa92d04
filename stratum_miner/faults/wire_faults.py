"""Bad manners on the wire by name: lines in the wrong pieces, and lines that are none.

Pure: lines and a source of chance in, the pieces to send out. To add one, add a function and its row. How a slow reader
reads stands here too, for ``conduct`` and the load test both have one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from stratum_miner.stratum import envelope

OVERSIZED = 1 << 20
"""Bytes of an oversized line: sixteen times what our own pool takes (FRM-15)."""
SLOW_READ_BYTES, SLOW_READ_SECONDS = 1, 1.0
"""A slow reader takes so many bytes each time, and waits so long in between."""
SLOW_RECEIVE_BUFFER = 4096
"""Bytes of socket buffer a slow reader asks for, so that it shows at the pool soon."""

_GARBAGE: tuple[bytes, ...] = (
    b"",
    b"hello",
    b"{",
    b'{"id":1,"method":"mining.submit","params":[',
    b"[]",
    b"null",
    b'"text"',
    b"1e999",
    b'{"id":null}',
    b'{"id":1,"method":7,"params":[]}',
    b'{"id":1,"method":"mining.submit","params":"x"}',
    b'{"id":[[[]]],"method":"mining.nothing","params":null}',
    b"[" * 1000 + b"]" * 1000,
    b'{"id":1,"method":"\xff\xfe","params":[]}',
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"GET / HTTP/1.1\r",
    b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r",
)
"""Lines that are no request: text, halves, JSON of other shapes, too deep, no UTF-8, other protocols
(docs/reference/stratum.md#unusable-lines)."""


@dataclass(frozen=True, slots=True)
class WireFault:
    """One way to misuse a connection.

    ``pieces`` turns whole lines (with their terminators) into what is sent, piece by piece. ``lawful``: the lines are
    still right, so the pool has to answer them all.
    """

    name: str
    summary: str
    pieces: Callable[[Sequence[bytes], Random], list[bytes]]
    lawful: bool


def split(lines: Sequence[bytes], rng: Random) -> list[bytes]:
    """Everything in pieces of one to eight bytes, across line ends."""
    data = b"".join(lines)
    pieces = []
    while data:
        size = rng.randint(1, 8)
        pieces.append(data[:size])
        data = data[size:]
    return pieces


def merged(lines: Sequence[bytes], _rng: Random) -> list[bytes]:
    """All lines in one piece."""
    return [b"".join(lines)]


def oversized(lines: Sequence[bytes], _rng: Random) -> list[bytes]:
    """A request whose line is a megabyte long, then the lines."""
    return [envelope.encode_request(0, "mining.subscribe", ["x" * OVERSIZED]), *lines]


def garbage(lines: Sequence[bytes], rng: Random) -> list[bytes]:
    """A line that is no request before each line."""
    return [piece for line in lines for piece in (garbage_line(rng), line)]


def garbage_line(rng: Random) -> bytes:
    """One line that is no request, with its terminator."""
    if rng.getrandbits(2):
        return rng.choice(_GARBAGE) + b"\n"
    return rng.randbytes(rng.randint(1, 200)).replace(b"\n", b"\x00") + b"\n"


WIRE_FAULTS: Mapping[str, WireFault] = {
    fault.name: fault
    for fault in (
        WireFault("split", "lines in pieces of a few bytes", split, True),
        WireFault("merged", "all lines in one piece", merged, True),
        WireFault("oversized", "a line of a megabyte", oversized, False),
        WireFault("garbage", "lines that are no requests", garbage, False),
    )
}
