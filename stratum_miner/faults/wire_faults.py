"""Faults in the lines that a miner sends, by name: lines in unusual pieces, and lines that are not requests.

The functions do no input and output: they take lines and a source of random numbers, and return the pieces to send. To
add a fault, add a function, and a row to the table. The module also defines how slowly a miner
with the fault of slow reading reads.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from stratum_miner.stratum import envelope

OVERSIZED = 1 << 20
"""Bytes of an oversized line: sixteen times the longest line that stratum-miner's own pool accepts."""
SLOW_READ_BYTES, SLOW_READ_SECONDS = 1, 1.0
"""Bytes that a slow reader reads at a time, and seconds that it waits before each read."""
SLOW_RECEIVE_BUFFER = 4096
"""Size of the socket receive buffer of a slow reader, in bytes. It is small, so that the pool soon cannot send more."""

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
"""Lines that are not requests: an empty line, text, incomplete or deeply nested JSON, JSON of other forms, invalid
UTF-8, and other protocols (docs/reference/stratum.md#unusable-lines)."""


@dataclass(frozen=True, slots=True)
class WireFault:
    """One way to misuse a connection."""

    name: str
    summary: str
    """What the miner does, as a phrase that continues "the miner ..."."""
    pieces: Callable[[Sequence[bytes], Random], list[bytes]]
    """A function that takes whole lines with their LF, and returns the pieces to send in their place."""
    valid_lines: bool
    """Whether all requests of the miner stay valid, so that the pool must answer every one of them."""


def split(lines: Sequence[bytes], rng: Random) -> list[bytes]:
    """Return the lines in pieces of one to eight bytes. A piece may contain parts of two lines."""
    data = b"".join(lines)
    pieces = []
    while data:
        size = rng.randint(1, 8)
        pieces.append(data[:size])
        data = data[size:]
    return pieces


def merged(lines: Sequence[bytes], _rng: Random) -> list[bytes]:
    """Return all lines in one piece."""
    return [b"".join(lines)]


def oversized(lines: Sequence[bytes], _rng: Random) -> list[bytes]:
    """Return a request that is a little longer than OVERSIZED bytes, followed by the given lines."""
    return [envelope.encode_request(0, "mining.subscribe", ["x" * OVERSIZED]), *lines]


def garbage(lines: Sequence[bytes], rng: Random) -> list[bytes]:
    """Insert a line of garbage, which is not a request, before each line. Return all lines."""
    return [piece for line in lines for piece in (garbage_line(rng), line)]


def garbage_line(rng: Random) -> bytes:
    """Return a line that is not a request, with its LF."""
    if rng.getrandbits(2):
        return rng.choice(_GARBAGE) + b"\n"
    return rng.randbytes(rng.randint(1, 200)).replace(b"\n", b"\x00") + b"\n"


WIRE_FAULTS: Mapping[str, WireFault] = {
    fault.name: fault
    for fault in (
        WireFault("split", "sends lines in pieces of a few bytes", split, True),
        WireFault("merged", "sends all lines in one piece", merged, True),
        WireFault("oversized", "sends a line longer than 1 MiB", oversized, False),
        WireFault("garbage", "sends lines that are not requests", garbage, False),
    )
}
