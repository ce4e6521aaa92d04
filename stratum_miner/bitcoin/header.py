"""The 80-byte block header, and the byte orders in which hashes are written
(docs/reference/stratum.md#block-header)."""

import struct
from dataclasses import dataclass
from typing import Final

from stratum_miner.bitcoin.sha256d import sha256d

HEADER_SIZE = 80
"""Size of a serialized block header in bytes."""
GENERAL_PURPOSE_MASK = 0x1FFFE000
"""Bits 13 to 28 of the version, which BIP 320 reserves for miners to roll."""
MAX_TIME_AHEAD: Final = 7200
"""Maximum number of seconds by which the time of a block may be ahead of a node's clock. Nodes reject later times."""
_LAYOUT = struct.Struct("<I32s32sIII")


@dataclass(frozen=True, slots=True)
class BlockHeader:
    """The six fields of a block header. Hashes are 32 bytes in internal order, numbers are unsigned 32-bit integers."""

    version: int
    previous_hash: bytes
    merkle_root: bytes
    ntime: int
    nbits: int
    nonce: int

    def to_bytes(self) -> bytes:
        """Return the serialized header, 80 bytes with little-endian numbers."""
        return _LAYOUT.pack(self.version, self.previous_hash, self.merkle_root, self.ntime, self.nbits, self.nonce)

    @classmethod
    def from_bytes(cls, data: bytes) -> "BlockHeader":
        """Parse a serialized header. Raises ValueError unless it has 80 bytes."""
        if len(data) != HEADER_SIZE:
            raise ValueError(f"block header: expected {HEADER_SIZE} bytes, got {len(data)}")
        return cls(*_LAYOUT.unpack(data))

    def digest(self) -> bytes:
        """Return the block hash, 32 bytes in internal order."""
        return sha256d(self.to_bytes())


def display_hash(digest: bytes) -> str:
    """Return a hash as hex in display order: its bytes reversed, as block explorers and Bitcoin Core print it."""
    return digest[::-1].hex()


def swap_words(data: bytes) -> bytes:
    """Reverse the bytes of each 4-byte group: from internal order to the prevhash of mining.notify, and back.

    Raises ValueError unless the length is a multiple of 4.
    """
    if len(data) % 4:
        raise ValueError(f"swap_words: expected a multiple of 4 bytes, got {len(data)}")
    return b"".join(data[index : index + 4][::-1] for index in range(0, len(data), 4))
