"""The 80-byte block header."""

import struct
from dataclasses import dataclass

from stratum_miner.bitcoin.sha256d import sha256d


def swap_words(data: bytes) -> bytes:
    """Reverse each 4-byte group."""
    return b"".join(data[i : i + 4][::-1] for i in range(0, len(data), 4))


def display_hash(digest: bytes) -> str:
    """Display order hex."""
    return digest[::-1].hex()


@dataclass(frozen=True, slots=True)
class BlockHeader:
    """Header fields."""

    version: int
    previous_hash: bytes
    merkle_root: bytes
    ntime: int
    nbits: int
    nonce: int

    def to_bytes(self) -> bytes:
        """80 bytes."""
        return (
            struct.pack("<I", self.version)
            + self.previous_hash
            + self.merkle_root
            + struct.pack("<III", self.ntime, self.nbits, self.nonce)
        )

    def digest(self) -> bytes:
        """sha256d."""
        return sha256d(self.to_bytes())
