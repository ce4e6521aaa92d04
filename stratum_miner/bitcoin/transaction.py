"""Parses serialized transactions, with and without witness (BIP 144)."""

from dataclasses import dataclass
from typing import Final

from stratum_miner.bitcoin.coinbase import TxOut
from stratum_miner.bitcoin.sha256d import sha256d

NULL_OUTPUT: Final = bytes(32) + b"\xff\xff\xff\xff"
"""The previous output that the input of a coinbase names: none."""
_SMALLEST: Final = {2: 0xFD, 4: 1 << 16, 8: 1 << 32}
"""For each number of bytes after the first byte of a count, the smallest count that needs so many bytes."""


class TransactionError(ValueError):
    """The bytes are not a transaction. The message says what is wrong, as the end of a sentence that begins with "the
    transaction"."""


@dataclass(frozen=True, slots=True)
class TxIn:
    """An input of a transaction."""

    previous_output: bytes
    """The output that the input spends, as 36 bytes: the txid in internal byte order, and the number of the output."""
    script: bytes
    script_start: int
    """Index of the first byte of ``script`` in the parsed bytes."""
    sequence: int


@dataclass(frozen=True, slots=True)
class Transaction:
    """A parsed transaction."""

    version: int
    inputs: tuple[TxIn, ...]
    outputs: tuple[TxOut, ...]
    witnesses: tuple[tuple[bytes, ...], ...]
    """The witness of each input; empty if the transaction is serialized without witness."""
    lock_time: int
    size: int
    """Number of bytes of the serialized transaction."""
    stripped: bytes
    """The serialized transaction without witness."""

    @property
    def txid(self) -> bytes:
        """The hash without the witness, 32 bytes in internal byte order."""
        return sha256d(self.stripped)

    @property
    def is_coinbase(self) -> bool:
        """Whether the transaction has one input, and this input spends no output."""
        return [each.previous_output for each in self.inputs] == [NULL_OUTPUT]

    @classmethod
    def parse(cls, data: bytes, start: int = 0) -> "Transaction":
        """Parse the transaction that begins at index ``start``. Other bytes may follow it.

        Raises TransactionError if there is no complete transaction.
        """
        reader = _Reader(data, start)
        version = reader.number(4, "version")
        has_witness = data[reader.offset : reader.offset + 2] == b"\x00\x01"
        body = reader.offset = reader.offset + 2 * has_witness
        inputs = tuple(_input(reader) for _ in range(reader.count("input count")))
        outputs = tuple(_output(reader) for _ in range(reader.count("output count")))
        body_end = reader.offset
        witnesses = tuple(_witness(reader) for _ in inputs) if has_witness else ()
        if has_witness and not any(witnesses):
            raise TransactionError("is serialized with witness, but has none")
        lock_time = reader.number(4, "lock time")
        stripped = data[start : start + 4] + data[body:body_end] + data[reader.offset - 4 : reader.offset]
        return cls(version, inputs, outputs, witnesses, lock_time, reader.offset - start, stripped)


def parse_count(data: bytes, start: int) -> tuple[int, int]:
    """Return the variable-length integer that begins at index ``start``, and the index of the first byte after it.

    Raises TransactionError if the bytes end too early, or if the integer is not in its shortest form.
    """
    reader = _Reader(data, start)
    return reader.count("count"), reader.offset


class _Reader:
    def __init__(self, data: bytes, offset: int) -> None:
        self._data = data
        self.offset = offset

    def take(self, size: int, what: str) -> bytes:
        piece = self._data[self.offset : self.offset + size]
        if len(piece) != size:
            raise TransactionError(f"ends inside its {what}")
        self.offset += size
        return piece

    def number(self, size: int, what: str) -> int:
        return int.from_bytes(self.take(size, what), "little")

    def count(self, what: str) -> int:
        first = self.number(1, what)
        if first < 0xFD:
            return first
        size = 1 << (first - 0xFC)
        value = self.number(size, what)
        if value < _SMALLEST[size]:
            raise TransactionError(f"has a number that is not in its shortest form in its {what}")
        return value


def _input(reader: _Reader) -> TxIn:
    previous_output = reader.take(36, "input")
    length = reader.count("script length")
    script_start = reader.offset
    return TxIn(previous_output, reader.take(length, "script"), script_start, reader.number(4, "sequence"))


def _output(reader: _Reader) -> TxOut:
    value = reader.number(8, "output")
    return TxOut(value, reader.take(reader.count("output"), "output script"))


def _witness(reader: _Reader) -> tuple[bytes, ...]:
    return tuple(reader.take(reader.count("witness"), "witness") for _ in range(reader.count("witness")))
