"""Parses one line into an envelope: a request (or notification), or a reply. Only the JSON is checked here.

A line with ``method`` is a request or notification, a line without it is a reply. The ``id`` does not decide this: some
pools send notifications with an id, and some miners send requests without one
(docs/reference/stratum.md#message-forms).
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

import msgspec

from stratum_miner.foreign_text import sanitize
from stratum_miner.stratum import fields
from stratum_miner.stratum.errors import FieldError, LocalProtocolError

Id: TypeAlias = Any
"""The id of a request: any JSON value. The reply repeats it unchanged. stratum-miner itself sends positive integers."""

MAX_DEPTH = 32
"""Maximum number of levels to which arrays and objects may be nested; Stratum needs four levels. Without this limit, a
deeply nested line could overflow the stack when it is parsed, printed or sent back."""

MAX_CONTAINERS = 1024
"""Maximum number of arrays and objects in one line; Stratum needs five. Parsing an array or object takes about a
hundred times as long as parsing a letter."""
MAX_DIGITS = 400
"""Maximum number of digits in a row outside of strings. Even the largest double has only 309 digits before the
decimal point. The limit is needed because the time to read a number grows with the square of its length."""

_BRACKETS = bytes.maketrans(b"{}", b"[]")
_NO_STRUCTURE = bytes(set(range(256)) - set(b'"[]{}'))
_TOO_DEEP = b"[" * (MAX_DEPTH + 1)
_DIGITS = bytes.maketrans(b"123456789", b"000000000")
_TOO_MANY_DIGITS = b"0" * (MAX_DIGITS + 1)


@dataclass(frozen=True, slots=True)
class Call:
    """A line with a method: a request or a notification. ``has_id`` is False if the line has no key ``id``."""

    method: str
    params: Any
    id: Id
    has_id: bool

    @property
    def wants_reply(self) -> bool:
        """Whether the sender expects a reply: the line has an id that is not null."""
        return self.has_id and self.id is not None


@dataclass(frozen=True, slots=True)
class Reply:
    """A line without a method: a reply. Missing keys are None. ``reject_reason`` is an old key of ckpool."""

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
    """Parse one line, without its terminator.

    Raises FieldError if the line is not one JSON object, its nesting or its numbers exceed the limits of this module,
    its method is not a string, or it has params but neither a method nor a result.
    """
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
            raise FieldError("method: expected a method in a line with params but without a result, got none")
        return Reply(identifier, _or_none(parsed.result), _or_none(parsed.error), parsed.reject_reason)
    if not isinstance(parsed.method, str):
        raise FieldError(f"method: expected a string, got {fields.shown(parsed.method)}")
    params = [] if parsed.params is msgspec.UNSET else parsed.params
    return Call(parsed.method, params, identifier, has_id)


def _or_none(value: Any) -> Any:
    return None if value is msgspec.UNSET else value


def _check_nesting(line: bytes) -> None:
    """Raise FieldError if a line has too many arrays and objects, or nests them too deeply.

    A line from a peer can be very long, and a Python loop over its bytes would take too long. The bytes are therefore
    scanned only with built-in functions.
    """
    if line.count(b"[") + line.count(b"{") <= MAX_DEPTH:
        return
    skeleton = _without_escapes(line).translate(_BRACKETS, _NO_STRUCTURE)
    # The skeleton holds only the brackets and quotes of the line. A bracket is inside a string if the number of quotes
    # before it is odd. First, adjacent quotes are removed in pairs: an odd number of quotes stays odd, an even number
    # stays even. Then the skeleton is split at the quotes that are left. The first piece is outside a string, the
    # second inside, the third outside, and so on. Each piece between two quotes has a bracket, because no two quotes
    # are adjacent any more.
    #
    # The split stops after ``4 * MAX_CONTAINERS + 4`` quotes. A line with so many quotes is always refused below:
    # between these quotes, ``2 * MAX_CONTAINERS + 1`` pieces are outside a string, each with at least one bracket. So
    # either there are more than ``MAX_CONTAINERS`` opening brackets, or there are more closing brackets than opening
    # ones.
    pieces = skeleton.replace(b'""', b"").split(b'"', 4 * MAX_CONTAINERS + 4)
    nesting = b"".join(pieces[::2])
    if nesting.count(b"[") > MAX_CONTAINERS or _TOO_DEEP in nesting or _is_left_over(nesting):
        raise FieldError(
            f"expected a line with one JSON object, got one nested deeper than {MAX_DEPTH} levels or with "
            f"more than {MAX_CONTAINERS} arrays and objects"
        )


def _is_left_over(nesting: bytes) -> bool:
    """Whether anything is left of a row of brackets after ``MAX_DEPTH`` levels of pairs were taken out of it."""
    for _ in range(MAX_DEPTH):
        nesting = nesting.replace(b"[]", b"")
    return bool(nesting)


def _check_numbers(line: bytes) -> None:
    """Raise FieldError if a number in a line has too many digits. Digits inside strings do not count."""
    if _TOO_MANY_DIGITS not in (digits := line.translate(_DIGITS)):
        return
    digits = _without_escapes(digits)
    position = 0
    while (found := digits.find(_TOO_MANY_DIGITS, position)) >= 0:
        if digits.count(b'"', position, found) % 2 == 0:
            raise FieldError(
                f"expected a line with one JSON object, got one with a number of more than {MAX_DIGITS} digits"
            )
        position = digits.find(b'"', found) + 1  # the digits were inside a string; continue after its end
        if not position:
            return


def _without_escapes(line: bytes) -> bytes:
    """Return a line without the escape sequences that stand for a quote or a backslash. Each quote that is left begins
    or ends a string."""
    return line.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in line else line


def _shown(line: bytes) -> str:
    """Return a line for an error message. If the line may contain a password, return only what kind of line it is."""
    return "a line of mining.authorize" if b"authorize" in line else repr(sanitize(line, 120))


def encode_id(identifier: Id) -> bytes:
    """Encode an id as JSON. To compare two ids, compare their encodings: in Python 1, 1.0 and True are equal, but their
    encodings differ."""
    return _encoder.encode(identifier)


def encode_request(request_id: int, method: str, params: list[Any]) -> bytes:
    """Return a request as a line with its terminator. Raises LocalProtocolError for text that is not valid Unicode."""
    return _encode({"id": request_id, "method": method, "params": params})


def encode_notification(method: str, params: list[Any]) -> bytes:
    """Return a notification as a line with its terminator."""
    return _encode({"id": None, "method": method, "params": params})


def encode_reply(request_id: Id, result: Any, error: Any = None) -> bytes:
    """Return a reply as a line with its terminator. ``request_id`` is echoed as it came."""
    return _encode({"id": request_id, "result": result, "error": error})


def _encode(message: dict[str, Any]) -> bytes:
    try:
        return _encoder.encode(message) + b"\n"
    except UnicodeEncodeError:  # for example in a worker name from a command line in another encoding
        what = message.get("method", "reply")
        raise LocalProtocolError(f"{what}: expected text that is valid Unicode, got a lone surrogate") from None
