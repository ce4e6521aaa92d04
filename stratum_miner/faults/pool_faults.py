"""The faults of pools: each a function of one line and the talk so far, and the table that names them.

The list follows docs/reference/stratum.md#faults-of-pools: what real pools did to miners, and what none should be able
to do. A behaviour answers with the steps to take instead of the line, or None to let it pass; it is decided by the
conversation and a seed, never by the clock. Many steps are made one by one, as the relay has room for them. To add one,
add a function and its row.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

from stratum_miner.capture.filter import Close, FilterAction, Send
from stratum_miner.capture.record import Side
from stratum_miner.capture.relay import SEND_SIZE
from stratum_miner.faults.conversation import Behaviour, PoolFault, Said, Talk
from stratum_miner.faults.wire_faults import garbage_line

_TO_MINER, _TO_POOL = Side.MINER, Side.POOL


def _line(message: dict[str, Any]) -> bytes:
    return json.dumps(message).encode() + b"\n"


def _call(method: str, *params: Any, call_id: Any = None) -> bytes:
    return _line({"id": call_id, "method": method, "params": list(params)})


def _with(said: Said, **changes: Any) -> bytes:
    return _line({**(said.message or {}), **changes})


def _also(said: Said, *lines: bytes) -> list[FilterAction]:
    """The line, and these after it."""
    return [Send(_TO_MINER, line) for line in (said.line, *lines)]


def _instead(line: bytes, after: float = 0.0) -> list[FilterAction]:
    return [Send(_TO_MINER, line, after)]


# ---- silence and ends -----------------------------------------------------------------------------------------------


def _silent(talk: Talk, said: Said) -> Iterable[FilterAction] | None:
    return [] if said.speaker is Side.POOL and talk.nth("line") > talk.value else None


def _dead(talk: Talk, said: Said) -> Iterable[FilterAction] | None:
    return [] if talk.nth("line") > talk.value else None


def _disconnect(talk: Talk, said: Said) -> Iterable[FilterAction] | None:
    if said.speaker is not Side.POOL or talk.nth("line") < talk.value:
        return None
    return [Send(_TO_MINER, said.line), Close(_TO_MINER)]


def _disconnect_after_shares(talk: Talk, said: Said) -> Iterable[FilterAction] | None:
    return [Close(_TO_MINER)] if said.asks("mining.submit") and talk.nth("submit") > talk.value else None


def _half_line(talk: Talk, said: Said) -> Iterable[FilterAction] | None:
    if said.speaker is not Side.POOL or talk.nth("line") < talk.value:
        return None
    return _instead(said.line[: len(said.line) // 2]) if talk.seen["line"] == talk.value else []


def _close_on(method: str) -> Behaviour:
    def behave(talk: Talk, said: Said) -> Iterable[FilterAction] | None:
        return [Close(_TO_MINER)] if said.asks(method) else None

    return behave


# ---- replies --------------------------------------------------------------------------------------------------------


def _no_reply(method: str) -> Behaviour:
    def behave(talk: Talk, said: Said) -> Iterable[FilterAction] | None:
        return [] if said.is_reply and said.method == method else None

    return behave


def _slow_replies(talk: Talk, said: Said) -> Iterable[FilterAction] | None:
    return _instead(said.line, float(talk.value)) if said.is_reply else None


def _reordered_replies(talk: Talk, said: Said) -> Iterable[FilterAction] | None:
    if said.speaker is not Side.POOL:
        return None
    if talk.held is not None:
        held, talk.held = talk.held, None
        return _also(said, held)
    if not said.is_reply or said.method != "mining.submit":
        return None
    talk.held = said.line
    return []


def _duplicate_replies(talk: Talk, said: Said) -> Iterable[FilterAction] | None:
    return [Send(_TO_MINER, said.line, times=2)] if said.is_reply else None


def _wrong_ids(talk: Talk, said: Said) -> Iterable[FilterAction] | None:
    if not said.is_reply or said.method != "mining.submit" or talk.nth("reply") % 2:
        return None
    return _instead(_with(said, id=talk.rng.getrandbits(31)))


_EXACT = 1 << 53
"""Whole numbers up to here are floats as well."""


def _odd_ids(talk: Talk, said: Said) -> Iterable[FilterAction] | None:
    request_id = (said.message or {}).get("id")
    if not said.is_reply or not isinstance(request_id, int) or abs(request_id) > _EXACT:
        return None
    return _instead(_with(said, id=str(request_id) if talk.nth("reply") % 2 else float(request_id)))


def _bare_replies(talk: Talk, said: Said) -> Iterable[FilterAction] | None:
    if not said.is_reply or said.message is None:
        return None
    return _instead(_line({key: value for key, value in said.message.items() if key == "id" or value is not None}))


def _reject_all(talk: Talk, said: Said) -> Iterable[FilterAction] | None:
    if not said.is_reply or said.method != "mining.submit":
        return None
    return _instead(_with(said, result=None, error=[int(talk.value), "rejected by the fault reject-all", None]))


_ERROR_FORMS: tuple[dict[str, Any], ...] = (
    {"result": None, "error": [23, "low difficulty share", None]},
    {"result": False, "error": {"code": 20, "message": "invalid share"}},
    {"result": False, "error": "Above target"},
    {"result": False, "error": None},
    {"result": None, "error": True},
    {"result": False, "error": None, "reject-reason": "Stale"},
    {"result": None, "error": [None]},
    {"result": None, "error": []},
    {"result": None, "error": {"nested": [[{}]]}},
)
"""Refusals in the shapes of docs/reference/stratum.md#forms-of-an-error and worse."""


def _error_forms(talk: Talk, said: Said) -> Iterable[FilterAction] | None:
    if not said.is_reply or said.method != "mining.submit":
        return None
    number = talk.nth("reply")
    return None if number % 2 else _instead(_with(said, **_ERROR_FORMS[number // 2 % len(_ERROR_FORMS)]))


def _refuse_worker(talk: Talk, said: Said) -> Iterable[FilterAction] | None:
    if not said.is_reply or said.method != "mining.authorize":
        return None
    return _instead(_with(said, result=False, error=[24, "unauthorized worker", None]))


# ---- jobs -----------------------------------------------------------------------------------------------------------


def _no_jobs(talk: Talk, said: Said) -> Iterable[FilterAction] | None:
    return [] if said.is_call("mining.notify") else None


def _stuck_job(talk: Talk, said: Said) -> Iterable[FilterAction] | None:
    return [] if said.is_call("mining.notify") and talk.nth("job") > 1 else None


def _flood(*, clean: bool) -> Behaviour:
    """The same job again and again under other ids; a submit for one of them is made one for the real one."""

    def behave(talk: Talk, said: Said) -> Iterable[FilterAction] | None:
        params = said.params
        if said.is_call("mining.notify") and len(params) > 8:
            copies = ([f"{params[0]}~{n}", *params[1:8], clean] for n in range(int(talk.value)))
            calls = (_call("mining.notify", *copy) for copy in copies)
            return chain([Send(_TO_MINER, said.line)], (Send(_TO_MINER, call) for call in calls))
        if said.asks("mining.submit") and len(params) > 1 and "~" in str(params[1]):
            params[1] = str(params[1]).partition("~")[0]
            return [Send(_TO_POOL, _with(said, params=params))]
        return None

    return behave


def _wrong_clean(talk: Talk, said: Said) -> Iterable[FilterAction] | None:
    params = said.params
    if not said.is_call("mining.notify") or len(params) < 9:
        return None
    return _instead(_with(said, params=[*params[:8], not params[8]]))


def _bad_jobs(talk: Talk, said: Said) -> Iterable[FilterAction] | None:
    params = said.params
    if not said.is_call("mining.notify") or len(params) < 9:
        return None
    bad = [
        params[:5],
        [],
        [params[0], "00", *params[2:]],
        [*params[:2], "zz", *params[3:]],
        [*params[:4], ["00"] * 40, *params[5:]],
        [*params[:6], "00000000", *params[7:]],
        [*params[:6], "ff7fffff", *params[7:]],
        [*params[:2], "0100000000010100", *params[3:]],
        [*params[:8], "maybe"],
        [{"job": 1}, *params[1:]],
    ]
    return _also(said, *(_call("mining.notify", *each) for each in talk.rng.sample(bad, int(talk.value))))


# ---- settings in bad places -----------------------------------------------------------------------------------------


def _bad_difficulty(talk: Talk, said: Said) -> Iterable[FilterAction] | None:
    if not said.is_call("mining.notify"):
        return None
    bad: tuple[list[Any], ...] = ([0], [-1], ["x"], [None], [], [[]])
    return _also(said, *(_call("mining.set_difficulty", *each) for each in bad))


def _difficulty_whiplash(talk: Talk, said: Said) -> Iterable[FilterAction] | None:
    if not said.is_call("mining.notify"):
        return None
    return _also(said, *(_call("mining.set_difficulty", value) for value in (1e18, 1e-9, "5", talk.difficulty)))


def _bad_extranonce(talk: Talk, said: Said) -> Iterable[FilterAction] | None:
    if not said.is_call("mining.notify"):
        return None
    bad: tuple[tuple[Any, ...], ...] = (("xyz", 4), ("0", 4), ("00", -1), ("00", 99), ("00" * 40, 4), ({}, []))
    return _also(said, *(_call("mining.set_extranonce", *each) for each in bad))


def _changed_extranonce(talk: Talk, said: Said) -> Iterable[FilterAction] | None:
    if not said.is_call("mining.notify"):
        return None
    change = _call("mining.set_extranonce", f"{talk.rng.getrandbits(32):08x}", talk.rng.choice((2, 3, 4, 8)))
    return _also(said, change, _with(said, id=None))


def _mask_changes(talk: Talk, said: Said) -> Iterable[FilterAction] | None:
    if not said.is_call("mining.notify"):
        return None
    return _also(
        said, *(_call("mining.set_version_mask", *each) for each in (("zz",), (), ("00000000",), (talk.mask,)))
    )


# ---- other talk -----------------------------------------------------------------------------------------------------


def _unknown_methods(talk: Talk, said: Said) -> Iterable[FilterAction] | None:
    if said.speaker is not Side.POOL:
        return None
    request_id = (said.message or {}).get("id")
    return _also(said, _call("mining.nonesuch", 1), _call(f"x.{talk.rng.getrandbits(16)}", {}, call_id=request_id or 7))


def _odd_calls(talk: Talk, said: Said) -> Iterable[FilterAction] | None:
    if said.speaker is not Side.POOL:
        return None
    request_id = (said.message or {}).get("id")
    return _also(
        said,
        _call("client.get_version", call_id=request_id or 1),
        _call("mining.ping", call_id="ping"),
        _call("client.show_message", "\x1b[2J\x07 all your \n lines"),
    )


def _garbage(talk: Talk, said: Said) -> Iterable[FilterAction] | None:
    if said.speaker is not Side.POOL or talk.rng.random() >= talk.value:
        return None
    return _also(said, garbage_line(talk.rng))


_FILLING = "here"


def _oversized(talk: Talk, said: Said) -> Iterable[FilterAction] | None:
    if not said.is_call("mining.notify") or talk.nth("job") != 2:
        return None
    return chain([Send(_TO_MINER, said.line)], _long_line(int(talk.value)))


def _long_line(size: int) -> Iterator[FilterAction]:
    before, after = _call("client.show_message", _FILLING).split(_FILLING.encode())
    yield Send(_TO_MINER, before)
    filling = b"x" * SEND_SIZE
    for _ in range(size // SEND_SIZE):
        yield Send(_TO_MINER, filling)
    yield Send(_TO_MINER, filling[: size % SEND_SIZE] + after)


def _bytewise(talk: Talk, said: Said) -> Iterable[FilterAction] | None:
    return [Send(_TO_MINER, said.line, piece=1)] if said.speaker is Side.POOL else None


def _merged(talk: Talk, said: Said) -> Iterable[FilterAction] | None:
    if said.speaker is not Side.POOL:
        return None
    return [Send(_TO_MINER, said.line + _call("client.show_message", "in one piece"))]


def _redirect(talk: Talk, said: Said) -> Iterable[FilterAction] | None:
    if not said.is_call("mining.notify") or talk.nth("job") != 1:
        return None
    host, _, port = str(talk.value).rpartition(":")
    return _also(said, _call("client.reconnect", host, int(port) if port.isdigit() else port, 0))


def _reconnect(talk: Talk, said: Said) -> Iterable[FilterAction] | None:
    if not said.asks("mining.submit") or talk.nth("submit") < talk.value:
        return None
    return [Send(_TO_POOL, said.line), Send(_TO_MINER, _call("client.reconnect"))]


def _http(talk: Talk, said: Said) -> Iterable[FilterAction] | None:
    if said.speaker is Side.POOL:
        return []
    return [Send(_TO_MINER, b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"), Close(_TO_MINER)]


POOL_FAULTS: Mapping[str, PoolFault] = {
    fault.name: fault
    for fault in (
        PoolFault("silent", "says nothing more after N lines", _silent, 0),
        PoolFault("dead", "after N lines neither hears nor speaks, and does not close", _dead, 10),
        PoolFault("disconnect-after", "closes after N lines", _disconnect, 20, 1),
        PoolFault("disconnect-after-shares", "closes on the submit after N shares", _disconnect_after_shares, 3),
        PoolFault("half-line", "says half of its N-th line, then nothing", _half_line, 20, 1),
        PoolFault("close-on-configure", "closes on mining.configure", _close_on("mining.configure")),
        PoolFault(
            "close-on-extranonce-subscribe",
            "closes on mining.extranonce.subscribe",
            _close_on("mining.extranonce.subscribe"),
        ),
        PoolFault("no-configure-reply", "does not answer mining.configure", _no_reply("mining.configure")),
        PoolFault("no-submit-replies", "does not answer shares", _no_reply("mining.submit")),
        PoolFault("slow-replies", "answers everything S seconds late", _slow_replies, 5.0, 0, 86400),
        PoolFault("reordered-replies", "answers shares after what it says next", _reordered_replies),
        PoolFault("duplicate-replies", "answers everything twice", _duplicate_replies),
        PoolFault("wrong-ids", "answers every other share under an id that nobody used", _wrong_ids),
        PoolFault("odd-ids", "returns ids as text and as floats", _odd_ids),
        PoolFault("bare-replies", "leaves out what is null in its replies", _bare_replies),
        PoolFault("reject-all", "refuses every share, with this code", _reject_all, 21, -100_000, 100_000),
        PoolFault("error-forms", "refuses every other share, each time in another shape", _error_forms),
        PoolFault("refuse-worker", "does not authorize", _refuse_worker),
        PoolFault("no-jobs", "has no work", _no_jobs),
        PoolFault("stuck-job", "never changes its job", _stuck_job),
        PoolFault("flood-jobs", "sends each job N times more under other ids", _flood(clean=False), 1000, 1, 100_000),
        PoolFault(
            "clean-storm", "sends each job N times more, each with clean_jobs", _flood(clean=True), 100, 1, 100_000
        ),
        PoolFault("wrong-clean", "says clean_jobs when it is not, and not when it is", _wrong_clean),
        PoolFault("bad-jobs", "sends N malformed jobs after each good one", _bad_jobs, 3, 1, 10),
        PoolFault("bad-difficulty", "sends malformed difficulties after each job", _bad_difficulty),
        PoolFault(
            "difficulty-whiplash", "sets three other difficulties after each job, then its own", _difficulty_whiplash
        ),
        PoolFault("bad-extranonce", "sends malformed extranonces after each job", _bad_extranonce),
        PoolFault(
            "changed-extranonce",
            "changes the extranonce under each job, so that it wants no share",
            _changed_extranonce,
        ),
        PoolFault("mask-changes", "takes version rolling away and gives it back after each job", _mask_changes),
        PoolFault("unknown-methods", "calls methods that do not exist", _unknown_methods),
        PoolFault("odd-calls", "pings, asks for versions and shows messages, under ids in use", _odd_calls),
        PoolFault("garbage", "adds lines that are no messages, with this chance each time", _garbage, 0.3, 0, 1),
        PoolFault("oversized", "says one line of N bytes after its second job", _oversized, 2 << 20, 1, 1 << 28),
        PoolFault("bytewise", "sends each byte by itself", _bytewise),
        PoolFault("merged", "sends two lines in one piece", _merged),
        PoolFault("redirect", "sends miners to this host and port", _redirect, "elsewhere.example:3333"),
        PoolFault("reconnect", "asks to reconnect on the N-th share", _reconnect, 3, 1),
        PoolFault("http", "answers in HTTP", _http),
    )
}
"""All of them, in the order of what a miner meets."""
