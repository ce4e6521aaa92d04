"""The messages that a check receives from a pool: lines, replies and jobs. The module also has functions that test JSON
values."""

import json
import math
from dataclasses import dataclass
from typing import Any

from stratum_miner.foreign_text import sanitize
from stratum_miner.stratum.errors import ErrorReason, ErrorReply, error_reply_from
from stratum_miner.work.job import Job

SANE_DIFFICULTY = 1e16
"""A difficulty of this value or above counts as an error of the pool. The value is about a hundred times the difficulty
of the Bitcoin main network in 2025."""


@dataclass(frozen=True, slots=True)
class PoolLine:
    """One line of the pool, received ``seconds`` after the check began.

    ``value`` is None if the line is not a valid JSON object; ``problem`` then says why.
    """

    seconds: float
    data: bytes
    value: dict[str, Any] | None
    problem: str = ""
    is_cut: bool = False
    """Whether the connection ended inside the line."""

    @property
    def method(self) -> str | None:
        """The method of a notification or a request; None if the line is neither."""
        method = None if self.value is None else self.value.get("method")
        return method if isinstance(method, str) else None

    @property
    def is_not_json(self) -> bool:
        """Whether the line is provably no JSON object. An empty line is none either but harmless, and an object that
        the end of the connection cut off proves nothing."""
        return self.value is None and not (not self.data.strip() or (self.is_cut and self.data.lstrip()[:1] == b"{"))

    def __str__(self) -> str:
        return sanitize(self.data, 200)


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply to one request. ``waited`` is the number of seconds from sending the request until the reply came."""

    line: PoolLine
    waited: float

    @property
    def result(self) -> Any:
        """The member ``result`` of the reply, or None if it is missing."""
        return None if self.line.value is None else self.line.value.get("result")

    @property
    def is_subscription(self) -> bool:
        """Whether the result has the form of a result of mining.subscribe: an array with at least three elements."""
        return isinstance(self.result, list) and len(self.result) >= 3

    @property
    def accepted(self) -> bool:
        """Whether the reply has the result true and no error. Other results do not prove that the pool accepted the
        request (docs/reference/stratum.md#forms-of-an-error)."""
        return self.result is True and not self._error

    @property
    def refused(self) -> bool:
        """Whether the reply contains an error, or its result is false, null or missing."""
        return bool(self._error) or self.result in (None, False)

    @property
    def error(self) -> ErrorReply:
        """The error of the reply as an ``ErrorReply``. Pools send errors in different forms, and each form is
        converted."""
        return error_reply_from(self._error, (self.line.value or {}).get("reject-reason"))

    @property
    def reason(self) -> ErrorReason | None:
        """Why the pool refused the request; None if the reply is not a refusal."""
        return self.error.reason if self.refused else None

    @property
    def _error(self) -> Any:
        return (self.line.value or {}).get("error")

    def __str__(self) -> str:
        if self.accepted:
            return "true"
        if self.refused and (self.error.code is not None or self.error.message):
            code = "" if self.error.code is None else f" {self.error.code}"
            return f'error{code} "{self.error.message}"'
        return str(self.line)


@dataclass(frozen=True, slots=True)
class Notified:
    """A mining.notify as it was received. If it is malformed, ``job`` is None and ``problem`` says why."""

    line: PoolLine
    params: list[Any]
    job: Job | None
    problem: str

    @property
    def clean(self) -> bool:
        """The parameter clean_jobs; False if it is missing."""
        return len(self.params) > 8 and bool(self.params[8])

    @property
    def previous(self) -> Any:
        """The parameter prevhash as it was received; None if it is missing."""
        return self.params[1] if len(self.params) > 1 else None


def parse_line(seconds: float, data: bytes) -> PoolLine:
    """Parse a received line, which must be one JSON object in UTF-8 without NaN and Infinity.

    ``seconds`` is the time since the check began. If the line is invalid, the function does not raise: the attribute
    ``problem`` of the result says what is wrong.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return PoolLine(seconds, data, None, "not UTF-8")
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        return PoolLine(seconds, data, None, f"not JSON ({error})")
    if not isinstance(value, dict):
        return PoolLine(seconds, data, None, "JSON, but not an object")
    return PoolLine(seconds, data, value)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not valid JSON")


def is_number(value: Any) -> bool:
    """Return whether a JSON value is a number. true and false are not numbers."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_positive(value: Any) -> bool:
    """Return whether a JSON value is a number above zero that a 64-bit floating-point number can represent."""
    try:
        return is_number(value) and math.isfinite(value) and value > 0
    except OverflowError:  # an integer that is too large for a floating-point number
        return False


def is_sane(value: Any) -> bool:
    """Return whether a JSON value can be a difficulty: a number above zero and below ``SANE_DIFFICULTY``."""
    return is_positive(value) and value < SANE_DIFFICULTY


def notify_id(subscriptions: Any) -> str | None:
    """Return the subscription id of mining.notify; None if there is none.

    ``subscriptions`` is the first element of the result of mining.subscribe, in any of the shapes that pools send.
    """
    pairs = subscriptions if isinstance(subscriptions, list) else []
    for pair in [pairs, *pairs]:
        match pair:
            case ["mining.notify", str(identifier), *_]:
                return identifier
    return None
