"""Finds the known name that is most like an unknown name. Every error about an unknown name suggests this known
name."""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import TypeVar

T = TypeVar("T")
_NUMBER = re.compile(r"[0-9]{1,20}")
LIKENESS = 0.6
"""Smallest similarity, from 0 to 1, at which a known name is suggested. The value is the default of difflib."""
MOST_COMPARED = 8
"""Largest number of similar names that are compared letter by letter."""
LETTERS_PER_SLIP = 4
"""An unknown name is taken for a misspelling of a known name only if it has at most one slip (for example a wrong
letter) for every 4 letters. If it has fewer than 4 letters, the only slip allowed is one missing or one extra letter:
"gpu" is not taken for "cpu"."""


def nearest(word: str, known: Iterable[str], likeness: float = LIKENESS) -> str | None:
    """Return the known name that is most like ``word``, or None if no name is similar enough.

    A name is similar if a few slips of the fingers turn one into the other, or if it begins with the whole word, as
    "bitaxe-gamma" begins with "bitaxe". A name that only shares letters with the word means something else, and so does
    a name with another number: an Antminer S9 is no Antminer S21. Upper and lower case, hyphens and underscores make
    no difference.
    """
    names = {_plain(name): name for name in known}
    plain = _plain(word)
    close = [name for name in get_close_matches(plain, names, MOST_COMPARED, likeness) if _is_slip(plain, name)]
    if close:
        return names[min(close, key=lambda name: _slips(plain, name))]
    return next((names[name] for name in names if plain and name.startswith(f"{plain}-")), None)


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


def _is_slip(word: str, name: str) -> bool:
    """Return whether ``word`` can be a misspelt ``name``."""
    if [*map(int, _NUMBER.findall(word))] != [*map(int, _NUMBER.findall(name))]:
        return False
    allowed = len(word.strip("-")) // LETTERS_PER_SLIP
    return _slips(word, name) <= (allowed or int(len(word) != len(name)))


def _slips(word: str, name: str) -> int:
    """Return how many slips turn ``name`` into ``word``: a letter missing, added, replaced, or exchanged with the next
    letter."""
    before: list[int] = []
    row = list(range(len(name) + 1))
    for i, letter in enumerate(word):
        before, above, row = row, before, [i + 1]
        for j, other in enumerate(name):
            best = min(before[j + 1] + 1, row[j] + 1, before[j] + (letter != other))
            if i and j and letter == name[j - 1] and word[i - 1] == other:
                best = min(best, above[j - 1] + 1)
            row.append(best)
    return row[-1]


def _plain(name: str) -> str:
    return name.lower().replace("_", "-")
