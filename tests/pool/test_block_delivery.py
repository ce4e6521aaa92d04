"""Which blocks the node gets, and gets again, whatever it says of them; without a pool around."""

from dataclasses import replace

import pytest
import trio
import trio.testing
from structlog.testing import capture_logs

from stratum_miner.bitcoin.sha256d import sha256d
from stratum_miner.pool.block_delivery import BlockDelivery
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
        self.refreshed = 0
        self.delivery = BlockDelivery(
            self.node, on_found=lambda found: self.told.append(found.result), refresh=self.note_refresh
        )

    def note_refresh(self) -> None:
        self.refreshed += 1

    async def deliver(self, block: bytes, height: int, *, stale: bool = False) -> BlockFound:
        return await self.delivery.deliver(
            block,
            BlockFound(
                height=height,
                hash=sha256d(block[:80])[::-1].hex(),
                worker_name="w",
                accepted=False,
                result="",
                explanation="",
                stale=stale,
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
    await trio.sleep(10)
    assert not await setting.delivery.resubmit(template_on(None, 1))
    assert await setting.delivery.resubmit(template_on(None, 1)), "it may have lost the block"
    assert not await setting.delivery.resubmit(template_on(None, 1)), "it has time again to build on it"
    await trio.sleep(10)
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
        assert trio.current_time() == 10
    assert trio.current_time() == 60
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


async def test_time_to_build_on_a_block_is_over_after_ten_seconds_and_not_before(autojump_clock: Clock) -> None:
    setting = Setting()
    await setting.chain(1, settled=False)
    await trio.sleep(9.9)
    assert not await setting.delivery.resubmit(template_on(None, 1))
    assert not await setting.delivery.resubmit(template_on(None, 1)), "the node may not have come to it yet"
    await trio.sleep(0.1)
    assert not await setting.delivery.resubmit(template_on(None, 1))
    assert await setting.delivery.resubmit(template_on(None, 1))


async def test_siblings_are_skipped_on_the_last_sixteen_parents() -> None:
    setting = Setting()
    await setting.chain(16)
    sibling = bytes(4) + GENESIS + bytes(43) + b"\x01"
    assert (await setting.deliver(sibling, 1)).result == "sibling"
    longer = Setting()
    blocks = await longer.chain(17)
    assert (await longer.deliver(sibling, 1)).result == "accepted"
    second = bytes(4) + sha256d(blocks[1]) + bytes(43) + b"\x01"
    assert (await longer.deliver(second, 3)).result == "sibling"


async def test_the_last_thousand_blocks_are_known_and_each_is_counted() -> None:
    setting = Setting()
    delivery = setting.delivery
    assert (delivery.submitted, delivery.accepted, delivery.refused, len(delivery.found)) == (0, 0, 0, 0)
    setting.verdict = "high-hash"
    for height in range(1001):
        await setting.deliver(bytes(80), height)
    assert [delivery.found[0].height, delivery.found[-1].height, len(delivery.found)] == [1, 1000, 1000]
    assert (delivery.submitted, delivery.accepted, delivery.refused) == (1001, 0, 1001)


@pytest.mark.parametrize(
    ("verdict", "stale", "event", "level"),
    [
        (None, False, "block_accepted", "info"),
        ("bad-cb-amount", False, "block_refused", "error"),
        ("bad-cb-amount", True, "block_refused", "info"),
        ("inconclusive", False, "block_refused", "warning"),
        ("prev-blk-not-found", False, "block_undelivered", "warning"),
    ],
)
async def test_what_becomes_of_a_block_is_logged(
    autojump_clock: Clock, verdict: str | None, stale: bool, event: str, level: str
) -> None:
    setting = Setting()
    setting.verdict = verdict
    with capture_logs() as logs:
        await setting.deliver(make_chain(1)[0], 7, stale=stale)
    (line,) = [each for each in logs if each["event"] == event]
    assert (line["log_level"], line["height"], line["worker_name"], line["stale"]) == (level, 7, "w", stale)
    assert line["result"] == (verdict or "accepted")


async def test_blocks_that_never_reached_the_node_are_named_at_the_end(autojump_clock: Clock) -> None:
    setting = Setting()
    setting.node.fail("no route")
    block = make_chain(1)[0]
    assert (await setting.deliver(block, 1)).result == "unreachable"
    with capture_logs() as logs:
        setting.delivery.log_lost()
    assert [(line["event"], line["hash"]) for line in logs] == [("block_lost", sha256d(block)[::-1].hex())]
    setting.node.recover()
    assert await setting.delivery.resubmit(template_on(None, 1))
    with capture_logs() as logs:
        setting.delivery.log_lost()
    assert logs == []
    assert setting.told == ["unreachable", "accepted"]
    assert [found.result for found in setting.delivery.found] == ["accepted"], "its result is replaced"
    assert (setting.delivery.submitted, setting.delivery.accepted, setting.delivery.refused) == (1, 1, 0)


async def test_each_accepted_block_asks_for_a_template_and_one_that_waits_too(autojump_clock: Clock) -> None:
    setting = Setting()
    blocks = await setting.chain(2, settled=False)
    assert setting.refreshed == 2
    setting.node.fail("no route")
    await setting.deliver(bytes(4) + sha256d(blocks[-1]) + bytes(44), 3)
    assert setting.refreshed == 3


async def test_a_block_whose_parent_comes_later_is_given_with_it(autojump_clock: Clock) -> None:
    setting = Setting()
    first, second = make_chain(2)
    setting.verdict = "prev-blk-not-found"
    assert (await setting.deliver(second, 2)).result == "prev-blk-not-found"
    assert not await setting.delivery.resubmit(template_on(None, 1))
    offered = len(setting.node.submitted)
    for _ in range(3):
        assert not await setting.delivery.resubmit(template_on(None, 1))
    assert len(setting.node.submitted) == offered, "it waits for its parent"
    setting.verdict = None
    assert (await setting.deliver(first, 1)).accepted
    assert await setting.delivery.resubmit(template_on(first, 2))
    assert setting.node.submitted[-2:] == [first, second]


async def test_two_blocks_in_the_same_place_are_given_up_together(autojump_clock: Clock) -> None:
    setting = Setting()
    setting.node.fail("no route")
    async with trio.open_nursery() as nursery:
        for nonce in (0, 1):
            nursery.start_soon(setting.deliver, bytes(4) + GENESIS + bytes(43) + bytes([nonce]), 1)
            await trio.testing.wait_all_tasks_blocked()
    assert trio.current_time() == 60
    assert setting.told == ["unreachable"] * 2
    assert setting.delivery.submitted == 2
