"""When a pool does what it does, and how much at a time."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from unittest.mock import patch

import pytest
import trio
import trio.testing

from stratum_miner.downstream.vardiff import VardiffConfig
from stratum_miner.pool import PoolEvent, events
from stratum_miner.pool.nodes.base import SubmitResult
from stratum_miner.testing.scripted_node import EASY_BITS, ScriptedNode, make_template
from tests.downstream.memory_pool import CONFIG, START, Clock, pool_of


async def test_difficulties_are_looked_at_every_second(autojump_clock: Clock) -> None:
    """Silence says enough after twelve seconds in which twelve shares were wanted."""
    changes: list[tuple[float, float]] = []

    def note(event: PoolEvent) -> None:
        if isinstance(event, events.DifficultyChanged):
            changes.append((trio.current_time(), event.difficulty))

    vardiff = VardiffConfig(target_seconds=1.0, retarget_seconds=5.0)
    async with pool_of(ScriptedNode(), replace(CONFIG, difficulty=1e-3, vardiff=vardiff), note) as (_, listener):
        client = listener.connect()
        await client.login()
        await trio.sleep(12.5)
        assert changes == [(0.0, 1e-3), (12.0, pytest.approx(1e-3 / 12))]
        await client.read_jobs(2)
        assert trio.current_time() == 12.5, "it was sent at once"
        assert client.miner.difficulty == changes[1][1]


async def test_a_job_is_renewed_within_three_quarters_of_a_minute(autojump_clock: Clock) -> None:
    node = ScriptedNode()
    published: list[float] = []

    def note(event: PoolEvent) -> None:
        if isinstance(event, events.JobPublished):
            published.append(trio.current_time())

    async with pool_of(node, on_event=note):
        await trio.sleep(40)
        node.push(make_template(102))
        await trio.sleep(66)
        assert published == [0.0, 30.0, 40.0, 75.0, 105.0], "looked at after 60 s, and again after half of 30"


async def test_the_first_job_of_a_node_that_was_away_is_renewed_in_time_too(autojump_clock: Clock) -> None:
    node = ScriptedNode()
    node.fail()
    published: list[float] = []

    def note(event: PoolEvent) -> None:
        if isinstance(event, events.JobPublished):
            published.append(trio.current_time())

    async with pool_of(node, on_event=note) as (pool, _):
        await trio.sleep(50)
        node.recover()
        await pool.wait_job()
        first = trio.current_time()
        await trio.sleep(46)
        assert published[0] == first
        assert 30 <= published[1] - first <= 45, "looked at again after half the interval"


class SlowNode(ScriptedNode):
    """Holds each block until it is let go."""

    def __init__(self) -> None:
        super().__init__(make_template(nbits=EASY_BITS))
        self.go = trio.Event()
        self.at_once = self.most = 0

    async def submit_block(self, block: bytes) -> SubmitResult:
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await self.go.wait()
        self.at_once -= 1
        return await super().submit_block(block)


async def test_four_blocks_are_on_their_way_at_once_and_64_wait(autojump_clock: Clock) -> None:
    """The finder of one more is not read until there is room again; the others are, after a second."""
    node = SlowNode()
    async with pool_of(node) as (pool, listener):
        finders = [listener.connect() for _ in range(69)]
        for finder in finders:
            await finder.login()
            share = finder.miner.solve()
            await finder.stream.send_all(finder.miner.submit(share) + finder.miner.request("mining.ping"))
            await finder.read_until(partial(finder.miner.replies, finder.miner.last_id - 1))
        await trio.sleep(1.5)
        assert node.most == 4
        waiting = []
        for finder in finders:
            with trio.move_on_after(0.01):
                await finder.read_until(finder.miner.replies)
            waiting.append(not finder.miner.replies())
        assert waiting == [False] * 68 + [True]
        node.go.set()
        await finders[-1].read_until(finders[-1].miner.replies)
        await trio.sleep(1)
        assert pool.snapshot().blocks_found == 69


async def test_the_figures_of_a_pool(autojump_clock: Clock) -> None:
    async with pool_of(ScriptedNode(make_template(nbits=0x1B0404CB))) as (pool, listener):
        before = pool.snapshot()
        assert before.started_at == START
        assert (before.height, before.jobs_published, before.node_error) == (101, 1, None)
        assert before.network_difficulty == pytest.approx(16307.42, abs=0.01), "the example of the Bitcoin wiki"
        assert before.previous_hash == make_template().previous_hash[::-1].hex()
        assert (before.addresses, before.blocks, before.blocks_found, before.blocks_refused) == ((), (), 0, 0)
        assert (before.connections_total, before.connections_refused, before.answers.count) == (0, 0, 0)
        client, other = listener.connect(), listener.connect()
        await client.login()
        await other.login()
        await trio.sleep(10)
        for each in (client, other):
            assert await each.submit(each.miner.solve()) == 0
        await trio.sleep(20.5)
        snapshot = pool.snapshot()
        assert [session.session for session in snapshot.sessions] == [1, 2]
        assert snapshot.hash_rate == pytest.approx(2 * 42.9 / 30, rel=0.05)
        assert (snapshot.shares.received, snapshot.shares.accepted, snapshot.answers.count) == (2, 2, 2)
        assert snapshot.answers.total_s == 0.0
        assert (snapshot.jobs_published, snapshot.connections_total) == (2, 2)
        assert snapshot.job_id == f"{int(client.miner.jobs[0].job_id, 16) + 1 & 0xFFFFFFFF:08x}"
        assert snapshot.bytes_received == sum(session.bytes_received for session in snapshot.sessions)
        assert snapshot.shares is not pool.snapshot().shares


async def test_events_come_when_something_happens_and_not_later(autojump_clock: Clock) -> None:
    seen: list[PoolEvent] = []
    node = ScriptedNode()

    async with pool_of(node, on_event=seen.append) as (_, listener):
        counts = [len(seen)]

        async def step(action: Callable[[], object]) -> None:
            action()
            await trio.testing.wait_all_tasks_blocked()
            counts.append(len(seen))

        client = listener.connect()
        await step(lambda: None)
        await client.login()
        await step(lambda: None)
        await step(lambda: node.push(make_template(102)))
        await step(node.fail)
        assert trio.current_time() == 0
        assert counts == [1, 2, 4, 5, 6]
        node.recover()
        await trio.sleep(0.6)
        assert len(seen) == 7
        await client.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert len(seen) == 8


async def test_a_resubmitted_block_asks_for_the_template_again(autojump_clock: Clock) -> None:
    """Before a job is made of the template in which the block is missing."""
    node = ScriptedNode(make_template(nbits=EASY_BITS), grows=True)
    async with pool_of(node) as (pool, listener):
        client = listener.connect()
        await client.login()
        node.fail("no route")
        assert await client.submit(client.miner.solve()) == 0
        await trio.sleep(5)
        node.recover()
        await client.read_until(lambda: client.miner.jobs[-1].clean and len(client.miner.jobs) > 1)
        assert pool.snapshot().height == 102
        assert [job.params[1] for job in client.miner.jobs].count(client.miner.jobs[0].params[1]) == 1


async def test_an_unknown_port_is_named(autojump_clock: Clock) -> None:
    async with pool_of(ScriptedNode()) as (pool, _):
        with pytest.raises(RuntimeError, match=r"^Pool.port: expected a TCP listener, got none"):
            _ = pool.port


async def test_a_block_that_arrives_late_is_reported_when_it_arrives(autojump_clock: Clock) -> None:
    submitted_at: list[float] = []
    reported: list[tuple[float, bool]] = []

    def judge(_: bytes) -> SubmitResult:
        submitted_at.append(trio.current_time())
        return SubmitResult.from_text(None)

    node = ScriptedNode(make_template(nbits=EASY_BITS), judge=judge)

    def note(event: PoolEvent) -> None:
        if isinstance(event, events.BlockFound):
            reported.append((trio.current_time(), event.accepted))

    async with pool_of(node, on_event=note) as (_, listener):
        client = listener.connect()
        await client.login()
        node.fail("no route")
        assert await client.submit(client.miner.solve()) == 0
        await trio.sleep(65)
        node.recover()
        await trio.sleep(20)
    assert reported == [(60.0, False), (submitted_at[0], True)]


@pytest.mark.parametrize("is_taken", [True, False])
async def test_the_result_of_a_weak_block_is_reported_once_it_is_known(autojump_clock: Clock, is_taken: bool) -> None:
    node = ScriptedNode(
        make_template(nbits=EASY_BITS), judge=lambda _: SubmitResult.from_text(None if is_taken else "bad-cb-amount")
    )
    seen: list[PoolEvent] = []
    async with pool_of(node, replace(CONFIG, difficulty=1e-5), seen.append) as (pool, listener):
        client = listener.connect()
        await client.login()
        job = client.miner.jobs[0]
        code = await client.submit(client.miner.solve(at_most=job.network_target, above=job.target))
        await trio.testing.wait_all_tasks_blocked()
        assert trio.current_time() == 0
        assert code == (0 if is_taken else 23)
        assert pool.snapshot().answers.count == 1
    (share,) = [each for each in seen if isinstance(each, events.ShareAccepted | events.ShareRejected)]
    if isinstance(share, events.ShareAccepted):
        assert share.is_block
        assert share.difficulty == share.share_difficulty < 1e-5
    assert isinstance(share, events.ShareAccepted) == is_taken


async def test_what_a_pool_draws_by_lot(autojump_clock: Clock) -> None:
    """As many bits as job ids and extranonce1 values have, so that a restarted pool hardly repeats the last run's."""
    asked: list[int] = []

    def randbits(bits: int) -> int:
        asked.append(bits)
        return 0xFFFFFFFF

    with patch("stratum_miner.pool.pool.secrets.randbits", randbits):
        async with pool_of(ScriptedNode()) as (_, listener):
            client = listener.connect()
            await client.login()
    assert asked == [32, 32]
    assert (client.miner.jobs[0].job_id, client.miner.extranonce1) == ("ffffffff", "ffffffff")


async def test_a_block_is_offered_again_as_soon_as_a_node_that_failed_is_back(autojump_clock: Clock) -> None:
    """It may have lost the block; after ten seconds it would be offered in any case."""
    node = ScriptedNode(make_template(nbits=EASY_BITS))
    async with pool_of(node) as (_, listener):
        client = listener.connect()
        await client.login()
        assert await client.submit(client.miner.solve()) == 0
        await trio.sleep(1)
        assert len(node.submitted) == 1
        node.fail("restarting")
        await trio.sleep(1)
        node.recover()
        await trio.sleep(4)
        assert len(node.submitted) == 2
        assert node.submitted[0] == node.submitted[1]


async def test_a_miner_that_comes_back_gets_its_extranonce1_again(autojump_clock: Clock) -> None:
    async with pool_of(ScriptedNode()) as (pool, listener):
        client = listener.connect()
        await client.login()
        await client.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        again = listener.connect()
        await again.login("wire_miner/1", client.miner.session_id)
        assert again.miner.extranonce1 == client.miner.extranonce1
        assert pool._send_candidate.statistics().open_receive_channels == 4, "one for each task that submits blocks"
