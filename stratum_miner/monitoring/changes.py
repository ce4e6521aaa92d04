"""What has changed in the view of a miner from one look to the next, in small steps, for whoever has followed so far.

What is new since the look before becomes one numbered ``SnapshotChanges``. Who has not had one that is kept any more,
or has had none, needs the whole view. Events and points of the history are not in that view: each comes once, as it
happens.
"""

from collections import deque
from dataclasses import dataclass, replace
from typing import Any

from stratum_miner.monitoring.difference import difference
from stratum_miner.monitoring.events import EventLog
from stratum_miner.monitoring.view import EventView, View, as_json

STEPS_KEPT = 30
"""Steps kept for those who are behind for a moment; a view costs as much as ten to thirty steps."""
DIGITS = 4
"""Digits of numbers that are not whole: as many as people are shown. More would change with each look."""
LONGEST_WHOLE = 1e15
"""From here on a number is shorter with an exponent than as a whole one."""


@dataclass(frozen=True, slots=True, eq=False)
class SnapshotChanges:
    """What came with one look."""

    number: int
    change: Any
    """The difference from the previous view to this one; see ``difference``."""
    points: tuple[Any, ...]
    events: tuple[EventView, ...]


class Changes:
    """``look`` at each view; it has what is to be told of them."""

    def __init__(self) -> None:
        self.number = 0
        """The number of the newest step."""
        self.run = ""
        """What no other run of the miner has: events of another run have the same numbers."""
        self.whole: dict[str, Any] = {}
        """The newest view, without events and history; what has an id is in an object by its id, so that changes are
        small."""
        self.event = 0
        """The number of the newest event that is told."""
        self._steps: deque[SnapshotChanges] = deque(maxlen=STEPS_KEPT)
        self._shares = EntryNumbers()
        self._blocks = EntryNumbers()
        self._points = EntryNumbers()

    def look(self, view: View, events: EventLog) -> None:
        """Take a view as the newest one."""
        self.run = f"{view.summary.started_at * 1000:.0f}"
        told = as_json(replace(view, events=(), history=self._points.take(view.history)))
        points = _rounded("", told.pop("history"))
        before, self.whole = self.whole, self._by_number(view, told)
        new = events.newest(after=self.event)
        self.event = max((event.number for event in new), default=self.event)
        self.number += 1
        if before:
            self._steps.append(SnapshotChanges(self.number, difference(before, self.whole) or {}, tuple(points), new))

    def after(self, number: int) -> tuple[SnapshotChanges, ...] | None:
        """The steps since the one with that number; None where some of them are not kept any more."""
        behind = self.number - number
        return None if behind > len(self._steps) else tuple(self._steps)[len(self._steps) - behind :]

    def _by_number(self, view: View, told: dict[str, Any]) -> dict[str, Any]:
        self._shares.take(view.shares)
        self._blocks.take(view.blocks)
        del told["events"]
        for name in ("pools", "devices"):
            told[name] = {str(item["id"]): item for item in told[name]}
        for name, numbered in (("shares", self._shares), ("blocks", self._blocks)):
            told[name] = {str(number): item for number, item in enumerate(told[name], numbered.first)}
        return {name: _rounded(name, value) for name, value in told.items()}


class EntryNumbers:
    """Numbers for the entries of a list that grows at its end and loses at its start."""

    def __init__(self) -> None:
        self._entries: tuple[Any, ...] = ()
        self.first = 0
        """The number of the first entry."""

    def take(self, entries: tuple[Any, ...]) -> tuple[Any, ...]:
        """The list as it is now; the entries that are new in it."""
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
    exact = name == "at" or name.endswith("_at")  # a date
    shown = value if exact else float(f"{value:.{DIGITS}g}")
    return int(shown) if shown.is_integer() and abs(shown) < LONGEST_WHOLE else shown
