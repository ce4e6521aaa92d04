"""Requests and replies of cgminer's API as bytes: sans-IO.

A request is one JSON object, ``{"command": "pools", "parameter": "0"}``, or plain text, ``pools|0``; it ends with the
first packet: there is no newline and no half-close. Commands that only tell can be joined: ``summary+pools``. A reply
has the form of its request, is on one line, and ends with a NUL.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from stratum_miner.foreign_text import SENTENCE_CHARACTERS, sanitize

MAX_REQUEST = 8192
"""Bytes; cgminer's own buffer is about as large."""
JOIN = "+"

ReplyFields = Mapping[str, Any]


class Fixed(float):
    """A number that is printed with as many digits behind its point as cgminer prints, zeros too."""

    places: int

    def __new__(cls, value: float, places: int) -> "Fixed":
        """``value`` rounded."""
        number = super().__new__(cls, round(_finite(value), places))
        number.places = places
        return number

    def __str__(self) -> str:
        """As in both forms of a reply."""
        return f"{float(self):.{self.places}f}"


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked; ``commands`` has several where they were joined."""

    commands: tuple[str, ...]
    parameter: str = ""
    is_json: bool = True
    joined: bool = False


class BadRequest(Exception):  # noqa: N818  answered, not raised to a user
    """What came is no request; has the status to answer."""

    def __init__(self, status: "Status", *, is_json: bool) -> None:
        super().__init__(status.text)
        self.status = status
        self.is_json = is_json


@dataclass(frozen=True, slots=True)
class Status:
    """The first part of every reply: S success, I nothing to do, W not supported, E wrong."""

    severity: str
    code: int
    text: str


INVALID_JSON = Status("E", 23, "Invalid JSON")
MISSING_COMMAND = Status("E", 24, "Missing JSON 'command'")
INVALID_COMMAND = Status("E", 14, "Invalid command")


@dataclass(frozen=True, slots=True)
class CommandReply:
    """The answer to one command. A table's rows begin with the number that names them: ``POOL=0``."""

    status: Status
    section: str = ""
    rows: Sequence[ReplyFields] = field(default_factory=tuple)
    is_table: bool = False


BYE = CommandReply(Status("S", 46, "BYE"))
"""The answer to ``quit``, which alone has no status like all others."""


def parse(data: bytes) -> Request:
    """A request. BadRequest for what is none."""
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
    """The bytes of a reply; one reply for each command. ``when`` is Unix time."""
    parts = [_one(reply, when, description, is_json=request.is_json) for reply in replies]
    if not request.is_json:
        if request.joined:
            parts = [f"CMD={_escaped(_told(name))}|{part}" for name, part in zip(request.commands, parts, strict=True)]
        return "".join(parts).encode() + b"\0"
    if not request.joined:
        return parts[0].encode() + b"\0"
    joined = ",".join(f"{json.dumps(_told(name))}:[{part}]" for name, part in zip(request.commands, parts, strict=True))
    return f'{{{joined},"id":1}}'.encode() + b"\0"


def refuse(bad: BadRequest, *, when: int, description: str) -> bytes:
    """The bytes that answer what is no request."""
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
    if reply.status.code != INVALID_COMMAND.code:  # strangers who guess are not told what this is
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
        f"{json.dumps(name)}:{value if isinstance(value, Fixed) else json.dumps(_told(value))}"
        for name, value in fields.items()
    )
    return f"{{{','.join(shown)}}}"


def _plain(fields: ReplyFields) -> str:
    return ",".join(f"{name}={_shown(value)}" for name, value in fields.items())


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return _escaped(_told(value)) if isinstance(value, str) else str(_told(value))


def _told(value: Any) -> Any:
    """Status texts repeat what was asked, and asking is open to all."""
    if isinstance(value, str):
        return sanitize(value, SENTENCE_CHARACTERS)
    return _finite(value) if isinstance(value, float) else value


def _finite(value: float) -> float:
    """JSON has no word for other numbers."""
    return value if math.isfinite(value) else 0.0


def _escaped(text: str) -> str:
    for character in "\\,|=":
        text = text.replace(character, "\\" + character)
    return text
