"""One line to one envelope: a request (or notification) or a reply, JSON checked, nothing interpreted.

Lines are told apart by the presence of ``method``, never by ``id``: notifications with an id and requests without
one exist (stratum.md 1.2).
"""

import re
from dataclasses import dataclass
from typing import Any, TypeAlias

import msgspec

from stratum_miner.foreign_text import sanitize
from stratum_miner.stratum.errors import FieldError, LocalProtocolError

Id: TypeAlias = Any
"""Any JSON value; echoed as it came. We ourselves only send positive integers."""

MAX_DEPTH = 32
"""Deepest nesting taken: Stratum needs four. The bound keeps parsing, printing and echoing clear of the stack's end."""

_NESTING = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.S)


@dataclass(frozen=True, slots=True)
class Call:
    """A line with a method. ``has_id`` is False when the key is absent."""

    method: str
    params: Any
    id: Id
    has_id: bool

    @property
    def wants_reply(self) -> bool:
        """Whether the sender expects an answer: it gave an id that is not null."""
        return self.has_id and self.id is not None


@dataclass(frozen=True, slots=True)
class Reply:
    """A line without a method. Missing keys are None; ``reject_reason`` is an old ckpool key."""

    id: Id
    result: Any
    error: Any
    reject_reason: Any


class _Line(msgspec.Struct):
    id: Any = msgspec.UNSET
    method: Any = msgspec.UNSET
    params: Any = msgspec.UNSET
    result: Any = msgspec.UNSET
    error: Any = msgspec.UNSET
    reject_reason: Any = msgspec.field(default=None, name="reject-reason")


_decoder = msgspec.json.Decoder(_Line)
_encoder = msgspec.json.Encoder()


def decode(line: bytes) -> Call | Reply:
    """Parse one line. FieldError when it is not a JSON object or its method is no string."""
    if _depth_exceeds(line, MAX_DEPTH):
        raise FieldError(f"expected a line with one JSON object, got one nested deeper than {MAX_DEPTH} levels")
    try:
        parsed = _decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise FieldError(f"expected a line with one JSON object, got {_shown(line)} ({error})") from None
    has_id = parsed.id is not msgspec.UNSET
    identifier = parsed.id if has_id else None
    if parsed.method is msgspec.UNSET:
        if parsed.result is msgspec.UNSET and parsed.error is msgspec.UNSET and parsed.params is not msgspec.UNSET:
            raise FieldError("method: expected one in a line with params and no result, got none")
        return Reply(identifier, _or_none(parsed.result), _or_none(parsed.error), parsed.reject_reason)
    if not isinstance(parsed.method, str):
        raise FieldError(f"method: expected a string, got {sanitize(repr(parsed.method), 60)}")
    params = [] if parsed.params is msgspec.UNSET else parsed.params
    return Call(parsed.method, params, identifier, has_id)


def _or_none(value: Any) -> Any:
    return None if value is msgspec.UNSET else value


def _depth_exceeds(line: bytes, limit: int) -> bool:
    if line.count(b"[") + line.count(b"{") <= limit:
        return False
    depth = 0
    for match in _NESTING.finditer(line):
        token = match[0]
        depth += 1 if token in (b"[", b"{") else -1 if token in (b"]", b"}") else 0
        if depth > limit:
            return True
    return False


def _shown(line: bytes) -> str:
    """The line for an error message, unless it may hold a password."""
    return "a line of mining.authorize" if b"authorize" in line else repr(sanitize(line, 120))


def encode_id(identifier: Id) -> bytes:
    """An id as it goes back: equal for the ids that mean the same request, and 1 is none of True, 1.0 and "1"."""
    return _encoder.encode(identifier)


def encode_request(request_id: int, method: str, params: list[Any]) -> bytes:
    """A request line with its terminator."""
    return _encode({"id": request_id, "method": method, "params": params})


def encode_notification(method: str, params: list[Any]) -> bytes:
    """A notification line with its terminator."""
    return _encode({"id": None, "method": method, "params": params})


def encode_reply(request_id: Id, result: Any, error: Any = None) -> bytes:
    """A reply line with its terminator; ``request_id`` is echoed verbatim."""
    return _encode({"id": request_id, "result": result, "error": error})


def _encode(message: dict[str, Any]) -> bytes:
    try:
        return _encoder.encode(message) + b"\n"
    except UnicodeEncodeError:  # a worker name from a command line in another encoding
        what = message.get("method", "reply")
        raise LocalProtocolError(f"{what}: expected text that is valid Unicode, got a lone surrogate") from None
