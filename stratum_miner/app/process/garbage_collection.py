"""How the garbage collector is kept from stopping a process that serves thousands of miners."""

import contextlib
import gc
from collections.abc import Iterator

COLLECTIONS = (10_000, 10, 1000)
"""Thresholds of the garbage collector: the first two keep a pause below some ten milliseconds, measured."""


@contextlib.contextmanager
def keep_old_objects() -> Iterator[None]:
    """Have the garbage collector look at young objects only, all but never at all of them, while the block runs.

    The sessions of 10 000 miners are half a million objects that stay: looking through them stops everything for a
    third of a second, and the default does so again and again while miners come (docs/load.md). Sessions that end leave
    no cycles behind, so nothing piles up.
    """
    before = gc.get_threshold()
    gc.set_threshold(*COLLECTIONS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
