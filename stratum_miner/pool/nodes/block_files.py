"""Reads the blocks from Bitcoin Core's block files, without its index.

Core writes each block into a file ``blocks/blk?????.dat`` at once, but writes its index and its chainstate to disk much
later. After a crash, the files therefore have blocks that the index does not have.

A file is a sequence of entries. Each entry consists of the magic of the network, the size of the block (4 bytes,
little-endian) and the block. Newer versions of Core XOR the files with the key in ``xor.dat``
(src/node/blockstorage.cpp).
"""

from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

from stratum_miner.bitcoin.header import HEADER_SIZE

REGTEST_MAGIC = bytes.fromhex("fabfb5da")
_ENTRY_HEADER = 8
_MAX_BLOCK = 4_000_000
"""Maximum number of bytes of a block (BIP 141)."""


def read_blocks(directory: Path) -> Iterator[bytes]:
    """Yield all blocks of the files in this directory, in the order of the files.

    Raises OSError if a file cannot be read.
    """
    key_file = directory / "xor.dat"
    key = key_file.read_bytes() if key_file.exists() else b""
    for path in sorted(directory.glob("blk*.dat")):
        yield from _blocks(_clear(path.read_bytes(), key))


def _blocks(data: bytes) -> Iterator[bytes]:
    """Yield the blocks of one file. Stop at the first entry that is not a complete block. From this entry on, the file
    contains reserved space, or a block that was not written completely."""
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
    mask = bytes(islice(cycle(key), len(data)))
    return (int.from_bytes(data, "big") ^ int.from_bytes(mask, "big")).to_bytes(len(data), "big")
