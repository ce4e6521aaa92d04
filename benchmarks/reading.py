"""``Reading``: one measured figure of one turn of a benchmark. The worker writes it, and the harness reads it."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reading:
    """The cost of one unit of work, such as one share, in one turn."""

    figure: str
    """Name of the figure within its benchmark."""
    unit: str
    """What is done once in this time, such as "share"."""
    wall_s: float | None
    """Seconds of wall-clock time for one unit. None: the turn does not measure it."""
    processor_s: float | None
    """Seconds of processor time for one unit. None: the turn does not measure it."""
    guards: tuple[str, ...] = ("processor",)
    """The times that ``make bench-check`` compares: "processor", "wall", both, or neither."""
    against: str = ""
    """Name of a figure of the same turn: the benchmark also prints the ratio of this figure to that one."""


class NotHereError(Exception):
    """The measured code or this computer lacks what the benchmark needs. The text says what."""


Turn = Callable[[], list[Reading]]
"""Measures once, in some tenths of a second."""
Opened = AbstractContextManager[Turn]
"""Holds what a benchmark needs in all its turns, such as a pool in another process."""
