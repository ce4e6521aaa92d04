"""Which blocks the node gets, and gets again, whatever it says of them; without a pool around."""

from dataclasses import replace

import pytest
import trio
import trio.testing

from stratum_miner.bitcoin.sha256d import sha256d
from stratum_miner.pool.block_delivery import ANSWER_SECONDS, BUILD_SECONDS, RESUBMIT_SECONDS, BlockDelivery
from stratum_miner.pool.events import BlockFound
from stratum_miner.pool.nodes.base import NodeRpcError, SubmitResult
from stratum_miner.pool.template import BlockTemplate
from stratum_miner.testing.scripted_node import ScriptedNode, make_template

Clock = trio.testing.MockClock
GENESIS = bytes(32)


class Setting:
    """A delivery, and a chain of blocks that are nothing but headers."""

    def __init__(self) -> None:
        self.verdict: str | None = None
        self.node = ScriptedNode(judge=lambda _: SubmitResult.from_text(self.verdict))
        self.told: list[str] = []
        self.delivery = BlockDelivery(
            self.node, on_found=lambda found: self.told.append(found.result), refresh=lambda: None
        )

    async def deliver(self, block: bytes, height: int) -> BlockFound:
        return await self.delivery.deliver(
            block,
            BlockFound(
                height=height,
                hash=sha256d(block[:80])[::-1].hex(),
                worker_name="w",
                accepted=False,
                result="",
                explanation="",
                stale=False,
                found_at=0.0,
            ),
        )

    async def chain(self, length: int, *, settled: bool = True) -> list[bytes]:
        """So many accepted blocks; the node has built on them, or has not come to it yet."""
        blocks = make_chain(length)
        for height, block in enumerate(blocks, 1):
            assert (await self.deliver(block, height)).accepted
        if settled:
            await self.delivery.resubmit(template_on(blocks[-1], length + 1))
        return blocks


def make_chain(length: int) -> list[bytes]:
    blocks = [bytes(4) + GENESIS + bytes(44)]
    while len(blocks) < length:
        blocks.append(bytes(4) + sha256d(blocks[-1]) + bytes(44))
    return blocks


def template_on(block: bytes | None, height: int) -> BlockTemplate:
    return replace(make_template(height), previous_hash=GENESIS if block is None else sha256d(block))


async def test_lost_blocks_are_given_back_in_order_also_one_that_the_node_had_not_built_on() -> None:
    setting = Setting()
    blocks = await setting.chain(3)
    last = bytes(4) + sha256d(blocks[-1]) + bytes(44)
    await setting.deliver(last, 4)
    del setting.node.submitted[:]
    assert await setting.delivery.resubmit(template_on(blocks[0], 2))
    assert setting.node.submitted == [*blocks[1:], last]
    assert setting.told == ["accepted"] * 4, "each is told once"
    assert setting.delivery.accepted == 4


async def test_a_node_that_has_not_come_to_a_block_gets_it_once() -> None:
    setting = Setting()
    await setting.chain(1, settled=False)
    for _ in range(5):
        assert not await setting.delivery.resubmit(template_on(None, 1))
    sibling = await setting.deliver(bytes(4) + GENESIS + bytes(43) + b"\x01", 1)
    assert sibling.result == "sibling"
    assert len(setting.node.submitted) == 1


async def test_a_node_that_undid_a_block_before_it_was_asked_gets_another_one_there(autojump_clock: Clock) -> None:
    setting = Setting()
    await setting.chain(1, settled=False)
    await trio.sleep(BUILD_SECONDS)
    assert not await setting.delivery.resubmit(template_on(None, 1))
    assert await setting.delivery.resubmit(template_on(None, 1)), "it may have lost the block"
    assert not await setting.delivery.resubmit(template_on(None, 1)), "it has time again to build on it"
    await trio.sleep(BUILD_SECONDS)
    setting.verdict = "duplicate"
    for _ in range(2):
        assert not await setting.delivery.resubmit(template_on(None, 1))
    setting.verdict = None
    sibling = await setting.deliver(bytes(4) + GENESIS + bytes(43) + b"\x01", 1)
    assert sibling.accepted


async def test_a_node_that_takes_a_block_again_and_does_not_build_on_it_is_left_alone() -> None:
    setting = Setting()
    await setting.chain(1)
    taken = [await setting.delivery.resubmit(template_on(None, 1)) for _ in range(5)]
    assert taken == [True, False, False, False, False]
    setting.delivery.note_node_failure()
    assert await setting.delivery.resubmit(template_on(None, 1)), "it may have lost the block again"


@pytest.mark.parametrize("verdict", ["duplicate", "duplicate-invalid", "inconclusive", "bad-txns-nonfinal"])
async def test_a_block_that_the_node_does_not_take_back_is_not_offered_again(verdict: str) -> None:
    setting = Setting()
    await setting.chain(1)
    setting.verdict = verdict
    for _ in range(5):
        setting.delivery.note_node_failure()
        assert not await setting.delivery.resubmit(template_on(None, 1))
    assert len(setting.node.submitted) == 2


async def test_an_answer_that_is_about_the_block_alone_holds_up_no_job(autojump_clock: Clock) -> None:
    """A node may fail on one block for ever, or hang over it, and give templates all the while."""
    setting = Setting()
    setting.node.fail(NodeRpcError("submitblock: error -1", -1))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(setting.deliver, make_chain(1)[0], 1)
        await trio.testing.wait_all_tasks_blocked()
        assert not await setting.delivery.resubmit(template_on(None, 1))
        assert trio.current_time() == 0

        async def hang(block: bytes) -> SubmitResult:
            await trio.sleep_forever()
            raise AssertionError

        setting.node.submit_block = hang  # type: ignore[method-assign]  # this node never answers
        assert not await setting.delivery.resubmit(template_on(None, 1))
        assert trio.current_time() == RESUBMIT_SECONDS
    assert trio.current_time() == ANSWER_SECONDS
    assert setting.told == ["unreachable"]


async def test_a_second_block_in_the_same_place_waits_for_the_first(autojump_clock: Clock) -> None:
    setting = Setting()
    setting.node.fail("no route")
    first, second = make_chain(1)[0], bytes(4) + GENESIS + bytes(43) + b"\x01"
    async with trio.open_nursery() as nursery:
        for block in (first, second):
            nursery.start_soon(setting.deliver, block, 1)
            await trio.testing.wait_all_tasks_blocked()
        setting.node.recover()
        assert await setting.delivery.resubmit(template_on(None, 1))
    assert setting.node.submitted == [first]
    assert sorted(setting.told) == ["accepted", "sibling"]
    assert trio.current_time() == 0
