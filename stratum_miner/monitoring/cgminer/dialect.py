"""Reads requests and writes replies of the cgminer API as bytes. Sans-IO.

A request is one JSON object such as ``{"command": "pools", "parameter": "0"}``, or plain text such as ``pools|0``.
Nothing marks the end of a request: it has no newline at its end, and the client keeps the connection open. A request in
plain text is therefore taken to end with its first packet. A JSON object ends when it is complete, which may take
further packets. Commands that only read can be joined, as in ``summary+pools``. A reply has the form of its request, is
on one line, and ends with a NUL byte.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from stratum_miner.foreign_text import SENTENCE_CHARACTERS, sanitize

MAX_REQUEST = 8192
"""Largest request in bytes. The buffer of cgminer has about this size."""
JOIN = "+"

ReplyFields = Mapping[str, Any]


class Fixed(float):
    """A number that is printed with a fixed number of digits after the decimal point, as cgminer prints it."""

    places: int

    def __new__(cls, value: float | None, places: int) -> "Fixed":
        """Return ``value`` rounded to ``places`` digits after the decimal point; 0 if it is None, infinite or NaN."""
        number = super().__new__(cls, round(_finite(value or 0), places))
        number.places = places
        return number

    def __str__(self) -> str:
        """Return the number with exactly ``places`` digits after the decimal point, for JSON and for text replies."""
        return f"{float(self):.{self.places}f}"


@dataclass(frozen=True, slots=True)
class Request:
    """A request of a client. It usually has one command, but several ``commands`` if the client joined them, as in
    ``summary+pools``."""

    commands: tuple[str, ...]
    parameter: str = ""
    is_json: bool = True
    joined: bool = False


class BadRequest(Exception):  # noqa: N818  answered, not raised to a user
    """The bytes are not a valid request. ``status`` is the status of the reply to the client."""

    def __init__(self, status: "Status", *, is_json: bool) -> None:
        self.status = status
        self.is_json = is_json


@dataclass(frozen=True, slots=True)
class Status:
    """The first part of every reply. ``severity`` is S (success), I (nothing to do), W (not supported) or E (error)."""

    severity: str
    code: int
    text: str


INVALID_JSON = Status("E", 23, "Invalid JSON")
MISSING_COMMAND = Status("E", 24, "Missing JSON 'command'")
INVALID_COMMAND = Status("E", 14, "Invalid command")


@dataclass(frozen=True, slots=True)
class CommandReply:
    """The reply to one command. If ``is_table`` is true, each row begins with the id of its pool or device, as in
    ``POOL=0``."""

    status: Status
    section: str = ""
    rows: Sequence[ReplyFields] = field(default_factory=tuple)
    is_table: bool = False


BYE = CommandReply(Status("S", 46, "BYE"))
"""The reply to ``quit``. It is sent as the word BYE, without the time, code and message that all other replies have."""


def parse(data: bytes) -> Request:
    """Return the request in ``data``. Raises BadRequest if it is not valid."""
    text = data.decode("utf-8", "replace").rstrip("\0\r\n ")
    if not text.startswith("{"):
        command, _, parameter = text.partition("|")
        return _request(command, parameter, is_json=False)
    try:
        decoded = json.loads(text)
    except (ValueError, RecursionError):
        raise BadRequest(INVALID_JSON, is_json=True) from None
    if "command" not in decoded:
        raise BadRequest(MISSING_COMMAND, is_json=True)
    command, parameter = decoded["command"], decoded.get("parameter")
    if not isinstance(command, str):
        raise BadRequest(INVALID_COMMAND, is_json=True)
    return _request(command, _parameter(parameter), is_json=True)


def _request(command: str, parameter: str, *, is_json: bool) -> Request:
    if JOIN not in command:
        return Request((command,), parameter, is_json)
    once = dict.fromkeys(name for name in command.split(JOIN) if name)
    if not once:
        raise BadRequest(INVALID_COMMAND, is_json=is_json)
    return Request(tuple(once), "", is_json, joined=True)


def _parameter(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    return f"{value:f}" if isinstance(value, float) else str(value)


def encode(request: Request, replies: Sequence[CommandReply], *, when: int, description: str) -> bytes:
    """Return the bytes of the replies, one reply for each command. ``when`` is the Unix time in seconds."""
    parts = [_one(reply, when, description, is_json=request.is_json) for reply in replies]
    if not request.is_json:
        if request.joined:
            parts = [f"CMD={_escaped(_safe(name))}|{part}" for name, part in zip(request.commands, parts, strict=True)]
        return "".join(parts).encode() + b"\0"
    if not request.joined:
        return parts[0].encode() + b"\0"
    joined = ",".join(f"{json.dumps(_safe(name))}:[{part}]" for name, part in zip(request.commands, parts, strict=True))
    return f'{{{joined},"id":1}}'.encode() + b"\0"


def refuse(bad: BadRequest, *, when: int, description: str) -> bytes:
    """Return the bytes that answer an invalid request."""
    return _one(CommandReply(bad.status), when, description, is_json=bad.is_json).encode() + b"\0"


def _one(reply: CommandReply, when: int, description: str, *, is_json: bool) -> str:
    if reply is BYE:
        return '{"STATUS":"BYE","id":1}' if is_json else "BYE"
    status: dict[str, Any] = {
        "STATUS": reply.status.severity,
        "When": when,
        "Code": reply.status.code,
        "Msg": reply.status.text,
    }
    # The description names this program. It is left out of the reply to an unknown command, so that a client that only
    # tries out commands does not learn the name.
    if reply.status.code != INVALID_COMMAND.code:
        status["Description"] = description
    if is_json:
        sections = [("STATUS", [status]), *([(reply.section, reply.rows)] if reply.section else [])]
        parts = [f'"{name}":[{",".join(map(_object, rows))}]' for name, rows in sections]
        return f'{{{",".join(parts)},"id":1}}'
    head = "" if reply.is_table else f"{reply.section},"
    lines = [_plain(status), *(head + _plain(row) for row in reply.rows)]
    return "".join(f"{line}|" for line in lines)


def _object(fields: ReplyFields) -> str:
    shown = (
        f"{json.dumps(name)}:{value if isinstance(value, Fixed) else json.dumps(_safe(value))}"
        for name, value in fields.items()
    )
    return f"{{{','.join(shown)}}}"


def _plain(fields: ReplyFields) -> str:
    return ",".join(f"{name}={_shown(value)}" for name, value in fields.items())


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return _escaped(_safe(value)) if isinstance(value, str) else str(_safe(value))


def _safe(value: Any) -> Any:
    """Return a value that is safe to send: in a text, replace the characters that could harm a display; replace an
    infinite number or NaN by 0. The text of a status may quote a request, which any client may have sent."""
    if isinstance(value, str):
        return sanitize(value, SENTENCE_CHARACTERS)
    return _finite(value) if isinstance(value, float) else value


def _finite(value: float) -> float:
    """Return the value, or 0 if it is infinite or NaN, because JSON cannot represent these."""
    return value if math.isfinite(value) else 0.0


def _escaped(text: str) -> str:
    for character in "\\,|=":
        text = text.replace(character, "\\" + character)
    return text
