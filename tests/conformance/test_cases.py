"""Every check passes on a correct pool, and fails on a pool that is wrong in exactly its respect."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
import trio.testing

from stratum_miner.conformance.case import CASES, Kind, Level
from stratum_miner.conformance.cases import ALL
from stratum_miner.conformance.outcome import Verdict
from tests.conformance.changed_pool import CloseConnection, Message, RelayedConnection

from .conftest import RunCheck

SKIPPED = {"SH-08": "the pool sent no mining.set_extranonce"}
"""Checks with a precondition that the pool cannot meet, and the reason that they give."""
NEEDS_SOCKETS = {"LD-05"}
"""Checks that need sockets, because streams in memory hold any number of bytes; see test_own_pool.py."""

# ---- changes that make a pool wrong -------------------------------------------------------------------------------

Clock = trio.testing.MockClock
Changes = dict[str, Any]
Edit = Callable[[Message], Any]


def reply_to(method: str, edit: Edit) -> Changes:
    """Edit the replies to one method, or replace them by the messages that ``edit`` returns."""

    def change(relayed: RelayedConnection, message: Message) -> list[Message | bytes] | None:
        if "method" in message or relayed.methods.get(message.get("id")) != method:
            return None
        return edited(message, edit)

    return {"to_client": change}


def say(method: str, edit: Edit) -> Changes:
    """Do the same with notifications of one method."""

    def change(_talk: RelayedConnection, message: Message) -> list[Message | bytes] | None:
        return edited(message, edit) if message.get("method") == method else None

    return {"to_client": change}


def asked(condition: Callable[[Message], Any], edit: Edit) -> Changes:
    """Do the same with requests that meet a condition."""

    def change(_talk: RelayedConnection, message: Message) -> list[Message | bytes] | None:
        return edited(message, edit) if condition(message) else None

    return {"to_pool": change}


def edited(message: Message, edit: Edit) -> list[Message | bytes]:
    instead = edit(message)
    return [message] if instead is None else instead


def put(**values: Any) -> Edit:
    return lambda message: message.update(values)


def param(index: int, value: Any) -> Edit:
    def edit(message: Message) -> None:
        old = message["params"][index]
        message["params"][index] = value(old) if callable(value) else value

    return edit


def close(_message: Message) -> None:
    raise CloseConnection


def swallow(_message: Message) -> list[Message]:
    return []


def twice(message: Message) -> list[Message]:
    return [message, message]


def bytes_like(condition: Callable[[bytes], Any], instead: bytes | None = None) -> Changes:
    """Close the connection at bytes of the client that meet a condition, or replace these bytes."""

    def raw(_talk: RelayedConnection, data: bytes) -> bytes:
        if not condition(data):
            return data
        if instead is None:
            raise CloseConnection
        return instead

    return {"raw": raw}


def others_suffer(condition: Callable[[bytes], Any]) -> Changes:
    """After such bytes of any client, close the first connection when it next sends something."""

    def raw(relayed: RelayedConnection, data: bytes) -> bytes:
        if relayed.shared.get("down") and relayed.number == 1:
            raise CloseConnection
        relayed.shared["down"] = relayed.shared.get("down") or bool(condition(data))
        return data

    return {"raw": raw}


def _granted(message: Message, mask: str) -> None:
    if isinstance(message["result"], dict):
        message["result"] |= {"version-rolling": True, "version-rolling.mask": mask}
    else:
        message.update(result={"version-rolling": True, "version-rolling.mask": mask}, error=None)


def grants(mask: str) -> Changes:
    return reply_to("mining.configure", lambda message: _granted(message, mask))


ACCEPTS = reply_to("mining.submit", put(result=True, error=None))
REFUSES = reply_to("mining.submit", put(result=None, error=[20, "no", None]))
LOW = reply_to("mining.submit", put(result=None, error=[23, "low difficulty share", None]))
ONE_EXTRANONCE1 = reply_to("mining.subscribe", lambda message: message["result"].__setitem__(1, "aabbccdd"))
LOSES_SUBMITS = asked(lambda message: message.get("method") == "mining.submit", param(1, "elsewhere"))
NEVER_CLEAN = say("mining.notify", param(8, False))


def _is(method: str) -> Callable[[Message], bool]:
    return lambda message: message.get("method") == method


def another_extranonce1() -> Changes:
    """Answer the second mining.subscribe of a connection with another extranonce1."""

    def change(relayed: RelayedConnection, message: Message) -> list[Message | bytes] | None:
        if "method" not in message and relayed.methods.get(message.get("id")) == "mining.subscribe":
            relayed.memory["count"] = relayed.memory.get("count", 0) + 1
            if relayed.memory["count"] > 1:
                message["result"][1] = "0badcafe"
                return [message]
        return None

    return {"to_client": change}


def no_job_after_a_suggestion() -> Changes:
    def change(relayed: RelayedConnection, message: Message) -> list[Message | bytes] | None:
        suggested = "mining.suggest_difficulty" in relayed.methods.values()
        return [] if suggested and message.get("method") == "mining.notify" else None

    return {"to_client": change}


def changes_extranonce() -> Changes:
    """Send mining.set_extranonce and a job, which the pool itself does not know about."""

    def change(relayed: RelayedConnection, message: Message) -> list[Message | bytes] | None:
        if message.get("method") == "mining.notify":
            relayed.memory["notify"] = message
        if "method" in message or relayed.methods.get(message.get("id")) != "mining.extranonce.subscribe":
            return None
        moved = {"id": None, "method": "mining.set_extranonce", "params": ["0badcafe", 8]}
        return [message, moved, relayed.memory["notify"]]

    return {"to_client": change}


def difficulties(keep: Callable[[float, float], bool]) -> Changes:
    """Forward only the difficulties for which ``keep``, called with the last one and this one, returns True."""

    def change(relayed: RelayedConnection, message: Message) -> list[Message | bytes] | None:
        if message.get("method") != "mining.set_difficulty":
            return None
        value, last = message["params"][0], relayed.memory.get("last")
        if last is not None and not keep(last, value):
            return []
        relayed.memory["last"] = value
        return None

    return {"to_client": change}


def oscillates() -> Changes:
    def change(relayed: RelayedConnection, message: Message) -> list[Message | bytes] | None:
        if "method" in message or relayed.methods.get(message.get("id")) != "mining.submit":
            return None
        relayed.memory["count"] = relayed.memory.get("count", 0) + 1
        value = 3e-10 if relayed.memory["count"] % 2 else 3.5e-10
        return [message, {"id": None, "method": "mining.set_difficulty", "params": [value]}]

    return {"to_client": change}


def stops_answering(after: int) -> Changes:
    def change(relayed: RelayedConnection, message: Message) -> list[Message | bytes] | None:
        if "method" in message or relayed.methods.get(message.get("id")) != "mining.submit":
            return None
        relayed.memory["count"] = relayed.memory.get("count", 0) + 1
        return [] if relayed.memory["count"] > after else None

    return {"to_client": change}


def crowded(most: int) -> Changes:
    """Close the first connection when there are more than ``most``."""

    def raw(relayed: RelayedConnection, data: bytes) -> bytes:
        if relayed.number == 1 and relayed.shared["connections"] > most:
            raise CloseConnection
        return data

    return {"raw": raw}


def text_for_a_truncated_line() -> Changes:
    """Answer a truncated line with a line of plain text."""
    request = {"id": 99, "method": "mining.subscribe", "params": []}

    def change(_relayed: RelayedConnection, message: Message) -> list[Message | bytes] | None:
        return [b"Invalid JSON, disconnecting\n"] if message.get("id") == 99 else None

    return bytes_like(lambda data: b'"params": [\n' in data, json.dumps(request).encode() + b"\n") | {
        "to_client": change
    }


def refuses_with_20() -> Changes:
    """Refuse faulty shares with the code 20 and a text without a reason."""

    def edit(message: Message) -> None:
        if message["error"]:
            message["error"] = [20, "no", None]

    return reply_to("mining.submit", edit)


def forgets_the_version() -> Changes:
    """Refuse a share as a duplicate if only its version bits differ from those of an earlier one."""

    def change(relayed: RelayedConnection, message: Message) -> list[Message | bytes] | None:
        if message.get("method") == "mining.submit":
            share = tuple(message["params"][:5])
            seen = relayed.memory.setdefault("seen", set())
            relayed.memory["again"] = share in seen
            seen.add(share)
        return None

    def answer(relayed: RelayedConnection, message: Message) -> list[Message | bytes] | None:
        if "method" in message or not relayed.memory.get("again"):
            return None
        return [message | {"result": None, "error": [22, "duplicate", None]}]

    return {"to_pool": change, "to_client": answer}


def refuses_latecomers(message: Message) -> None:
    message.update(result=False)


def _script_of_106_bytes(message: Message) -> None:
    coinb1, coinb2 = message["params"][2:4]
    size = int(coinb1[82:84], 16) + 70
    message["params"][2:4] = [f"{coinb1[:82]}{size:02x}{coinb1[84:]}", "00" * 70 + coinb2]


def _padded_height(message: Message) -> None:
    coinb1 = message["params"][2]
    size = int(coinb1[82:84], 16) + 1
    assert coinb1[84:86] == "51", "the height 1, as an opcode"
    message["params"][2] = f"{coinb1[:82]}{size:02x}0101{coinb1[86:]}"


def _short_commitment(message: Message) -> None:
    message["params"][3] = re.sub("266a24aa21a9ed.{64}", "076a24aa21a9ed00", message["params"][3])


def _one_after_another(message: Message) -> list[Any]:
    return [b"Invalid JSON, disconnecting\n", message]


def _difficulty_after_it(value: Any) -> Edit:
    return lambda message: [message, {"id": None, "method": "mining.set_difficulty", "params": [value]}]


WRONG: dict[str, Changes] = {
    "FRM-01": say("mining.notify", _one_after_another),
    "FRM-02": bytes_like(lambda data: len(data) == 1),
    "FRM-03": reply_to("mining.submit", twice),
    "FRM-04": bytes_like(lambda data: b"\r\n" in data),
    "FRM-05": bytes_like(lambda data: data.startswith(b"\n")),
    "FRM-06": bytes_like(lambda data: b"jsonrpc" in data),
    "FRM-07": reply_to("mining.subscribe", lambda message: message.update(id=str(message["id"]))),
    "FRM-08": reply_to("mining.subscribe", lambda message: message.update(id=0)),
    "FRM-11": others_suffer(lambda data: b'"params": [\n' in data),
    "FRM-12": bytes_like(lambda data: b"\xff" in data, b'{"id": 1, "method": "mining.subscribe", "params": []}\n'),
    "FRM-13": bytes_like(lambda data: len(data) == 1000),
    "FRM-15": bytes_like(lambda data: b"xxxx" in data, b""),
    "FRM-16": others_suffer(lambda data: b"[[[[" in data),
    "FRM-17": bytes_like(lambda data: data.startswith(b"\x16\x03"), b""),
    "FRM-18": bytes_like(lambda data: data.startswith(b"GET"), b""),
    "FRM-19": bytes_like(lambda data: b"method" not in data, b""),
    "FRM-20": asked(_is("mining.unknown_to_everyone"), swallow),
    "FRM-21": asked(lambda message: not isinstance(message.get("params"), list), close),
    "FRM-22": asked(lambda message: "method" not in message, put(method="mining.ping", params=[])),
    "FRM-23": text_for_a_truncated_line(),
    "HS-01": reply_to("mining.subscribe", lambda message: message["result"].__setitem__(2, "eight")),
    "HS-02": asked(lambda message: message.get("params") == [], close),
    "HS-03": reply_to("mining.subscribe", lambda message: message["result"].__setitem__(2, 3)),
    "HS-04": ONE_EXTRANONCE1,
    "HS-05": reply_to("mining.authorize", put(result=False)),
    "HS-06": asked(lambda message: message["method"] == "mining.authorize" and len(message["params"]) == 1, close),
    "HS-09": say("mining.set_difficulty", swallow),
    "HS-10": say("mining.notify", close),
    "HS-11": NEVER_CLEAN,
    "HS-12": another_extranonce1(),
    "HS-14": ACCEPTS,
    "HS-22": ONE_EXTRANONCE1,
    "HS-15": ACCEPTS,
    "HS-16": {"config": {"authorize_timeout": 100_000.0}},
    "HS-18": asked(lambda message: "no session of yours" in message["params"], close),
    "HS-19": ONE_EXTRANONCE1,
    "HS-20": reply_to("mining.configure", twice),
    "EXT-01": grants("ffffffff"),
    "EXT-02": grants("1fffe000"),
    "EXT-03": grants("1fffe000"),
    "EXT-04": asked(lambda message: "x-unknown" in str(message), put(method="mining.nothing")),
    "EXT-05": grants("1fffe000"),
    "EXT-06": say("mining.set_difficulty", param(0, lambda value: value / 2)),
    "EXT-07": grants("1fffe000"),
    "EXT-08": grants("1fffe000"),
    "EXT-09": asked(lambda message: message.get("method") == "mining.extranonce.subscribe", close),
    "EXT-11": reply_to("mining.suggest_difficulty", _difficulty_after_it(0)),
    "EXT-12": LOW,
    "JOB-01": say("mining.notify", param(6, "7fffff")),
    "JOB-02": say("mining.notify", param(3, lambda value: value + "00")),
    "JOB-03": say("mining.notify", _script_of_106_bytes),
    "JOB-04": say("mining.notify", _padded_height),
    "JOB-05": say("mining.notify", _short_commitment),
    "JOB-07": say("mining.notify", param(4, ["00" * 32] * 21)),
    "JOB-08": say("mining.notify", param(5, "20002000")),
    "JOB-09": say("mining.notify", param(6, "00000000")),
    "JOB-10": say("mining.notify", param(7, lambda value: f"{int(value, 16) - 3600:08x}")),
    "JOB-11": say("mining.notify", param(0, "1")),
    "JOB-12": {"config": {"notify_interval": 1000.0}},
    "JOB-13": NEVER_CLEAN,
    "JOB-15": NEVER_CLEAN,
    "JOB-17": no_job_after_a_suggestion(),
    "SH-01": REFUSES,
    "SH-02": REFUSES,
    "SH-03": REFUSES,
    "SH-04": REFUSES,
    "SH-05": REFUSES,
    "SH-06": REFUSES,
    "SH-08": changes_extranonce(),
    "SH-09": reply_to("mining.submit", twice),
    "SH-10": REFUSES,
    "SH-11": LOSES_SUBMITS,
    "SH-12": LOSES_SUBMITS,
    "SH-13": {"delay": lambda relayed: 1.0},
    "ERR-01": ACCEPTS,
    "ERR-02": ACCEPTS,
    "ERR-03": ACCEPTS,
    "ERR-04": ACCEPTS,
    "ERR-05": ACCEPTS,
    "ERR-06": ACCEPTS,
    "ERR-07": ACCEPTS,
    "ERR-08": ACCEPTS,
    "ERR-09": ACCEPTS,
    "ERR-10": LOW,
    "ERR-11": ACCEPTS,
    "ERR-12": LOW,
    "ERR-13": ACCEPTS,
    "ERR-14": ACCEPTS,
    "ERR-15": ACCEPTS,
    "ERR-16": ACCEPTS,
    "ERR-17": ACCEPTS,
    "ERR-18": ACCEPTS,
    "ERR-21": ACCEPTS,
    "ERR-22": ACCEPTS,
    "ERR-23": ACCEPTS,
    "ERR-24": reply_to("mining.submit", lambda message: message.update(error=message["error"][:2])),
    "ERR-25": REFUSES,
    "ERR-26": ACCEPTS,
    "ERR-27": ACCEPTS,
    "ERR-28": refuses_with_20(),
    "ERR-29": LOW,
    "ERR-30": forgets_the_version(),
    "ERR-31": ACCEPTS,
    "ERR-32": ACCEPTS,
    "ERR-33": ACCEPTS,
    "VD-01": say("mining.set_difficulty", param(0, 0)),
    "VD-02": difficulties(lambda last, value: False),
    "VD-03": difficulties(lambda last, value: value > last),
    "VD-04": oscillates(),
    "VD-05": say("mining.set_difficulty", param(0, 5)),
    "VD-06": no_job_after_a_suggestion(),
    "VD-09": REFUSES,
    "LD-01": reply_to("mining.authorize", refuses_latecomers),
    "LD-03": crowded(500),
    "LD-04": others_suffer(lambda data: len(data) == 1),
    "LD-07": {"delay": lambda relayed: 1.0 if relayed.number == 1 else 0.0},
    "LD-08": stops_answering(50),
    "LD-09": ONE_EXTRANONCE1,
    "LD-10": {"delay": lambda relayed: 2.0 if relayed.number > 100 else 0.0},
    "LD-11": ACCEPTS,
    "LD-13": others_suffer(lambda data: data.endswith(b"mining.subs")),
    "LD-14": ACCEPTS,
    "LD-15": reply_to("mining.submit", twice),
    "LD-17": bytes_like(lambda data: data.startswith(b"\x16\x03"), b""),
}
"""For each check that judges, the changes that make a pool wrong in exactly its respect."""


# ---- what an ordinary miner sends ----------------------------------------------------------------------------------

TEXT, NUMBER, LIST, OBJECT = str, (int, float), list, dict
PARAMETERS: dict[str, tuple[Any, ...]] = {
    "mining.configure": (LIST, OBJECT),
    "mining.subscribe": (TEXT,),
    "mining.authorize": (TEXT, TEXT),
    "mining.submit": (TEXT, TEXT, TEXT, TEXT, TEXT),
    "mining.suggest_difficulty": (NUMBER,),
    "mining.suggest_target": (TEXT,),
    "mining.extranonce.subscribe": (),
    "mining.get_transactions": (TEXT,),
    "mining.unknown_to_everyone": (),
}
"""The parameters that each method has at least."""
FORMS = ("", "[ -~]{1,64}", "([0-9a-f]{2}){1,16}", "[0-9a-f]{8}", "[0-9a-f]{8}", "[0-9a-f]{8}")
"""The forms of the parameters of mining.submit after the worker name."""
LONGEST_REQUEST = 500
"""Longest line of an ordinary miner."""


def not_ordinary(line: bytes) -> str:
    """Return what an ordinary miner never sends about a line, or "" if there is nothing."""
    try:
        message = json.loads(line)
    except ValueError:
        return "no JSON"
    if not isinstance(message, dict) or set(message) != {"id", "method", "params"}:
        return "not the three members of a request"
    method, params = message["method"], message["params"]
    if not isinstance(message["id"], int | str) or not isinstance(method, str) or not isinstance(params, list):
        return "a member of another type"
    if len(params) < len(PARAMETERS[method]):
        return "too few parameters"
    if not all(isinstance(value, form) for value, form in zip(params, PARAMETERS[method], strict=False)):
        return "a parameter of another type"
    if None in params or (method == "mining.suggest_difficulty" and params[0] <= 0):
        return "a parameter without a sensible value"
    if method == "mining.submit" and not all(
        re.fullmatch(form, value) for form, value in zip(FORMS[1:], params[1:], strict=False)
    ):
        return "a parameter in another form"
    return "a long line" if len(line) > LONGEST_REQUEST else ""


class Requests:
    """The lines that a check sends, and the methods that came before a method that belongs before them."""

    def __init__(self) -> None:
        self.early: list[str] = []
        self._sent: dict[int, bytes] = {}

    def record(self, relayed: RelayedConnection, data: bytes) -> bytes:
        before = self._sent.get(relayed.number, b"")
        self._sent[relayed.number] = before + data
        for method, first in ((b"mining.authorize", b"mining.subscribe"), (b"mining.submit", b"mining.authorize")):
            if method in data and first not in before + data.partition(method)[0]:
                self.early.append(method.decode())
        return data

    def lines(self) -> list[bytes]:
        return [line for sent in self._sent.values() for line in sent.split(b"\n") if line.rstrip(b"\r")]


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"[]",
        b'{"id": 1, "method": "mining.submit"}',
        b'{"id": null, "method": "mining.subscribe", "params": ["x"]}',
        b'{"id": 1, "method": "mining.authorize", "params": null}',
        b'{"id": 1, "method": "mining.authorize", "params": ["x"]}',
        b'{"id": 1, "method": "mining.submit", "params": ["x", "1", "00000000", "00000000"]}',
        b'{"id": 1, "method": "mining.submit", "params": ["x", "1", "00000000", "0000000", "00000000"]}',
        b'{"id": 1, "method": "mining.submit", "params": [["x"], ["1"], ["00"], ["00000000"], ["00000000"]]}',
        b'{"id": 1, "method": "mining.subscribe", "params": ["' + b"x" * 500 + b'"]}',
    ],
)
def test_what_stock_pools_have_died_of_is_not_ordinary(line: bytes) -> None:
    assert not_ordinary(line)


# ---- the tests -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("identifier", [case.id for case in ALL if case.id not in NEEDS_SOCKETS])
async def test_a_right_pool_passes(autojump_clock: Clock, run_check: RunCheck, identifier: str) -> None:
    case, requests = CASES[identifier], Requests()
    result = await run_check(identifier, raw=requests.record)
    if Kind.INTRUSIVE not in case.kinds:
        assert [line for line in requests.lines() if not_ordinary(line)] == [], "expected a check that is intrusive"
        assert requests.early == [], "expected mining.subscribe, mining.authorize and mining.submit in this order"
    if identifier in SKIPPED:
        assert result.verdict is Verdict.SKIPPED, result.outcome
        assert SKIPPED[identifier] in result.outcome.actual
        return
    wanted = Verdict.OBSERVED if result.case.level is Level.INFO else Verdict.PASSED
    assert result.verdict is wanted, "\n".join((result.outcome.actual, *result.transcript))
    assert result.outcome.actual


@pytest.mark.parametrize("identifier", WRONG)
async def test_a_wrong_pool_fails(autojump_clock: Clock, run_check: RunCheck, identifier: str) -> None:
    result = await run_check(identifier, **WRONG[identifier])
    assert result.verdict is Verdict.FAILED, "\n".join((str(result.outcome), *result.transcript))
    assert result.outcome.actual
    assert result.transcript


def test_every_check_says_whom_a_failure_hurts() -> None:
    """One sentence each, which names somebody and does not repeat the requirement."""
    for case in ALL:
        assert case.hurts[0].isupper(), case.id
        assert case.hurts.endswith("."), case.id
        assert len(case.hurts.split()) >= 5, case.id
        assert case.hurts != case.requirement, case.id


def test_every_check_that_judges_is_seen_failing() -> None:
    judging = {case.id for case in ALL if case.level is not Level.INFO}
    assert judging - NEEDS_SOCKETS == set(WRONG), "WRONG above: expected a pool that fails each check that judges"
