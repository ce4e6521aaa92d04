"""Limits how deeply the values in a file or a request of a user are nested."""

from typing import Any

MAX_DEPTH = 32
"""Largest depth to which tables, objects and lists may be nested. Real files and requests need only a few levels. How
deep a parser itself goes depends on the version of Python."""


def is_deep(value: dict[str, Any] | list[Any]) -> bool:
    """Return whether tables, objects and lists are nested deeper than ``MAX_DEPTH``."""
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
    return bool(level)
