"""What somebody meant by a name that is none of those known: the one hint of every complaint about a name."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import TypeVar

T = TypeVar("T")
LIKENESS = 0.6
"""How alike two names must be for a guess, from 0 to 1: what difflib recommends."""


def nearest(word: str, known: Iterable[str], likeness: float = LIKENESS) -> str | None:
    """The known name that a word is most like; None when it is like none.

    Capitals do not count, and neither does whether words are joined by a hyphen or by an underscore.
    """
    names = {_plain(name): name for name in known}
    close = get_close_matches(_plain(word), names, 1, likeness)
    return names[close[0]] if close else None


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """The end of a complaint, ``: did you mean 'quota'?``; ``otherwise`` when no name is like it."""
    name = nearest(word, known)
    return otherwise if name is None else f": did you mean {name!r}?"


def named(table: Mapping[str, T], name: str, what: str) -> T:
    """The entry of a table. ValueError with the nearest name, or with all of them."""
    if name in table:
        return table[name]
    hint = did_you_mean(name, table, f": known are {', '.join(table)}")
    raise ValueError(f"{what}: expected a known name, got {name!r}{hint}")


def _plain(name: str) -> str:
    return name.lower().replace("_", "-")
