"""A TOML file with the line of each of its keys.

``tomllib`` tells values, not places. A TOML file is a sequence of statements, each of whole lines; a statement is over
when the lines since the last one parse by themselves, and then says which keys it sets.
"""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from stratum_miner import user_files
from stratum_miner.app.config.problems import ConfigError, Problem
from stratum_miner.user_files import UserFileError

MAX_BYTES = 1 << 18
"""Far above any real one; a file named by mistake is not read into memory."""
MAX_DEPTH = 32
"""Tables and lists inside of each other; a key with dots can nest thousands in one line."""
_MAX_RETRIED = 1 << 22
"""Characters that are parsed again because a statement goes on; the lines of what follows are not known."""

KeyPath: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """A file's values, nested as in the file, and where each stands."""

    path: Path
    table: dict[str, Any]
    lines: dict[KeyPath, int]

    def where(self, *path: str) -> str:
        """``FILE:LINE: pools.home.quota``; of the nearest table that has a line, where the key itself has none."""
        known = next((path[:size] for size in range(len(path), 0, -1) if path[:size] in self.lines), None)
        line = f":{self.lines[known]}" if known else ""
        return f"{self.path}{line}: {'.'.join(path)}" if path else f"{self.path}{line}"


def read(path: Path) -> Document:
    """Read a file. ConfigError when it cannot be read or is no TOML."""
    try:
        return parse(user_files.read_text(path, MAX_BYTES), path)
    except OSError as error:
        raise ConfigError(Problem(str(path), f"cannot read it: {error.strerror}")) from None
    except UserFileError as error:
        raise ConfigError(Problem(error.where(path), str(error))) from None


def parse(text: str, path: Path) -> Document:
    """Parse a file's text. ConfigError names the line that is no TOML."""
    text = text.replace("\r\n", "\n")
    try:
        table = user_files.parse_toml(text)
    except UserFileError as error:
        raise ConfigError(Problem(error.where(path), str(error))) from None
    if _is_deep(table):
        raise ConfigError(Problem(str(path), f"expected at most {MAX_DEPTH} tables and lists inside of each other"))
    lines: dict[KeyPath, int] = {}
    for place, line in _places(text):
        lines.setdefault(place, line)
    return Document(path, table, lines)


def _is_deep(table: dict[str, Any]) -> bool:
    level: list[Any] = [table]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for value in level
            for inner in (value.values() if isinstance(value, dict) else value)
            if isinstance(inner, dict | list)
        ]
    return bool(level)


def _places(text: str) -> Iterator[tuple[KeyPath, int]]:
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
            continue  # a string or a list that goes on in the next line
        if statement.lstrip().startswith("["):
            places = list(_paths(part))
            prefix = max(places, key=len)
            yield from ((place, first) for place in places)
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
