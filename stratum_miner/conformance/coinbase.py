"""Parses the coinbase transaction of a pool's job. The transaction must have exactly one input, a null input. It must
not have a witness, and no bytes may follow it."""

from dataclasses import dataclass

from stratum_miner.bitcoin.coinbase import TxOut
from stratum_miner.conformance.outcome import Skip
from stratum_miner.work.job import CoinbaseBody, Job

_NULL_INPUT = bytes(32) + b"\xff\xff\xff\xff"
_COMMITMENT = bytes.fromhex("6a24aa21a9ed")


class CoinbaseError(ValueError):
    """The bytes are not a coinbase transaction. The message says what is wrong, as the end of a sentence that begins
    with "the coinbase"."""


def body_of(job: Job) -> CoinbaseBody:
    """Return the coinbase parts and the merkle branch of a job. Raises Skip if the job has only a merkle root."""
    match job.body:
        case CoinbaseBody() as body:
            return body
    raise Skip("the pool sends a merkle root instead of a coinbase")


@dataclass(frozen=True, slots=True)
class Coinbase:
    """A parsed coinbase transaction. ``script`` is its input script, which begins at the byte ``script_start``;
    ``size`` is the number of bytes of the transaction."""

    version: int
    script: bytes
    script_start: int
    sequence: int
    outputs: tuple[TxOut, ...]
    lock_time: int
    size: int

    @property
    def commitments(self) -> list[bytes]:
        """All output scripts with the prefix of a witness commitment (BIP 141). If there are several, the last one is
        the commitment."""
        return [output.script for output in self.outputs if output.script.startswith(_COMMITMENT)]

    @classmethod
    def parse(cls, data: bytes) -> "Coinbase":
        """Parse a serialized transaction. Raises CoinbaseError if it is not a coinbase transaction, or has a
        witness."""
        reader = _Reader(data)
        version = reader.number(4, "version")
        if data[4:6] == b"\x00\x01":
            raise CoinbaseError("is serialized with witness (marker 00 01), so its hash is not the txid")
        inputs = reader.count("input count")
        if inputs != 1:
            raise CoinbaseError(f"has {inputs} inputs, expected one")
        if reader.take(36, "input") != _NULL_INPUT:
            raise CoinbaseError("has an input that is not null")
        length = reader.count("script length")
        script_start = reader.offset
        script = reader.take(length, "script")
        sequence = reader.number(4, "sequence")
        outputs = tuple(_output(reader) for _ in range(reader.count("output count")))
        lock_time = reader.number(4, "lock time")
        if reader.offset != len(data):
            raise CoinbaseError(f"is followed by {len(data) - reader.offset} more bytes")
        return cls(version, script, script_start, sequence, outputs, lock_time, len(data))


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.offset = 0

    def take(self, size: int, what: str) -> bytes:
        piece = self.data[self.offset : self.offset + size]
        if len(piece) != size:
            raise CoinbaseError(f"ends inside its {what}")
        self.offset += size
        return piece

    def number(self, size: int, what: str) -> int:
        return int.from_bytes(self.take(size, what), "little")

    def count(self, what: str) -> int:
        first = self.number(1, what)
        return first if first < 0xFD else self.number(1 << (first - 0xFC), what)


def _output(reader: _Reader) -> TxOut:
    value = reader.number(8, "output")
    return TxOut(value, reader.take(reader.count("output"), "output script"))
