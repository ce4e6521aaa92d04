"""What an operator reads of a pool: each line once, when it happens, with its figures."""

from collections import Counter
from dataclasses import replace

import pytest
import trio
import trio.testing
from structlog.testing import capture_logs

from stratum_miner.app.daemon.pool_status import log_status
from stratum_miner.bitcoin.sha256d import sha256d
from stratum_miner.pool import MinerAuthorized, PoolEvent, events
from stratum_miner.pool.config import PoolConfig
from stratum_miner.pool.nodes.base import SubmitResult
from stratum_miner.pool.pool import Pool
from stratum_miner.stratum.errors import ErrorReason
from stratum_miner.testing.scripted_node import EASY_BITS, ScriptedNode, make_template
from tests.downstream.memory_pool import CONFIG, Clock, pool_of
from tests.log_lines import lines


async def test_the_life_of_a_pool(autojump_clock: Clock) -> None:
    node = ScriptedNode()
    with capture_logs() as logs:
        async with pool_of(node) as (_, listener):
            client = listener.connect()
            await client.login()
            share = client.miner.solve()
            assert await client.submit(share) == 0
            assert await client.submit(share) == 22
            node.push(make_template(102))
            await client.read_jobs(2)
            await trio.sleep(31)
            await client.stream.aclose()
            await trio.testing.wait_all_tasks_blocked()
            node.fail("connection refused")
            await trio.testing.wait_all_tasks_blocked()
            node.recover()
            await trio.sleep(5)
    ids = [job.job_id for job in client.miner.jobs]
    assert [line["event"] for line in logs] == [
        "job_published", "client_connected", "worker_authorized", "difficulty_changed", "share_accepted",
        "share_rejected", "shares_rejected", "job_published",
        "job_published", "client_left", "node_failed", "node_recovered",
        "pool_stopping", "pool_stopped",
    ]  # fmt: skip
    assert lines(logs, "job_published") == [
        ("job_published", "info", True, 101, ids[0]),
        ("job_published", "info", True, 102, ids[1]),
        ("job_published", "debug", False, 102, f"{int(ids[1], 16) + 1 & 0xFFFFFFFF:08x}"),
    ]
    assert lines(logs, "client_connected", "client_left") == [
        ("client_connected", "info", "in memory", 1),
        ("client_left", "info", 1, "in memory", "the miner closed the connection", 1, 1),
    ]
    assert lines(logs, "worker_authorized", "difficulty_changed") == [
        ("worker_authorized", "info", 1, "alice.rig"),
        ("difficulty_changed", "debug", 1e-8, 1),
    ]
    assert lines(logs, "shares_rejected") == [
        ("shares_rejected", "info", "duplicate share", "duplicate share", 1, 1, "alice.rig"),
    ]
    assert lines(logs, "share_accepted", "share_rejected") == [
        ("share_accepted", "debug", ids[0], 1, "alice.rig"),
        ("share_rejected", "debug", "duplicate share", 1, "alice.rig"),
    ]
    assert lines(logs, "node_failed", "node_recovered") == [
        ("node_failed", "warning", "connection refused", True),
        ("node_recovered", "info"),
    ]
    assert lines(logs, "pool_stopping", "pool_stopped") == [
        ("pool_stopping", "info", 0, 0),
        ("pool_stopped", "info", 0, 1),
    ]


async def test_how_much_is_logged_of_rejected_shares_is_not_for_miners_to_decide(autojump_clock: Clock) -> None:
    """A line for each reason and ten seconds; every share is in one of them, and each reason names its newest."""
    with capture_logs() as logs:
        async with pool_of(ScriptedNode()) as (_, listener):
            for _ in range(4):
                client = listener.connect()
                await client.login()
                share = client.miner.solve()
                assert await client.submit(share) == 0
                for number in range(30):
                    await client.submit(share)
                    await client.submit(["alice.rig", f"unknown-{number}", *share[2:]])
                    await trio.sleep(0.1)
    told = [line for line in logs if line["event"] == "shares_rejected"]
    assert Counter((line["reason"], line["log_level"]) for line in told) == {
        ("duplicate share", "info"): 3,
        ("job not found", "info"): 3,
    }
    assert sum(line["shares"] for line in told) == 240
    assert [line["shares"] for line in told[:2]] == [1, 1], "the first is logged at once"
    assert [line["session"] for line in told[-2:]] == [4, 4]


async def test_the_status_says_why_shares_were_rejected(autojump_clock: Clock) -> None:
    with capture_logs() as logs:
        async with pool_of(ScriptedNode()) as (pool, listener), trio.open_nursery() as nursery:
            nursery.start_soon(log_status, pool)
            await trio.sleep(31)
            client = listener.connect()
            await client.login()
            share = client.miner.solve()
            for _ in range(3):
                await client.submit(share)
            await client.submit(["alice.rig", "unknown", *share[2:]])
            await trio.sleep(30)
            nursery.cancel_scope.cancel()
    first, second = [line for line in logs if line["event"] == "status"]
    assert (first["rejected"], "rejected_because" in first) == (0, False)
    assert (second["accepted"], second["rejected"]) == (1, 3)
    assert second["rejected_because"] == "2 duplicate share, 1 job not found"


async def test_a_pool_on_sockets_says_where() -> None:
    with capture_logs() as logs:
        pool = Pool(ScriptedNode(), PoolConfig(payout_script=b"\x51", port=0))
        async with trio.open_nursery() as nursery:
            await nursery.start(pool.serve)
            addresses = pool.addresses
            assert addresses == (f"127.0.0.1:{pool.port}",)
            pool.stop()
    assert pool.addresses == addresses, "known after the end too"
    assert lines(logs, "pool_listening") == [("pool_listening", "info", addresses)]


async def test_a_block_that_the_node_does_not_get(autojump_clock: Clock) -> None:
    node = ScriptedNode(make_template(nbits=EASY_BITS))
    with capture_logs() as logs:
        async with pool_of(node) as (_, listener):
            client = listener.connect()
            await client.login()
            node.fail("no route")
            await client.submit(client.miner.solve())
            await trio.sleep(70)
    assert lines(logs, "block_submit_failed") == [("block_submit_failed", "warning", "no route")]
    (lost,) = [line for line in logs if line["event"] == "block_lost"]
    assert lost["reason"] == "no route"
    assert lost["log_level"] == "error"
    (stopping,) = lines(logs, "pool_stopping")
    assert stopping[2:] == (1, 0)


async def test_a_pool_that_stops_while_a_block_waits_says_so(autojump_clock: Clock) -> None:
    node = ScriptedNode(make_template(nbits=EASY_BITS))
    with capture_logs() as logs:
        async with pool_of(node) as (_, listener):
            client = listener.connect()
            await client.login()
            node.fail("no route")
            assert await client.submit(client.miner.solve()) == 0
    (stopping,) = lines(logs, "pool_stopping")
    assert stopping[2:] == (1, 1), "a session and a block"


async def test_a_connection_that_is_refused_or_breaks_an_invariant(autojump_clock: Clock) -> None:
    with capture_logs() as logs:
        async with pool_of(ScriptedNode(), replace(CONFIG, max_connections_per_address=1)) as (_, listener):
            await listener.connect().login()
            await listener.connect().read_to_end()
    assert lines(logs, "connection_refused") == [
        ("connection_refused", "warning", "in memory", "more than 1 connections from one address")
    ]


async def test_blocks_that_are_given_back_and_siblings(autojump_clock: Clock) -> None:
    answers: list[str | None] = [None]
    node = ScriptedNode(make_template(nbits=EASY_BITS), judge=lambda _: SubmitResult.from_text(answers[0]))
    with capture_logs() as logs:
        async with pool_of(node) as (_, listener):
            client = listener.connect()
            await client.login()
            assert await client.submit(client.miner.solve()) == 0
            await trio.sleep(2)
            assert await client.submit(client.miner.solve()) == 0
            await trio.sleep(30)
            answers[0] = "bad-txns-nonfinal"
            await trio.sleep(30)
    assert lines(logs, "sibling_not_submitted") != []
    given_back = lines(logs, "blocks_given_back")
    assert given_back[0] == ("blocks_given_back", "warning", 1, 101, 101)
    (refused,) = lines(logs, "block_not_taken_back")
    assert refused[3] == "the lock time of a transaction has not come yet"


async def test_a_pool_whose_blocks_are_answered_stops_at_once(autojump_clock: Clock) -> None:
    node = ScriptedNode(make_template(nbits=EASY_BITS))
    with capture_logs() as logs:
        async with pool_of(node) as (_, listener):
            for _ in range(2):
                client = listener.connect()
                await client.login()
                assert await client.submit(client.miner.solve()) == 0
            await trio.testing.wait_all_tasks_blocked()
    assert lines(logs, "pool_stopping") == [("pool_stopping", "info", 2, 0)]
    assert trio.current_time() < 1


async def test_the_events_of_shares_say_whose_they_are(autojump_clock: Clock) -> None:
    seen: list[PoolEvent] = []
    async with pool_of(ScriptedNode(), on_event=seen.append) as (_, listener):
        client = listener.connect()
        await client.login()
        share = client.miner.solve()
        assert await client.submit(share) == 0
        assert await client.submit(share) == 22
        assert trio.current_time() == 0, "each answer comes at once"
    job_id = client.miner.jobs[0].job_id
    accepted, rejected = [each for each in seen if isinstance(each, events.ShareAccepted | events.ShareRejected)]
    assert isinstance(accepted, events.ShareAccepted)
    assert accepted == events.ShareAccepted(1, "alice.rig", job_id, 1e-8, accepted.share_difficulty, False)
    assert accepted.share_difficulty >= 1e-8
    assert rejected == events.ShareRejected(1, "alice.rig", job_id, ErrorReason.DUPLICATE, "duplicate share")
    assert events.DifficultyChanged(1, 1e-8) in seen
    assert MinerAuthorized(1, "alice.rig", "wire_miner/1") in seen


class ClosedChannel:
    """Takes no more blocks; the first try to send one finds a full channel, if that is said."""

    def __init__(self, *, full: bool) -> None:
        self.full = full

    def send_nowait(self, block: object) -> None:
        """Fail."""
        raise trio.WouldBlock if self.full else trio.BrokenResourceError

    async def send(self, block: object) -> None:
        """Fail."""
        raise trio.BrokenResourceError


@pytest.mark.parametrize("full", [True, False])
async def test_a_block_that_comes_when_the_pool_is_cancelled_is_named(autojump_clock: Clock, full: bool) -> None:
    with capture_logs() as logs:
        async with pool_of(ScriptedNode(make_template(nbits=EASY_BITS))) as (pool, listener):
            client = listener.connect()
            await client.login()
            pool._send_candidate = ClosedChannel(full=full)  # type: ignore[assignment]  # as it is then
            share = client.miner.solve()
            assert await client.submit(share) == 0, "the share is good"
            await trio.testing.wait_all_tasks_blocked()
    header = client.miner.jobs[0].header(share[2], int(share[3], 16), int(share[4], 16))
    digest = sha256d(header)[::-1].hex()
    assert lines(logs, "block_lost") == [("block_lost", "error", digest, "the pool was cancelled")]
    assert 5 <= trio.current_time() < 6.1, "the grace for blocks that are not answered"
