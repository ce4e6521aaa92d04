"""Finds the known name that is most like an unknown name. Every error about an unknown name suggests this known
name."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import TypeVar

T = TypeVar("T")
LIKENESS = 0.6
"""Smallest similarity, from 0 to 1, at which a known name is suggested. The value is the default of difflib."""


def nearest(word: str, known: Iterable[str], likeness: float = LIKENESS) -> str | None:
    """Return the known name that is most like ``word``, or None if no name is similar enough.

    Upper and lower case, hyphens and underscores make no difference.
    """
    names = {_plain(name): name for name in known}
    close = get_close_matches(_plain(word), names, 1, likeness)
    return names[close[0]] if close else None


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """Return the end of an error message, ``: did you mean 'quota'?``, or ``otherwise`` if no name is similar."""
    name = nearest(word, known)
    return otherwise if name is None else f": did you mean {name!r}?"


def named(table: Mapping[str, T], name: str, what: str) -> T:
    """Return the entry ``name`` of a table.

    Raises ValueError if there is no such entry. The message suggests the most similar known name, or lists all known
    names. It begins with ``what``, the option or field that contained the name.
    """
    if name in table:
        return table[name]
    hint = did_you_mean(name, table, f": known are {', '.join(table)}")
    raise ValueError(f"{what}: expected a known name, got {name!r}{hint}")


def _plain(name: str) -> str:
    return name.lower().replace("_", "-")
