"""Things that users call by name, and what to say when there is none of that name."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import TypeVar

T = TypeVar("T")


def named(table: Mapping[str, T], name: str, what: str) -> T:
    """The entry of a table. ValueError with the nearest name, or with all of them."""
    if name in table:
        return table[name]
    close = get_close_matches(name.lower().replace("_", "-"), table, 1)
    hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(table)}"
    raise ValueError(f"{what}: expected a known name, got {name!r}: {hint}")
