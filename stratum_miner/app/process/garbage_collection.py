"""Keeps the garbage collector from pausing a process that serves thousands of miners."""

import contextlib
import gc
from collections.abc import Iterator

COLLECTIONS = (10_000, 10, 1000)
"""Thresholds of the garbage collector for ``gc.set_threshold``. The first two are so small that each pause to examine
young objects stays below about 10 ms (measured)."""


@contextlib.contextmanager
def keep_old_objects() -> Iterator[None]:
    """While the ``with`` block runs, make the garbage collector examine young objects and almost never all objects.

    The sessions of 10,000 miners are half a million long-lived objects. Examining them all pauses the process for a
    third of a second, and by default this happens again and again while miners connect (docs/load.md). Sessions leave
    no reference cycles behind when they end, so no garbage accumulates.
    """
    before = gc.get_threshold()
    gc.set_threshold(*COLLECTIONS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
