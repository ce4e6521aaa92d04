"""What a pool decides about a session, sans-IO: its jobs, its difficulties, and which shares go to the node."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from stratum_miner.bitcoin.target import target_from_difficulty
from stratum_miner.downstream.events import (
    AnsweredWithTrue,
    ShareToForward,
)
from stratum_miner.downstream.vardiff import VardiffConfig
from stratum_miner.pool.judging import block_of
from stratum_miner.pool.template import TemplateTransaction
from stratum_miner.stratum.errors import ErrorReason, RemoteProtocolError
from stratum_miner.testing.scripted_node import EASY_BITS, make_template
from tests.downstream.sans_io_pool import CONFIG, SHARE_DIFFICULTY, VARDIFF, SansIoMiner, SansIoPool, mine


def test_a_miner_that_comes_back_gets_new_work() -> None:
    """Many count from the beginning again when they connect."""
    pool = SansIoPool()
    first, other = pool.miner(), pool.miner()
    for connection in (first, other):
        connection.session.close(pool.now)
        pool.connections.remove(connection)
    again = [pool.connect(), pool.connect()]
    for connection, before in zip(again, (first, other), strict=True):
        connection.say(connection.miner.login("ua", before.miner.session_id))
        assert connection.miner.extranonce1 == before.miner.extranonce1
        assert connection.miner.jobs[-1].job_id != before.miner.jobs[-1].job_id
        assert connection.miner.jobs[-1].params[2:4] != before.miner.jobs[-1].params[2:4], "another coinbase"
    assert again[0].miner.jobs[-1].job_id == again[1].miner.jobs[-1].job_id, "one new job for all of them"


def test_minimum_difficulty_above_the_ceiling_is_refused() -> None:
    connection = SansIoPool().connect()
    result = connection.ask("mining.configure", ["minimum-difficulty"], {"minimum-difficulty.value": 2})["result"]
    assert result["minimum-difficulty"] == "expected a difficulty of at most 1"


def test_get_transactions() -> None:
    connection = SansIoPool().miner()
    assert connection.ask("mining.get_transactions", connection.miner.jobs[-1].job_id)["result"] == []
    assert connection.ask("mining.get_transactions", "ffff")["error"][0] == 21


@pytest.mark.parametrize(
    ("method", "value", "expected"),
    [
        ("mining.suggest_difficulty", 1e-7, 1e-7),
        ("mining.suggest_difficulty", "0.0000001", 1e-7),
        ("mining.suggest_difficulty", 1e-30, SHARE_DIFFICULTY),
        ("mining.suggest_difficulty", 1e308, 1.0),
        ("mining.suggest_target", "00000001fffe" + "0" * 52, 0.5),
    ],
)
def test_suggestions_are_taken_and_clamped(method: str, value: Any, expected: float) -> None:
    connection = SansIoPool().miner()
    assert connection.ask(method, value)["result"] is True
    assert connection.miner.difficulty == expected
    if expected != SHARE_DIFFICULTY:
        assert connection.miner.messages[-1]["method"] == "mining.notify"
        assert connection.miner.jobs[-1].job_id != connection.miner.jobs[-2].job_id


def test_many_shares_raise_the_difficulty_and_silence_lowers_it() -> None:
    pool = SansIoPool(VARDIFF)
    connection = pool.miner()
    mine(pool, connection, 120, rate=SHARE_DIFFICULTY)
    raised = connection.miner.difficulty
    assert 5 * SHARE_DIFFICULTY < raised < 20 * SHARE_DIFFICULTY, "one share in ten seconds"
    methods = [message.get("method") for message in connection.miner.messages]
    assert all(
        methods[index + 1] == "mining.notify"
        for index, method in enumerate(methods)
        if method == "mining.set_difficulty"
    )
    mine(pool, connection, 1200, rate=0.0)
    assert connection.miner.difficulty < raised / 2


def test_vardiff_stays_inside_its_bounds() -> None:
    pool = SansIoPool(replace(VARDIFF, minimum_difficulty=5e-9, maximum_difficulty=2e-8))
    connection = pool.miner()
    mine(pool, connection, 300, rate=2 * SHARE_DIFFICULTY)
    mine(pool, connection, 3000, rate=0.0)
    announced = [difficulty for (difficulty,) in connection.miner.notifications("mining.set_difficulty")]
    assert (min(announced), max(announced)) == (5e-9, 2e-8)


def test_silence_lowers_the_difficulty_from_where_it_is_and_not_from_beyond_the_maximum() -> None:
    pool = SansIoPool(replace(VARDIFF, maximum_difficulty=2e-8))
    connection = pool.miner()
    mine(pool, connection, 300, rate=2 * SHARE_DIFFICULTY)
    assert connection.miner.difficulty == 2e-8, "vardiff wants ten times as much"
    mine(pool, connection, 300, rate=0.0)
    assert connection.miner.difficulty < 2e-8 / 5


def test_vardiff_starts_no_higher_than_the_network() -> None:
    pool = SansIoPool(replace(VARDIFF, difficulty=1000.0))
    connection = pool.miner()
    assert connection.miner.difficulty == 1.0


ASKS: dict[str, Callable[[SansIoMiner, float], Any]] = {
    "suggest_difficulty": lambda c, wanted: c.ask("mining.suggest_difficulty", wanted),
    "suggest_target": lambda c, wanted: c.ask("mining.suggest_target", f"{target_from_difficulty(wanted):064x}"),
    "password": lambda c, wanted: c.ask("mining.authorize", "bob", f"d={wanted!r}"),
    "minimum-difficulty": lambda c, wanted: c.ask(
        "mining.configure", ["minimum-difficulty"], {"minimum-difficulty.value": wanted}
    ),
}


@pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS)
@pytest.mark.parametrize(
    ("settings", "floor"),
    [
        ({}, SHARE_DIFFICULTY),
        ({"difficulty": 2.0}, 2.0),
        ({"difficulty": 1e-3, "vardiff": VardiffConfig()}, 1e-6),
        ({"difficulty": 1e-3, "vardiff": VardiffConfig(minimum=1e-4)}, 1e-4),
        ({"difficulty": 1e-7, "vardiff": VardiffConfig()}, 1e-7),
        ({"difficulty": 1e-3, "vardiff": VardiffConfig(minimum=1e-2)}, 1e-3),
        ({"difficulty": 1e-3, "minimum_difficulty": 1e-5}, 1e-5),
        ({"difficulty": 1e-3, "minimum_difficulty": 1e-5, "vardiff": VardiffConfig()}, 1e-5),
    ],
)
def test_a_miner_may_not_ask_for_less_than_it_could_get_unasked_unless_the_minimum_is_set(
    settings: dict[str, Any], floor: float, ask: Callable[[SansIoMiner, float], Any]
) -> None:
    pool = SansIoPool(replace(CONFIG, **settings))
    connection = pool.miner()
    for wanted in (2.0**-32, 1e-9, floor / 2):
        pool.now += 2
        ask(connection, wanted)
        assert connection.miner.difficulty >= floor * (1 - 1e-12)
    pool.now += 2
    ask(connection, 4 * floor)
    assert connection.miner.difficulty >= floor * (1 - 1e-12), "nor through what the network limits"


def test_many_new_difficulties_share_their_jobs() -> None:
    pool = SansIoPool()
    connections = [pool.miner() for _ in range(20)]
    for second in range(10):
        pool.now += 1
        for connection in connections:
            connection.ask("mining.suggest_difficulty", SHARE_DIFFICULTY * (2 + second))
    jobs = [[job.job_id for job in connection.miner.jobs] for connection in connections]
    assert all(len(set(known)) == len(known) == 11 for known in jobs), "each is told of a job that it does not know"
    assert len({job_id for known in jobs for job_id in known}) == 11
    assert connections[3].submit(connections[3].miner.solve()) == 0


def test_a_chain_easier_than_our_minimum_does_not_bound_the_difficulty() -> None:
    config = replace(CONFIG, difficulty=1e-5, minimum_difficulty=1e-6)
    connection = SansIoPool(config, make_template(nbits=EASY_BITS)).miner()
    connection.ask("mining.suggest_difficulty", 0.001)
    assert connection.miner.difficulty == 0.001


def test_a_renewed_job_is_other_work() -> None:
    pool = SansIoPool()
    connection = pool.miner()
    share = connection.miner.solve()
    assert connection.submit(share) == 0
    pool.now += 30
    pool.renew()
    job = connection.miner.jobs[-1]
    assert not job.clean
    assert job.ntime == connection.miner.jobs[0].ntime + 30
    renewed = [share[0], job.job_id, share[2], f"{job.ntime:08x}", share[4]]
    assert connection.submit(renewed) == 23
    assert connection.submit(connection.miner.solve(connection.miner.jobs[0])) == 0, "same block: still good"


def test_job_of_the_previous_block_is_stale() -> None:
    pool = SansIoPool()
    connection = pool.miner()
    old = connection.miner.solve()
    pool.publish(make_template(102))
    assert connection.miner.jobs[-1].clean
    assert connection.submit(old) == 21
    assert connection.submit(connection.miner.solve()) == 0


def _easy_ground() -> SansIoPool:
    return SansIoPool(replace(CONFIG, difficulty=1e-5), make_template(nbits=EASY_BITS))


def test_a_block_that_is_a_share_is_answered_at_once_and_reported_first() -> None:
    pool = SansIoPool(replace(CONFIG, difficulty=1e-9), make_template(nbits=EASY_BITS))
    connection = pool.miner()
    share = connection.miner.solve()
    assert connection.submit(share) == 0
    kinds = [type(event) for event in connection.events[-2:]]
    assert kinds == [ShareToForward, AnsweredWithTrue]
    candidate = connection.seen(ShareToForward)[0]
    assert not candidate.stale
    assert block_of(candidate.solution)[:80] == candidate.solution.header
    connection.session.answer(candidate, candidate.refusal, 0.0)
    connection.collect()
    assert connection.session.shares.accepted == 1, "the share is good, whatever becomes of the block"
    assert connection.submit(share) == 22
    assert len(connection.seen(ShareToForward)) == 1


@pytest.mark.parametrize(("accepted", "code"), [(True, 0), (False, 23)])
def test_a_block_below_the_share_difficulty_waits_for_the_nodes_verdict(accepted: bool, code: int) -> None:
    connection = _easy_ground().miner()
    job = connection.miner.jobs[-1]
    share = connection.miner.solve(at_most=job.network_target, above=job.target)
    connection.say(connection.miner.submit(share))
    assert connection.miner.replies() == []
    candidate = connection.seen(ShareToForward)[0]
    assert not candidate.stale
    connection.session.answer(candidate, None if accepted else candidate.refusal, 0.0)
    connection.collect()
    assert connection.miner.verdict() == code
    shares = connection.session.shares
    assert shares.rejected == ({} if accepted else {ErrorReason.LOW_DIFFICULTY: 1})
    assert shares.difficulty == (candidate.solution.difficulty if accepted else 0), "what its hash is worth"
    assert connection.submit(share) == 22
    assert len(connection.seen(ShareToForward)) == 1


@pytest.mark.parametrize(("accepted", "code"), [(True, 0), (False, 21)])
def test_a_stale_block_waits_for_the_nodes_verdict(accepted: bool, code: int) -> None:
    pool = _easy_ground()
    connection = pool.miner()
    share = connection.miner.solve(at_most=connection.miner.jobs[-1].network_target)
    pool.publish(make_template(102, nbits=EASY_BITS))
    connection.say(connection.miner.submit(share))
    assert connection.miner.replies() == []
    candidate = connection.seen(ShareToForward)[0]
    assert candidate.stale
    connection.session.answer(candidate, None if accepted else candidate.refusal, 0.0)
    connection.collect()
    assert connection.miner.verdict() == code
    assert connection.submit(share) == 22, "it was answered, whatever the answer was"
    assert len(connection.seen(ShareToForward)) == 1


def test_a_stale_share_that_is_no_block_is_just_stale() -> None:
    pool = _easy_ground()
    connection = pool.miner()
    share = connection.miner.solve(at_most=2**256, above=connection.miner.jobs[-1].network_target)
    pool.publish(make_template(102, nbits=EASY_BITS))
    assert connection.submit(share) == 21
    assert not connection.seen(ShareToForward)


@pytest.mark.parametrize(("size", "good"), [(128 * 1024, True), (128 * 1024 + 1, False)])
def test_transactions_are_given_up_to_128_kib(size: int, good: bool) -> None:
    data = [bytes(size - 10), bytes(range(10))]
    transactions = tuple(TemplateTransaction(data=each, txid=bytes(32), wtxid=bytes(32)) for each in data)
    connection = SansIoPool(template=replace(make_template(), transactions=transactions)).miner()
    connection.ask("mining.get_transactions", connection.miner.jobs[-1].job_id)
    reply = connection.miner.reply()
    if good:
        assert reply["result"] == [each.hex() for each in data]
    else:
        assert reply["error"] == [20, "the transactions exceed 131072 bytes", None]


def test_a_difficulty_changes_at_most_once_a_second() -> None:
    pool = SansIoPool()
    connection = pool.miner()
    for seconds, difficulty, announced in ((0.0, 1e-7, 1e-7), (0.99, 2e-7, 1e-7), (0.01, 3e-7, 3e-7)):
        pool.now += seconds
        connection.ask("mining.suggest_difficulty", difficulty)
        assert connection.miner.difficulty == announced


def test_what_a_policy_says_of_a_difficulty() -> None:
    plain = SansIoPool(replace(CONFIG, difficulty=8.0, minimum_difficulty=2.0)).policy
    assert plain.start_difficulty == 8.0
    assert plain.ceiling == 1e15, "this chain is easier than the lowest difficulty, so it bounds nothing"
    assert [plain.difficulty(None, wanted, minimum) for wanted, minimum in ((None, 0.0), (3.0, 0.0), (3.0, 4.0))] == [
        8.0,
        3.0,
        4.0,
    ]
    assert [plain.bounded(difficulty, asked=True) for difficulty in (1.0, 5.0, 1e16)] == [2.0, 5.0, 1e15]
    pool = SansIoPool(replace(CONFIG, difficulty=1e-3, vardiff=VardiffConfig(minimum=1e-4)))
    assert pool.policy.bounded(1e-9, asked=True) == 1e-4
    assert pool.policy.bounded(1e-9, asked=False) == 1e-6
    assert pool.policy.ceiling == 1.0
    pool.factory.current = None
    assert pool.policy.ceiling == 1e15
    assert pool.policy.latest is None
    assert not isinstance(pool.policy.transactions(None), list)


def test_a_row_of_refused_shares_is_as_long_as_configured() -> None:
    connection = SansIoPool(replace(CONFIG, max_refused_shares=2)).miner()
    bad = ["alice.rig", "?", "00" * 8, "00000000", "00000000"]
    assert [connection.submit(bad) for _ in range(2)] == [21, 21]
    with pytest.raises(RemoteProtocolError, match="more than 2 refused shares in a row"):
        connection.submit(bad)


def test_bits_that_miners_may_roll_are_those_of_the_settings() -> None:
    pool = SansIoPool(replace(CONFIG, version_mask=0xE000))
    connection = pool.miner("1fffe000")
    assert connection.session.version_mask == 0xE000
    assert connection.submit(connection.miner.solve(version_bits=0xE000)) == 0
    assert connection.submit(connection.miner.solve(version_bits=0x10000)) == 20
