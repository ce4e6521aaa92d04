"""The faults of pools: one function for each, and the table that names them.

The faults are those of docs/reference/stratum.md#faults-of-pools: faults that real pools had, and other faults that a
miner must survive. A tap between a miner and a good pool injects them. For each line that the miner or the pool sends,
it calls the function of the fault with this line and the state of the connection. The function returns the actions to
take instead of sending the line on, or None to send the line on unchanged. The actions depend on the lines and on a
seed, never on the clock. A function with many actions returns an iterator, so that they are not all in memory at once.

To add a fault, add a function, and a row to the table.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

from stratum_miner.capture.filter import Close, FilterAction, Send
from stratum_miner.capture.record import Side
from stratum_miner.capture.relay import SEND_SIZE
from stratum_miner.faults.fault_behaviour import Behaviour, FaultState, PoolFault, ProtocolLine
from stratum_miner.faults.wire_faults import garbage_line

_TO_MINER, _TO_POOL = Side.MINER, Side.POOL


def _encoded(message: dict[str, Any]) -> bytes:
    return json.dumps(message).encode() + b"\n"


def _call(method: str, *params: Any, call_id: Any = None) -> bytes:
    return _encoded({"id": call_id, "method": method, "params": list(params)})


def _with(line: ProtocolLine, **changes: Any) -> bytes:
    return _encoded({**(line.message or {}), **changes})


def _also(line: ProtocolLine, *lines: bytes) -> list[FilterAction]:
    """Return the actions that send ``line`` to the miner, followed by ``lines``."""
    return [Send(_TO_MINER, line) for line in (line.data, *lines)]


def _instead(line: bytes, after: float = 0.0) -> list[FilterAction]:
    return [Send(_TO_MINER, line, after)]


# ---- silence and closed connections ---------------------------------------------------------------------------------


def _silent(state: FaultState, line: ProtocolLine) -> Iterable[FilterAction] | None:
    return [] if line.sender is Side.POOL and state.nth("line") > state.value else None


def _dead(state: FaultState, line: ProtocolLine) -> Iterable[FilterAction] | None:
    return [] if state.nth("line") > state.value else None


def _disconnect(state: FaultState, line: ProtocolLine) -> Iterable[FilterAction] | None:
    if line.sender is not Side.POOL or state.nth("line") < state.value:
        return None
    return [Send(_TO_MINER, line.data), Close(_TO_MINER)]


def _disconnect_after_shares(state: FaultState, line: ProtocolLine) -> Iterable[FilterAction] | None:
    return [Close(_TO_MINER)] if line.asks("mining.submit") and state.nth("submit") > state.value else None


def _half_line(state: FaultState, line: ProtocolLine) -> Iterable[FilterAction] | None:
    if line.sender is not Side.POOL or state.nth("line") < state.value:
        return None
    return _instead(line.data[: len(line.data) // 2]) if state.seen["line"] == state.value else []


def _close_on(method: str) -> Behaviour:
    def behave(state: FaultState, line: ProtocolLine) -> Iterable[FilterAction] | None:
        return [Close(_TO_MINER)] if line.asks(method) else None

    return behave


# ---- replies --------------------------------------------------------------------------------------------------------


def _no_reply(method: str) -> Behaviour:
    def behave(state: FaultState, line: ProtocolLine) -> Iterable[FilterAction] | None:
        return [] if line.is_reply and line.method == method else None

    return behave


def _slow_replies(state: FaultState, line: ProtocolLine) -> Iterable[FilterAction] | None:
    return _instead(line.data, float(state.value)) if line.is_reply else None


def _reordered_replies(state: FaultState, line: ProtocolLine) -> Iterable[FilterAction] | None:
    if line.sender is not Side.POOL:
        return None
    if state.held is not None:
        held, state.held = state.held, None
        return _also(line, held)
    if not line.is_reply or line.method != "mining.submit":
        return None
    state.held = line.data
    return []


def _duplicate_replies(state: FaultState, line: ProtocolLine) -> Iterable[FilterAction] | None:
    return [Send(_TO_MINER, line.data, times=2)] if line.is_reply else None


def _wrong_ids(state: FaultState, line: ProtocolLine) -> Iterable[FilterAction] | None:
    if not line.is_reply or line.method != "mining.submit" or state.nth("reply") % 2:
        return None
    return _instead(_with(line, id=state.rng.getrandbits(31)))


_EXACT = 1 << 53
"""Largest integer up to which a float represents every integer exactly."""


def _odd_ids(state: FaultState, line: ProtocolLine) -> Iterable[FilterAction] | None:
    request_id = (line.message or {}).get("id")
    if not line.is_reply or not isinstance(request_id, int) or abs(request_id) > _EXACT:
        return None
    return _instead(_with(line, id=str(request_id) if state.nth("reply") % 2 else float(request_id)))


def _bare_replies(state: FaultState, line: ProtocolLine) -> Iterable[FilterAction] | None:
    if not line.is_reply or line.message is None:
        return None
    return _instead(_encoded({key: value for key, value in line.message.items() if key == "id" or value is not None}))


def _reject_all(state: FaultState, line: ProtocolLine) -> Iterable[FilterAction] | None:
    if not line.is_reply or line.method != "mining.submit":
        return None
    return _instead(_with(line, result=None, error=[int(state.value), "rejected by the fault reject-all", None]))


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
"""Errors in the forms of docs/reference/stratum.md#forms-of-an-error, and in forms that no pool should use."""


def _error_forms(state: FaultState, line: ProtocolLine) -> Iterable[FilterAction] | None:
    if not line.is_reply or line.method != "mining.submit":
        return None
    number = state.nth("reply")
    return None if number % 2 else _instead(_with(line, **_ERROR_FORMS[number // 2 % len(_ERROR_FORMS)]))


def _refuse_worker(state: FaultState, line: ProtocolLine) -> Iterable[FilterAction] | None:
    if not line.is_reply or line.method != "mining.authorize":
        return None
    return _instead(_with(line, result=False, error=[24, "unauthorized worker", None]))


# ---- jobs -----------------------------------------------------------------------------------------------------------


def _no_jobs(state: FaultState, line: ProtocolLine) -> Iterable[FilterAction] | None:
    return [] if line.is_call("mining.notify") else None


def _stuck_job(state: FaultState, line: ProtocolLine) -> Iterable[FilterAction] | None:
    return [] if line.is_call("mining.notify") and state.nth("job") > 1 else None


def _flood(*, clean: bool) -> Behaviour:
    """Return the function of a fault that sends many copies of each job to the miner, each with another job id.

    If the miner submits a share of such a copy, the fault replaces the copy's job id in mining.submit with the job id
    that the pool sent."""

    def behave(state: FaultState, line: ProtocolLine) -> Iterable[FilterAction] | None:
        params = line.params
        if line.is_call("mining.notify") and len(params) > 8:
            copies = ([f"{params[0]}~{n}", *params[1:8], clean] for n in range(int(state.value)))
            calls = (_call("mining.notify", *copy) for copy in copies)
            return chain([Send(_TO_MINER, line.data)], (Send(_TO_MINER, call) for call in calls))
        if line.asks("mining.submit") and len(params) > 1 and "~" in str(params[1]):
            params[1] = str(params[1]).partition("~")[0]
            return [Send(_TO_POOL, _with(line, params=params))]
        return None

    return behave


def _wrong_clean(state: FaultState, line: ProtocolLine) -> Iterable[FilterAction] | None:
    params = line.params
    if not line.is_call("mining.notify") or len(params) < 9:
        return None
    return _instead(_with(line, params=[*params[:8], not params[8]]))


def _bad_jobs(state: FaultState, line: ProtocolLine) -> Iterable[FilterAction] | None:
    params = line.params
    if not line.is_call("mining.notify") or len(params) < 9:
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
    return _also(line, *(_call("mining.notify", *each) for each in state.rng.sample(bad, int(state.value))))


# ---- difficulty, extranonce and version mask ------------------------------------------------------------------------


def _bad_difficulty(state: FaultState, line: ProtocolLine) -> Iterable[FilterAction] | None:
    if not line.is_call("mining.notify"):
        return None
    bad: tuple[list[Any], ...] = ([0], [-1], ["x"], [None], [], [[]])
    return _also(line, *(_call("mining.set_difficulty", *each) for each in bad))


def _difficulty_whiplash(state: FaultState, line: ProtocolLine) -> Iterable[FilterAction] | None:
    if not line.is_call("mining.notify"):
        return None
    return _also(line, *(_call("mining.set_difficulty", value) for value in (1e18, 1e-9, "5", state.difficulty)))


def _bad_extranonce(state: FaultState, line: ProtocolLine) -> Iterable[FilterAction] | None:
    if not line.is_call("mining.notify"):
        return None
    bad: tuple[tuple[Any, ...], ...] = (("xyz", 4), ("0", 4), ("00", -1), ("00", 99), ("00" * 40, 4), ({}, []))
    return _also(line, *(_call("mining.set_extranonce", *each) for each in bad))


def _changed_extranonce(state: FaultState, line: ProtocolLine) -> Iterable[FilterAction] | None:
    if not line.is_call("mining.notify"):
        return None
    # The size is wrong, too: otherwise the share is a block by chance where the network difficulty is very low, as on
    # regtest, and the pool accepts a block whatever its share difficulty is.
    size = state.rng.choice([size for size in (2, 3, 4, 8) if size != state.extranonce2_size])
    change = _call("mining.set_extranonce", f"{state.rng.getrandbits(32):08x}", size)
    return _also(line, change, _with(line, id=None))


def _mask_changes(state: FaultState, line: ProtocolLine) -> Iterable[FilterAction] | None:
    if not line.is_call("mining.notify"):
        return None
    return _also(
        line, *(_call("mining.set_version_mask", *each) for each in (("zz",), (), ("00000000",), (state.mask,)))
    )


# ---- other messages -------------------------------------------------------------------------------------------------


def _unknown_methods(state: FaultState, line: ProtocolLine) -> Iterable[FilterAction] | None:
    if line.sender is not Side.POOL:
        return None
    request_id = (line.message or {}).get("id")
    return _also(
        line, _call("mining.nonesuch", 1), _call(f"x.{state.rng.getrandbits(16)}", {}, call_id=request_id or 7)
    )


def _odd_calls(state: FaultState, line: ProtocolLine) -> Iterable[FilterAction] | None:
    if line.sender is not Side.POOL:
        return None
    request_id = (line.message or {}).get("id")
    return _also(
        line,
        _call("client.get_version", call_id=request_id or 1),
        _call("mining.ping", call_id="ping"),
        _call("client.show_message", "\x1b[2J\x07 all your \n lines"),
    )


def _garbage(state: FaultState, line: ProtocolLine) -> Iterable[FilterAction] | None:
    if line.sender is not Side.POOL or state.rng.random() >= state.value:
        return None
    return _also(line, garbage_line(state.rng))


_FILLING = "here"


def _oversized(state: FaultState, line: ProtocolLine) -> Iterable[FilterAction] | None:
    if not line.is_call("mining.notify") or state.nth("job") != 2:
        return None
    return chain([Send(_TO_MINER, line.data)], _long_line(int(state.value)))


def _long_line(size: int) -> Iterator[FilterAction]:
    before, after = _call("client.show_message", _FILLING).split(_FILLING.encode())
    yield Send(_TO_MINER, before)
    filling = b"x" * SEND_SIZE
    for _ in range(size // SEND_SIZE):
        yield Send(_TO_MINER, filling)
    yield Send(_TO_MINER, filling[: size % SEND_SIZE] + after)


def _bytewise(state: FaultState, line: ProtocolLine) -> Iterable[FilterAction] | None:
    return [Send(_TO_MINER, line.data, piece=1)] if line.sender is Side.POOL else None


def _merged(state: FaultState, line: ProtocolLine) -> Iterable[FilterAction] | None:
    if line.sender is not Side.POOL:
        return None
    return [Send(_TO_MINER, line.data + _call("client.show_message", "in one piece"))]


def _redirect(state: FaultState, line: ProtocolLine) -> Iterable[FilterAction] | None:
    if not line.is_call("mining.notify") or state.nth("job") != 1:
        return None
    host, _, port = str(state.value).rpartition(":")
    return _also(line, _call("client.reconnect", host, int(port) if port.isdigit() else port, 0))


def _reconnect(state: FaultState, line: ProtocolLine) -> Iterable[FilterAction] | None:
    if not line.asks("mining.submit") or state.nth("submit") < state.value:
        return None
    return [Send(_TO_POOL, line.data), Send(_TO_MINER, _call("client.reconnect"))]


def _http(state: FaultState, line: ProtocolLine) -> Iterable[FilterAction] | None:
    if line.sender is Side.POOL:
        return []
    return [Send(_TO_MINER, b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"), Close(_TO_MINER)]


POOL_FAULTS: Mapping[str, PoolFault] = {
    fault.name: fault
    for fault in (
        PoolFault("silent", "sends nothing more after N lines", _silent, 0),
        PoolFault("dead", "after N lines of both sides, neither reads nor sends nor closes the connection", _dead, 10),
        PoolFault("disconnect-after", "closes the connection after N lines", _disconnect, 20, 1),
        PoolFault(
            "disconnect-after-shares",
            "closes the connection on the first share after N shares",
            _disconnect_after_shares,
            3,
        ),
        PoolFault("half-line", "sends half of its N-th line, then nothing more", _half_line, 20, 1),
        PoolFault("close-on-configure", "closes the connection on mining.configure", _close_on("mining.configure")),
        PoolFault(
            "close-on-extranonce-subscribe",
            "closes the connection on mining.extranonce.subscribe",
            _close_on("mining.extranonce.subscribe"),
        ),
        PoolFault("no-configure-reply", "does not answer mining.configure", _no_reply("mining.configure")),
        PoolFault("no-submit-replies", "does not answer shares", _no_reply("mining.submit")),
        PoolFault("slow-replies", "sends every reply S seconds late", _slow_replies, 5.0, 0, 86400, is_time=True),
        PoolFault("reordered-replies", "sends the reply to a share after its next line", _reordered_replies),
        PoolFault("duplicate-replies", "sends every reply twice", _duplicate_replies),
        PoolFault("wrong-ids", "answers every other share with an id that the miner did not use", _wrong_ids),
        PoolFault("odd-ids", "sends the ids of replies as strings and as floats", _odd_ids),
        PoolFault("bare-replies", "omits the null fields of its replies", _bare_replies),
        PoolFault("reject-all", "rejects every share, with this error code", _reject_all, 21, -100_000, 100_000),
        PoolFault("error-forms", "rejects every other share, each time with an error of another form", _error_forms),
        PoolFault("refuse-worker", "refuses every worker", _refuse_worker),
        PoolFault("no-jobs", "sends no jobs", _no_jobs),
        PoolFault(
            "stuck-job",
            "sends only the first job",
            _stuck_job,
            if_blocks="the first share is a block, so the pool rejects all later shares of the first job as stale",
        ),
        PoolFault("flood-jobs", "sends each job N more times, with other ids", _flood(clean=False), 1000, 1, 100_000),
        PoolFault(
            "clean-storm",
            "sends each job N more times, with other ids and clean_jobs true",
            _flood(clean=True),
            100,
            1,
            100_000,
        ),
        PoolFault("wrong-clean", "sends the opposite value of clean_jobs", _wrong_clean),
        PoolFault("bad-jobs", "sends N malformed jobs after each good one", _bad_jobs, 3, 1, 10),
        PoolFault("bad-difficulty", "sends malformed difficulties after each job", _bad_difficulty),
        PoolFault(
            "difficulty-whiplash",
            "sets three other difficulties after each job, then the right one",
            _difficulty_whiplash,
        ),
        PoolFault("bad-extranonce", "sends malformed extranonces after each job", _bad_extranonce),
        PoolFault(
            "changed-extranonce",
            "sends a wrong extranonce after each job, and the job again, so that it rejects every share",
            _changed_extranonce,
        ),
        PoolFault("mask-changes", "withdraws and restores version rolling after each job", _mask_changes),
        PoolFault("unknown-methods", "calls methods that do not exist", _unknown_methods),
        PoolFault("odd-calls", "sends pings, version requests and messages, with ids that are in use", _odd_calls),
        PoolFault("garbage", "adds lines that are not messages, each with this probability", _garbage, 0.3, 0, 1),
        PoolFault("oversized", "sends one line of N bytes after its second job", _oversized, 2 << 20, 1, 1 << 28),
        PoolFault("bytewise", "sends each byte by itself", _bytewise),
        PoolFault("merged", "sends a second line in one piece with each line", _merged),
        PoolFault("redirect", "sends client.reconnect with this HOST:PORT", _redirect, "elsewhere.example:3333"),
        PoolFault("reconnect", "sends client.reconnect on each share from the N-th on", _reconnect, 3, 1),
        PoolFault("http", "answers with an HTTP error, and closes the connection", _http),
    )
}
"""All faults of pools, by name."""
