"""Reads a TOML file together with the line number of each of its keys.

``tomllib`` returns values without line numbers. This module therefore parses the file one statement at a time, such as
a table header or ``key = value``, and records the line on which each statement begins. A statement may span several
lines: lines are collected until TOML accepts them.
"""

import re
import shlex
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from stratum_miner import user_files
from stratum_miner.app.config.problems import ConfigError, Problem
from stratum_miner.user_files import UserFileError

MAX_BYTES = 1 << 18
"""Largest size of a configuration file in bytes. Real files are far smaller, so a larger one was probably named by
mistake."""
_MAX_RETRIED = 1 << 22
"""Limit of the work for finding line numbers: the largest total number of characters that may be parsed in vain for one
file.

A statement of many lines is parsed again after each further line, and only the last attempt succeeds. When the failed
attempts together have read more characters than this limit, the remaining keys of the file get no line number.
"""

_JSON = re.compile(r"\ufeff?(?:\s|//[^\n]*+|/\*.*?\*/)*+\{", re.DOTALL)
"""Matches the beginning of a JSON object, which may have comments before it. A TOML file never begins like this."""

KeyPath: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """The values of a file, nested as in the file, and the line number of each key."""

    path: Path
    table: dict[str, Any]
    lines: dict[KeyPath, int]

    def where(self, *path: str) -> str:
        """Return the location of a key, such as ``miner.toml:3: pools.home.quota``.

        If the line number of the key is not known, the location has the line number of a table that contains the key:
        the innermost table with a known line number. If there is no such table, the location has no line number.
        """
        known = next((path[:size] for size in range(len(path), 0, -1) if path[:size] in self.lines), None)
        line = f":{self.lines[known]}" if known else ""
        return f"{self.path}{line}: {'.'.join(path)}" if path else f"{self.path}{line}"


def read(path: Path) -> Document:
    """Read a file. Raises ConfigError if it cannot be read or is not TOML."""
    try:
        return parse(user_files.read_text(path, MAX_BYTES), path)
    except OSError as error:
        raise ConfigError(Problem(str(path), f"cannot read this file: {error.strerror}")) from None
    except UserFileError as error:
        raise ConfigError(Problem(error.where(path), str(error))) from None


def parse(text: str, path: Path) -> Document:
    """Parse the text of a file. Raises ConfigError if the text is not TOML. The error names the line that cannot be
    parsed."""
    text = text.replace("\r\n", "\n")
    if found := _JSON.match(text):
        line = found[0].count("\n") + 1
        raise ConfigError(
            Problem(
                f"{path}:{line}",
                "expected TOML, got JSON, in which cgminer, cpuminer and xmrig keep their settings. To convert it, run "
                f"stratum-miner config import {shlex.quote(str(path))}",
            )
        )
    try:
        table = user_files.parse_toml(text)
    except UserFileError as error:
        raise ConfigError(Problem(error.where(path), str(error))) from None
    lines: dict[KeyPath, int] = {}
    for key, line in _key_lines(text):
        lines.setdefault(key, line)
    return Document(path, table, lines)


def _key_lines(text: str) -> Iterator[tuple[KeyPath, int]]:
    prefix: KeyPath = ()
    statement, first, retried = "", 1, 0
    for number, line in enumerate(text.split("\n"), 1):
        if not statement:
            first = number
        statement += line + "\n"
        try:
            part = tomllib.loads(statement)
        except tomllib.TOMLDecodeError:
            retried += len(statement)
            if retried > _MAX_RETRIED:
                return
            continue  # the statement is a string or a list that continues in the next line
        if statement.lstrip().startswith("["):
            paths = list(_paths(part))
            prefix = max(paths, key=len)
            yield from ((path, first) for path in paths)
        else:
            for path in _paths(part):
                yield prefix + path, first
        statement = ""


def _paths(table: dict[str, Any]) -> Iterator[KeyPath]:
    for name, value in table.items():
        yield (name,)
        inner = value[0] if isinstance(value, list) and value and isinstance(value[0], dict) else value
        if isinstance(inner, dict):
            yield from ((name, *rest) for rest in _paths(inner))
