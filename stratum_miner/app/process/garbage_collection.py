"""Shortens the pauses for garbage collection in a process that serves thousands of miners."""

import contextlib
import gc
from collections.abc import Iterator

COLLECTIONS = (10_000, 10, 1000)
"""Thresholds for ``gc.set_threshold``. The first two are so small that examining young objects stops the process for
less than about 10 ms (measured)."""


@contextlib.contextmanager
def keep_old_objects() -> Iterator[None]:
    """While the ``with`` block runs, make the garbage collector examine young objects, but almost never all objects.

    The sessions of 10,000 miners are half a million long-lived objects. Examining all of them stops the process for a
    third of a second. With Python's default thresholds, this happens again and again while miners connect
    (docs/measured/load.md).

    It does no harm to examine all objects rarely: a session leaves no reference cycles behind when it ends, so no
    garbage accumulates.
    """
    before = gc.get_threshold()
    gc.set_threshold(*COLLECTIONS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
