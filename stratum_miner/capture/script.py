"""A recorded connection as a script: its lines in order, with each reply linked to its request.

During a replay, the script also tracks which recorded lines the live peer has not sent yet.
"""

import json
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stratum_miner.capture.record import LineRecord, NumberedRecord, Side
from stratum_miner.stratum import envelope
from stratum_miner.stratum.errors import FieldError


@dataclass(slots=True, eq=False)
class ScriptLine:
    """One recorded line.

    The line is parsed again each time its message is needed: a stored message would take thirty times as much memory.
    """

    number: int
    """Number of the line in the file."""
    line: LineRecord
    is_call: bool
    """Whether the line is a call: a request or a notification, which names a method."""
    method: str | None
    """The method that the line names; for a reply, the method of its request."""
    answers: "ScriptLine | None" = None
    """If this line is a reply: the request that it answers."""
    answer: "ScriptLine | None" = None
    """If this line is a request: the reply that answers it."""
    done: bool = False
    """Whether the replay has sent this line or, if the live peer must send it, has received a line that matches it."""
    late: bool = False
    """Whether the replay could not send this reply at its recorded place, because the live peer had not sent the
    request yet. The replay then sends the reply when it receives the request."""
    live_id: Any = None
    """If this line is a request: the message id of the live request that corresponds to it."""

    @property
    def t(self) -> float:
        """Return the recorded time of the line, in seconds."""
        return self.line.t

    @property
    def sender(self) -> Side:
        """Return the side that sent the line."""
        return self.line.sender

    @property
    def wire(self) -> bytes:
        """Return the bytes of the line, with its LF."""
        return self.line.wire

    @property
    def message(self) -> envelope.Call | envelope.Reply | None:
        """Return the parsed message, or None if the line is not a message."""
        return _message(self.line)

    @property
    def params(self) -> list[Any]:
        """Return the parameters of a call. Return an empty list for other lines, or if the parameters are not an
        array."""
        message = self.message
        return message.params if isinstance(message, envelope.Call) and isinstance(message.params, list) else []

    @property
    def name(self) -> str:
        """Return the name of this line in the text of a difference, for example the method of the line."""
        if self.is_call:
            return str(self.method)
        if self.message is None:
            return "a line that is not a message"
        return f"reply to {self.method}" if self.method else "a reply without a request"


class Script:
    """The lines of one recorded connection. ``live`` is the side (miner or pool) whose place the live peer takes."""

    def __init__(self, records: Sequence[NumberedRecord], live: Side) -> None:
        self.items: list[ScriptLine] = []
        self.not_received = 0
        """Number of recorded lines that the live peer has not sent yet."""
        self.shares: list[ScriptLine] = []
        """The recorded mining.submit requests that the live peer should send."""
        self._jobs: dict[str, int] = {}
        self._calls: dict[str, deque[ScriptLine]] = {}
        self._replies: dict[str, deque[ScriptLine]] = {}
        self._others: dict[bytes, deque[ScriptLine]] = {}
        requests: dict[tuple[Side, str], ScriptLine] = {}
        for record in records:
            if isinstance(record.record, LineRecord):
                self._add(record.number, record.record, live, requests)

    def announced_before(self, job_id: str, index: int) -> bool:
        """Return whether a mining.notify with this job id was recorded before the line ``items[index]``."""
        return self._jobs.get(job_id, len(self.items)) < index

    def announced(self, job_id: str) -> bool:
        """Return whether any mining.notify of the recording has this job id."""
        return job_id in self._jobs

    @property
    def shares_missing(self) -> bool:
        """Return whether the live peer has sent fewer shares than were recorded."""
        return bool(self._calls.get("mining.submit"))

    def match_call(self, method: str) -> ScriptLine | None:
        """Return the first recorded call of ``method`` that the live peer should send and has not sent yet, and mark it
        as received. Return None if there is none."""
        waiting = self._calls.get(method)
        return self._matched(waiting.popleft()) if waiting else None

    def match_reply(self, request_id: Any) -> ScriptLine | None:
        """Return the first recorded reply with the id ``request_id`` that the live peer should send and has not sent
        yet, and mark it as received.

        Return None if the recording has no such reply, or if the replay has not sent the request yet.
        """
        waiting = self._replies.get(json.dumps(request_id))
        if not waiting or waiting[0].answers is None or not waiting[0].answers.done:
            return None
        return self._matched(waiting.popleft())

    def match_other(self, line: bytes) -> ScriptLine | None:
        """Return the first recorded line with the bytes ``line`` that the live peer should send and has not sent yet,
        and mark it as received.

        Return None if there is no such line. Call this only for lines that are not messages.
        """
        waiting = self._others.get(line)
        return self._matched(waiting.popleft()) if waiting else None

    def _matched(self, item: ScriptLine) -> ScriptLine:
        item.done = True
        self.not_received -= 1
        return item

    def _add(self, number: int, line: LineRecord, live: Side, requests: dict[tuple[Side, str], ScriptLine]) -> None:
        message = _message(line)
        method = message.method if isinstance(message, envelope.Call) else None
        item = ScriptLine(number, line, isinstance(message, envelope.Call), method)
        if isinstance(message, envelope.Call):
            if message.wants_reply:
                requests[item.sender, json.dumps(message.id)] = item
            match message.method, message.params:
                case "mining.notify", [str(job), *_]:
                    self._jobs.setdefault(job, len(self.items))
        elif isinstance(message, envelope.Reply):
            item.answers = requests.pop((item.sender.other, json.dumps(message.id)), None)
            if item.answers is not None:
                item.method, item.answers.answer = item.answers.method, item
        if item.sender is live:
            self.not_received += 1
            if isinstance(message, envelope.Call):
                self._calls.setdefault(message.method, deque()).append(item)
                if message.method == "mining.submit":
                    self.shares.append(item)
            elif isinstance(message, envelope.Reply):
                self._replies.setdefault(json.dumps(message.id), deque()).append(item)
            else:
                self._others.setdefault(item.wire.rstrip(b"\r\n"), deque()).append(item)
        self.items.append(item)


def _message(line: LineRecord) -> envelope.Call | envelope.Reply | None:
    try:
        return envelope.decode(line.data)
    except FieldError:
        return None
