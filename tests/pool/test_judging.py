"""A miner's session under our pool's policy, sans-IO: a miner of wire lines on one side, the factory on the other."""

import json
import random
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.bitcoin.target import target_from_difficulty
from stratum_miner.downstream.events import (
    AnsweredWithError,
    AnsweredWithTrue,
    DifficultySet,
    SessionEvent,
    ShareToForward,
    SubscribePending,
    WorkerAdded,
)
from stratum_miner.downstream.extranonces import ExtranonceRegistry
from stratum_miner.downstream.miner_session import MinerSession
from stratum_miner.downstream.share_counts import DownstreamShareCounts
from stratum_miner.downstream.validator import ShareValidator
from stratum_miner.downstream.vardiff import VardiffConfig
from stratum_miner.pool.config import PoolConfig
from stratum_miner.pool.job_factory import JobFactory, PoolJob
from stratum_miner.pool.judging import JudgingPolicy, block_of
from stratum_miner.pool.template import BlockTemplate
from stratum_miner.stratum.errors import ErrorReason, RemoteProtocolError
from stratum_miner.testing.scripted_node import EASY_BITS, make_template
from tests.downstream.wire_miner import WireMiner

SHARE_DIFFICULTY = 1e-8
"""Some 43 hashes a share."""
CONFIG = PoolConfig(payout_script=b"\x51", difficulty=SHARE_DIFFICULTY, max_refused_shares=20)
UNIX_TIME = 1_700_000_010


class SansIoPool:
    """What the sessions of one pool share, and a clock."""

    def __init__(self, config: PoolConfig = CONFIG, template: BlockTemplate | None = None) -> None:
        self.config = config
        self.now = 100.0
        self.unix_time = float(UNIX_TIME)
        self.factory = JobFactory(
            payout_script=config.payout_script,
            version_mask=config.version_mask,
            extranonce_size=4 + config.extranonce2_size,
        )
        self.validator = ShareValidator(extranonce2_size=config.extranonce2_size, ntime_ahead=config.ntime_ahead)
        leases = ExtranonceRegistry[PoolJob](first=7, extranonce2_size=config.extranonce2_size)
        self.policy = JudgingPolicy(config, self.factory, self.validator, leases)
        self.total = DownstreamShareCounts()
        self.connections: list[Connection] = []
        self.publish(template or make_template())

    def publish(self, template: BlockTemplate) -> None:
        job = self.factory.publish(template, self.now)
        self.validator.set_tip(template.previous_hash)
        self._announce(job)

    def renew(self) -> None:
        self._announce(self.factory.renew(self.now))

    def _announce(self, job: Any) -> None:
        for connection in self.connections:
            connection.session.announce(job, self.now)
            connection.collect()

    def connect(self) -> "Connection":
        self.connections.append(Connection(self))
        return self.connections[-1]

    def miner(self, mask: str | None = None) -> "Connection":
        """Connected, configured when a mask is given, subscribed, authorized."""
        connection = self.connect()
        if mask is not None:
            connection.say(connection.miner.configure(mask))
        connection.say(connection.miner.login())
        assert connection.miner.jobs
        return connection


class Connection:
    def __init__(self, pool: SansIoPool) -> None:
        self.pool = pool
        self.miner = WireMiner()
        self.events: list[SessionEvent[PoolJob]] = []
        self.session = MinerSession(pool.policy, pool.total, pool.now)

    def say(self, data: bytes) -> None:
        self.session.receive_data(data)
        try:
            while (event := self.session.next_event(self.pool.now, self.pool.unix_time)) is not None:
                if isinstance(event, SubscribePending):
                    self.session.subscribe(event, self.pool.policy, self.pool.now)
                else:
                    self.events.append(event)
        finally:
            self.collect()

    def collect(self) -> None:
        self.miner.receive(self.session.data_to_send())

    def ask(self, method: str, *params: Any) -> Any:
        self.say(self.miner.request(method, *params))
        return self.miner.reply()

    def submit(self, share: list[Any]) -> int:
        self.say(self.miner.submit(share))
        return self.miner.verdict()

    def seen(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


# ---- handshake ------------------------------------------------------------------------------------------------------


def test_difficulty_then_clean_job_once_subscribed_and_authorized() -> None:
    connection = SansIoPool().connect()
    connection.say(connection.miner.request("mining.subscribe", "x/1"))
    assert not connection.miner.jobs
    connection.say(connection.miner.request("mining.authorize", "alice.rig", ""))
    methods = [message.get("method", "reply") for message in connection.miner.messages]
    assert methods == ["reply", "reply", "mining.set_difficulty", "mining.notify"]
    assert connection.miner.difficulty == SHARE_DIFFICULTY
    assert connection.miner.jobs[0].clean
    assert connection.miner.extranonce2_size == 8
    assert len(connection.miner.extranonce1) == 8
    assert connection.seen(WorkerAdded) == [WorkerAdded("alice.rig")]
    assert connection.seen(DifficultySet) == [DifficultySet(SHARE_DIFFICULTY)]


def test_authorize_before_subscribe_starts_as_well() -> None:
    connection = SansIoPool().connect()
    assert connection.ask("mining.authorize", "alice.rig")["result"] is True
    assert not connection.miner.messages[1:]
    connection.say(connection.miner.request("mining.subscribe"))
    assert connection.miner.jobs


@pytest.mark.parametrize("params", [[], ["ua", None], ["ua", None, "host", None], ["ua", "no such session"]])
def test_subscribe_in_every_shape(params: list[Any]) -> None:
    connection = SansIoPool().connect()
    result = connection.ask("mining.subscribe", *params)["result"]
    assert result[1:] == ["00000007", 8]


def test_second_subscribe_gets_the_same_answer() -> None:
    connection = SansIoPool().miner()
    first = connection.miner.extranonce1, connection.miner.session_id
    connection.say(connection.miner.request("mining.subscribe", "ua", connection.miner.session_id))
    assert (connection.miner.extranonce1, connection.miner.session_id) == first
    assert len(connection.miner.jobs) == 1
    assert connection.submit(connection.miner.solve()) == 0


def test_pipelined_handshake_and_foreign_ids() -> None:
    connection = SansIoPool().connect()
    lines = [
        {"id": "auth", "method": "mining.authorize", "params": ["alice.rig", "x"]},
        {"id": 2**31 - 1, "method": "mining.ping", "params": [], "jsonrpc": "2.0", "extra": {}},
        {"method": "mining.subscribe", "id": 0, "params": []},
    ]
    connection.say(b"\r\n".join(json.dumps(line).encode() for line in lines) + b"\r\n\n")
    replies = [message for message in connection.miner.messages if "method" not in message]
    assert [reply["id"] for reply in replies] == ["auth", 2**31 - 1, 0]
    assert replies[1]["result"] == "pong"


def test_byte_by_byte_gives_the_same_answers() -> None:
    whole, split = SansIoPool().connect(), SansIoPool().connect()
    whole.say(whole.miner.configure() + whole.miner.login())
    for byte in split.miner.configure() + split.miner.login():
        split.say(bytes([byte]))
    assert split.miner.session_id
    texts = [json.dumps(each.miner.messages).replace(each.miner.session_id, "S") for each in (whole, split)]
    assert texts[0] == texts[1]


def test_several_workers_are_counted_apart_and_strangers_refused() -> None:
    connection = SansIoPool().miner()
    assert connection.ask("mining.authorize", "bob", "x")["result"] is True
    share = connection.miner.solve()
    assert connection.submit(["carol", *share[1:]]) == 24
    assert connection.submit(["bob", *share[1:]]) == 0
    assert connection.session.workers["bob"].accepted == 1
    assert connection.session.workers["alice.rig"].accepted == 0


def test_empty_worker_name_is_refused() -> None:
    connection = SansIoPool().connect()
    assert connection.ask("mining.authorize", " ", "x")["error"][0] == 24


def test_submit_without_authorize() -> None:
    connection = SansIoPool().connect()
    assert connection.submit(["alice.rig", "1", "00" * 8, "00000000", "00000000"]) in (24, 25)
    connection.ask("mining.authorize", "alice.rig", "x")
    assert connection.submit(["alice.rig", "1", "00" * 8, "00000000", "00000000"]) == 25
    assert [event.reason for event in connection.seen(AnsweredWithError)][1:] == [ErrorReason.NOT_SUBSCRIBED]


def test_unknown_method_and_stray_replies() -> None:
    connection = SansIoPool().miner()
    assert connection.ask("mining.frobnicate")["error"][0] == -3
    before = len(connection.miner.messages)
    connection.say(b'{"id":4,"result":true,"error":null}\n{"id":null,"result":"pong"}\n')
    assert len(connection.miner.messages) == before


def test_the_waiting_miner_gets_the_first_job_when_the_node_has_one() -> None:
    pool = SansIoPool()
    pool.factory.current = None
    connection = pool.connect()
    connection.say(connection.miner.login())
    assert connection.miner.difficulty == SHARE_DIFFICULTY
    assert not connection.miner.jobs
    pool.publish(make_template(5))
    assert connection.miner.jobs[0].clean
    assert connection.submit(connection.miner.solve()) == 0


# ---- resume ---------------------------------------------------------------------------------------------------------


def test_resume_keeps_extranonce_and_jobs() -> None:
    pool = SansIoPool()
    first = pool.miner()
    pending = first.miner.solve()
    first.session.close(pool.now)
    pool.connections.remove(first)
    pool.now += 599
    second = pool.connect()
    stranger = pool.connect()
    stranger.say(stranger.miner.login("ua", first.miner.extranonce1))
    assert stranger.miner.extranonce1 != first.miner.extranonce1, "whoever guesses it owns nothing"
    second.say(second.miner.login("ua", first.miner.session_id))
    assert second.miner.extranonce1 == first.miner.extranonce1
    assert second.miner.session_id != first.miner.session_id
    assert second.submit(pending) == 0
    assert second.submit(pending) == 22


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


def test_a_share_whose_answer_was_lost_is_no_stale_one_after_the_resume() -> None:
    pool = SansIoPool()
    first = pool.miner()
    share, late = first.miner.solve(), first.miner.solve()
    assert first.submit(share) == 0
    first.session.close(pool.now)
    pool.connections.remove(first)
    pool.publish(make_template(102))
    second = pool.connect()
    second.say(second.miner.login("ua", first.miner.session_id))
    assert second.submit(share) == 22, "it was accepted, and told nobody"
    assert second.submit(late) == 21


def test_resume_of_a_live_or_expired_session_gets_a_fresh_one() -> None:
    pool = SansIoPool()
    first = pool.miner()
    live = pool.connect()
    live.say(live.miner.login("ua", first.miner.session_id))
    assert live.miner.extranonce1 != first.miner.extranonce1
    first.session.close(pool.now)
    pool.now += 601
    late = pool.connect()
    late.say(late.miner.login("ua", first.miner.session_id))
    assert late.miner.extranonce1 not in (first.miner.extranonce1, live.miner.extranonce1)


# ---- extensions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "granted"), [("ffffffff", "1fffe000"), ("000fe000", "000fe000"), ("00000001", None), ("00000000", None)]
)
def test_version_mask_is_the_common_part(asked: str, granted: str | None) -> None:
    connection = SansIoPool().connect()
    connection.say(connection.miner.configure(asked))
    expected = {"version-rolling": False}
    if granted:
        expected = {"version-rolling": True, "version-rolling.mask": granted}  # type: ignore[dict-item]
    assert connection.miner.reply()["result"] == expected


def test_configure_answers_each_extension_that_was_asked_for() -> None:
    connection = SansIoPool().connect()
    names = ["minimum-difficulty", "subscribe-extranonce", "info", "teleport"]
    values = {"minimum-difficulty.value": 0.5, "info.sw-version": "v1"}
    result = connection.ask("mining.configure", names, values)["result"]
    assert result == {"minimum-difficulty": True, "subscribe-extranonce": True, "info": True, "teleport": False}
    assert connection.session.info is not None
    assert connection.session.info.sw_version == "v1"
    connection.say(connection.miner.login())
    assert connection.miner.difficulty == 0.5


def test_minimum_difficulty_above_the_ceiling_is_refused() -> None:
    connection = SansIoPool().connect()
    result = connection.ask("mining.configure", ["minimum-difficulty"], {"minimum-difficulty.value": 2})["result"]
    assert result["minimum-difficulty"] == "expected a difficulty of at most 1"


@pytest.mark.parametrize("params", [[], [[]], [5], [["version-rolling"], 5], [[["x"]]]])
def test_configure_of_wrong_shape_does_no_harm(params: list[Any]) -> None:
    connection = SansIoPool().connect()
    connection.ask("mining.configure", *params)
    connection.say(connection.miner.login())
    assert connection.submit(connection.miner.solve()) == 0


def test_a_mask_granted_late_counts_for_jobs_that_are_out() -> None:
    connection = SansIoPool().miner()
    assert connection.submit(connection.miner.solve(version_bits=0x2000)) == 20
    connection.say(connection.miner.configure("0000e000"))
    assert connection.submit(connection.miner.solve(version_bits=0x2000)) == 0
    connection.say(connection.miner.configure("00ff0000"))
    assert connection.submit(connection.miner.solve(version_bits=0x8000)) == 0, "granted when the job came"
    assert connection.submit(connection.miner.solve(version_bits=0x10000)) == 0


@pytest.mark.parametrize("method", ["mining.extranonce.subscribe", "mining.multi_version"])
def test_requests_answered_with_true(method: str) -> None:
    assert SansIoPool().connect().ask(method, 1)["result"] is True


def test_get_transactions() -> None:
    connection = SansIoPool().miner()
    assert connection.ask("mining.get_transactions", connection.miner.jobs[-1].job_id)["result"] == []
    assert connection.ask("mining.get_transactions", "ffff")["error"][0] == 21


# ---- difficulty -----------------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("seed", range(20))
def test_a_suggested_target_is_never_loosened(seed: int) -> None:
    target = random.Random(seed).getrandbits(240) | 1 << 239 | 1
    connection = SansIoPool().miner()
    connection.ask("mining.suggest_target", f"{target:064x}")
    told = target_from_difficulty(connection.miner.difficulty)
    assert told <= target
    assert told == pytest.approx(target, rel=1e-15)
    assert connection.session.lease is not None
    job = connection.session.lease.jobs.get(connection.miner.jobs[-1].job_id)
    assert job is not None
    assert job.target == told, "judged by what was told"


@pytest.mark.parametrize("value", [0, -1, "NaN", None, [], True, "1e999"])
def test_bad_suggestions_are_refused(value: Any) -> None:
    connection = SansIoPool().miner()
    assert connection.ask("mining.suggest_difficulty", value)["error"][0] == 20
    assert connection.miner.difficulty == SHARE_DIFFICULTY


def test_suggestion_before_subscribe_is_the_start_difficulty() -> None:
    connection = SansIoPool().connect()
    connection.ask("mining.suggest_difficulty", 1e-7)
    connection.say(connection.miner.login())
    assert connection.miner.notifications("mining.set_difficulty") == [[1e-7]]


def test_difficulty_is_frozen_per_job() -> None:
    connection = SansIoPool().miner()
    old = connection.miner.jobs[-1]
    connection.ask("mining.suggest_difficulty", 1e-7)
    new = connection.miner.jobs[-1]
    assert connection.submit(connection.miner.solve(old, above=new.target)) == 0
    assert connection.submit(connection.miner.solve(new, at_most=old.target, above=new.target)) == 23
    assert connection.submit(connection.miner.solve(new)) == 0
    assert [event.difficulty for event in connection.seen(AnsweredWithTrue)] == [SHARE_DIFFICULTY, 1e-7]


def test_a_flood_of_suggestions_costs_one_job_a_second() -> None:
    pool = SansIoPool()
    connection = pool.miner()
    for value in (1e-7, 2e-7, 3e-7, 4e-7):
        connection.ask("mining.suggest_difficulty", value)
    assert connection.miner.notifications("mining.set_difficulty")[1:] == [[1e-7]]
    pool.now += 1.0
    connection.session.tick(pool.now)
    connection.collect()
    assert connection.miner.notifications("mining.set_difficulty")[1:] == [[1e-7], [4e-7]]
    assert len(connection.miner.jobs) == 3


VARDIFF = replace(CONFIG, vardiff=VardiffConfig(target_seconds=10.0, retarget_seconds=60.0), minimum_difficulty=1e-9)


def _mine(pool: SansIoPool, connection: Connection, seconds: int, rate: float) -> None:
    """Shares at ``rate`` units of difficulty per second, evenly; the session ticks once a second."""
    work = 0.0
    for _ in range(seconds):
        pool.now += 1.0
        work += rate
        while work >= connection.miner.difficulty:
            work -= connection.miner.difficulty
            assert connection.submit(connection.miner.solve()) == 0
        connection.session.tick(pool.now)
        connection.collect()


def test_many_shares_raise_the_difficulty_and_silence_lowers_it() -> None:
    pool = SansIoPool(VARDIFF)
    connection = pool.miner()
    _mine(pool, connection, 120, rate=SHARE_DIFFICULTY)
    raised = connection.miner.difficulty
    assert 5 * SHARE_DIFFICULTY < raised < 20 * SHARE_DIFFICULTY, "one share in ten seconds"
    methods = [message.get("method") for message in connection.miner.messages]
    assert all(
        methods[index + 1] == "mining.notify"
        for index, method in enumerate(methods)
        if method == "mining.set_difficulty"
    )
    _mine(pool, connection, 1200, rate=0.0)
    assert connection.miner.difficulty < raised / 2


def test_work_that_came_too_late_counts_for_vardiff_but_not_as_accepted() -> None:
    pool = SansIoPool(replace(VARDIFF, max_refused_shares=100))
    connection = pool.miner()
    job = connection.miner.jobs[-1]
    shares = [connection.miner.solve(job) for _ in range(60)]
    pool.publish(make_template(102))
    for share in shares:
        pool.now += 1
        assert connection.submit(share) == 21
    assert connection.miner.difficulty > 3 * SHARE_DIFFICULTY, "a share a second, where one in ten is wanted"
    assert connection.session.shares.accepted == 0


def test_a_steady_miner_keeps_its_difficulty() -> None:
    pool = SansIoPool(VARDIFF)
    connection = pool.miner()
    _mine(pool, connection, 600, rate=SHARE_DIFFICULTY / 10)
    assert connection.miner.notifications("mining.set_difficulty") == [[SHARE_DIFFICULTY]]


def test_vardiff_stays_inside_its_bounds() -> None:
    pool = SansIoPool(replace(VARDIFF, minimum_difficulty=5e-9, maximum_difficulty=2e-8))
    connection = pool.miner()
    _mine(pool, connection, 300, rate=2 * SHARE_DIFFICULTY)
    _mine(pool, connection, 3000, rate=0.0)
    announced = [difficulty for (difficulty,) in connection.miner.notifications("mining.set_difficulty")]
    assert (min(announced), max(announced)) == (5e-9, 2e-8)


def test_silence_lowers_the_difficulty_from_where_it_is_and_not_from_beyond_the_maximum() -> None:
    pool = SansIoPool(replace(VARDIFF, maximum_difficulty=2e-8))
    connection = pool.miner()
    _mine(pool, connection, 300, rate=2 * SHARE_DIFFICULTY)
    assert connection.miner.difficulty == 2e-8, "vardiff wants ten times as much"
    _mine(pool, connection, 300, rate=0.0)
    assert connection.miner.difficulty < 2e-8 / 5


def test_a_difficulty_from_the_password_is_left_alone() -> None:
    pool = SansIoPool(VARDIFF)
    connection = pool.connect()
    connection.say(connection.miner.login(password="d=2e-8"))
    _mine(pool, connection, 300, rate=0.0)
    assert connection.miner.notifications("mining.set_difficulty") == [[2e-8]]


def test_vardiff_starts_no_higher_than_the_network() -> None:
    pool = SansIoPool(replace(VARDIFF, difficulty=1000.0))
    connection = pool.miner()
    assert connection.miner.difficulty == 1.0


def test_password_sets_the_start_difficulty() -> None:
    connection = SansIoPool().connect()
    connection.say(connection.miner.login(password="x,d=0.001"))
    assert connection.miner.notifications("mining.set_difficulty") == [[0.001]]


ASKS: dict[str, Callable[["Connection", float], Any]] = {
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
    settings: dict[str, Any], floor: float, ask: Callable[["Connection", float], Any]
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


# ---- shares: one fault at a time ------------------------------------------------------------------------------------

Fault = Callable[[Connection, list[Any]], list[Any]]


def _replace(index: int, change: Callable[[Any], Any]) -> Fault:
    def fault(connection: Connection, share: list[Any]) -> list[Any]:
        return [*share[:index], change(share[index]), *share[index + 1 :]]

    return fault


def _resubmit(index: int, change: Callable[[Any], Any]) -> Fault:
    def fault(connection: Connection, share: list[Any]) -> list[Any]:
        assert connection.submit(share) == 0
        return _replace(index, change)(connection, share)

    return fault


FAULTS: list[tuple[str, Fault, set[int]]] = [
    ("ERR-01 exact duplicate", _resubmit(0, lambda name: name), {22}),
    ("ERR-02 upper-case extranonce2", _resubmit(2, str.upper), {22}),
    ("ERR-02 upper-case nonce", _resubmit(4, str.upper), {22}),
    ("ERR-02 upper-case ntime", _resubmit(3, str.upper), {22}),
    ("ERR-02 0x nonce", _resubmit(4, lambda text: "0x" + text), {20}),
    ("ERR-02 blank before nonce", _resubmit(4, lambda text: " " + text), {20}),
    ("ERR-02 blank after ntime", _resubmit(3, lambda text: text + " "), {20}),
    ("ERR-03 padded extranonce2", _resubmit(2, lambda text: text + "00"), {20}),
    ("ERR-03 cut extranonce2", _resubmit(2, lambda text: text[:-2]), {20}),
    ("ERR-03 padded nonce", _resubmit(4, lambda text: text + "00"), {20}),
    ("ERR-07 random job", _replace(1, lambda _: "deadbeef"), {21}),
    ("ERR-07 empty job", _replace(1, lambda _: ""), {21}),
    ("ERR-07 long job", _replace(1, lambda _: "a" * 1000), {20, 21}),
    ("ERR-09 low difficulty", lambda c, _: c.miner.solve(at_most=2**256, above=c.miner.jobs[-1].target), {23}),
    ("ERR-13 ntime before the job", lambda c, _: c.miner.solve(ntime=c.miner.jobs[-1].ntime - 1), {20}),
    ("ERR-14 ntime 7201 s ahead", lambda c, _: c.miner.solve(ntime=UNIX_TIME + 7201), {20}),
    ("ERR-14 ntime 7001 s ahead", lambda c, _: c.miner.solve(ntime=UNIX_TIME + 7001), {20}),
    ("ERR-15 short ntime", _replace(3, lambda text: text[1:]), {20}),
    ("ERR-15 long ntime", _replace(3, lambda text: "0" + text), {20}),
    ("ERR-15 no hex ntime", _replace(3, lambda text: "g" + text[1:]), {20}),
    ("ERR-15 number ntime", _replace(3, lambda text: int(text, 16)), {20}),
    ("ERR-16 short nonce", _replace(4, lambda text: text[1:]), {20}),
    ("ERR-16 no hex nonce", _replace(4, lambda text: "g" + text[1:]), {20}),
    ("ERR-17 long extranonce2", _replace(2, lambda text: text + "00"), {20}),
    ("ERR-17 short extranonce2", _replace(2, lambda text: text[2:]), {20}),
    ("ERR-17 empty extranonce2", _replace(2, lambda _: ""), {20}),
    ("ERR-17 odd extranonce2", _replace(2, lambda text: text[1:]), {20}),
    ("ERR-17 no hex extranonce2", _replace(2, lambda text: "zz" + text[2:]), {20}),
    ("ERR-18 bits outside the mask", lambda c, _: c.miner.solve(version_bits=1), {20}),
    ("ERR-18 top bits", lambda c, _: c.miner.solve(version_bits=0x80000000), {20}),
    ("ERR-21 no hex version bits", lambda _, share: [*share, "0000g000"], {20}),
    ("ERR-21 short version bits", lambda _, share: [*share, "2000"], {20}),
    ("ERR-21 number version bits", lambda _, share: [*share, 8192], {20}),
    ("ERR-22 other worker", _replace(0, lambda _: "mallory"), {24}),
    ("ERR-23 four params", lambda _, share: share[:4], {20}),
    ("ERR-23 seven params", lambda _, share: [*share, "00000000", "00000000"], {20}),
    ("ERR-23 nested", _replace(1, lambda job_id: [job_id]), {20}),
]


@pytest.mark.parametrize(("fault", "codes"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS])
def test_one_fault_is_refused_and_the_session_goes_on(fault: Fault, codes: set[int]) -> None:
    connection = SansIoPool().miner("1fffe000")
    share = fault(connection, connection.miner.solve(extranonce2="abcdefabcdefabcd"))
    assert connection.submit(share) in codes
    reply = connection.miner.reply()
    assert reply["result"] is None
    assert reply["error"][2] is None
    assert connection.submit(connection.miner.solve(extranonce2="abcdefabcdefabcd")) == 0
    assert sum(connection.session.shares.rejected.values()) == 1


def test_sixth_parameter_of_zero_makes_no_new_share() -> None:
    connection = SansIoPool().miner("1fffe000")
    share = connection.miner.solve(version_bits=0)
    assert connection.submit(share) == 0
    assert connection.submit(share[:5]) == 22
    bare = connection.miner.solve()
    assert connection.submit(bare) == 0
    assert connection.submit([*bare, "00000000"]) == 22


def test_version_bits_without_negotiation_are_refused_unless_zero() -> None:
    connection = SansIoPool().miner()
    assert connection.submit(connection.miner.solve(version_bits=0x2000)) == 20
    assert connection.submit(connection.miner.solve(version_bits=0)) == 0


def test_another_sessions_share_and_job_are_judged_by_our_own() -> None:
    pool = SansIoPool()
    first, second = pool.miner(), pool.miner()
    share = first.miner.solve()
    assert first.submit(share) == 0
    assert second.submit(share) == 23
    second.ask("mining.suggest_difficulty", 1e-7)  # a job that only the second session has
    assert first.submit(second.miner.solve()) == 21
    assert second.submit(second.miner.solve()) == 0


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


def test_a_reorganisation_back_makes_old_jobs_good_again_but_no_share_twice() -> None:
    pool = SansIoPool()
    connection = pool.miner()
    counted, fresh = connection.miner.solve(), connection.miner.solve()
    assert connection.submit(counted) == 0
    pool.publish(make_template(101, fork=1))
    assert connection.submit(fresh) == 21
    pool.publish(make_template(101))
    assert connection.submit(counted) == 22
    assert connection.submit(fresh) == 0


@pytest.mark.parametrize("offset", [0, 1, 30, UNIX_TIME + 600 - 1_700_000_000])
def test_ntime_inside_the_window(offset: int) -> None:
    connection = SansIoPool().miner()
    assert connection.submit(connection.miner.solve(ntime=connection.miner.jobs[-1].ntime + offset)) == 0


def test_ntime_just_outside_the_window() -> None:
    connection = SansIoPool().miner()
    assert connection.submit(connection.miner.solve(ntime=UNIX_TIME + 601)) == 20


def test_every_extranonce2_and_every_granted_version() -> None:
    connection = SansIoPool().miner("1fffe000")
    for extranonce2 in ("00" * 8, "ff" * 8, "0123456789abcdef"):
        assert connection.submit(connection.miner.solve(extranonce2=extranonce2)) == 0
    for version_bits in (0, 0x2000, 0x10000000, 0x1FFFE000):
        assert connection.submit(connection.miner.solve(version_bits=version_bits)) == 0


def test_fifty_pipelined_shares_get_fifty_answers() -> None:
    connection = SansIoPool().miner()
    lines = [connection.miner.submit(connection.miner.solve()) for _ in range(50)]
    connection.say(b"".join(lines))
    last = connection.miner.last_id
    assert [connection.miner.verdict(request_id) for request_id in range(last - 49, last + 1)] == [0] * 50


def test_the_same_share_twice_in_one_segment_counts_once() -> None:
    connection = SansIoPool().miner()
    share = connection.miner.solve()
    connection.say(connection.miner.submit(share) + connection.miner.submit(share))
    last = connection.miner.last_id
    assert [connection.miner.verdict(last - 1), connection.miner.verdict(last)] == [0, 22]


def test_too_many_refused_shares_end_the_session() -> None:
    connection = SansIoPool().miner()
    lines = [connection.miner.submit(["alice.rig", "?", "00" * 8, "00000000", "00000000"]) for _ in range(30)]
    with pytest.raises(RemoteProtocolError, match="more than 20 refused shares"):
        connection.say(b"".join(lines))
    assert connection.session.shares.rejected[ErrorReason.JOB_NOT_FOUND] == 21


# ---- blocks ---------------------------------------------------------------------------------------------------------


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


SUBSCRIBE = b'{"id":1,"method":"mining.subscribe"}\n'

# ---- invariants -----------------------------------------------------------------------------------------------------


@given(st.lists(st.binary(max_size=40) | st.sampled_from([b"\n", SUBSCRIBE]), max_size=20))
def test_any_bytes_are_survived(chunks: list[bytes]) -> None:
    connection = SansIoPool().connect()
    try:
        for chunk in chunks:
            connection.say(chunk)
    except RemoteProtocolError:
        return
    for message in connection.miner.messages:
        assert set(message) == {"id", "result", "error"}


def test_hash_rate_follows_the_accepted_difficulty() -> None:
    pool = SansIoPool()
    connection = pool.miner()
    for _ in range(10):
        assert connection.submit(connection.miner.solve()) == 0
    pool.now += 10
    expected = 10 * SHARE_DIFFICULTY * 4295032833.0 / 10
    assert connection.session.hash_rate(pool.now) == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("look_every", [0, 1, 10, 7200])
def test_the_hash_rate_does_not_depend_on_who_looked_before(look_every: int) -> None:
    pool = SansIoPool()
    session = pool.miner().session
    rates = []
    for second in range(1, 7201):
        if second <= 3600:
            session.shares.credit(1.0, 1.0, 0.0)
        session.tick(pool.now + second)
        if look_every and second % look_every == 0:
            session.hash_rate(pool.now + second)
        if second in (3600, 3750, 7200):
            rates.append(session.hash_rate(pool.now + second))
    full = 4295032833.0
    assert rates == [pytest.approx(full), pytest.approx(full / 2, rel=0.05), 0.0]


def test_the_worst_that_a_session_takes_is_bounded_also_once_it_ended() -> None:
    pool, count = SansIoPool(), 20

    def hostile() -> Connection:
        connection = pool.connect()
        connection.say(connection.miner.login("x" * 512))
        for number in range(70):  # four bytes a character, and more workers than one connection may have
            name = f"{number:03}".ljust(512, "\U0001f600")
            connection.say(json.dumps({"id": 1, "method": "mining.authorize", "params": [name, "x"]}).encode() + b"\n")
        connection.session.receive_data(b"x" * 65_000)
        connection.miner = WireMiner()
        connection.events.clear()
        return connection

    tracemalloc.start()
    try:
        connections = [hostile() for _ in range(count)]
        for _ in range(400):
            pool.now += 1
            pool.renew()
            for connection in connections:
                connection.session.tick(pool.now)
                connection.miner = WireMiner()
                connection.events.clear()
        live, _ = tracemalloc.get_traced_memory()
        for connection in connections:
            connection.session.close(pool.now)
        pool.connections.clear()
        connections.clear()
        del connection
        ended, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert live / count < 300_000
    assert ended / count < 16_000
