"""The messages of a pool: its lines, the replies and jobs among them, and tests of their JSON values."""

import json
import math
from dataclasses import dataclass
from typing import Any

from stratum_miner.foreign_text import sanitize
from stratum_miner.stratum.errors import ErrorReason, ErrorReply, error_reply_from
from stratum_miner.work.job import Job

SANE_DIFFICULTY = 1e16
"""A difficulty from this on is absurd: it is a hundred times the difficulty of the main network in 2025."""


@dataclass(frozen=True, slots=True)
class PoolLine:
    """One line of the pool, received ``seconds`` after the check began.

    ``value`` is None if the line is not a valid JSON object; ``problem`` then says why.
    """

    seconds: float
    data: bytes
    value: dict[str, Any] | None
    problem: str = ""

    @property
    def method(self) -> str | None:
        """The method, if the line is a notification or a request; otherwise None."""
        method = None if self.value is None else self.value.get("method")
        return method if isinstance(method, str) else None

    def __str__(self) -> str:
        return sanitize(self.data, 200)


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply to one request, received ``waited`` seconds after it was sent."""

    line: PoolLine
    waited: float

    @property
    def result(self) -> Any:
        """The member ``result``, or None if it is missing."""
        return None if self.line.value is None else self.line.value.get("result")

    @property
    def is_subscription(self) -> bool:
        """Whether the result has the shape of a result of mining.subscribe: an array of at least three."""
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
        """The error of the reply, in one form for all the forms that pools use."""
        return error_reply_from(self._error, (self.line.value or {}).get("reject-reason"))

    @property
    def reason(self) -> ErrorReason | None:
        """Why the pool refused the request; None if it did not."""
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
    """A mining.notify as it was received. ``job`` is None if no job can be made of it; ``problem`` then says why."""

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
    """Return a received line as a ``PoolLine``. Only one JSON object in UTF-8, without NaN or Infinity, is valid."""
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
    """Return whether a JSON value is a number above zero that a double can hold."""
    try:
        return is_number(value) and math.isfinite(value) and value > 0
    except OverflowError:  # an integer of hundreds of digits
        return False


def is_sane(value: Any) -> bool:
    """Return whether a JSON value can be a difficulty: a number above zero and below ``SANE_DIFFICULTY``."""
    return is_positive(value) and value < SANE_DIFFICULTY


def notify_id(subscriptions: Any) -> str | None:
    """Return the subscription id of mining.notify, in any of the shapes that pools send; None if there is none."""
    pairs = subscriptions if isinstance(subscriptions, list) else []
    for pair in [pairs, *pairs]:
        match pair:
            case ["mining.notify", str(identifier), *_]:
                return identifier
    return None
