"""Blocks out of Core's block files: whole, cut anywhere, with and without a key."""

from pathlib import Path

import pytest

from stratum_miner.pool.nodes.block_files import REGTEST_MAGIC, read_blocks

BLOCKS = [bytes([number]) * (81 + number) for number in range(5)]


def entries(blocks: list[bytes]) -> bytes:
    return b"".join(REGTEST_MAGIC + len(block).to_bytes(4, "little") + block for block in blocks)


def masked(data: bytes, key: bytes) -> bytes:
    return bytes(byte ^ key[at % len(key)] for at, byte in enumerate(data))


@pytest.mark.parametrize("key", [b"", bytes(8), bytes(range(1, 9))])
def test_blocks_of_several_files_come_in_order(tmp_path: Path, key: bytes) -> None:
    for number, part in enumerate((BLOCKS[:3], BLOCKS[3:])):
        data = entries(part) + bytes(1000)  # room for more
        (tmp_path / f"blk{number:05}.dat").write_bytes(masked(data, key) if key else data)
    if key:
        (tmp_path / "xor.dat").write_bytes(key)
    assert [*read_blocks(tmp_path)] == BLOCKS


def test_a_block_that_was_not_written_whole_ends_it(tmp_path: Path) -> None:
    data = entries(BLOCKS)
    for length in range(len(data)):
        (tmp_path / "blk00000.dat").write_bytes(data[:length])
        whole = [*read_blocks(tmp_path)]
        assert whole == BLOCKS[: len(whole)]
        assert len(entries(whole)) <= length


def test_a_size_that_no_block_has_ends_it(tmp_path: Path) -> None:
    (tmp_path / "blk00000.dat").write_bytes(entries(BLOCKS[:1]) + REGTEST_MAGIC + b"\xff" * 5_000_000)
    assert [*read_blocks(tmp_path)] == BLOCKS[:1]


def test_a_directory_without_block_files_has_no_blocks(tmp_path: Path) -> None:
    assert [*read_blocks(tmp_path / "nowhere")] == []


@pytest.mark.parametrize(("size", "is_read"), [(80, False), (81, True), (4_000_000, True), (4_000_001, False)])
def test_a_block_is_more_than_a_header_and_at_most_what_consensus_allows(
    tmp_path: Path, size: int, is_read: bool
) -> None:
    (tmp_path / "blk00000.dat").write_bytes(entries([bytes(size)]))
    assert [len(block) for block in read_blocks(tmp_path)] == ([size] if is_read else [])
