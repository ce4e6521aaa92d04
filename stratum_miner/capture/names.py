"""Things that users call by name, and what to say when there is none of that name."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import TypeVar

from stratum_miner.stratum import client_messages, pool_messages

METHODS = frozenset(client_messages.CLIENT_MESSAGES) | frozenset(pool_messages.POOL_MESSAGES)

T = TypeVar("T")


def named(table: Mapping[str, T], name: str, what: str) -> T:
    """The entry of a table. ValueError with the nearest name, or with all of them."""
    if name in table:
        return table[name]
    close = get_close_matches(name.lower().replace("_", "-"), table, 1)
    hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(table)}"
    raise ValueError(f"{what}: expected a known name, got {name!r}: {hint}")


def nearest_method(name: str | None) -> str | None:
    """What was meant by a name that is all but a method of Stratum; None for others, which a pool may well have."""
    if name is None or name in METHODS:
        return None
    return next(iter(get_close_matches(name.lower(), METHODS, 1, 0.85)), None)
