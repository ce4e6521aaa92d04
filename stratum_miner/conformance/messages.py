"""What a pool said: lines, the replies and the jobs among them, and what its JSON values may be."""

import json
import math
from dataclasses import dataclass
from typing import Any

from stratum_miner.foreign_text import sanitize
from stratum_miner.stratum.errors import ErrorReason, ErrorReply, error_reply_from
from stratum_miner.work.job import Job

SANE_DIFFICULTY = 1e16
"""A hundred times the difficulty of the main network in 2025."""


@dataclass(frozen=True, slots=True)
class PoolLine:
    """One line of the pool; ``value`` is None when it is no JSON object."""

    seconds: float
    data: bytes
    value: dict[str, Any] | None
    problem: str = ""

    @property
    def method(self) -> str | None:
        """Its method when it is a notification or a request."""
        method = None if self.value is None else self.value.get("method")
        return method if isinstance(method, str) else None

    def __str__(self) -> str:
        return sanitize(self.data, 200)


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply to one request."""

    line: PoolLine
    waited: float

    @property
    def result(self) -> Any:
        """Its result; None when there is none."""
        return None if self.line.value is None else self.line.value.get("result")

    @property
    def is_subscription(self) -> bool:
        """Whether it is the result of mining.subscribe."""
        return isinstance(self.result, list) and len(self.result) >= 3

    @property
    def accepted(self) -> bool:
        """Whether it says true and nothing else; only ``true`` is to be trusted
        (docs/reference/stratum.md#forms-of-an-error)."""
        return self.result is True and not self._error

    @property
    def refused(self) -> bool:
        """Whether it carries an error, or says false, or nothing."""
        return bool(self._error) or self.result in (None, False)

    @property
    def error(self) -> ErrorReply:
        """The error, normalised."""
        return error_reply_from(self._error, (self.line.value or {}).get("reject-reason"))

    @property
    def reason(self) -> ErrorReason | None:
        """Why it refuses; None when it does not."""
        return self.error.reason if self.refused else None

    @property
    def _error(self) -> Any:
        return (self.line.value or {}).get("error")

    def __str__(self) -> str:
        if self.accepted:
            return "true"
        if self.refused and (self.error.code is not None or self.error.message):
            return f'{"" if self.error.code is None else self.error.code} "{self.error.message}"'.strip()
        return str(self.line)


@dataclass(frozen=True, slots=True)
class Notified:
    """A mining.notify as it came; ``job`` is None when it cannot be used, ``problem`` says why."""

    line: PoolLine
    params: list[Any]
    job: Job | None
    problem: str

    @property
    def clean(self) -> bool:
        """Its clean_jobs."""
        return len(self.params) > 8 and bool(self.params[8])

    @property
    def previous(self) -> Any:
        """Its prevhash as on the wire."""
        return self.params[1] if len(self.params) > 1 else None


def parse_line(seconds: float, data: bytes) -> PoolLine:
    """A line, strictly: UTF-8, one JSON object with distinct keys, no NaN."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return PoolLine(seconds, data, None, "not UTF-8")
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        return PoolLine(seconds, data, None, f"not JSON ({error})")
    if not isinstance(value, dict):
        return PoolLine(seconds, data, None, "JSON, but no object")
    return PoolLine(seconds, data, value)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def is_number(value: Any) -> bool:
    """Whether a JSON value is a number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_positive(value: Any) -> bool:
    """Whether a JSON value is a number above zero that a double can hold."""
    try:
        return is_number(value) and math.isfinite(value) and value > 0
    except OverflowError:  # an integer of hundreds of digits
        return False


def is_sane(value: Any) -> bool:
    """Whether a difficulty on the wire is one."""
    return is_positive(value) and value < SANE_DIFFICULTY


def notify_id(subscriptions: Any) -> str | None:
    """The mining.notify subscription id in any shape met."""
    pairs = subscriptions if isinstance(subscriptions, list) else []
    for pair in [pairs, *pairs]:
        match pair:
            case ["mining.notify", str(identifier), *_]:
                return identifier
    return None
