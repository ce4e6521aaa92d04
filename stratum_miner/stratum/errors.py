"""What can go wrong in a Stratum conversation, and whose fault it is.

``LocalProtocolError``: our caller asked for something that the state does not allow. ``RemoteProtocolError``: the
peer sent something that ends the conversation. ``FieldError``: one message is malformed; the conversation may go on.
An error *reply* is no exception but a value, ``ErrorReply``, whatever shape it had on the wire
(docs/reference/stratum.md#forms-of-an-error).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from stratum_miner.foreign_text import SHOWN_CHARACTERS, sanitize


class StratumError(Exception):
    """Base of everything this package raises."""


class LocalProtocolError(StratumError):
    """Our own caller broke the rules: a request in the wrong state, a value out of range."""


class RemoteProtocolError(StratumError):
    """The peer broke the rules in a way that ends the connection."""


class FieldError(StratumError):
    """One message of the peer is malformed: what was expected, what came, where."""


class ErrorReason(Enum):
    """What an error reply means, whatever words and codes the pool used."""

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
"""The classic code for each reason, as our own pool sends it."""

SHARE_LOST_REASON = "the upstream pool's answer did not arrive"
SHARE_LOST_TEXT = f"share lost: {SHARE_LOST_REASON}"
"""What our proxy says, with code 20, of a share whose fate it will never know; our client knows the text exactly."""

_REASON_OF_CODE = {code: reason for reason, code in CODE_OF_REASON.items()} | {
    -32601: ErrorReason.UNKNOWN_METHOD,  # JSON-RPC 2.0
    38: ErrorReason.UNKNOWN_METHOD,  # cpuminer-opt
}

# Texts outrank codes: bzminer#193 met code 24 for duplicates, slush0's python server code -2 for a missing job,
# ckpool bare strings. Each pattern names wordings listed in docs/reference/stratum.md#error-codes-and-texts, in small
# letters, and takes linear time in any text.
_REASON_OF_TEXT = (
    (re.compile(r"bad-version|time rolling"), ErrorReason.OTHER),  # DATUM and others send these with code 23
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
"""The largest integer that every JSON reader keeps exact. No code of a pool has more than six digits."""

_CODE_PREFIX = re.compile(r"\s*(-?[0-9]{1,6}):(.*)", re.S)

_JUDGED_CHARACTERS = 2 * SHOWN_CHARACTERS
"""How much of a text the patterns see: a hostile one may fill a megabyte."""


@dataclass(frozen=True, slots=True)
class ErrorReply:
    """A refusal, normalised. ``message`` is printable and short; ``raw`` is the JSON value as it came."""

    reason: ErrorReason
    code: int | None
    message: str
    raw: Any = None

    @property
    def tells_of_a_lost_share(self) -> bool:
        """Whether one of our proxies said so: code and text are both exactly its own."""
        return (self.code, self.message) == (CODE_OF_REASON[ErrorReason.OTHER], SHARE_LOST_TEXT)

    def __str__(self) -> str:
        code = "" if self.code is None else f"{self.code}: "
        return f"{code}{self.message or self.reason.value}"


def error_reply_from(error: Any, reject_reason: Any = None) -> ErrorReply:
    """Normalise any error value seen in the wild: array, object, string, boolean or a separate reject-reason."""
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
    """A code; None for what is none, such as a number of hundreds of digits, for codes are printed."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    is_code = isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST_CODE
    return value if is_code else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
