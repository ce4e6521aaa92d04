"""Collects garbage at other times than Python: not while a command starts, and rarely while it serves many miners."""

import contextlib
import gc
from collections.abc import Iterator

COLLECTIONS = (10_000, 10, 1000)
"""Thresholds for ``gc.set_threshold``. The first two are so small that examining young objects stops the process for
less than about 10 ms (measured)."""


def pause() -> None:
    """Collect no garbage until ``resume`` is called.

    While a command starts, it makes tens of thousands of objects that stay: modules, classes and options. Examining
    them again and again takes a sixth of the start.
    """
    gc.disable()


def resume() -> None:
    """Collect garbage again after ``pause``, but never examine the objects that exist now. Without ``pause``, do
    nothing."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


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
