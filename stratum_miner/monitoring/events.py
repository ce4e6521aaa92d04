"""Keeps the newest events of a process and numbers them, so that displays can show them or wait for the next event.

An event is one entry of the log: a name, a level, fields and a sentence. Events may come from any thread. The callers
of this module remove secrets from an event before they pass it to this module. The module itself makes text from other
computers safe to show.
"""

import threading
from collections import deque
from collections.abc import Mapping
from typing import Any

import trio

from stratum_miner.foreign_text import SENTENCE_CHARACTERS, sanitize_value
from stratum_miner.monitoring.sentences import sentence
from stratum_miner.monitoring.view import EventView

KEPT = 500
"""The number of events that an EventLog keeps by default."""


class EventLog:
    """The newest events. If a reader reads too rarely, some events are dropped before it reads them. The reader notices
    this by a gap in the numbers of the events."""

    def __init__(self, kept: int = KEPT) -> None:
        self._events: deque[EventView] = deque(maxlen=kept)
        self._lock = threading.Lock()
        self._number = 0
        self._token: trio.lowlevel.TrioToken | None = None
        self._arrival = trio.Event()

    def take(self, name: str, level: str, fields: Mapping[str, Any], at: float) -> EventView:
        """Keep an event and return it with its number; ``at`` is Unix time. May be called from any thread.

        Fields that are None or empty are left out.
        """
        known = {key: value for key, value in fields.items() if value is not None and value != ""}
        shown = {key: sanitize_value(value, SENTENCE_CHARACTERS) for key, value in known.items()}
        with self._lock:
            self._number += 1
            event = EventView(
                number=self._number, at=at, level=level, name=name, text=sentence(name, shown), fields=shown
            )
            self._events.append(event)
            token = self._token
        if token is not None:
            try:
                token.run_sync_soon(self._wake, idempotent=True)
            except trio.RunFinishedError:
                self._token = None
        return event

    def newest(self, limit: int | None = None, *, after: int = 0) -> tuple[EventView, ...]:
        """Return the events with a number above ``after``, the newest last. With ``limit``, return at most this number
        of events, the newest ones."""
        with self._lock:
            events = tuple(event for event in self._events if event.number > after)
        return events if limit is None else events[max(0, len(events) - limit) :]

    async def wait(self, after: int) -> tuple[EventView, ...]:
        """Wait for an event with a number above ``after``. Return all such events that are kept, the newest last."""
        self._token = trio.lowlevel.current_trio_token()
        while True:
            arrival = self._arrival
            found = self.newest(after=after)
            if found:
                return found
            await arrival.wait()

    def _wake(self) -> None:
        self._arrival.set()
        self._arrival = trio.Event()
