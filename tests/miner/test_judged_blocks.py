"""The blocks that the node has not accepted yet, whichever of the pool's and the node's answer comes first."""

import trio
import trio.testing
from trio.testing import MockClock

from stratum_miner.bitcoin.header import display_hash
from stratum_miner.miner.judged_blocks import JudgedBlocks
from stratum_miner.work.share import Share
from tests.work.shares import accepted, rejected, share_on


def blocks(count: int) -> list[Share]:
    return [share_on(difficulty=1.0 + number) for number in range(count)]


def hash_of(share: Share) -> str:
    return display_hash(share.digest)


async def is_waiting(it: JudgedBlocks) -> bool:
    """Whether ``all_judged`` waits now."""
    with trio.move_on_after(1) as waited:
        await it.all_judged()
    return waited.cancelled_caught


async def test_the_first_acceptance_of_an_own_block_counts_and_no_other_decision(autojump_clock: MockClock) -> None:
    it, [mine, other] = JudgedBlocks(), blocks(2)
    it.submitted(mine)
    assert it.judged(hash_of(mine), accepted=False) is None
    assert it.judged(hash_of(other), accepted=True) is None
    assert it.judged(hash_of(mine), accepted=True) is mine, "a node may accept what it refused before"
    assert it.judged(hash_of(mine), accepted=True) is None


async def test_the_decision_about_each_block_is_waited_for(autojump_clock: MockClock) -> None:
    for decision in (True, False):
        it, [one, other] = JudgedBlocks(), blocks(2)
        assert not await is_waiting(it)
        it.submitted(one)
        it.submitted(other)
        it.judged(hash_of(one), accepted=decision)
        assert await is_waiting(it)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(it.all_judged)
            await trio.testing.wait_all_tasks_blocked()
            it.judged(hash_of(other), accepted=decision)  # this wakes who waits
        assert not await is_waiting(it)


async def test_the_pool_decides_whether_the_node_is_waited_for(autojump_clock: MockClock) -> None:
    it, [share] = JudgedBlocks(), blocks(1)
    it.submitted(share)
    it.resolved(accepted(share))
    assert await is_waiting(it)
    it.resolved(rejected(share))
    assert not await is_waiting(it)
    assert it.judged(hash_of(share), accepted=True) is share, "and yet the node may accept it"


async def test_of_very_many_blocks_the_oldest_is_forgotten(autojump_clock: MockClock) -> None:
    it, shares = JudgedBlocks(), blocks(1025)
    for share in shares[:-1]:
        it.submitted(share)
    for share in shares[1:-1]:
        it.judged(hash_of(share), accepted=False)
    assert await is_waiting(it), "1,024 are remembered"
    it.submitted(shares[-1])
    it.judged(hash_of(shares[-1]), accepted=False)
    assert not await is_waiting(it), "the oldest is not waited for any more"
    assert it.judged(hash_of(shares[0]), accepted=True) is None
    assert it.judged(hash_of(shares[1]), accepted=True) is shares[1]
