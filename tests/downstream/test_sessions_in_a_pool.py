"""A miner's session, sans-IO, under the policy of a pool: a miner of wire lines on one side, templates on the other."""

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
    WorkerAdded,
)
from stratum_miner.stratum.errors import ErrorReason, RemoteProtocolError
from stratum_miner.testing.scripted_node import make_template
from tests.downstream.sans_io_pool import SHARE_DIFFICULTY, UNIX_TIME, VARDIFF, SansIoMiner, SansIoPool, mine
from tests.downstream.wire_miner import WireMiner

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
    assert connection.miner.reply()["result"][1:] == [first[0], 8]
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
    mine(pool, connection, 600, rate=SHARE_DIFFICULTY / 10)
    assert connection.miner.notifications("mining.set_difficulty") == [[SHARE_DIFFICULTY]]


def test_a_difficulty_from_the_password_is_left_alone() -> None:
    pool = SansIoPool(VARDIFF)
    connection = pool.connect()
    connection.say(connection.miner.login(password="d=2e-8"))
    mine(pool, connection, 300, rate=0.0)
    assert connection.miner.notifications("mining.set_difficulty") == [[2e-8]]


def test_password_sets_the_start_difficulty() -> None:
    connection = SansIoPool().connect()
    connection.say(connection.miner.login(password="x,d=0.001"))
    assert connection.miner.notifications("mining.set_difficulty") == [[0.001]]


# ---- shares: one fault at a time ------------------------------------------------------------------------------------

Fault = Callable[[SansIoMiner, list[Any]], list[Any]]


def _replace(index: int, change: Callable[[Any], Any]) -> Fault:
    def fault(connection: SansIoMiner, share: list[Any]) -> list[Any]:
        return [*share[:index], change(share[index]), *share[index + 1 :]]

    return fault


def _resubmit(index: int, change: Callable[[Any], Any]) -> Fault:
    def fault(connection: SansIoMiner, share: list[Any]) -> list[Any]:
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
    assert 30 <= len(session._meter._samples) <= 36, "about one for every ten seconds"


def test_the_worst_that_a_session_takes_is_bounded_also_once_it_ended() -> None:
    pool, count = SansIoPool(), 20

    def hostile() -> SansIoMiner:
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
