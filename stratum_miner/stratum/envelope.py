"""One line to one envelope: a request (or notification) or a reply, JSON checked, nothing interpreted.

Lines are told apart by the presence of ``method``, never by ``id``: notifications with an id and requests without
one exist (docs/reference/stratum.md#message-forms).
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

import msgspec

from stratum_miner.foreign_text import sanitize
from stratum_miner.stratum import fields
from stratum_miner.stratum.errors import FieldError, LocalProtocolError

Id: TypeAlias = Any
"""Any JSON value; echoed as it came. We ourselves only send positive integers."""

MAX_DEPTH = 32
"""Deepest nesting taken: Stratum needs four. The bound keeps parsing, printing and echoing clear of the stack's end."""

MAX_CONTAINERS = 1024
"""Arrays and objects in one line: Stratum needs five. Each costs the parser a hundred times what a letter does."""
MAX_DIGITS = 400
"""Digits in a row outside of strings: a double has 309 at most, and to read 4000 takes quadratic time."""

_BRACKETS = bytes.maketrans(b"{}", b"[]")
_NO_STRUCTURE = bytes(set(range(256)) - set(b'"[]{}'))
_TOO_DEEP = b"[" * (MAX_DEPTH + 1)
_DIGITS = bytes.maketrans(b"123456789", b"000000000")
_TOO_MANY_DIGITS = b"0" * (MAX_DIGITS + 1)


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
    _check_nesting(line)
    _check_numbers(line)
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
        raise FieldError(f"method: expected a string, got {fields.shown(parsed.method)}")
    params = [] if parsed.params is msgspec.UNSET else parsed.params
    return Call(parsed.method, params, identifier, has_id)


def _or_none(value: Any) -> Any:
    return None if value is msgspec.UNSET else value


def _check_nesting(line: bytes) -> None:
    """FieldError for a line whose arrays and objects are too many or too deep.

    A stranger's bytes are only looked at by functions that take them all at once, not in a loop of ours.
    """
    if line.count(b"[") + line.count(b"{") <= MAX_DEPTH:
        return
    skeleton = _without_escapes(line).translate(_BRACKETS, _NO_STRUCTURE)
    # What stands between the quotes of a pair that became neighbours is gone: without the pair no bracket changes from
    # inside a string to outside or back. Then there is a bracket between any two quotes, so few pieces are enough.
    pieces = skeleton.replace(b'""', b"").split(b'"', 4 * MAX_CONTAINERS + 4)
    nesting = b"".join(pieces[::2])
    is_refused = nesting.count(b"[") > MAX_CONTAINERS or _TOO_DEEP in nesting
    for _ in range(0 if is_refused else MAX_DEPTH):
        nesting = nesting.replace(b"[]", b"")
    if nesting:
        raise FieldError(
            f"expected a line with one JSON object, got one nested deeper than {MAX_DEPTH} levels or of more than "
            f"{MAX_CONTAINERS} arrays and objects"
        )


def _check_numbers(line: bytes) -> None:
    """FieldError for a line with a number, outside of its strings, that is too long to be read."""
    if len(line) <= MAX_DIGITS or _TOO_MANY_DIGITS not in (digits := line.translate(_DIGITS)):
        return
    digits = _without_escapes(digits)
    position = 0
    while (found := digits.find(_TOO_MANY_DIGITS, position)) >= 0:
        if digits.count(b'"', position, found) % 2 == 0:
            raise FieldError(f"expected a line with one JSON object, got a number of more than {MAX_DIGITS} digits")
        position = digits.find(b'"', found) + 1  # where this string ends
        if not position:
            return


def _without_escapes(line: bytes) -> bytes:
    """A line in which every quote begins or ends a string."""
    return line.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in line else line


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
