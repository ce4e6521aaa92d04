"""Computes the changes between successive views of a miner, so that a listener receives only what has changed.

A step (``SnapshotChanges``) has a number and contains all changes since the previous view. A listener needs the whole
view if it has no view yet, or if it missed a step that is no longer kept. A whole view leaves out the events and the
history. Each event, and each point of the history, is contained in exactly one step.
"""

from collections import deque
from dataclasses import dataclass, replace
from typing import Any

from stratum_miner.monitoring.difference import difference
from stratum_miner.monitoring.events import EventLog
from stratum_miner.monitoring.view import EventView, View, as_json

STEPS_KEPT = 30
"""Number of steps (each with the changes from one view to the next) that are kept for a listener that missed some of
them. To keep more would not help: a whole view is only as large as 10 to 30 steps."""
DIGITS = 4
"""Number of significant digits to which fractional numbers are rounded. Displays show no more digits, and without the
rounding nearly every number would differ from that in the previous view."""
LONGEST_WHOLE = 1e16
"""A float that has an integral value below this limit is written without a decimal point. Larger values are shorter in
JSON in the form with an exponent."""


@dataclass(frozen=True, slots=True, eq=False)
class SnapshotChanges:
    """Everything that is new in a view, compared with the previous view. The class ``Changes`` calls it a step."""

    number: int
    """Number of the step from the previous view to this one. Steps are counted by one."""
    change: Any
    """The difference between the previous view and this one, as ``difference`` returns it."""
    points: tuple[Any, ...]
    events: tuple[EventView, ...]


class Changes:
    """Keeps the last steps: each has the changes from one view to the next. Call ``look`` with each new view, then read
    the steps with ``after``."""

    def __init__(self) -> None:
        self.number = 0
        """The ``number`` of the newest step, or 0 before the first view."""
        self.run = ""
        """Text that identifies this run of the miner, because the events of every run are numbered from 1."""
        self.whole: dict[str, Any] = {}
        """The newest view without events and history. Lists of pools, devices, shares and blocks are objects here, with
        the id or number of each entry as its key, so that differences are small."""
        self.event = 0
        """The ``number`` of the newest event that a step contains, or 0 if there was none yet."""
        self._steps: deque[SnapshotChanges] = deque(maxlen=STEPS_KEPT)
        self._shares = EntryNumbers()
        self._blocks = EntryNumbers()
        self._points = EntryNumbers()

    def look(self, view: View, events: EventLog) -> None:
        """Take the newest view, and keep its difference from the previous view as a step."""
        self.run = f"{view.summary.started_at * 1000:.0f}"
        shown = as_json(replace(view, events=(), history=self._points.take(view.history)))
        points = _rounded("", shown.pop("history"))
        before, self.whole = self.whole, self._by_number(view, shown)
        new = events.newest(after=self.event)
        self.event = max((event.number for event in new), default=self.event)
        self.number += 1
        if before:
            self._steps.append(SnapshotChanges(self.number, difference(before, self.whole) or {}, tuple(points), new))

    def after(self, number: int) -> tuple[SnapshotChanges, ...] | None:
        """Return the steps (changes from one view to the next) after the step with this number; None if some of them
        are no longer kept."""
        behind = self.number - number
        return None if behind > len(self._steps) else tuple(self._steps)[len(self._steps) - behind :]

    def _by_number(self, view: View, shown: dict[str, Any]) -> dict[str, Any]:
        self._shares.take(view.shares)
        self._blocks.take(view.blocks)
        del shown["events"]
        for name in ("pools", "devices"):
            shown[name] = {str(item["id"]): item for item in shown[name]}
        for name, numbered in (("shares", self._shares), ("blocks", self._blocks)):
            shown[name] = {str(number): item for number, item in enumerate(shown[name], numbered.first)}
        return {name: _rounded(name, value) for name, value in shown.items()}


class EntryNumbers:
    """Gives a lasting number to each entry of a list that grows at its end and loses entries at its start."""

    def __init__(self) -> None:
        self._entries: tuple[Any, ...] = ()
        self.first = 0
        """Number of the first entry."""

    def take(self, entries: tuple[Any, ...]) -> tuple[Any, ...]:
        """Take the present state of the list, and give numbers to its new entries. Return the new entries: those that
        were not in the list at the previous call."""
        before = self._entries
        lost = before.index(entries[0]) if entries and entries[0] in before else len(before)
        self._entries, self.first = entries, self.first + lost
        return entries[len(before) - lost :]


def _rounded(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(key, inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(name, inner) for inner in value]
    if not isinstance(value, float):
        return value
    exact = name == "at" or name.endswith("_at")  # a Unix time needs all its digits
    shown = value if exact else float(f"{value:.{DIGITS}g}")
    return int(shown) if shown.is_integer() and abs(shown) < LONGEST_WHOLE else shown
