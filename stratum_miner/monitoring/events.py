"""The newest events of a process, numbered, for whoever wants to see them or to wait for the next one.

Events are what is logged: one name, one level, fields, and a sentence. They come from any thread and have lost their
secrets before they come here; what others wrote in them is made safe to show here.
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


class EventLog:
    """Bounded: who waits too long between two looks misses the oldest, and can tell by the numbers."""

    def __init__(self, kept: int = KEPT) -> None:
        self._events: deque[EventView] = deque(maxlen=kept)
        self._lock = threading.Lock()
        self._number = 0
        self._token: trio.lowlevel.TrioToken | None = None
        self._news = trio.Event()

    def take(self, name: str, level: str, fields: Mapping[str, Any], at: float) -> EventView:
        """Keep one; ``at`` is Unix time. From any thread."""
        told = {key: value for key, value in fields.items() if value is not None and value != ""}
        shown = {key: sanitize_value(value, SENTENCE_CHARACTERS) for key, value in told.items()}
        with self._lock:
            self._number += 1
            event = EventView(
                number=self._number, at=at, level=level, name=name, text=sentence(name, shown), fields=shown
            )
            self._events.append(event)
            token = self._token
        if token is not None:
            try:
                token.run_sync_soon(self._tell, idempotent=True)
            except trio.RunFinishedError:
                self._token = None
        return event

    def newest(self, limit: int | None = None, *, after: int = 0) -> tuple[EventView, ...]:
        """The events with a number above ``after``, the newest last; at most the newest ``limit``."""
        with self._lock:
            events = tuple(event for event in self._events if event.number > after)
        return events if limit is None else events[max(0, len(events) - limit) :]

    async def wait(self, after: int) -> tuple[EventView, ...]:
        """Wait until there is an event with a number above ``after``; all of them that are kept, the newest last."""
        self._token = trio.lowlevel.current_trio_token()
        while True:
            news = self._news
            found = self.newest(after=after)
            if found:
                return found
            await news.wait()

    def _tell(self) -> None:
        self._news.set()
        self._news = trio.Event()
