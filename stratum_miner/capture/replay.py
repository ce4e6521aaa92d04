"""Plays one side of a recorded connection to a live peer, and says where reality departed from the record.

Sans-IO: lines and the time in, lines and the next time out; ``replay_run`` moves them. What was recorded is a script of
lines to say and lines to hear. Nothing said may overtake the handshake: what follows a subscribe or authorize waits
for the live one. Otherwise the record's times hold (scaled by ``pace``), or, with pace 0, each line is said as soon as
everything recorded before it was heard, and at its recorded time at the latest. Ids, jobs and sessions are mapped from
the record's to the live ones.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from stratum_miner.capture.methods import Methods
from stratum_miner.capture.record import ClosedRecord, NumberedRecord, Side
from stratum_miner.capture.redaction import STARS
from stratum_miner.capture.script import Script, ScriptLine
from stratum_miner.foreign_text import sanitize
from stratum_miner.stratum import envelope
from stratum_miner.stratum.errors import FieldError, error_reply_from

PATIENCE = 30.0
"""Seconds for the live side to say what the script cannot go on without."""
JOB_PATIENCE = 5.0
"""Seconds for the job that a recorded share is for; then it is sent under its recorded name."""
GRACE = 2.0
"""Seconds after the record's end for what was recorded and is still on its way."""
MAX_DEPARTURES = 1000
"""Kept; further ones are counted."""
SHOWN = 400
"""Characters of one."""
SAID_AT_ONCE = 100
"""Lines given out in one step; the next ones come with the next."""
MAX_NAME = 256
"""Bytes of a live job, session or id that are remembered or echoed; no pool and no miner has longer ones."""
_HANDSHAKE = ("mining.subscribe", "mining.authorize")
_OWN_WORDS = ("mining.notify", "mining.set_extranonce", "mining.subscribe")
"""A live pool has its own jobs, extranonces and sessions; that is no departure."""


@dataclass(frozen=True, slots=True)
class Departure:
    """Where reality was another; ``number`` is the line of the capture, None for what it does not have."""

    number: int | None
    text: str

    def __str__(self) -> str:
        return f"line {self.number}: {self.text}" if self.number is not None else self.text


@dataclass(slots=True)
class Replay:
    """One recorded connection, ``side`` of it played by us. ``worker`` replaces name and password of the record."""

    records: Sequence[NumberedRecord]
    side: Side
    pace: float = 1.0
    ignore: frozenset[str] = frozenset()
    worker: tuple[str, str] | None = None
    sessions: dict[str, str] = field(default_factory=dict)
    """Recorded session ids and the live ones; shared by the connections of a capture."""
    departures: list[Departure] = field(default_factory=list)
    uncounted: int = 0
    """Departures beyond those kept."""
    said: int = 0
    heard: int = 0
    done: bool = False
    next_time: float | None = None
    """When ``step`` has something to do at the latest; None until something is heard."""
    starts_at: float = 0.0
    """When the recorded connection began."""
    _ends_at: float = 0.0
    _script: Script = field(init=False)
    _cursor: int = 0
    _offset: float | None = None
    _blocked_since: float | None = None
    _out: list[bytes] = field(default_factory=list)
    _jobs: dict[str, str] = field(default_factory=dict)
    _methods: Methods = field(default_factory=Methods)

    def __post_init__(self) -> None:
        self._script = Script(self.records, self.side.other)
        times = [item.record.t for item in self.records]
        self._ends_at = times[-1] if times else 0.0
        self.starts_at = times[0] if times else 0.0

    # ---- time ---------------------------------------------------------------------------------------------------

    def step(self, now: float) -> list[bytes]:
        """What to say now. ``next_time`` says when to ask again, ``done`` when the script is over."""
        if self._offset is None:
            self._offset = now - self.starts_at * self._scale
        self.next_time = None
        while self._cursor < len(self._script.items):
            if len(self._out) >= SAID_AT_ONCE:
                self._wait(now)
                break
            item = self._script.items[self._cursor]
            ready = self._say(item, now) if item.speaker is self.side else self._hear(item, now)
            if not ready:
                break
            self._cursor += 1
        else:
            self._end(now)
        said, self._out = self._out, []
        self.said += len(said)
        return said

    @property
    def unsaid(self) -> int:
        """Bytes that the next step gives out."""
        return sum(map(len, self._out))

    @property
    def _scale(self) -> float:
        return self.pace if self.pace > 0 else 1.0

    def _due(self, t: float) -> float:
        return (self._offset or 0.0) + t * self._scale

    def _wait(self, until: float) -> bool:
        self.next_time = until
        return False

    def _say(self, item: ScriptLine, now: float) -> bool:
        if self.pace > 0 and now < self._due(item.t):
            return self._wait(self._due(item.t))
        if item.answers is not None and not item.answers.met:
            item.late = True
            return True
        job = self._job_of(item)
        if job is not None and job not in self._jobs and now < self._due(item.t) + JOB_PATIENCE:
            return self._wait(self._due(item.t) + JOB_PATIENCE)
        self._out.append(self._translated(item))
        item.met = True
        return True

    def _hear(self, item: ScriptLine, now: float) -> bool:
        if item.met:
            self._blocked_since = None
            return True
        essential = item.method in _HANDSHAKE and (item.is_call or self.side is Side.MINER)
        if essential:
            self._blocked_since = self._blocked_since or now
            if now < self._blocked_since + PATIENCE:
                return self._wait(self._blocked_since + PATIENCE)
            self._blocked_since = None
            return True
        if self.pace <= 0 and now < self._due(item.t):
            return self._wait(self._due(item.t))
        return True

    def _end(self, now: float) -> None:
        end = self._due(self._ends_at)
        until = end + GRACE if self._script.unheard else end if self.pace > 0 else now
        if now < until:
            self.next_time = until
            return
        self.done = True

    def left(self) -> None:
        """The live side ended the connection. That is as recorded when it did so then too, and not long before."""
        if self.done:
            return
        unsaid = [item for item in self._script.items if not item.met and item.speaker is self.side and not item.late]
        early = sum(item.t < self._ends_at - GRACE for item in unsaid)
        if early or ended_by(self.records) is self.side:
            self._depart(
                None, f"the {self.side.other.value} ended the connection, {len(unsaid)} lines before the record"
            )
        else:
            self.done = True

    def stuck(self, seconds: float) -> None:
        """The live side took nothing for so long; the connection is over. That is told in any case."""
        self.departures.append(Departure(None, f"the {self.side.other.value} took nothing for {seconds:g} s"))

    def finish(self) -> None:
        """The live connection is over: what was not heard will not be."""
        missing: dict[str, list[int]] = {}
        for item in self._script.items:
            if not item.met and item.speaker is not self.side and item.method not in self.ignore:
                missing.setdefault(item.name, []).append(item.number)
        for name, numbers in missing.items():
            more = f" and {len(numbers) - 1} more of them" if len(numbers) > 1 else ""
            self._depart(numbers[0], f"{name}: recorded, but the {self.side.other.value} did not say it{more}")

    # ---- what the live side says ----------------------------------------------------------------------------------

    def receive(self, line: bytes, now: float) -> None:
        """One line of the live side, without its LF."""
        self.heard += 1
        try:
            message = envelope.decode(line)
        except FieldError:
            if self._script.meet_other(line) is None:
                self._depart(None, f"not a message: {sanitize(line, 80)}")
            return
        method = self._methods.of(self.side.other, line)
        if isinstance(message, envelope.Call):
            self._heard_call(message, now)
        else:
            self._heard_reply(message, method, now)

    def _heard_call(self, call: envelope.Call, now: float) -> None:
        item = self._script.meet_call(call.method)
        if item is None:
            if call.method not in self.ignore:
                self._depart(None, f"{call.method}: not in the record")
            if self.side is Side.POOL and call.wants_reply and _is_short(call.id):
                self._out.append(envelope.encode_reply(call.id, None, [20, "not in the record", None]))
                self.next_time = now
            return
        if _is_short(call.id):
            item.live_id = call.id
        else:
            self._depart(
                item.number, f"{call.method}: expected an id of at most {MAX_NAME} bytes, got {_short(call.id)}"
            )
        if item.method in _HANDSHAKE:
            self._offset = now - item.t * self._scale
        self._learn_job(item, call)
        self._compare_calls(item, call)
        reply = item.answer
        if reply is not None and reply.late:
            reply.late, reply.met = False, True
            self._out.append(self._translated(reply))

    def _heard_reply(self, reply: envelope.Reply, method: str | None, now: float) -> None:
        item = self._script.meet_reply(reply.id)
        if item is None:
            if self.side is Side.MINER and (method or "") not in self.ignore:
                self._depart(None, f"a reply to {method or 'nothing that was asked'} that is not in the record")
            return
        if item.method in _HANDSHAKE:
            self._offset = now - item.t * self._scale
        self._compare_replies(item, reply)

    # ---- the record's names for things, and the live ones -----------------------------------------------------------

    def _translated(self, item: ScriptLine) -> bytes:
        message = item.message
        if message is None:
            return item.wire
        value: dict[str, Any] = msgspec.json.decode(item.wire)
        if isinstance(message, envelope.Reply):
            if item.answers is not None:
                value["id"] = item.answers.live_id
        elif self.side is Side.MINER:
            value["params"] = self._own_params(message)
            self._methods.of(self.side, json.dumps(value).encode())
            item.live_id = message.id
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace") + b"\n"

    def _own_params(self, call: envelope.Call) -> Any:
        params = list(call.params) if isinstance(call.params, list) else call.params
        if not isinstance(params, list) or not params:
            return params
        if call.method == "mining.authorize" and self.worker is not None:
            return [*self.worker, *params[2:]]
        if call.method == "mining.submit":
            if self.worker is not None:
                params[0] = self.worker[0]
            if len(params) > 1 and isinstance(params[1], str):
                params[1] = self._jobs.get(params[1], params[1])
        if call.method == "mining.subscribe" and len(params) > 1 and isinstance(params[1], str):
            params[1] = self.sessions.get(params[1], params[1])
        return params

    def _job_of(self, item: ScriptLine) -> str | None:
        """The recorded job of a submit that we are to say, if the record has it."""
        if self.side is not Side.MINER or not item.is_call or item.method != "mining.submit" or len(item.params) < 2:
            return None
        job = item.params[1]
        return job if isinstance(job, str) and self._script.announced_before(job, self._cursor) else None

    def _learn_job(self, item: ScriptLine, call: envelope.Call) -> None:
        recorded = item.message
        if call.method == "mining.notify" and isinstance(recorded, envelope.Call):
            match recorded.params, call.params:
                case [str(old), *_], [str(new), *_] if len(new) <= MAX_NAME:
                    self._jobs[old] = new

    # ---- comparing --------------------------------------------------------------------------------------------------

    def _compare_calls(self, item: ScriptLine, call: envelope.Call) -> None:
        recorded = item.message
        if not isinstance(recorded, envelope.Call) or call.method in self.ignore:
            return
        if self.side is Side.MINER and call.method in _OWN_WORDS:
            return
        old, new = recorded.params, call.params
        if call.method == "mining.authorize" and isinstance(old, list) and isinstance(new, list):
            new = [
                STARS if position < len(old) and old[position] == STARS else each for position, each in enumerate(new)
            ]
            shown = f"{_short(old[:1])}, got {_short(new[:1])}"
        else:
            shown = f"{_short(old)}, got {_short(new)}"
        if old != new:
            self._depart(item.number, f"{call.method}: recorded {shown}")

    def _compare_replies(self, item: ScriptLine, reply: envelope.Reply) -> None:
        recorded = item.message
        if not isinstance(recorded, envelope.Reply) or item.method in self.ignore:
            return
        if item.method == "mining.subscribe":
            self._learn_session(recorded.result, reply.result)
            match recorded.result, reply.result:
                case [_, _, old_size, *_], [_, _, new_size, *_] if old_size == new_size:
                    return
        old, new = _verdict(recorded, item.method), _verdict(reply, item.method)
        if old != new:
            self._depart(item.number, f"reply to {item.method}: recorded {old}, got {new}")

    def _learn_session(self, old: Any, new: Any) -> None:
        for recorded, live in zip(_session_ids(old), _session_ids(new), strict=False):
            if len(live) <= MAX_NAME:
                self.sessions[recorded] = live

    def _depart(self, number: int | None, text: str) -> None:
        if len(self.departures) < MAX_DEPARTURES:
            self.departures.append(Departure(number, sanitize(text, SHOWN)))
        else:
            self.uncounted += 1


def ended_by(records: Sequence[NumberedRecord]) -> Side | None:
    """Who ended the recorded connection."""
    ends = [item.record.by for item in records if isinstance(item.record, ClosedRecord)]
    return ends[-1] if ends else None


def _verdict(reply: envelope.Reply, method: str | None) -> str:
    """What a reply comes to, without the words that differ between pools."""
    if reply.error not in (None, [], False):
        return f"refused ({error_reply_from(reply.error, reply.reject_reason).reason.value})"
    if reply.result in (None, False):
        return "refused"
    if method in ("mining.configure", "mining.subscribe"):
        return _short(reply.result)
    return "accepted" if reply.result is True else _short(reply.result)


def _session_ids(result: Any) -> list[str]:
    match result:
        case [list(subscriptions), *_]:
            return [
                pair[1]
                for pair in subscriptions
                if isinstance(pair, list) and len(pair) > 1 and isinstance(pair[1], str)
            ]
        case _:
            return []


def _is_short(identifier: envelope.Id) -> bool:
    return len(envelope.encode_id(identifier)) <= MAX_NAME


def _short(value: Any) -> str:
    return sanitize(json.dumps(value), 100)
