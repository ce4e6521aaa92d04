"""Things that users call by name, and what to say when there is none of that name."""

from collections.abc import Mapping
from typing import TypeVar

from stratum_miner.spelling import did_you_mean, nearest
from stratum_miner.stratum import client_messages, pool_messages

METHODS = frozenset(client_messages.CLIENT_MESSAGES) | frozenset(pool_messages.POOL_MESSAGES)

T = TypeVar("T")


def named(table: Mapping[str, T], name: str, what: str) -> T:
    """The entry of a table. ValueError with the nearest name, or with all of them."""
    if name in table:
        return table[name]
    hint = did_you_mean(name, table, f": known are {', '.join(table)}")
    raise ValueError(f"{what}: expected a known name, got {name!r}{hint}")


def nearest_method(name: str | None) -> str | None:
    """What was meant by a name that is all but a method of Stratum; None for others, which a pool may well have."""
    if name is None or name in METHODS:
        return None
    return nearest(name, METHODS, 0.85)
