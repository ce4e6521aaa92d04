"""Parses the coinbase transaction of a pool's job. The transaction must have exactly one input, a null input. It must
not have a witness, and no bytes may follow it."""

from dataclasses import dataclass

from stratum_miner.bitcoin.coinbase import COMMITMENT_PREFIX, TxOut
from stratum_miner.bitcoin.transaction import Transaction, TransactionError
from stratum_miner.conformance.outcome import Skip
from stratum_miner.work.job import CoinbaseBody, Job


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
        return [output.script for output in self.outputs if output.script.startswith(COMMITMENT_PREFIX)]

    @classmethod
    def parse(cls, data: bytes) -> "Coinbase":
        """Parse a serialized transaction. Raises CoinbaseError if it is not a coinbase transaction, or has a
        witness."""
        if data[4:6] == b"\x00\x01":
            raise CoinbaseError("is serialized with witness (marker 00 01), so its hash is not the txid")
        try:
            parsed = Transaction.parse(data)
        except TransactionError as error:
            raise CoinbaseError(str(error)) from None
        if len(parsed.inputs) != 1:
            raise CoinbaseError(f"has {len(parsed.inputs)} inputs, expected one")
        if not parsed.is_coinbase:
            raise CoinbaseError("has an input that is not null")
        if parsed.size != len(data):
            raise CoinbaseError(f"is followed by {len(data) - parsed.size} more bytes")
        (null,) = parsed.inputs
        return cls(
            parsed.version, null.script, null.script_start, null.sequence, parsed.outputs, parsed.lock_time, len(data)
        )
