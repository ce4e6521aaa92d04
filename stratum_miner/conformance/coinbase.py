"""Reading a pool's coinbase: one transaction without witness, exactly one null input, no byte left over."""

from dataclasses import dataclass

from stratum_miner.bitcoin.coinbase import TxOut
from stratum_miner.conformance.outcome import Skip
from stratum_miner.work.job import CoinbaseBody, Job

_NULL_INPUT = bytes(32) + b"\xff\xff\xff\xff"
_COMMITMENT = bytes.fromhex("6a24aa21a9ed")


class CoinbaseError(ValueError):
    """It is no coinbase transaction; the message says where it stops being one."""


def body_of(job: Job) -> CoinbaseBody:
    """The coinbase of a job and the way to its merkle root. Skip where the pool shows none."""
    match job.body:
        case CoinbaseBody() as body:
            return body
    raise Skip("the pool shows a merkle root and no coinbase")


@dataclass(frozen=True, slots=True)
class Coinbase:
    """A coinbase, taken apart. ``script_start`` is the offset of the script in the transaction."""

    version: int
    script: bytes
    script_start: int
    sequence: int
    outputs: tuple[TxOut, ...]
    lock_time: int
    size: int

    @property
    def commitments(self) -> list[bytes]:
        """Scripts that look like a witness commitment (BIP 141); the last one counts."""
        return [output.script for output in self.outputs if output.script.startswith(_COMMITMENT)]

    @classmethod
    def parse(cls, data: bytes) -> "Coinbase":
        """Take it apart. CoinbaseError when it is anything else."""
        reader = _Reader(data)
        version = reader.number(4, "version")
        if data[4:6] == b"\x00\x01":
            raise CoinbaseError("serialized with witness (marker 00 01): its hash is not the txid")
        inputs = reader.count("input count")
        if inputs != 1:
            raise CoinbaseError(f"expected one input, got {inputs}")
        if reader.take(36, "input") != _NULL_INPUT:
            raise CoinbaseError("its input is not null")
        length = reader.count("script length")
        script_start = reader.offset
        script = reader.take(length, "script")
        sequence = reader.number(4, "sequence")
        outputs = tuple(_output(reader) for _ in range(reader.count("output count")))
        lock_time = reader.number(4, "lock time")
        if reader.offset != len(data):
            raise CoinbaseError(f"{len(data) - reader.offset} bytes follow the transaction")
        return cls(version, script, script_start, sequence, outputs, lock_time, len(data))


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.offset = 0

    def take(self, size: int, what: str) -> bytes:
        piece = self.data[self.offset : self.offset + size]
        if len(piece) != size:
            raise CoinbaseError(f"it ends inside its {what}")
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
