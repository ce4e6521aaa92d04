"""Serializes a whole block: the header, the number of transactions, the transactions."""

from collections.abc import Sequence


def compact_size(value: int) -> bytes:
    """Return ``value`` as Bitcoin's variable-length integer of 1 to 9 bytes. Raises ValueError unless it is 0 to
    2^64-1."""
    if not 0 <= value < 1 << 64:
        raise ValueError(f"compact size: expected 0 to 2^64-1, got {value}")
    if value < 0xFD:
        return bytes([value])
    for marker, size in ((0xFD, 2), (0xFE, 4), (0xFF, 8)):
        if value < 1 << (8 * size):
            return bytes([marker]) + value.to_bytes(size, "little")
    raise AssertionError("unreachable: the last size holds every value")


def serialize_block(header: bytes, transactions: Sequence[bytes]) -> bytes:
    """Return the block as submitblock takes it. The first transaction is the coinbase, serialized with witness."""
    return header + compact_size(len(transactions)) + b"".join(transactions)
