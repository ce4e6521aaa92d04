"""The coinbase transaction, split at the extranonce as Stratum sends it
(docs/reference/stratum.md#coinbase-transaction).

The parts before and after the extranonce are serialized without witness, because the txid is the hash of the coinbase
without witness. A block contains the coinbase with witness (``with_witness``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from stratum_miner.bitcoin.block import compact_size
from stratum_miner.bitcoin.merkle import merkle_root
from stratum_miner.bitcoin.sha256d import sha256d

COIN: Final = 100_000_000
"""Number of satoshis in a bitcoin."""
INITIAL_SUBSIDY: Final = 50 * COIN
MAX_SCRIPT_SIZE: Final = 100
"""Largest size of a coinbase script in bytes. A node rejects a larger one (bad-cb-length)."""
MAX_PUSH: Final = 75
"""Maximum number of bytes that a script can push without OP_PUSHDATA. The opcode of such a push is the number of
bytes."""
MAX_HEIGHT_SIZE: Final = 5
"""Maximum number of bytes of a block height in a script: heights are numbers below 2^39."""
SEQUENCE: Final = 0xFFFFFFFE
"""Sequence number of the input. The number 0xFFFFFFFF would switch the lock time off. Once BIP 54 is in force, it
forbids the number 0xFFFFFFFF, and requires a lock time of height - 1."""
WITNESS_RESERVED: Final = bytes(32)
COMMITMENT_PREFIX: Final = bytes.fromhex("6a24aa21a9ed")
"""The first bytes of an output script with a witness commitment (BIP 141). The commitment, 32 bytes, follows."""
_VERSION: Final = (2).to_bytes(4, "little")
_NULL_INPUT: Final = bytes(32) + b"\xff\xff\xff\xff"
_OP_1: Final = 0x51


@dataclass(frozen=True, slots=True)
class TxOut:
    """A transaction output: the value in satoshis and the output script."""

    value: int
    script: bytes

    def to_bytes(self) -> bytes:
        """Return the serialized output. Raises ValueError unless the value is 0 to 21 million bitcoin."""
        if not 0 <= self.value <= 21_000_000 * COIN:
            raise ValueError(f"output value: expected 0 to 21 million bitcoin in satoshis, got {self.value}")
        return self.value.to_bytes(8, "little") + compact_size(len(self.script)) + self.script


@dataclass(frozen=True, slots=True)
class CoinbaseSplit:
    """The parts of a coinbase before and after the extranonce: coinb1 and coinb2 of mining.notify, without witness."""

    prefix: bytes
    suffix: bytes

    def join(self, extranonce: bytes) -> bytes:
        """Return the whole transaction without witness."""
        return self.prefix + extranonce + self.suffix


def split_coinbase(
    *,
    height: int,
    extranonce_size: int,
    outputs: Sequence[TxOut],
    tag: bytes = b"",
    flags: bytes = b"",
) -> CoinbaseSplit:
    """Build a coinbase around an extranonce of ``extranonce_size`` bytes.

    The coinbase script consists of a push of ``height`` (BIP 34), the bytes of ``flags``, a push of the extranonce and
    a push of ``tag``. ``flags`` are the bytes that the node requires in the script (``coinbaseaux`` of its block
    template). The lock time is height - 1. Raises ValueError if the extranonce, the tag or the script has a size that
    is not allowed.
    """
    if not 1 <= extranonce_size <= MAX_PUSH:
        raise ValueError(f"extranonce: expected 1 to {MAX_PUSH} bytes, got {extranonce_size}")
    if len(tag) > MAX_PUSH:
        raise ValueError(f"coinbase tag: expected at most {MAX_PUSH} bytes, got {len(tag)}")
    before = push_height(height) + flags + bytes([extranonce_size])
    after = bytes([len(tag)]) + tag if tag else b""
    script_size = len(before) + extranonce_size + len(after)
    if script_size > MAX_SCRIPT_SIZE:
        raise ValueError(f"coinbase script: expected at most {MAX_SCRIPT_SIZE} bytes, got {script_size}")
    return CoinbaseSplit(
        prefix=_VERSION + b"\x01" + _NULL_INPUT + compact_size(script_size) + before,
        suffix=after
        + SEQUENCE.to_bytes(4, "little")
        + compact_size(len(outputs))
        + b"".join(output.to_bytes() for output in outputs)
        + max(0, height - 1).to_bytes(4, "little"),
    )


def with_witness(coinbase: bytes) -> bytes:
    """Return the coinbase as a block contains it: with marker, flag and one witness item, the reserved value of BIP
    141.

    The miner must always add this witness, even if no other transaction of the block has a witness. On submitblock,
    Bitcoin Core adds a missing coinbase witness, but other nodes do not (docs/reference/stratum.md#building-a-block).
    """
    return coinbase[:4] + b"\x00\x01" + coinbase[4:-4] + b"\x01\x20" + WITNESS_RESERVED + coinbase[-4:]


def witness_commitment_script(wtxids_without_coinbase: Sequence[bytes], reserved: bytes = WITNESS_RESERVED) -> bytes:
    """Return the output script that commits to the witnesses of all transactions (BIP 141).

    The wtxids are 32 bytes each, in internal order. ``reserved`` is the witness of the coinbase.
    """
    root = merkle_root([bytes(32), *wtxids_without_coinbase])
    return COMMITMENT_PREFIX + sha256d(root + reserved)


def push_height(height: int) -> bytes:
    """Return the shortest script push of a block height (BIP 34). Bitcoin Core rejects longer pushes (bad-cb-height).

    Raises ValueError if the height is negative.
    """
    if height < 0:
        raise ValueError(f"height: expected 0 or more, got {height}")
    if height == 0:
        return b"\x00"
    if height <= 16:
        return bytes([_OP_1 + height - 1])
    encoded = height.to_bytes(height.bit_length() // 8 + 1, "little")  # one bit more than the height has, for the sign
    return bytes([len(encoded)]) + encoded


def height_from_coinbase_prefix(prefix: bytes) -> int | None:
    """Return the block height with which the coinbase script begins.

    ``prefix`` is the beginning of the coinbase transaction, such as the coinb1 of mining.notify. Returns None if it is
    not the beginning of a coinbase, or if the script does not begin with the shortest push of a height. Never raises an
    exception.
    """
    script = prefix[42:]  # skips the version, the input count, the null input and the script size
    if prefix[4:41] != b"\x01" + _NULL_INPUT or not script:
        return None
    first = script[0]
    if first == 0:
        return 0
    if _OP_1 <= first < _OP_1 + 16:
        return first - _OP_1 + 1
    push = script[: 1 + first]
    if first > MAX_HEIGHT_SIZE:
        return None
    height = int.from_bytes(push[1:], "little")
    return height if push_height(height) == push else None


def block_subsidy(height: int, halving_interval: int = 210_000) -> int:
    """Return the block subsidy at ``height`` in satoshis. On regtest the halving interval is 150 blocks."""
    return INITIAL_SUBSIDY >> height // halving_interval
