"""Replays one side of a recorded connection to a live peer, and lists the differences from the recording.

The recording serves as a script of lines to send to the live peer, and of lines to expect from it. This module does no
input or output: its caller, ``replay_run``, passes in the received lines and the time, and gets back the lines to send
and the time of the next step.

When a line is sent:

* The handshake keeps its order. If the next line in the recording is one that the live peer must send, and is a
  mining.subscribe, a mining.authorize or a reply to one of these two requests, the replay waits up to PATIENCE seconds
  for this line.
* Other lines are sent at their recorded times, multiplied by ``pace``. With pace 0, a line is sent as soon as the live
  peer has sent every line that was recorded before it, and at its recorded time at the latest.

The message ids, job ids and session ids of the recording are replaced by those of the live connection.

A live miner finds other shares than the recorded miner did, and another number of them, even if it is the same miner.
The replay therefore compares only the worker name, the job and the form of a share, and answers a share that the
recording does not have as the recorded pool answered its first share.
"""

import json
import re
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
"""Seconds to wait for each handshake message of the live peer. After that time, the replay continues without the
message."""
JOB_PATIENCE = 5.0
"""Longest time in seconds for which a recorded share waits until the live peer has sent the job that corresponds to the
share's recorded job. After that time, the share is sent with the recorded job id."""
GRACE = 2.0
"""Seconds to wait, after the end of the recording, for recorded lines that the live peer has not sent yet."""
SHARE_PATIENCE = 30.0
"""Seconds to wait, after the end of the recording, for a live miner to find as many shares as were recorded."""
MAX_DIFFERENCES = 1000
"""Maximum number of differences that are kept; further ones are only counted."""
SHOWN = 400
"""Maximum characters of the text of a difference."""
LINES_PER_STEP = 100
"""Maximum number of lines that one call of ``Replay.step`` returns."""
MAX_NAME = 256
"""Maximum bytes of a job id, session id or message id of the live peer. Longer ids are not remembered or sent back.
Real ids are shorter."""
_HEX = re.compile(r"[0-9a-fA-F]+")
_HANDSHAKE = ("mining.subscribe", "mining.authorize")
_LIVE_METHODS = ("mining.notify", "mining.set_extranonce", "mining.subscribe")
"""Methods whose parameters are not compared if the live peer is a pool: a live pool has its own jobs, extranonces and
sessions."""


@dataclass(frozen=True, slots=True)
class ReplayDifference:
    """One difference between the live connection and the recording.

    ``number`` is the number of the line in the recording, or None if the recording has no such line.
    """

    number: int | None
    text: str

    def __str__(self) -> str:
        return f"line {self.number}: {self.text}" if self.number is not None else self.text


@dataclass(slots=True)
class Replay:
    """The replay of one recorded connection."""

    records: Sequence[NumberedRecord]
    """The records of this connection, in the order of time."""
    side: Side
    """The side that the replay plays; the live peer is the other side."""
    pace: float = 1.0
    """Factor by which the recorded times are multiplied. With 0, each line is sent as soon as the live peer has sent
    all lines that were recorded before it, and at its recorded time at the latest."""
    ignore: frozenset[str] = frozenset()
    """Differences in messages of these methods, and in replies to them, are not listed."""
    worker: tuple[str, str] | None = None
    """Worker name and password to send in place of the recorded ones."""
    sessions: dict[str, str] = field(default_factory=dict)
    """For each recorded session id, the live session id. All connections of a recording share this dictionary."""
    differences: list[ReplayDifference] = field(default_factory=list)
    differences_not_kept: int = 0
    """Number of differences that were not kept because there were more than MAX_DIFFERENCES."""
    sent: int = 0
    """Number of lines sent to the live peer."""
    received: int = 0
    """Number of lines received from the live peer."""
    shares_received: int = 0
    """Number of mining.submit requests received from a live miner."""
    done: bool = False
    """Whether the replay has nothing more to send or to wait for."""
    next_time: float | None = None
    """Time at which the method ``step`` must be called next. It is on the same clock as the argument ``now`` of
    ``step``. None means that ``step`` must be called after the next line is received."""
    starts_at: float = 0.0
    """Recorded time at which the connection began, in seconds."""
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

    @property
    def shares_recorded(self) -> int:
        """Return the number of mining.submit requests that the recorded miner sent, if the live peer is a miner."""
        return len(self._script.shares)

    # ---- time ---------------------------------------------------------------------------------------------------

    def step(self, now: float) -> list[bytes]:
        """Return the lines to send at the time ``now`` (seconds of any clock), and set ``next_time`` and ``done``."""
        if self._offset is None:
            self._offset = now - self.starts_at * self._scale
        self.next_time = None
        while self._cursor < len(self._script.items):
            if len(self._out) >= LINES_PER_STEP:
                self._wait(now)
                break
            item = self._script.items[self._cursor]
            ready = self._send(item, now) if item.sender is self.side else self._expect(item, now)
            if not ready:
                break
            self._cursor += 1
        else:
            self._end(now)
        lines, self._out = self._out, []
        self.sent += len(lines)
        return lines

    @property
    def pending_bytes(self) -> int:
        """Return the total size in bytes of the lines that already wait to be returned by the next call of ``step``."""
        return sum(map(len, self._out))

    @property
    def _scale(self) -> float:
        return self.pace if self.pace > 0 else 1.0

    def _due(self, t: float) -> float:
        return (self._offset or 0.0) + t * self._scale

    def _wait(self, until: float) -> bool:
        self.next_time = until
        return False

    def _send(self, item: ScriptLine, now: float) -> bool:
        if self.pace > 0 and now < self._due(item.t):
            return self._wait(self._due(item.t))
        if item.answers is not None and not item.answers.done:
            item.late = True
            return True
        job = self._job_of(item)
        if job is not None and job not in self._jobs and now < self._due(item.t) + JOB_PATIENCE:
            return self._wait(self._due(item.t) + JOB_PATIENCE)
        self._out.append(self._translated(item))
        item.done = True
        return True

    def _expect(self, item: ScriptLine, now: float) -> bool:
        if item.done:
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
        until = end + GRACE if self._script.not_received else end if self.pace > 0 else now
        if self._script.shares_missing and ended_by(self.records) is not self.side:
            until = end + SHARE_PATIENCE
        if now < until:
            self.next_time = until
            return
        self.done = True

    def disconnected(self) -> None:
        """Tell the replay that the live peer has ended the connection.

        It counts as a difference in two cases. In the recording, the other side ended the connection. Or the replay has
        a line still to send that was recorded more than GRACE seconds before the recorded connection ended. It is no
        difference if the recorded miner ended the connection at most GRACE seconds after its last share, and the live
        miner has sent as many shares: it may have found them sooner.
        """
        last = next((item.answer or item for item in reversed(self._script.shares)), None)
        if last is not None and last.t >= self._ends_at - GRACE and ended_by(self.records) is Side.MINER:
            self.done = self.done or not self._script.not_received
        if self.done:
            return
        unsent = [item for item in self._script.items if not item.done and item.sender is self.side and not item.late]
        early = any(item.t < self._ends_at - GRACE for item in unsent)
        if early or ended_by(self.records) is self.side:
            peer = self.side.other.value
            self._differ(None, f"the {peer} ended the connection; recorded lines not sent to it: {len(unsent)}")
        else:
            self.done = True

    def stalled(self, seconds: float) -> None:
        """Add the difference that the live peer did not read for ``seconds`` seconds, so that the connection was ended.

        This difference is kept even if there are MAX_DIFFERENCES already.
        """
        self.differences.append(ReplayDifference(None, f"the {self.side.other.value} did not read for {seconds:g} s"))

    def finish(self) -> None:
        """Add differences for the lines of the live peer that are in the recording but were not received, except for
        shares. Must be called after the live connection has ended."""
        missing: dict[str, list[int]] = {}
        for item in self._script.items:
            if self.side is Side.POOL and item.is_call and item.method == "mining.submit":
                continue
            if not item.done and item.sender is not self.side and item.method not in self.ignore:
                missing.setdefault(item.name, []).append(item.number)
        for name, numbers in missing.items():
            more = f", and {len(numbers) - 1} more like it" if len(numbers) > 1 else ""
            self._differ(numbers[0], f"{name}: recorded, but the {self.side.other.value} did not send it{more}")

    # ---- lines of the live side -----------------------------------------------------------------------------------

    def receive(self, line: bytes, now: float) -> None:
        """Process one line of the live peer, without its LF, received at the time ``now``."""
        self.received += 1
        try:
            message = envelope.decode(line)
        except FieldError:
            if self._script.match_other(line) is None:
                self._differ(None, f"not a message: {sanitize(line, 80)}")
            return
        method = self._methods.of(self.side.other, line)
        if isinstance(message, envelope.Call):
            self._received_call(message, now)
        else:
            self._received_reply(message, method, now)

    def _received_call(self, call: envelope.Call, now: float) -> None:
        item = self._script.match_call(call.method)
        if self.side is Side.POOL and call.method == "mining.submit":
            self.shares_received += 1
            if item is None:
                self._answer_further_share(call, now)
                return
        if item is None:
            if call.method not in self.ignore:
                self._differ(None, f"{call.method}: not in the recording")
            if self.side is Side.POOL and call.wants_reply and _is_short(call.id):
                self._out.append(envelope.encode_reply(call.id, None, [20, "not in the recording", None]))
                self.next_time = now
            return
        if _is_short(call.id):
            item.live_id = call.id
        else:
            self._differ(
                item.number, f"{call.method}: expected an id of at most {MAX_NAME} bytes, got {_short(call.id)}"
            )
        if item.method in _HANDSHAKE:
            self._offset = now - item.t * self._scale
        self._learn_job(item, call)
        self._compare_calls(item, call)
        reply = item.answer
        if reply is not None and reply.late:
            reply.late, reply.done = False, True
            self._out.append(self._translated(reply))

    def _answer_further_share(self, call: envelope.Call, now: float) -> None:
        """Answer a share of a live miner that has already sent as many shares as were recorded."""
        first = self._script.shares[0] if self._script.shares else None
        answer = None if first is None or first.answer is None else first.answer.message
        if first is not None:
            self._compare_calls(first, call)
        if call.wants_reply and _is_short(call.id):
            result, error = (answer.result, answer.error) if isinstance(answer, envelope.Reply) else (True, None)
            self._out.append(envelope.encode_reply(call.id, result, error))
            self.next_time = now

    def _received_reply(self, reply: envelope.Reply, method: str | None, now: float) -> None:
        item = self._script.match_reply(reply.id)
        if item is None:
            if self.side is Side.MINER and (method or "") not in self.ignore:
                request = method or "a request that was not sent"
                self._differ(None, f"reply to {request}: not in the recording")
            return
        if item.method in _HANDSHAKE:
            self._offset = now - item.t * self._scale
        self._compare_replies(item, reply)

    # ---- recorded ids and live ids ----------------------------------------------------------------------------------

    def _translated(self, item: ScriptLine) -> bytes:
        message = item.message
        if message is None:
            return item.wire
        value: dict[str, Any] = msgspec.json.decode(item.wire)
        if isinstance(message, envelope.Reply):
            if item.answers is not None:
                value["id"] = item.answers.live_id
        elif self.side is Side.MINER:
            value["params"] = self._with_live_ids(message)
            self._methods.of(self.side, json.dumps(value).encode())
            item.live_id = message.id
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace") + b"\n"

    def _with_live_ids(self, call: envelope.Call) -> Any:
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
        """If a recorded line is a mining.submit that the replay sends, return its recorded job id.

        Return None for any other line, and for a mining.submit whose job was not announced by an earlier mining.notify
        of the recording.
        """
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
        if self.side is Side.MINER and call.method in _LIVE_METHODS:
            return
        old, new = recorded.params, call.params
        if self.side is Side.POOL and call.method == "mining.submit" and self._is_like_share(old, new):
            return
        if call.method == "mining.authorize" and isinstance(old, list) and isinstance(new, list):
            new = [
                STARS if position < len(old) and old[position] == STARS else each for position, each in enumerate(new)
            ]
            shown = f"{_short(old[:1])}, got {_short(new[:1])}"
        else:
            shown = f"{_short(old)}, got {_short(new)}"
        if old != new:
            self._differ(item.number, f"{call.method}: recorded {shown}")

    def _is_like_share(self, old: Any, new: Any) -> bool:
        """Return whether a live share has the worker name and the form of a recorded one, and a recorded job."""
        if not isinstance(old, list) or not isinstance(new, list) or len(old) != len(new) or old[:1] != new[:1]:
            return False
        if len(new) > 1 and not (isinstance(new[1], str) and self._script.announced(new[1])):
            return False
        return all(
            isinstance(value, str) and len(value) == len(recorded) and _HEX.fullmatch(value) is not None
            for recorded, value in zip(old[2:], new[2:], strict=True)
            if isinstance(recorded, str) and _HEX.fullmatch(recorded)
        )

    def _compare_replies(self, item: ScriptLine, reply: envelope.Reply) -> None:
        recorded = item.message
        if not isinstance(recorded, envelope.Reply) or item.method in self.ignore:
            return
        if item.method == "mining.subscribe":
            self._learn_session(recorded.result, reply.result)
            match recorded.result, reply.result:
                case [_, _, old_size, *_], [_, _, new_size, *_] if old_size == new_size:
                    return
        old, new = _summary(recorded, item.method), _summary(reply, item.method)
        if old != new:
            self._differ(item.number, f"reply to {item.method}: recorded {old}, got {new}")

    def _learn_session(self, old: Any, new: Any) -> None:
        for recorded, live in zip(_session_ids(old), _session_ids(new), strict=False):
            if len(live) <= MAX_NAME:
                self.sessions[recorded] = live

    def _differ(self, number: int | None, text: str) -> None:
        if len(self.differences) < MAX_DIFFERENCES:
            self.differences.append(ReplayDifference(number, sanitize(text, SHOWN)))
        else:
            self.differences_not_kept += 1


def ended_by(records: Sequence[NumberedRecord]) -> Side | None:
    """Return the side that ended the recorded connection, or None if the recording does not name a side."""
    ends = [item.record.by for item in records if isinstance(item.record, ClosedRecord)]
    return ends[-1] if ends else None


def _summary(reply: envelope.Reply, method: str | None) -> str:
    """Return a short text about a reply, such as "accepted" or "rejected (stale)". The replay compares two replies by
    these short texts.

    The short text does not contain the error text of the pool, because error texts differ between pools.
    """
    refused = "rejected" if method == "mining.submit" else "refused"
    if reply.error not in (None, [], False):
        return f"{refused} ({error_reply_from(reply.error, reply.reject_reason).reason.value})"
    if reply.result in (None, False):
        return refused
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
