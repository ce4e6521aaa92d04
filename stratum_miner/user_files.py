"""Reads files that users write, with a limit on their size, and reports errors in TOML with the line number."""

import os
import re
import stat
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stratum_miner.nesting import MAX_DEPTH, is_deep

_MAX_DOTS = 1000
"""Largest number of dots in one key, such as ``a.b.c``, with which tomllib is called. Before Python 3.14, tomllib needs
gigabytes of memory for 40,000 dots."""
_DOTS = re.compile(r"(?:\.[\w \t\"'-]*+)++")
"""Matches a key from its first dot to its end, in a text without the content of its strings."""
_CONTENT = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'|#[^\n]*")
"""Matches a string or a comment, in which a dot does not separate the parts of a key."""
_POSITION = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
"""Matches the end of an error message of tomllib, which names a line and a column, or the end of the document."""
_KEY_AND_VALUE = re.compile(r"\s*[\w-]+\s*(?P<separator>[=:])\s*(?P<text>[^\s\"'\d\[{].*)?.*")
"""Matches a line with a key and a value. The group ``text`` matches the value if the value begins like a string without
quotes."""


class UserFileError(ValueError):
    """A file of the user cannot be used. The message says what was expected."""

    def __init__(self, text: str, line: int | None = None) -> None:
        super().__init__(text)
        self.line = line
        """Number of the line with the error, counted from 1; None if the error is not in a certain line."""

    def where(self, path: Path) -> str:
        """Return ``FILE:LINE``, or only ``FILE`` if the error is not in a certain line."""
        return f"{path}:{self.line}" if self.line else str(path)


def read(path: Path, max_bytes: int) -> bytes:
    """Return the content of a file that may have at most ``max_bytes`` bytes.

    Raises OSError if the file cannot be read. Raises UserFileError if it is larger than ``max_bytes``, or if it is a
    named pipe: to read a named pipe would block until another process writes to it.
    """
    if is_named_pipe(path):
        raise UserFileError("expected a file, got a pipe")
    with path.open("rb") as file:
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise UserFileError(f"expected a file of at most {max_bytes} bytes, got a larger one")
    return content


def is_named_pipe(path: Path) -> bool:
    """Return whether opening the file would block until another process opens the other end of a pipe.

    The result is false for a pipe that this process inherited (such as /dev/stdin or /dev/fd/3), because opening it
    does not block. Raises OSError if the file cannot be examined.
    """
    return path.exists() and stat.S_ISFIFO(path.stat().st_mode) and os.path.exists(os.path.realpath(path))


def read_text(path: Path, max_bytes: int) -> str:
    """Return the content of a file as text. Some editors on Windows begin a file with a byte order mark, which is left
    out.

    Raises the errors of ``read``, and UserFileError if the file is not UTF-8.
    """
    content = read(path, max_bytes)
    try:
        return content.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise UserFileError(
            "expected UTF-8; save the file in this encoding", content[: error.start].count(b"\n") + 1
        ) from None


def parse_toml(text: str, parse_float: Callable[[str], Any] = float) -> dict[str, Any]:
    """Parse TOML. Raises UserFileError if the text is not TOML, is nested too deeply, or has a number that is too
    large.

    ``parse_float`` converts each float from its text, as in ``tomllib.loads``.
    """
    too_deep = UserFileError(f"expected at most {MAX_DEPTH} nested tables and lists, got more")
    if any(key[0].count(".") > _MAX_DOTS for key in _DOTS.finditer(_CONTENT.sub("''", text))):
        raise too_deep
    try:
        table = tomllib.loads(text, parse_float=parse_float)
    except tomllib.TOMLDecodeError as error:
        position = _POSITION.search(str(error))
        line = int(position[1]) if position and position[1] else text.count("\n") + 1
        reason = _POSITION.sub("", str(error))
        hint = _toml_hint(text.splitlines()[line - 1 : line])
        raise UserFileError(f"expected TOML: {reason[:1].lower()}{reason[1:]}{hint}", line) from None
    except RecursionError:
        raise too_deep from None
    except (ValueError, ArithmeticError):  # int() rejects 5000 digits; Decimal rejects an exponent of 20 digits
        raise UserFileError("expected TOML: a number in it is too large") from None
    if is_deep(table):
        raise too_deep
    return table


def _toml_hint(lines: list[str]) -> str:
    """Return a hint how to write a key and its value in TOML, or an empty text if no hint fits. The first of ``lines``
    is the line that is not TOML, and the hint ends the error message about this line. The hint does not quote the line,
    because the line may contain a password."""
    form = _KEY_AND_VALUE.fullmatch(lines[0]) if lines else None
    if form is None:
        return ""
    if form["separator"] == ":":
        return '. TOML has an equals sign between key and value, and a text in quotes, as in user = "rig1"'
    return '. A text is in straight quotes, as in user = "rig1"' if form["text"] else ""
