"""The blocks that Bitcoin Core's block files hold, whatever its index says of them.

Core puts each block into ``blocks/blk?????.dat`` as soon as it has it, and its index and chainstate to disk much later.
So after a crash the files know more than the rest. Each entry is the network's magic, the size (4 bytes, little-endian)
and the block; newer versions XOR the whole with the key in ``xor.dat`` (src/node/blockstorage.cpp).
"""

from collections.abc import Iterator
from pathlib import Path

from stratum_miner.bitcoin.header import HEADER_SIZE

REGTEST_MAGIC = bytes.fromhex("fabfb5da")
_ENTRY_HEADER = 8
_MAX_BLOCK = 4_000_000
"""Bytes, by BIP 141."""


def read_blocks(directory: Path) -> Iterator[bytes]:
    """Every block of the files in this directory, in the order in which they came. OSError when one cannot be read."""
    key_file = directory / "xor.dat"
    key = key_file.read_bytes() if key_file.exists() else b""
    for path in sorted(directory.glob("blk*.dat")):
        yield from _blocks(_clear(path.read_bytes(), key))


def _blocks(data: bytes) -> Iterator[bytes]:
    """Up to the first place without an entry: the rest is room for blocks to come, or was not written whole."""
    at = 0
    while data[at : at + len(REGTEST_MAGIC)] == REGTEST_MAGIC:
        size = int.from_bytes(data[at + len(REGTEST_MAGIC) : at + _ENTRY_HEADER], "little")
        block = data[at + _ENTRY_HEADER : at + _ENTRY_HEADER + size]
        if len(block) < size or not HEADER_SIZE < size <= _MAX_BLOCK:
            return
        yield block
        at += _ENTRY_HEADER + size


def _clear(data: bytes, key: bytes) -> bytes:
    if not any(key):
        return data
    mask = (key * (len(data) // len(key) + 1))[: len(data)]
    return (int.from_bytes(data, "big") ^ int.from_bytes(mask, "big")).to_bytes(len(data), "big")
