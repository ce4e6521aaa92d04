"""A recorded connection as a script: its lines in order, each reply with its request, and those still to be heard."""

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
    """One recorded line. What it says is read again when it is needed: kept, it would take thirty times its bytes."""

    number: int
    line: LineRecord
    is_call: bool
    """Whether it has a method of its own."""
    method: str | None
    """Its own, or of a reply that of its request."""
    answers: "ScriptLine | None" = None
    """The request that a reply answers."""
    answer: "ScriptLine | None" = None
    """The reply that answers a request."""
    met: bool = False
    """Heard, or said."""
    late: bool = False
    """A reply whose request had not come when it was due; said as soon as it comes."""
    live_id: Any = None
    """The id of the live counterpart of a call."""

    @property
    def t(self) -> float:
        """When it was said."""
        return self.line.t

    @property
    def speaker(self) -> Side:
        """Who said it."""
        return self.line.speaker

    @property
    def wire(self) -> bytes:
        """Its bytes."""
        return self.line.wire

    @property
    def message(self) -> envelope.Call | envelope.Reply | None:
        """What it says; None when it is no message."""
        return _message(self.line)

    @property
    def params(self) -> list[Any]:
        """The parameters of a call that has an array of them; else none."""
        message = self.message
        return message.params if isinstance(message, envelope.Call) and isinstance(message.params, list) else []

    @property
    def name(self) -> str:
        """The line as messages show it."""
        if self.is_call:
            return str(self.method)
        return "a line that is no message" if self.message is None else f"reply to {self.method or 'nothing'}"


class Script:
    """The lines of one connection; ``heard`` is the side whose lines are to be met by live ones."""

    def __init__(self, records: Sequence[NumberedRecord], heard: Side) -> None:
        self.items: list[ScriptLine] = []
        self.unheard = 0
        """Lines still to be met."""
        self._jobs: dict[str, int] = {}
        self._calls: dict[str, deque[ScriptLine]] = {}
        self._replies: dict[str, deque[ScriptLine]] = {}
        self._others: dict[bytes, deque[ScriptLine]] = {}
        requests: dict[tuple[Side, str], ScriptLine] = {}
        for record in records:
            if isinstance(record.record, LineRecord):
                self._add(record.number, record.record, heard, requests)

    def announced_before(self, job_id: str, index: int) -> bool:
        """Whether the record has a notify of this job before this line."""
        return self._jobs.get(job_id, len(self.items)) < index

    def meet_call(self, method: str) -> ScriptLine | None:
        """The first recorded call of this method that was not heard yet; now it is."""
        waiting = self._calls.get(method)
        return self._met(waiting.popleft()) if waiting else None

    def meet_reply(self, request_id: Any) -> ScriptLine | None:
        """The recorded reply to the request with this id, once that is made; now it is heard."""
        waiting = self._replies.get(json.dumps(request_id))
        if not waiting or waiting[0].answers is None or not waiting[0].answers.met:
            return None
        return self._met(waiting.popleft())

    def meet_other(self, line: bytes) -> ScriptLine | None:
        """The first recorded line of these bytes, which are no message, that was not heard yet; now it is."""
        waiting = self._others.get(line)
        return self._met(waiting.popleft()) if waiting else None

    def _met(self, item: ScriptLine) -> ScriptLine:
        item.met = True
        self.unheard -= 1
        return item

    def _add(self, number: int, line: LineRecord, heard: Side, requests: dict[tuple[Side, str], ScriptLine]) -> None:
        message = _message(line)
        method = message.method if isinstance(message, envelope.Call) else None
        item = ScriptLine(number, line, isinstance(message, envelope.Call), method)
        if isinstance(message, envelope.Call):
            if message.wants_reply:
                requests[item.speaker, json.dumps(message.id)] = item
            match message.method, message.params:
                case "mining.notify", [str(job), *_]:
                    self._jobs.setdefault(job, len(self.items))
        elif isinstance(message, envelope.Reply):
            item.answers = requests.pop((item.speaker.other, json.dumps(message.id)), None)
            if item.answers is not None:
                item.method, item.answers.answer = item.answers.method, item
        if item.speaker is heard:
            self.unheard += 1
            if isinstance(message, envelope.Call):
                self._calls.setdefault(message.method, deque()).append(item)
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
