"""One line to one envelope: a request (or notification) or a reply, JSON checked, nothing interpreted.

Lines are told apart by the presence of ``method``, never by ``id``: notifications with an id and requests without
one exist (stratum.md 1.2).
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

import msgspec

from stratum_miner.stratum.errors import FieldError
from stratum_miner.stratum.text import sanitize

Id: TypeAlias = Any
"""Any JSON value; echoed as it came. We ourselves only send positive integers."""

MAX_DEPTH_ERROR = "nested too deeply"


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
    result: Any = None
    error: Any = None
    reject_reason: Any = msgspec.field(default=None, name="reject-reason")


_decoder = msgspec.json.Decoder(_Line)
_encoder = msgspec.json.Encoder()


def decode(line: bytes) -> Call | Reply:
    """Parse one line. FieldError when it is not a JSON object or its method is no string."""
    try:
        parsed = _decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise FieldError(f"expected a line with one JSON object, got {sanitize(line, 120)!r} ({error})") from None
    except RecursionError:
        raise FieldError(f"expected a line with one JSON object, got one {MAX_DEPTH_ERROR}") from None
    has_id = parsed.id is not msgspec.UNSET
    identifier = parsed.id if has_id else None
    if parsed.method is msgspec.UNSET:
        return Reply(identifier, parsed.result, parsed.error, parsed.reject_reason)
    if not isinstance(parsed.method, str):
        raise FieldError(f"method: expected a string, got {sanitize(repr(parsed.method), 60)}")
    params = [] if parsed.params is msgspec.UNSET else parsed.params
    return Call(parsed.method, params, identifier, has_id)


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
    return _encoder.encode(message) + b"\n"
