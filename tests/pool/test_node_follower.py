"""A pool's template is the node's newest word: what a node says late, never, out of order, or not yet."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import trio
import trio.testing

from stratum_miner.pool.node_follower import NodeFollower
from stratum_miner.pool.nodes.base import (
    NodeDownloadingError,
    NodeError,
    NodeNotReadyError,
    NodeUnsuitableError,
)
from stratum_miner.pool.template import BlockTemplate, TemplateTransaction
from stratum_miner.testing.scripted_node import EASY_BITS, ScriptedNode, make_template

Clock = trio.testing.MockClock
START = 1_700_000_000
TRANSACTION = TemplateTransaction(data=bytes(10), txid=bytes(32), wtxid=bytes(32))


class Listener:
    """Notes what it hears, and when."""

    def __init__(self) -> None:
        self.heard: list[tuple[float, str]] = []
        self.templates: list[BlockTemplate] = []

    async def take_template(self, template: BlockTemplate) -> None:
        if not self.templates or not template.same_block(self.templates[-1]):
            self.heard.append((trio.current_time(), f"template {template.height}"))
        self.templates.append(template)

    def node_failed(self, error: NodeError) -> None:
        self.heard.append((trio.current_time(), str(error)))

    def node_recovered(self) -> None:
        self.heard.append((trio.current_time(), "recovered"))


@asynccontextmanager
async def following(node: ScriptedNode) -> AsyncIterator[tuple[Listener, NodeFollower]]:
    listener = Listener()
    follower = NodeFollower(
        node,
        on_template=listener.take_template,
        on_failure=listener.node_failed,
        on_recovery=listener.node_recovered,
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(follower.run)
        await trio.testing.wait_all_tasks_blocked()
        yield listener, follower
        nursery.cancel_scope.cancel()


class CachingNode(ScriptedNode):
    """Makes a new template as Core does: for a new tip at once, for transactions five whole seconds after the last."""

    def __init__(self) -> None:
        super().__init__()
        self.made_at = 0
        self.latest = self.template

    async def get_template(self) -> BlockTemplate:
        now = int(trio.current_time())
        if self.latest is not self.template and now - self.made_at > 5:
            self.made_at, self.template = now, self.latest
        return await super().get_template()


# ---- what a node tells late or never ---------------------------------------------------------------------------------


@pytest.mark.parametrize("arrives_at", [0.01, 3.99, 4.01, 5.5, 7.99, 8.01, 27.3])
async def test_a_transaction_is_known_within_ten_seconds(autojump_clock: Clock, arrives_at: float) -> None:
    node = CachingNode()
    async with following(node) as (listener, _):
        await trio.sleep(arrives_at)
        node.latest = replace(node.template, transactions=(TRANSACTION,))
        await trio.sleep(10)
        assert listener.templates[-1].transactions
        assert len(listener.heard) == 2


@pytest.mark.parametrize("passed", [0, 100, 1199, 1200])
async def test_the_template_is_asked_for_when_its_time_is_over(autojump_clock: Clock, passed: int) -> None:
    """As on testnet4, where the bits change 1201 seconds after the last block and nothing else does."""
    node = ScriptedNode(replace(make_template(curtime=START + passed), maxtime=START + 1200))

    async def change_bits() -> None:
        await trio.sleep(1201 - passed)
        node.template = make_template(curtime=START + 1201, nbits=EASY_BITS)

    async with following(node) as (listener, _), trio.open_nursery() as nursery:
        nursery.start_soon(change_bits)
        await trio.sleep(1202 - passed)
        assert [when for when, _ in listener.heard] == [0, 1201 - passed]
        assert listener.templates[-1].nbits == EASY_BITS


async def test_a_quiet_node_is_asked_in_measure(autojump_clock: Clock) -> None:
    node = ScriptedNode(replace(make_template(curtime=START), maxtime=START + 30))
    async with following(node) as (listener, _):
        await trio.sleep(3600)
    assert node.requests <= 3600 / 4 + 5
    assert len(listener.heard) == 1


# ---- answers out of order --------------------------------------------------------------------------------------------


class SlowNode(ScriptedNode):
    """Holds answers back: what it said before it was told to go on, it says afterwards."""

    def __init__(self) -> None:
        super().__init__()
        self.held: trio.Event | None = None

    async def get_template(self) -> BlockTemplate:
        said = await super().get_template()
        if self.held is not None:
            await self.held.wait()
        return said


async def test_an_answer_that_was_overtaken_is_not_taken(autojump_clock: Clock) -> None:
    node = SlowNode()
    async with following(node) as (listener, _):
        node.held = trio.Event()
        await trio.sleep(5)  # a question is on its way
        node.push(make_template(102))
        await trio.testing.wait_all_tasks_blocked()
        assert listener.templates[-1].height == 102
        node.held.set()
        node.held = None
        await trio.sleep(100)
        assert [text for _, text in listener.heard] == ["template 101", "template 102"]


async def test_an_answer_from_before_a_block_was_taken_is_asked_for_again(autojump_clock: Clock) -> None:
    node = SlowNode()
    async with following(node) as (listener, follower):
        node.held = trio.Event()
        await trio.sleep(5)
        node.template = make_template(102)
        follower.refresh()
        held, node.held = node.held, None
        held.set()
        await trio.testing.wait_all_tasks_blocked()
        assert [text for _, text in listener.heard] == ["template 101", "template 102"]
        assert trio.current_time() == 5


class DeafNode(ScriptedNode):
    """Its waits never end by themselves, as behind a proxy that forgets connections."""

    def __init__(self) -> None:
        super().__init__()
        self.waits = 0

    async def wait_template(self, after: BlockTemplate) -> BlockTemplate:
        self.waits += 1
        await trio.sleep_forever()
        raise AssertionError


async def test_a_wait_that_missed_a_tip_is_begun_anew(autojump_clock: Clock) -> None:
    node = DeafNode()
    async with following(node) as (listener, _):
        await trio.sleep(101)
        assert node.waits == 1, "a node keeps a thread busy for each that is given up"
        node.template = make_template(102)
        await trio.sleep(20)
        assert listener.heard[-1] == (104.0, "template 102")
        assert node.waits == 2


# ---- trouble ---------------------------------------------------------------------------------------------------------


class UnreadyNode(ScriptedNode):
    """Not ready for the given reason."""

    def __init__(self, reason: NodeError | None = None) -> None:
        super().__init__()
        self.reason = reason
        self.reasons: list[NodeError] = []
        """For one check each."""
        self.checks = 0

    async def check_ready(self) -> None:
        await trio.lowlevel.checkpoint()
        self.checks += 1
        if self.reasons:
            raise self.reasons.pop()
        if self.reason is not None:
            raise self.reason


def downloading(blocks: int, headers: int = 200, *, proven: bool = True) -> NodeDownloadingError:
    return NodeDownloadingError("node at x", blocks, headers, proven=proven)


async def test_what_is_waited_for_is_told_once_for_each_reason(autojump_clock: Clock) -> None:
    node = UnreadyNode(NodeNotReadyError("it is starting: Loading"))
    async with following(node) as (listener, _):
        await trio.sleep(60)
        assert node.checks < 12, "the pauses grow"
        node.reason = NodeNotReadyError("it is starting: Verifying")
        await trio.sleep(60)
        for blocks in range(100, 200, 10):
            node.reason = downloading(blocks)
            await trio.sleep(15)
        node.reason = None
        await trio.sleep(15)
    assert [text for _, text in listener.heard] == [
        "it is starting: Loading",
        "it is starting: Verifying",
        listener.heard[2][1],
        "recovered",
        "template 101",
    ]
    assert "blocks of 200 (according to its headers)" in listener.heard[2][1]


@pytest.mark.parametrize("at_start", [True, False])
async def test_trouble_that_cannot_pass_ends_following(autojump_clock: Clock, at_start: bool) -> None:
    trouble = NodeUnsuitableError("another chain")
    node = UnreadyNode(trouble if at_start else None)

    async def follow() -> None:
        async with following(node):
            node.fail(trouble)
            await trio.sleep(60)

    with pytest.raises(ExceptionGroup) as caught:
        await follow()
    assert caught.group_contains(NodeUnsuitableError, match="another chain")


@pytest.mark.parametrize(
    ("reason", "heeded"),
    [
        (downloading(101, 102), False),  # a new block is on its way
        (downloading(101, 999, proven=False), False),  # any peer may say so
        (downloading(101, 103), True),
    ],
)
async def test_a_node_that_falls_behind_in_flight(
    autojump_clock: Clock, reason: NodeDownloadingError, heeded: bool
) -> None:
    node = UnreadyNode()
    async with following(node) as (listener, _):
        await trio.sleep(10)
        node.reason = reason
        await trio.sleep(60)
        node.push(make_template(102))
        await trio.sleep(60)
        expected = [str(reason)] if heeded else ["template 102"]
        assert [text for _, text in listener.heard][1:] == expected
        node.reason = None
        await trio.sleep(60)
        assert listener.templates[-1].height == 102


async def test_a_moment_behind_is_not_trouble(autojump_clock: Clock) -> None:
    node = UnreadyNode()
    async with following(node) as (listener, _):
        for _ in range(20):
            node.reasons = [downloading(101, 103)]
            await trio.sleep(40)
        assert node.reasons == []
        assert [text for _, text in listener.heard] == ["template 101"]


async def test_trouble_that_comes_back_at_once_does_not_make_a_storm(autojump_clock: Clock) -> None:
    class HalfNode(ScriptedNode):
        async def wait_template(self, after: BlockTemplate) -> BlockTemplate:
            await trio.lowlevel.checkpoint()
            raise NodeError("no long polls today")

    node = HalfNode()
    async with following(node):
        await trio.sleep(600)
    assert node.requests < 60


# ---- how often -------------------------------------------------------------------------------------------------------


async def test_the_template_is_asked_for_every_four_seconds(autojump_clock: Clock) -> None:
    node = ScriptedNode()
    async with following(node) as (_, follower):
        for asked in (1, 2, 3):
            await trio.sleep(3.99 if asked == 1 else 4)
            assert node.requests == asked
        assert follower.template_at == 8.0


async def test_whether_the_node_is_ready_is_asked_at_the_first_question_after_half_a_minute(
    autojump_clock: Clock,
) -> None:
    node = UnreadyNode()
    async with following(node) as _:
        for until, checks in ((31, 1), (33, 2), (63, 2), (65, 3)):
            await trio.sleep_until(until)
            assert node.checks == checks


async def test_a_wait_that_missed_a_tip_has_five_seconds_to_bring_it(autojump_clock: Clock) -> None:
    node = DeafNode()
    async with following(node) as _:
        await trio.sleep(1)
        node.template = make_template(102)
        await trio.sleep_until(8.9)  # it was asked for at 4
        assert node.waits == 1
        await trio.sleep_until(9.1)
        assert node.waits == 2


async def test_pauses_double_up_to_a_quarter_of_a_minute_and_begin_again_after_a_while(autojump_clock: Clock) -> None:
    times: list[float] = []
    trouble = NodeNotReadyError("it is starting")

    class Node(ScriptedNode):
        async def check_ready(self) -> None:
            times.append(trio.current_time())
            await trio.lowlevel.checkpoint()
            if self.error is not None:
                raise trouble

    node = Node()
    node.fail()
    async with following(node) as (listener, _):
        await trio.sleep_until(47)
        assert times == [0, 0.5, 1.5, 3.5, 7.5, 15.5, 30.5, 45.5]
        node.recover()
        await trio.sleep_until(80)
        assert listener.heard[-1] == (60.5, "template 101")
        node.fail("gone")
        del times[:]
        await trio.sleep_until(96)
        assert times == [95], "the last pause ended 19.5 s before, so the next one is as long"
        node.recover()
        await trio.sleep_until(200)
        del times[:]
        node.fail("gone again")
        await trio.sleep_until(210)
        assert times == [200.5, 201.5, 203.5, 207.5]


async def test_what_the_follower_says_before_its_first_template() -> None:
    follower = NodeFollower(
        ScriptedNode(), on_template=Listener().take_template, on_failure=print, on_recovery=lambda: None
    )
    assert follower.template_at is None


async def test_a_node_that_answers_at_once_but_too_late_is_asked_every_second(autojump_clock: Clock) -> None:
    class Hasty(ScriptedNode):
        follower: NodeFollower

        def __init__(self) -> None:
            super().__init__()
            self.waits: list[float] = []

        async def wait_template(self, after: BlockTemplate) -> BlockTemplate:
            await trio.lowlevel.checkpoint()
            self.waits.append(trio.current_time())
            if len(self.waits) > 1:
                self.follower.refresh()  # what it says now may be of before
            else:
                await trio.sleep(1)
                self.follower.refresh()
            return replace(after, version=len(self.waits))

    node = Hasty()
    async with following(node) as (listener, node.follower):
        await trio.sleep(5.5)
        assert node.waits == [0, 2, 3, 4, 5]
        assert len(listener.heard) == 1


async def test_half_a_minute_after_a_check_comes_the_next_one(autojump_clock: Clock) -> None:
    node = UnreadyNode()
    async with following(node) as (_, follower):
        for until, checks in ((29.9, 1), (30.0, 2)):
            await trio.sleep_until(until)
            follower.refresh()
            await trio.testing.wait_all_tasks_blocked()
            assert node.checks == checks


@pytest.mark.parametrize(("again_at", "next_check"), [(30.5, 31.5), (30.6, 31.1)])
async def test_pauses_go_on_where_they_were_within_half_a_minute(
    autojump_clock: Clock, again_at: float, next_check: float
) -> None:
    class Node(ScriptedNode):
        checks: list[float]

        async def check_ready(self) -> None:
            self.checks.append(trio.current_time())
            await trio.lowlevel.checkpoint()
            if self.error is not None:
                raise NodeNotReadyError("it is starting")

    node = Node()
    node.checks = []
    node.fail()
    async with following(node):
        node.recover()
        await trio.sleep_until(again_at)
        del node.checks[:]
        node.fail()
        await trio.sleep(3)
        assert node.checks[0] == pytest.approx(next_check)
