"""The pool on memory streams and a clock that jumps: timers, the node, blocks, stopping."""

import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import trio
import trio.testing

from stratum_miner.network.accepting import ListenerError
from stratum_miner.pool import MinerAuthorized, MinerConnected, MinerDisconnected, PoolEvent, events
from stratum_miner.pool.nodes.base import NodeUnsuitableError, SubmitResult
from stratum_miner.pool.nodes.memory import LOWEST_DIFFICULTY, MemoryNode
from stratum_miner.pool.pool import Pool, open_pool
from stratum_miner.pool.template import BlockTemplate
from stratum_miner.stratum.errors import ErrorReason
from stratum_miner.testing.scripted_node import EASY_BITS, ScriptedNode, make_template
from tests.downstream.memory_pool import CONFIG, START, Clock, pool_of
from tests.downstream.wire_client import MemoryListener, WireClient
from tests.pool.nodes import mined

# ---- shares and statistics ------------------------------------------------------------------------------------------


async def test_shares_events_and_snapshot(autojump_clock: Clock) -> None:
    seen: list[PoolEvent] = []
    async with pool_of(ScriptedNode(), on_event=seen.append) as (pool, listener):
        seen.clear()
        client = listener.connect()
        await client.login()
        share = client.miner.solve()
        assert await client.submit(share) == 0
        assert await client.submit(share) == 22
        kinds = [type(event) for event in seen]
        assert kinds == [
            MinerConnected,
            MinerAuthorized,
            events.DifficultyChanged,
            events.ShareAccepted,
            events.ShareRejected,
        ]
        snapshot = pool.snapshot()
        assert (snapshot.shares.accepted, snapshot.shares.rejected) == (1, {ErrorReason.DUPLICATE: 1})
        assert snapshot.height == 101
        (session,) = snapshot.sessions
        assert session.user_agent == "wire_miner/1"
        assert session.difficulty == 1e-8
        assert list(session.workers) == ["alice.rig"]
        assert session.bytes_sent > 0
        assert session.bytes_received > 0
        await client.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert isinstance(seen[-1], MinerDisconnected)
        assert pool.snapshot().sessions == ()
        assert pool.snapshot().shares.accepted == 1


async def test_figures_of_connections_go_on_when_they_are_over(autojump_clock: Clock) -> None:
    async with pool_of(ScriptedNode(), replace(CONFIG, max_refused_shares=1)) as (pool, listener):
        leaver, silent, stubborn, garbler = (listener.connect() for _ in range(4))
        for client in (leaver, stubborn, garbler):
            await client.login()
        await leaver.stream.aclose()
        share = stubborn.miner.solve()
        await stubborn.submit(share)
        for _ in range(2):
            await stubborn.submit(share)
        await garbler.stream.send_all(b"[" * (1 << 20))
        await trio.testing.wait_all_tasks_blocked()
        before = pool.snapshot()
        assert len(before.sessions) == 1
        assert before.answers.count == before.shares.accepted + sum(before.shares.rejected.values()) == 3
        await trio.sleep(CONFIG.authorize_timeout + 1)
        snapshot = pool.snapshot()
        endings = {ending.value: count for ending, count in snapshot.connections_ended.items()}
        assert endings == {"closed": 1, "refused_shares": 1, "protocol_error": 1, "not_authorized": 1}
        assert snapshot.bytes_received > 1000
        assert snapshot.bytes_sent >= before.bytes_sent > 0
        assert silent is not None


@pytest.mark.parametrize("is_taken", [True, False])
async def test_blocks_are_counted_by_what_the_node_said(autojump_clock: Clock, is_taken: bool) -> None:
    node = ScriptedNode(
        make_template(nbits=EASY_BITS), judge=lambda _: SubmitResult.from_text(None if is_taken else "bad-txnmrklroot")
    )
    async with pool_of(node) as (pool, listener):
        client = listener.connect()
        await client.login()
        assert await client.submit(client.miner.solve()) == 0
        await trio.testing.wait_all_tasks_blocked()
        snapshot = pool.snapshot()
        counts = snapshot.blocks_found, snapshot.blocks_accepted, snapshot.blocks_refused
        assert counts == (1, int(is_taken), int(not is_taken))
        assert snapshot.template_age == 0
        await trio.sleep(3)
        assert pool.snapshot().template_age == 3
        await trio.sleep(3)
        assert pool.snapshot().template_age == 2  # it was asked again after 4 s


async def test_a_channel_gets_every_event_in_order(autojump_clock: Clock) -> None:
    send, receive = trio.open_memory_channel[PoolEvent](math.inf)
    async with pool_of(ScriptedNode(), on_event=send.send_nowait) as (_, listener):
        for _ in range(3):
            await listener.connect().login()
    send.close()
    sessions = [event.session async for event in receive if isinstance(event, MinerConnected | MinerDisconnected)]
    assert sessions[:3] == [1, 2, 3]
    assert sorted(sessions[3:]) == [1, 2, 3], "also those that come while the pool stops"


async def test_on_event_runs_after_the_share_was_answered_and_the_block_was_submitted(autojump_clock: Clock) -> None:
    node = ScriptedNode(make_template(nbits=EASY_BITS))
    submitted: list[tuple[type, int, int]] = []

    def note(event: PoolEvent) -> None:
        if isinstance(event, events.ShareAccepted | events.BlockFound):
            submitted.append((type(event), len(node.submitted), pool.snapshot().sessions[0].bytes_queued))

    async with pool_of(node, on_event=note) as (pool, listener):
        client = listener.connect()
        await client.login()
        assert await client.submit(client.miner.solve()) == 0
        await trio.testing.wait_all_tasks_blocked()
    assert submitted == [(events.ShareAccepted, 1, 0), (events.BlockFound, 1, 0)]


@pytest.mark.parametrize("kind", [events.ShareAccepted, events.BlockFound, events.JobPublished])
async def test_an_error_of_on_event_ends_the_pool_and_loses_no_block(
    autojump_clock: Clock, kind: type[PoolEvent]
) -> None:
    node = ScriptedNode(make_template(nbits=EASY_BITS), grows=True)
    seen: list[PoolEvent] = []

    def fail(event: PoolEvent) -> None:
        seen.append(event)
        if isinstance(event, kind) and any(isinstance(each, MinerAuthorized) for each in seen):
            raise ZeroDivisionError(kind.__name__)

    with pytest.RaisesExc(ZeroDivisionError):
        async with pool_of(node, on_event=fail) as (_, listener):
            client = listener.connect()
            await client.login()
            await client.stream.send_all(client.miner.submit(client.miner.solve()))
            await client.read_to_end()
            assert client.miner.verdict() == 0
            await trio.sleep_forever()
    assert len(node.submitted) == 1
    assert isinstance(seen[-1], kind), "it is not called again"


async def test_a_block_reaches_a_slow_node_after_an_error_of_on_event(autojump_clock: Clock) -> None:
    node = ScriptedNode(make_template(nbits=EASY_BITS))

    def fail(event: PoolEvent) -> None:
        if isinstance(event, events.ShareAccepted):
            raise ZeroDivisionError

    with pytest.RaisesExc(ZeroDivisionError):
        async with pool_of(node, on_event=fail) as (_, listener):
            client = listener.connect()
            await client.login()
            node.fail("no route")
            await client.stream.send_all(client.miner.submit(client.miner.solve()))
            await trio.sleep(3)
            assert node.submitted == []
            node.recover()
            await trio.sleep_forever()
    assert len(node.submitted) == 1


async def test_a_failure_of_pytest_in_on_event_ends_the_pool_and_loses_no_block(autojump_clock: Clock) -> None:
    node = ScriptedNode(make_template(nbits=EASY_BITS))

    def fail(event: PoolEvent) -> None:
        if isinstance(event, events.ShareAccepted):
            try:
                raise KeyError("context")
            except KeyError:
                pytest.fail("no share was expected")

    with pytest.RaisesExc(pytest.fail.Exception, match="no share was expected") as caught:
        async with pool_of(node, on_event=fail) as (_, listener):
            client = listener.connect()
            await client.login()
            node.fail("no route")
            await client.stream.send_all(client.miner.submit(client.miner.solve()))
            await trio.sleep(3)
            node.recover()
            await trio.sleep_forever()
    assert len(node.submitted) == 1
    assert isinstance(caught.value.__context__, KeyError)


async def test_an_exception_of_the_node_is_raised_as_it_is(autojump_clock: Clock) -> None:
    class BrokenNode(ScriptedNode):
        async def wait_template(self, after: BlockTemplate) -> BlockTemplate:
            raise ZeroDivisionError

    with pytest.RaisesExc(ZeroDivisionError):
        async with pool_of(BrokenNode()):
            await trio.sleep_forever()


# ---- jobs -----------------------------------------------------------------------------------------------------------


async def test_the_job_is_renewed_in_time(autojump_clock: Clock) -> None:
    async with pool_of(ScriptedNode()) as (_, listener):
        client = listener.connect()
        await client.login()
        for number in (1, 2, 3):
            await client.read_jobs(number + 1)
            assert trio.current_time() == 30 * number
            assert client.miner.jobs[-1].ntime == START + 30 * number
            assert not client.miner.jobs[-1].clean
        assert await client.submit(client.miner.solve(client.miner.jobs[0])) == 0


async def test_a_new_block_goes_to_everyone_at_once(autojump_clock: Clock) -> None:
    node = ScriptedNode()
    async with pool_of(node) as (_, listener):
        clients = [listener.connect() for _ in range(10)]
        for client in clients:
            await client.login()
        for height in range(102, 152):
            node.push(make_template(height))
            await trio.testing.wait_all_tasks_blocked()
        for client in clients:
            await client.read_jobs(51)
            assert all(job.clean for job in client.miner.jobs)
        assert trio.current_time() == 0
        assert await clients[0].submit(clients[0].miner.solve(clients[0].miner.jobs[-2])) == 21
        assert await clients[0].submit(clients[0].miner.solve()) == 0


async def test_bits_that_change_with_the_time_reach_the_miners(autojump_clock: Clock) -> None:
    """As on testnet4: the bits change 1201 seconds after the last block, and nothing else does."""
    node = ScriptedNode(replace(make_template(), maxtime=START + 1200))
    async with pool_of(node) as (_, listener):
        client = listener.connect()
        await client.login()
        await trio.sleep(1201)
        node.template = make_template(nbits=EASY_BITS, curtime=START + 1201)
        await client.read_until(lambda: client.miner.jobs[-1].params[6] == f"{EASY_BITS:08x}")
        assert trio.current_time() <= 1202
        hard = [job for job in client.miner.jobs if job.params[6] != f"{EASY_BITS:08x}"]
        assert max(job.ntime for job in hard) <= START + 1200
        assert not client.miner.jobs[-1].clean, "a block of the harder bits still is one"
        _, job, extranonce2, _, nonce = client.miner.solve(hard[-1])
        late = [client.miner.worker_name, job, extranonce2, f"{START + 1201:08x}", nonce]
        assert await client.submit(late) == 20


async def test_no_job_is_beyond_what_the_node_vouched_for(autojump_clock: Clock) -> None:
    """Not even when the node cannot be asked any more."""
    node = ScriptedNode(replace(make_template(), maxtime=START + 1200))
    async with pool_of(node) as (_, listener):
        client = listener.connect()
        await client.login()
        await trio.sleep(1000)
        node.fail()
        await trio.sleep(3000)
        await client.read_jobs(100)
        assert max(job.ntime for job in client.miner.jobs) == START + 1200


async def test_a_node_that_never_can_be_mined_on_ends_the_pool(autojump_clock: Clock) -> None:
    node = ScriptedNode()

    async def serve() -> None:
        async with pool_of(node):
            node.fail(NodeUnsuitableError("another chain"))
            await trio.sleep(60)

    with pytest.raises(NodeUnsuitableError, match="another chain"):
        await serve()


async def test_a_node_that_fails_leaves_the_miners_their_job(autojump_clock: Clock) -> None:
    node = ScriptedNode()
    seen: list[PoolEvent] = []
    async with pool_of(node, on_event=seen.append) as (pool, listener):
        client = listener.connect()
        await client.login()
        node.fail("connection refused")
        await client.read_jobs(3)
        assert pool.snapshot().node_error == "connection refused"
        assert {job.params[1] for job in client.miner.jobs} == {client.miner.jobs[0].params[1]}
        assert await client.submit(client.miner.solve()) == 0
        node.recover()
        node.push(make_template(102))
        await client.read_until(lambda: client.miner.jobs[-1].clean)
        assert pool.snapshot().node_error is None
        kinds = [type(event) for event in seen]
        assert kinds.count(events.NodeFailed) == kinds.count(events.NodeRecovered) == 1


async def test_miners_wait_for_a_node_that_is_down_at_the_start(autojump_clock: Clock) -> None:
    node = ScriptedNode()
    node.fail()
    async with pool_of(node) as (_, listener):
        client = listener.connect()
        await client.stream.send_all(client.miner.login())
        await trio.sleep(100)
        node.recover()
        await client.read_until(lambda: client.miner.jobs)
        assert client.miner.jobs[0].clean


# ---- blocks ---------------------------------------------------------------------------------------------------------


async def test_a_block_reaches_the_node_and_the_next_job_follows(autojump_clock: Clock) -> None:
    node = ScriptedNode(make_template(nbits=EASY_BITS), grows=True)
    async with pool_of(node) as (pool, listener):
        client = listener.connect()
        await client.login()
        job = client.miner.jobs[0]
        share = client.miner.solve(at_most=job.network_target, above=job.target)
        assert await client.submit(share) == 0
        await client.read_jobs(2)
        assert client.miner.jobs[-1].clean
        assert node.submitted[0][:80] == job.header(share[2], job.ntime, int(share[4], 16))
        (block,) = pool.snapshot().blocks
        assert (block.height, block.accepted, block.stale, block.worker_name) == (101, True, False, "alice.rig")
        assert trio.current_time() == 0


async def test_a_block_the_node_knows_already_is_a_success(autojump_clock: Clock) -> None:
    node = ScriptedNode(make_template(nbits=EASY_BITS), judge=lambda _: SubmitResult.from_text("duplicate"))
    async with pool_of(node) as (pool, listener):
        client = listener.connect()
        await client.login()
        assert await client.submit(client.miner.solve()) == 0
        await trio.testing.wait_all_tasks_blocked()
        assert pool.snapshot().blocks[0].accepted


async def test_a_block_the_node_refuses_is_explained(autojump_clock: Clock) -> None:
    node = ScriptedNode(make_template(nbits=EASY_BITS), judge=lambda _: SubmitResult.from_text("bad-txnmrklroot"))
    async with pool_of(node) as (pool, listener):
        client = listener.connect()
        await client.login()
        assert await client.submit(client.miner.solve()) == 0, "the share is good, whatever the block is"
        await trio.testing.wait_all_tasks_blocked()
        (block,) = pool.snapshot().blocks
        assert not block.accepted
        assert block.result == "bad-txnmrklroot"
        assert block.explanation
        assert pool.snapshot().blocks_accepted == 0


@pytest.mark.parametrize(("verdict", "code", "accepted"), [(None, 0, 1), ("bad-cb-amount", 23, 0)])
async def test_a_block_below_the_share_difficulty_counts_when_the_node_takes_it(
    autojump_clock: Clock, verdict: str | None, code: int, accepted: int
) -> None:
    node = ScriptedNode(make_template(nbits=EASY_BITS), judge=lambda _: SubmitResult.from_text(verdict))
    async with pool_of(node, replace(CONFIG, difficulty=1e-5)) as (pool, listener):
        client = listener.connect()
        await client.login()
        job = client.miner.jobs[0]
        assert await client.submit(client.miner.solve(at_most=job.network_target, above=job.target)) == code
        snapshot = pool.snapshot()
        assert len(node.submitted) == 1
        assert snapshot.shares.accepted == snapshot.blocks_accepted == accepted
        assert snapshot.shares.rejected == ({} if accepted else {ErrorReason.LOW_DIFFICULTY: 1})
        assert [block.accepted for block in snapshot.blocks] == [bool(accepted)]


@pytest.mark.parametrize(("verdict", "code"), [(None, 0), ("inconclusive", 21)])
async def test_a_stale_block_is_offered_to_the_node(autojump_clock: Clock, verdict: str | None, code: int) -> None:
    node = ScriptedNode(make_template(nbits=EASY_BITS), judge=lambda _: SubmitResult.from_text(verdict))
    async with pool_of(node) as (pool, listener):
        client = listener.connect()
        await client.login()
        share = client.miner.solve()
        node.push(make_template(102, nbits=EASY_BITS))
        await client.read_jobs(2)
        assert await client.submit(share) == code
        assert len(node.submitted) == 1
        assert pool.snapshot().blocks[0].stale
        assert pool.snapshot().shares.accepted == (1 if code == 0 else 0)


async def test_a_sibling_of_a_block_that_was_taken_is_not_submitted(autojump_clock: Clock) -> None:
    taken: set[bytes] = set()

    def judge(block: bytes) -> SubmitResult:
        known = block in taken
        taken.add(block)
        return SubmitResult.from_text("duplicate-invalid" if known else None)

    node = ScriptedNode(make_template(nbits=EASY_BITS), judge=judge, grows=True)
    seen: list[PoolEvent] = []
    async with pool_of(node, on_event=seen.append) as (pool, listener):
        client = listener.connect()
        await client.login()
        first, second = client.miner.solve(), client.miner.solve()
        assert first != second
        assert await client.submit(first) == 0
        await client.read_jobs(2)
        seen.clear()
        assert await client.submit(second) == 21
        assert len(node.submitted) == 1
        assert len(pool.snapshot().blocks) == pool.snapshot().blocks_accepted == 1
        assert [event.result for event in seen if isinstance(event, events.BlockFound)] == ["sibling"]
        # the node goes back to where it was: our block is undone, and another one there is worth something again
        node.push(make_template(101, nbits=EASY_BITS))
        await client.read_jobs(3)
        assert await client.submit(client.miner.solve()) == 0
        await trio.testing.wait_all_tasks_blocked()
        assert len(node.submitted) == 3
        assert node.submitted[0] == node.submitted[1], "offered again once; the node says that it is invalid now"


async def test_a_block_is_offered_again_to_a_node_that_was_away_and_outlives_its_finder(autojump_clock: Clock) -> None:
    node = ScriptedNode(make_template(nbits=EASY_BITS))
    async with pool_of(node) as (pool, listener):
        client = listener.connect()
        await client.login()
        node.fail("no route")
        assert await client.submit(client.miner.solve()) == 0
        await client.stream.aclose()
        await trio.sleep(20)
        assert node.submitted == []
        node.recover()
        await trio.sleep(20)
        assert len(node.submitted) == 1
        assert pool.snapshot().blocks[0].accepted


async def test_the_finder_of_a_block_is_heard_again_after_a_moment(autojump_clock: Clock) -> None:
    node = ScriptedNode(make_template(nbits=EASY_BITS))
    async with pool_of(node) as (_, listener):
        client, other = listener.connect(), listener.connect()
        await client.login()
        await other.login()
        node.fail("busy")
        lines = [client.miner.submit(client.miner.solve()) for _ in range(2)]
        await client.stream.send_all(b"".join(lines))
        await client.read_until(lambda: client.miner.replies(client.miner.last_id - 1))
        assert await other.submit(other.miner.solve(at_most=2**256, above=other.miner.jobs[0].network_target)) == 23
        assert trio.current_time() == 0
        await client.read_until(client.miner.replies)
        assert trio.current_time() == 1
        node.recover()


async def test_a_node_that_stays_away_gets_no_block(autojump_clock: Clock) -> None:
    node = ScriptedNode(make_template(nbits=EASY_BITS))
    async with pool_of(node) as (pool, listener):
        client = listener.connect()
        await client.login()
        node.fail("no route")
        assert await client.submit(client.miner.solve()) == 0
        await trio.sleep(70)
        (block,) = pool.snapshot().blocks
        assert not block.accepted
        assert block.result == "unreachable"
        assert "no route" in block.explanation
        assert pool.snapshot().blocks_accepted == 0


# ---- blocks that the node does not have -----------------------------------------------------------------------------


class CrashingChain(MemoryNode):
    """A chain that loses its last blocks, as a node does that was killed."""

    def __init__(self) -> None:
        super().__init__(LOWEST_DIFFICULTY)

    def crash(self, height: int) -> None:
        self._blocks = {key: block for key, block in self._blocks.items() if block.height <= height}
        self._best_chain = {at: key for at, key in self._best_chain.items() if at <= height}
        self._tip = self._blocks[self._best_chain[height]]
        self._tip_changed.set()
        self._tip_changed = trio.Event()


@asynccontextmanager
async def mining_on(
    chain: CrashingChain, on_event: Callable[[PoolEvent], None] | None = None
) -> AsyncIterator[tuple[Pool, WireClient]]:
    listener = MemoryListener()
    async with open_pool(chain, CONFIG, listeners=[listener], on_event=on_event) as pool:
        client = listener.connect()
        await client.login()
        yield pool, client


async def mine(client: WireClient, blocks: int) -> None:
    for _ in range(blocks):
        jobs = len(client.miner.jobs)
        assert await client.submit(client.miner.solve()) == 0
        await client.read_jobs(jobs + 1)


async def test_blocks_that_the_node_lost_are_given_back_before_the_next_job(autojump_clock: Clock) -> None:
    chain = CrashingChain()
    seen: list[PoolEvent] = []
    async with mining_on(chain, seen.append) as (pool, client):
        await mine(client, 135)
        best = await chain.tip()
        chain.crash(0)
        await trio.testing.wait_all_tasks_blocked()
        assert await chain.tip() == best
        await mine(client, 1)
        assert trio.current_time() < 4, "the node was asked again at once"
        assert (await chain.tip()).height == 136
        heights = [event.height for event in seen if isinstance(event, events.JobPublished)]
        assert heights == sorted(heights), "nobody mined on a block of before"
        assert pool.snapshot().blocks_accepted == 136, "each counts once"


async def test_blocks_after_one_of_somebody_else_are_given_back_when_that_is_known(autojump_clock: Clock) -> None:
    chain = CrashingChain()
    async with mining_on(chain) as (_, client):
        await mine(client, 2)
        foreign = mined.mine(await chain.get_template())
        jobs = len(client.miner.jobs)
        assert (await chain.submit_block(foreign)).accepted
        await client.read_jobs(jobs + 1)
        await mine(client, 2)
        chain.crash(1)
        await trio.sleep(10)
        assert (await chain.tip()).height == 2
        assert (await chain.submit_block(foreign)).accepted
        await trio.sleep(10)
        assert (await chain.tip()).height == 5


async def test_a_block_waits_for_a_node_that_stays_away_for_long(autojump_clock: Clock) -> None:
    node = ScriptedNode(make_template(nbits=EASY_BITS), grows=True)
    seen: list[PoolEvent] = []
    async with pool_of(node, on_event=seen.append) as (pool, listener):
        client = listener.connect()
        await client.login()
        node.fail("no route")
        assert await client.submit(client.miner.solve()) == 0
        await trio.sleep(3600)
        assert [block.result for block in pool.snapshot().blocks] == ["unreachable"]
        node.recover()
        await trio.sleep(20)
        assert len(node.submitted) == 1
        snapshot = pool.snapshot()
        assert [block.result for block in snapshot.blocks] == ["accepted"]
        assert snapshot.blocks_accepted == 1
        assert snapshot.height == 102
        results = [event.result for event in seen if isinstance(event, events.BlockFound)]
        assert results == ["unreachable", "accepted"]


async def test_a_block_on_one_that_the_node_lost_waits_for_it(autojump_clock: Clock) -> None:
    chain = CrashingChain()
    async with mining_on(chain) as (pool, client):
        await mine(client, 3)
        share = client.miner.solve()
        chain.crash(0)  # and before the pool looks:
        assert await client.submit(share) in (0, 21)
        await trio.sleep(10)
        assert (await chain.tip()).height == 4
        assert [block.accepted for block in pool.snapshot().blocks] == [True] * 4


async def test_answers_given_before_the_garbage_still_arrive(autojump_clock: Clock) -> None:
    async with pool_of(ScriptedNode()) as (_, listener):
        client = listener.connect()
        await client.stream.send_all(client.miner.request("mining.ping") + b"garbage\n")
        await client.read_to_end()
        assert client.miner.reply()["result"] == "pong"


async def test_a_flood_of_bad_shares_ends_in_a_close(autojump_clock: Clock) -> None:
    async with pool_of(ScriptedNode(), replace(CONFIG, max_refused_shares=50)) as (_, listener):
        client = listener.connect()
        await client.login()
        bad = ["alice.rig", "?", "00" * 8, "00000000", "00000000"]
        await client.stream.send_all(b"".join(client.miner.submit(bad) for _ in range(100)))
        await client.read_to_end()
        assert sum(1 for message in client.miner.messages if message.get("error")) == 51


# ---- stopping -------------------------------------------------------------------------------------------------------


async def test_stopping_answers_and_closes(autojump_clock: Clock) -> None:
    seen: list[PoolEvent] = []
    async with pool_of(ScriptedNode(), on_event=seen.append) as (pool, listener):
        client = listener.connect()
        await client.login()
        await client.stream.send_all(client.miner.submit(client.miner.solve()))
        await trio.testing.wait_all_tasks_blocked()
        pool.stop()
    await client.read_to_end()
    assert client.miner.verdict() == 0
    assert trio.current_time() <= 1
    assert seen[-1] == MinerDisconnected(1, "in memory", "the pool stops")


async def with_a_late_block(node: ScriptedNode, listener: MemoryListener) -> WireClient:
    """A miner whose block builds on the tip of before, and waits for a node that is away."""
    client = listener.connect()
    await client.login()
    share = client.miner.solve()
    node.push(make_template(102, nbits=EASY_BITS))
    await client.read_jobs(2)
    node.fail()
    await client.stream.send_all(client.miner.submit(share))
    await trio.testing.wait_all_tasks_blocked()
    return client


async def test_stopping_answers_a_late_block_first(autojump_clock: Clock) -> None:
    node = ScriptedNode(make_template(nbits=EASY_BITS))
    async with pool_of(node) as (pool, listener):
        client = await with_a_late_block(node, listener)
        pool.stop()
        await trio.sleep(1)
        node.recover()
    await client.read_to_end()
    assert client.miner.verdict() == 0
    assert len(node.submitted) == 1


async def test_a_broken_listener_answers_a_late_block_first(autojump_clock: Clock) -> None:
    node = ScriptedNode(make_template(nbits=EASY_BITS))
    with pytest.RaisesExc(ListenerError):
        async with pool_of(node) as (_, listener):
            client = await with_a_late_block(node, listener)
            listener.fail()
            await trio.sleep(1)
            node.recover()
            await trio.sleep_forever()
    await client.read_to_end()
    assert client.miner.verdict() == 0
    assert len(node.submitted) == 1


async def test_stopping_waits_for_a_block_but_not_forever(autojump_clock: Clock) -> None:
    node = ScriptedNode(make_template(nbits=EASY_BITS))
    async with pool_of(node) as (pool, listener):
        client = listener.connect()
        await client.login()
        node.fail()
        assert await client.submit(client.miner.solve()) == 0
    assert trio.current_time() == pytest.approx(CONFIG.stop_grace, abs=1.1)
    assert pool.snapshot().blocks == ()


async def test_cancelling_ends_everything(autojump_clock: Clock) -> None:
    with trio.move_on_after(5) as scope:
        async with pool_of(ScriptedNode()) as (_, listener):
            await listener.connect().login()
            await trio.sleep_forever()
    assert scope.cancelled_caught
    assert trio.current_time() == 5


async def test_a_pool_serves_once(autojump_clock: Clock) -> None:
    async with pool_of(ScriptedNode()) as (pool, listener):
        with pytest.RaisesExc(RuntimeError, match="^Pool.serve: expected one call, got a second$"):
            await pool.serve([MemoryListener()])
        client = listener.connect()
        await client.login()
        assert await client.submit(client.miner.solve()) == 0
    with pytest.RaisesExc(RuntimeError, match="^Pool.serve: expected one call, got a second$"):
        await pool.serve()
