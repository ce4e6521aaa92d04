"""The errors of a Stratum connection, grouped by the side that caused them.

``LocalProtocolError``: the caller asked for something that the state of the connection does not allow.
``RemoteProtocolError``: the peer sent something that ends the connection.
``FieldError``: one message of the peer is malformed; the connection may continue.
An error *reply* is not an exception but a value, ``ErrorReply``, whatever form it had on the wire
(docs/reference/stratum.md#forms-of-an-error).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from stratum_miner.foreign_text import SHOWN_CHARACTERS, sanitize


class StratumError(Exception):
    """Base class of all exceptions of this package."""


class LocalProtocolError(StratumError):
    """The caller made a mistake, such as a request in the wrong state or a value out of range. Nothing was sent."""


class RemoteProtocolError(StratumError):
    """The peer broke the protocol in a way that ends the connection."""


class FieldError(StratumError):
    """One message of the peer is malformed. The text names the field, what was expected, and what came."""


class ErrorReason(Enum):
    """The meaning of an error reply, independent of the words and the code that the pool used."""

    OTHER = "other"
    JOB_NOT_FOUND = "job not found"
    DUPLICATE = "duplicate share"
    LOW_DIFFICULTY = "low difficulty share"
    UNAUTHORIZED = "unauthorized worker"
    NOT_SUBSCRIBED = "not subscribed"
    UNKNOWN_METHOD = "unknown method"
    NO_REASON = "refused without a reason"


CODE_OF_REASON: Mapping[ErrorReason, int] = {
    ErrorReason.OTHER: 20,
    ErrorReason.JOB_NOT_FOUND: 21,
    ErrorReason.DUPLICATE: 22,
    ErrorReason.LOW_DIFFICULTY: 23,
    ErrorReason.UNAUTHORIZED: 24,
    ErrorReason.NOT_SUBSCRIBED: 25,
    ErrorReason.UNKNOWN_METHOD: -3,
}
"""The classic code of each reason, as the pool of stratum-miner sends it."""

SHARE_LOST_REASON = "the upstream pool's answer did not arrive"
SHARE_LOST_TEXT = f"share lost: {SHARE_LOST_REASON}"
"""The error text that the proxy of stratum-miner sends, with code 20, if a share's result will never arrive. The client
of stratum-miner recognizes exactly this text."""

_REASON_OF_CODE = {code: reason for reason, code in CODE_OF_REASON.items()} | {
    -32601: ErrorReason.UNKNOWN_METHOD,  # the code of JSON-RPC 2.0
    38: ErrorReason.UNKNOWN_METHOD,  # the code of cpuminer-opt
}

# The text of an error is converted to lower case, and the first of these patterns that matches it decides the reason of
# the error. The code of the error counts only if no pattern matches, because codes are unreliable: bzminer#193 reports
# code 24 for duplicates, slush0's Python server sends code -2 for a missing job, and ckpool sends a text without a
# code. docs/reference/stratum.md#error-codes-and-texts lists the texts that the patterns match. The time to match a
# pattern is linear in the length of the text.
_REASON_OF_TEXT = (
    (re.compile(r"bad-version|time rolling"), ErrorReason.OTHER),  # DATUM and others use code 23 for these texts
    (re.compile(r"duplicate"), ErrorReason.DUPLICATE),
    (
        re.compile(r"low.?diff|difficulty too low|above target|high-hash|h-not-zero"),
        ErrorReason.LOW_DIFFICULTY,
    ),
    (
        re.compile(r"\A(?>.*?job).*not found|\bstale\b|stale-|invalid job.?id|unknown-work|time-too-(old|new)", re.S),
        ErrorReason.JOB_NOT_FOUND,
    ),
    (re.compile(r"not subscribed"), ErrorReason.NOT_SUBSCRIBED),
    (re.compile(r"unauthori[sz]ed"), ErrorReason.UNAUTHORIZED),
    (re.compile(r"method not found|unknown method"), ErrorReason.UNKNOWN_METHOD),
)

LARGEST_CODE = 2**53
"""The largest integer that every JSON reader can read without rounding it. Codes of real pools have at most six
digits."""

_CODE_PREFIX = re.compile(r"\s*(-?[0-9]{1,6}):(.*)", re.S)

_JUDGED_CHARACTERS = 2 * SHOWN_CHARACTERS
"""Number of characters at the start of an error text that are compared with the patterns. Later characters are ignored,
because a hostile pool may send a text of a megabyte."""


@dataclass(frozen=True, slots=True)
class ErrorReply:
    """An error reply in one common form, whatever form the peer used."""

    reason: ErrorReason
    code: int | None
    """The code, or None if the reply has no integer code."""
    message: str
    """The text, printable and at most ``SHOWN_CHARACTERS`` characters long; empty if the reply has none."""
    raw: Any = None
    """The JSON value of the error as it came."""

    @property
    def reports_lost_share(self) -> bool:
        """Whether a proxy of stratum-miner reports that a share was lost: code and text are exactly those of the
        proxy."""
        return (self.code, self.message) == (CODE_OF_REASON[ErrorReason.OTHER], SHARE_LOST_TEXT)

    def __str__(self) -> str:
        code = "" if self.code is None else f"{self.code}: "
        return f"{code}{self.message or self.reason.value}"


def error_reply_from(error: Any, reject_reason: Any = None) -> ErrorReply:
    """Normalise the error of a reply, in any form that pools use.

    ``error``: the JSON value of the key ``error``: an array, an object, a string, a number or a boolean.
    ``reject_reason``: the value of ckpool's old key ``reject-reason``, used if the error has no text.
    docs/reference/stratum.md#forms-of-an-error lists the forms.
    """
    code, message = _code_and_message(error)
    if not message and isinstance(reject_reason, str):
        message = reject_reason
    message = message[:_JUDGED_CHARACTERS]
    return ErrorReply(_reason(code, message), code, sanitize(message), error)


def _code_and_message(error: Any) -> tuple[int | None, str]:
    match error:
        case [code, message, *_]:
            return _integer(code), _text(message)
        case [code]:
            return _integer(code), ""
        case {"code": code}:
            return _integer(code), _text(error.get("message"))
        case {"message": message}:
            return None, _text(message)
        case str():
            prefixed = _CODE_PREFIX.fullmatch(error[:_JUDGED_CHARACTERS])
            return (int(prefixed[1]), prefixed[2].strip()) if prefixed else (None, error)
        case _:
            return _integer(error), ""


def _reason(code: int | None, message: str) -> ErrorReason:
    text = message.lower()
    for pattern, reason in _REASON_OF_TEXT:
        if pattern.search(text):
            return reason
    if code is None:
        return ErrorReason.OTHER if message else ErrorReason.NO_REASON
    return _REASON_OF_CODE.get(code, ErrorReason.OTHER)


def _integer(value: Any) -> int | None:
    """Return an error code as an integer. Return None if the value is not an integer, or if its absolute value is above
    ``LARGEST_CODE``."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    is_code = isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST_CODE
    return value if is_code else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
