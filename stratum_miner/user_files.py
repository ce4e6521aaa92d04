"""Files that users write, read with a bound; TOML with the line of what is wrong in it."""

import os
import re
import stat
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

_PLACE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
"""How tomllib ends a complaint."""


class UserFileError(ValueError):
    """A file that cannot be used: what was expected of it."""

    def __init__(self, text: str, line: int | None = None) -> None:
        super().__init__(text)
        self.line = line
        """Counted from 1; None where no line is to blame."""

    def where(self, path: Path) -> str:
        """``FILE:LINE``, or the file alone."""
        return f"{path}:{self.line}" if self.line else str(path)


def read(path: Path, max_bytes: int) -> bytes:
    """The whole content. OSError when it cannot be read, UserFileError when there is more of it than the bound, or when
    it is a pipe with a name: reading one waits until somebody writes.
    """
    if is_named_pipe(path):
        raise UserFileError("expected a file, got a pipe")
    with path.open("rb") as file:
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise UserFileError(f"expected a file of at most {max_bytes} bytes, it is larger")
    return content


def is_named_pipe(path: Path) -> bool:
    """Whether opening it waits for somebody at its other end. A pipe that we were given (/dev/stdin, /dev/fd/3) has its
    other end, and no name of its own. OSError when nothing tells.
    """
    return path.exists() and stat.S_ISFIFO(path.stat().st_mode) and os.path.exists(os.path.realpath(path))


def read_text(path: Path, max_bytes: int) -> str:
    """The same as text. UserFileError also when it is not UTF-8."""
    content = read(path, max_bytes)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise UserFileError("expected UTF-8", content[: error.start].count(b"\n") + 1) from None


def parse_toml(text: str, parse_float: Callable[[str], Any] = float) -> dict[str, Any]:
    """The tables of a text. UserFileError when it is no TOML, or none that can be held."""
    try:
        return tomllib.loads(text, parse_float=parse_float)
    except tomllib.TOMLDecodeError as error:
        place = _PLACE.search(str(error))
        line = int(place[1]) if place and place[1] else text.count("\n") + 1
        reason = _PLACE.sub("", str(error))
        raise UserFileError(f"expected TOML: {reason[:1].lower()}{reason[1:]}", line) from None
    except RecursionError:
        raise UserFileError("expected TOML: its tables and lists are nested too deep") from None
    except (ValueError, ArithmeticError):  # what int makes of 5000 digits, and Decimal of an exponent of twenty
        raise UserFileError("expected TOML: a number in it is too large") from None
