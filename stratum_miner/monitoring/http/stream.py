"""Sends server-sent events to browsers and other listeners: first a whole view of the miner, and then, once a second,
the changes.

While there is a listener, a new view is built once a second. The changes from one view to the next are called a step. A
step is encoded once for all listeners. Each listener receives the steps that it has not received yet, or a whole view
again if it missed too many steps. A listener that reconnects sends the id of the last log event that it received, and
gets the log events after this one.
"""

from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any

import msgspec
import trio
from starlette.types import Receive, Scope, Send

from stratum_miner.monitoring.changes import STEPS_KEPT, Changes, SnapshotChanges
from stratum_miner.monitoring.monitor import Monitor
from stratum_miner.monitoring.view import EventView

STEP_S = 1.0
"""Seconds between two views of the miner."""
MAX_LISTENERS = 16
EVENTS_AT_FIRST = 100
"""Largest number of log events that a new listener receives at first. They are the newest ones."""


class Streams:
    """Builds a new view of the miner every second, and sends the changes since the previous view to all listeners."""

    def __init__(self, monitor: Monitor, page: str) -> None:
        self._monitor = monitor
        self._page = page
        """The version of the web page that this program serves. The stream contains it, because a page of another
        version may not understand the stream."""
        self.listeners = 0
        self._due = 0.0
        self._changes = Changes()
        self._encoded = lru_cache(maxsize=STEPS_KEPT)(self._step)

    @property
    def full(self) -> bool:
        """Whether the maximum number of listeners is reached."""
        return self.listeners >= MAX_LISTENERS

    async def listen(self, last_id: str, take: Callable[[bytes], Awaitable[None]]) -> None:
        """Send the newest whole view and then all changes to one listener, until cancelled.

        ``last_id`` is the id of the last log event that the listener received before, or an empty string. ``take`` is
        called with the bytes to send to the listener.
        """
        self.listeners += 1
        try:
            self._look()
            number = self._changes.number
            await take(b"retry: 2000\n\n" + self._view() + self._missed(last_id))
            while True:
                await trio.sleep_until(self._due)
                self._look()
                steps, number = self._changes.after(number), self._changes.number
                await take(self._view() if steps is None else b"".join(map(self._encoded, steps)))
        finally:
            self.listeners -= 1

    def _look(self) -> None:
        """Build a new view, unless the last view is less than ``STEP_S`` seconds old."""
        now = trio.current_time()
        if now >= self._due:
            self._due = now + STEP_S
            self._changes.look(self._monitor.view(), self._monitor.events)

    def _view(self) -> bytes:
        return _block("view", {"number": self._changes.number, "page": self._page, "view": self._changes.whole})

    def _step(self, step: SnapshotChanges) -> bytes:
        points = b"".join(_block("point", point) for point in step.points)
        return _block("change", {"number": step.number, "change": step.change}) + points + self._events(step.events)

    def _missed(self, last_id: str) -> bytes:
        run, _, number = last_id.partition("-")
        if run == self._changes.run and number.isascii() and number.isdecimal() and len(number) <= 15:
            events = self._monitor.events.newest(after=int(number))
        else:
            events = self._monitor.events.newest(EVENTS_AT_FIRST)
        return self._events(tuple(event for event in events if event.number <= self._changes.event))

    def _events(self, events: tuple[EventView, ...]) -> bytes:
        run = self._changes.run.encode()
        return b"".join(b"id: %s-%d\n%s" % (run, event.number, _block("event", event)) for event in events)


class Stream:
    """The stream to one listener as an ASGI application."""

    def __init__(self, streams: Streams, last_id: str) -> None:
        self._streams = streams
        self._last_id = last_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream until cancelled."""
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})

        async def take(data: bytes) -> None:
            await send({"type": "http.response.body", "body": data, "more_body": True})

        await self._streams.listen(self._last_id, take)


def _block(kind: str, value: Any) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (kind.encode(), msgspec.json.encode(value))
