"""What each fault of a pool does to one connection: what the miner is sent, and what the pool.

A fault that did nothing would pass the tests of our miner, which outlives it: so each has its effect here.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from stratum_miner.capture.filter import Close, Send
from stratum_miner.capture.record import Side
from stratum_miner.faults.fault_filter import filter_of, parse
from stratum_miner.faults.pool_faults import POOL_FAULTS

Message = dict[str, Any]

CONFIGURE = {"id": 1, "method": "mining.configure", "params": [["version-rolling"], {}]}
CONFIGURED = {"id": 1, "result": {"version-rolling": True, "version-rolling.mask": "1fffe000"}, "error": None}
EXTRANONCE_SUBSCRIBE = {"id": 5, "method": "mining.extranonce.subscribe", "params": []}
AUTHORIZE = {"id": 2, "method": "mining.authorize", "params": ["worker", "x"]}
AUTHORIZED = {"id": 2, "result": True, "error": None}
DIFFICULTY = {"id": None, "method": "mining.set_difficulty", "params": [7]}
PARAMS = ["job", "00" * 32, "01", "02", [], "20000000", "1d00ffff", "66000000", False]
JOB = {"id": None, "method": "mining.notify", "params": PARAMS}
SUBMIT = {"id": 3, "method": "mining.submit", "params": ["worker", "job", "00000000", "66000000", "00000007"]}
TAKEN = {"id": 3, "result": True, "error": None}
SUBMIT_AGAIN = {**SUBMIT, "id": 4}
TAKEN_AGAIN = {**TAKEN, "id": 4}
SHARES = (SUBMIT, TAKEN, SUBMIT_AGAIN, TAKEN_AGAIN)


@dataclass
class Heard:
    """What came of a conversation: lines that are a message are parsed, other bytes stay."""

    miner: list[Any]
    pool: list[Any]
    closed_after: int | None
    """How many lines of both sides were said before the connection was closed; None if it was not."""
    sends: list[Send]


def hear(faults: str, said: Iterable[Message]) -> Heard:
    """Say these lines through the faults; what follows a close is not said any more."""
    filter_, heard = filter_of([parse(fault) for fault in faults.split()], "seed"), Heard([], [], None, [])
    for number, message in enumerate(said):
        sender = Side.MINER if "method" in message and message["id"] is not None else Side.POOL
        for action in filter_.line(sender, json.dumps(message).encode() + b"\n"):
            if isinstance(action, Close):
                heard.closed_after = number
                return heard
            assert isinstance(action, Send)
            heard.sends.append(action)
            (heard.miner if action.to is Side.MINER else heard.pool).extend(_parsed(action.data) * action.times)
    return heard


def _parsed(data: bytes) -> list[Any]:
    parsed: list[Any] = []
    for line in data.splitlines(keepends=True):
        try:
            parsed.append(json.loads(line) if line.endswith(b"\n") else line)
        except ValueError:
            parsed.append(line)
    return parsed


def call(method: str, *params: Any) -> Message:
    return {"id": None, "method": method, "params": list(params)}


def methods(heard: Heard) -> list[str]:
    return [item["method"] for item in heard.miner if isinstance(item, dict) and "method" in item]


def changed_job(place: int, value: Any) -> Message:
    return call("mining.notify", *PARAMS[:place], value, *PARAMS[place + 1 :])


def ids(heard: Heard) -> list[Any]:
    return [item["id"] for item in heard.miner]


def errors(heard: Heard) -> list[Any]:
    return [(item["result"], item["error"]) for item in heard.miner]


SIX = (JOB, *SHARES, JOB)
"""Six lines: the pool says the first, third, fifth and sixth."""


def test_silent() -> None:
    heard = hear("silent=2", SIX)
    assert heard.miner == [JOB, TAKEN]
    assert len(heard.pool) == 2


def test_dead() -> None:
    heard = hear("dead=3", SIX)
    assert heard.miner == [JOB, TAKEN]
    assert heard.pool == [SUBMIT]


def test_disconnect_after() -> None:
    heard = hear("disconnect-after=2", SIX)
    assert heard.miner == [JOB, TAKEN]
    assert heard.closed_after == 2


def test_disconnect_after_shares() -> None:
    heard = hear("disconnect-after-shares=1", SIX)
    assert heard.pool == [SUBMIT]
    assert heard.closed_after == 3


def test_half_line() -> None:
    assert hear("half-line=2", SIX).miner == [JOB, json.dumps(TAKEN).encode()[: len(json.dumps(TAKEN) + "\n") // 2]]


def test_close_on_configure() -> None:
    assert hear("close-on-configure", [AUTHORIZE, CONFIGURE]).closed_after == 1


def test_close_on_extranonce_subscribe() -> None:
    assert hear("close-on-extranonce-subscribe", [CONFIGURE, EXTRANONCE_SUBSCRIBE]).closed_after == 1


def test_no_configure_reply() -> None:
    assert hear("no-configure-reply", [CONFIGURE, CONFIGURED, AUTHORIZE, AUTHORIZED]).miner == [AUTHORIZED]


def test_no_submit_replies() -> None:
    assert hear("no-submit-replies", SIX).miner == [JOB, JOB]


def test_slow_replies() -> None:
    assert [(send.after, send.to) for send in hear("slow-replies=2.5", [SUBMIT, TAKEN, JOB]).sends] == [
        (0, Side.POOL),
        (2.5, Side.MINER),
        (0, Side.MINER),
    ]


def test_reordered_replies() -> None:
    assert hear("reordered-replies", [SUBMIT, TAKEN, JOB]).miner == [JOB, TAKEN]


def test_duplicate_replies() -> None:
    assert hear("duplicate-replies", [SUBMIT, TAKEN, JOB]).miner == [TAKEN, TAKEN, JOB]


def test_wrong_ids() -> None:
    heard = hear("wrong-ids", SHARES)
    assert ids(heard)[0] == 3
    assert ids(heard)[1] not in (3, 4)


def test_odd_ids() -> None:
    assert [repr(each) for each in ids(hear("odd-ids", SHARES))] == ["'3'", "4.0"]


def test_bare_replies() -> None:
    assert hear("bare-replies", SHARES).miner == [{"id": 3, "result": True}, {"id": 4, "result": True}]


def test_reject_all() -> None:
    assert errors(hear("reject-all=23", SHARES)) == [(None, [23, "rejected by the fault reject-all", None])] * 2


def test_error_forms() -> None:
    heard = hear("error-forms", SHARES * 3)
    assert errors(heard)[::2] == [(True, None)] * 3
    assert errors(heard)[1::2] == [
        (False, {"code": 20, "message": "invalid share"}),
        (False, "Above target"),
        (False, None),
    ]


def test_refuse_worker() -> None:
    assert errors(hear("refuse-worker", [AUTHORIZE, AUTHORIZED, SUBMIT, TAKEN])) == [
        (False, [24, "unauthorized worker", None]),
        (True, None),
    ]


def test_no_jobs() -> None:
    assert hear("no-jobs", [DIFFICULTY, *SIX]).miner == [DIFFICULTY, TAKEN, TAKEN_AGAIN]


def test_stuck_job() -> None:
    assert hear("stuck-job", SIX).miner == [JOB, TAKEN, TAKEN_AGAIN]


def test_flood_jobs() -> None:
    assert hear("flood-jobs=2", [JOB]).miner == [JOB, changed_job(0, "job~0"), changed_job(0, "job~1")]
    assert hear("flood-jobs=2", [{**SUBMIT, "params": ["w", "job~1", "", "", ""]}]).pool == [
        {**SUBMIT, "params": ["w", "job", "", "", ""]}
    ]


def test_clean_storm() -> None:
    assert [job["params"][8] for job in hear("clean-storm=3", [JOB]).miner] == [False, True, True, True]


def test_wrong_clean() -> None:
    assert hear("wrong-clean", [JOB, changed_job(8, True)]).miner == [changed_job(8, True), JOB]


def test_bad_jobs() -> None:
    heard = hear("bad-jobs=10", [JOB])
    assert [item for item in heard.miner if item == JOB] == [JOB]
    assert len(heard.miner) == 11
    assert heard.miner[0] == JOB


def test_bad_difficulty() -> None:
    bad: list[list[Any]] = [[0], [-1], ["x"], [None], [], [[]]]
    assert hear("bad-difficulty", [JOB]).miner == [JOB, *(call("mining.set_difficulty", *each) for each in bad)]


def test_difficulty_whiplash() -> None:
    assert hear("difficulty-whiplash", [DIFFICULTY, JOB]).miner == [
        DIFFICULTY,
        JOB,
        *(call("mining.set_difficulty", value) for value in (1e18, 1e-09, "5", 7)),
    ]


def test_bad_extranonce() -> None:
    assert methods(hear("bad-extranonce", [JOB])) == ["mining.notify", *["mining.set_extranonce"] * 6]


def test_changed_extranonce() -> None:
    for size in (2, 3, 4, 8):
        subscribed: Message = {"id": 9, "result": [[], "01020304", size], "error": None}
        said: list[Message] = [{"id": 9, "method": "mining.subscribe", "params": []}, subscribed, *[JOB] * 20]
        heard = hear("changed-extranonce", said)
        assert methods(heard) == ["mining.notify", "mining.set_extranonce", "mining.notify"] * 20
        assert heard.miner[3::3] == [JOB] * 20
        assert {each["params"][1] for each in heard.miner[2::3]} == {2, 3, 4, 8} - {size}, "always another size"


def test_mask_changes() -> None:
    assert hear("mask-changes", [CONFIGURE, CONFIGURED, JOB]).miner == [
        CONFIGURED,
        JOB,
        *(call("mining.set_version_mask", *each) for each in (("zz",), (), ("00000000",), ("1fffe000",))),
    ]


def test_unknown_methods() -> None:
    heard = hear("unknown-methods", [TAKEN])
    assert methods(heard)[0] == "mining.nonesuch"
    assert methods(heard)[1].startswith("x.")
    assert ids(heard) == [3, None, 3]


def test_odd_calls() -> None:
    heard = hear("odd-calls", [TAKEN])
    assert methods(heard) == ["client.get_version", "mining.ping", "client.show_message"]
    assert ids(heard) == [3, 3, "ping", None]


def test_garbage() -> None:
    heard = hear("garbage=1", SIX)
    assert hear("garbage=0", SIX).miner == [JOB, TAKEN, TAKEN_AGAIN, JOB]
    assert len(heard.miner) >= 8
    assert all(line in heard.miner for line in (JOB, TAKEN, TAKEN_AGAIN))


def test_oversized() -> None:
    assert hear("oversized=70000", [JOB]).miner == [JOB]
    assert 70000 < sum(len(send.data) for send in hear("oversized=70000", [JOB, JOB]).sends[2:]) < 70100


def test_bytewise() -> None:
    assert [(send.to, send.piece) for send in hear("bytewise", [SUBMIT, TAKEN]).sends] == [
        (Side.POOL, 0),
        (Side.MINER, 1),
    ]


def test_merged() -> None:
    heard = hear("merged", [TAKEN])
    assert len(heard.sends) == 1
    assert heard.miner == [TAKEN, call("client.show_message", "in one piece")]


def test_redirect() -> None:
    assert hear("redirect=other.example:3334", [JOB, JOB]).miner == [
        JOB,
        call("client.reconnect", "other.example", 3334, 0),
        JOB,
    ]


def test_reconnect() -> None:
    heard = hear("reconnect=2", SHARES)
    assert heard.miner == [TAKEN, call("client.reconnect"), TAKEN_AGAIN]
    assert heard.pool == [SUBMIT, SUBMIT_AGAIN]


def test_http() -> None:
    heard = hear("http", [CONFIGURE])
    assert heard.sends[0].data.startswith(b"HTTP/1.1 400 ")
    assert heard.closed_after == 0


def test_faults_add_up() -> None:
    heard = hear("garbage=1 odd-ids bytewise", SHARES)
    assert [repr(item["id"]) for item in heard.miner if isinstance(item, dict)] == ["'3'", "4.0"]
    assert len(heard.miner) >= 4, "the two replies, each with a line of garbage"
    assert {send.piece for send in heard.sends if send.to is Side.MINER} == {1}


def test_each_fault_has_its_test_here() -> None:
    for name in POOL_FAULTS:
        assert f"test_{name.replace('-', '_')}" in globals(), f"expected a test of what the fault {name} does"
