"""Blocks that are kept for the node: one for each parent, bounded in bytes."""

from stratum_miner.pool.events import BlockFound
from stratum_miner.pool.kept_blocks import KeptBlock, KeptBlocks


def kept(number: int, size: int = 100, *, nonce: int = 0) -> KeptBlock:
    found = BlockFound(
        height=number,
        hash="",
        worker_name="w",
        accepted=True,
        result="accepted",
        explanation="",
        stale=False,
        found_at=0.0,
    )
    return KeptBlock(found, bytes(4) + number.to_bytes(32, "big") + nonce.to_bytes(4, "big") + bytes(size - 40))


def parent(number: int) -> bytes:
    return number.to_bytes(32, "big")


def test_the_oldest_go_when_there_is_no_room() -> None:
    blocks = KeptBlocks(max_bytes=1000)
    for number in range(25):
        blocks.keep(kept(number))
    assert [block.found.height for block in blocks] == list(range(15, 25))
    blocks.keep(kept(99, size=950))
    assert [block.found.height for block in blocks] == [99]
    blocks.keep(kept(100, size=2000))
    assert len(blocks) == 0, "one that is too large alone"
    blocks.keep(kept(1))
    assert len(blocks) == 1


def test_the_first_on_a_parent_stays_until_it_is_removed() -> None:
    blocks = KeptBlocks()
    first, second = kept(1), kept(1, nonce=2)
    assert blocks.keep(first) is first
    assert blocks.keep(second) is first
    blocks.remove(second)
    assert blocks.on(parent(1)) is first
    blocks.remove(first)
    blocks.remove(first)
    assert blocks.on(parent(1)) is None
    assert blocks.keep(second) is second


def test_thirty_two_megabytes_of_blocks_are_kept() -> None:
    blocks = KeptBlocks()
    for number in range(32):
        blocks.keep(kept(number, size=1024 * 1024))
    assert len(blocks) == 32
    blocks.keep(kept(32, size=41))
    assert [block.found.height for block in blocks] == list(range(1, 33))


def test_a_block_is_not_thought_lost_or_accepted_before_a_node_said_so() -> None:
    block = kept(1)
    assert (block.may_be_lost, block.waits_for_parent, block.accepted_at) == (False, False, float("-inf"))
    assert not block.judged.is_set()
