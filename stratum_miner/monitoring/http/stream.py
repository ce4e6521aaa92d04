"""Server-sent events: a view of the miner, and each second what has changed.

All listeners get the same bytes: the miner is looked at once a second while anybody listens, what is new since the look
before becomes one numbered step, and a listener gets the steps that it has not had. One that comes, or that is further
behind than the steps that are kept, gets a whole view. Events and points of the history are not in a view: each comes
once, as it happens, and a listener that comes back says which event it had last.
"""

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import trio
from starlette.types import Receive, Scope, Send

from stratum_miner.monitoring.http.difference import difference
from stratum_miner.monitoring.monitor import Monitor
from stratum_miner.monitoring.view import EventView, Point, View

STEP_S = 1.0
MAX_LISTENERS = 16
STEPS_KEPT = 30
"""For listeners that are behind for a moment; a view costs as much as ten to thirty steps."""
EVENTS_AT_FIRST = 100
DIGITS = 4
"""Of numbers that are not whole: as many as people are shown. More would change with each look."""

LONGEST_WHOLE = 1e15
"""From here on a number is shorter with an exponent than as a whole one."""


class Streams:
    """Looks at the miner for all who listen."""

    def __init__(self, monitor: Monitor, page: str) -> None:
        self._monitor = monitor
        self._page = page
        """The version of the page that fits what is told here."""
        self.listeners = 0
        self._due = 0.0
        self._number = 0
        """Of the newest step."""
        self._steps: deque[bytes] = deque(maxlen=STEPS_KEPT)
        self._run = ""
        """What no other run of the miner has: events of another run have the same numbers."""
        self._told: dict[str, Any] = {}
        self._shares = Numbered()
        self._blocks = Numbered()
        self._points = Numbered()
        self._event = 0
        """The number of the newest event that is told."""

    @property
    def full(self) -> bool:
        """Whether there are as many as there may be."""
        return self.listeners >= MAX_LISTENERS

    async def listen(self, last_id: str, take: Callable[[bytes], Awaitable[None]]) -> None:
        """Give one listener everything, from the event after this id on, until cancelled."""
        self.listeners += 1
        try:
            self._look()
            number = self._number
            await take(b"retry: 2000\n\n" + self._view() + self._missed(last_id))
            while True:
                await trio.sleep_until(self._due)
                self._look()
                behind, number = self._number - number, self._number
                if behind > len(self._steps):
                    await take(self._view())
                else:
                    await take(b"".join(list(self._steps)[len(self._steps) - behind :]))
        finally:
            self.listeners -= 1

    def _look(self) -> None:
        """See what is new, unless that was done less than a second ago."""
        now = trio.current_time()
        if now < self._due:
            return
        self._due = now + STEP_S
        view = self._monitor.view()
        self._run = f"{view.summary.started_at * 1000:.0f}"
        before, self._told = self._told, self._shown(view)
        points = self._points.take(view.history)
        events = self._monitor.events.newest(after=self._event)
        self._event = max((event.number for event in events), default=self._event)
        self._number += 1
        if before:
            step = {"number": self._number, "change": difference(before, self._told) or {}}
            self._steps.append(_block("change", step) + b"".join(map(_point, points)) + self._events(events))

    def _shown(self, view: View) -> dict[str, Any]:
        """A view as it is told: what has an id is in an object by its id, so that differences are small."""
        self._shares.take(view.shares)
        self._blocks.take(view.blocks)
        told = {
            "at": view.at,
            "summary": msgspec.to_builtins(view.summary),
            "pools": {str(pool.id): msgspec.to_builtins(pool) for pool in view.pools},
            "devices": {str(device.id): msgspec.to_builtins(device) for device in view.devices},
            "shares": {str(number): msgspec.to_builtins(share) for number, share in self._shares.items()},
            "blocks": {str(number): msgspec.to_builtins(block) for number, block in self._blocks.items()},
        }
        return {name: _rounded(name, value) for name, value in told.items()}

    def _view(self) -> bytes:
        return _block("view", {"number": self._number, "page": self._page, "view": self._told})

    def _missed(self, last_id: str) -> bytes:
        run, _, number = last_id.partition("-")
        if run == self._run and number.isascii() and number.isdecimal() and len(number) <= 15:
            events = self._monitor.events.newest(after=int(number))
        else:
            events = self._monitor.events.newest(EVENTS_AT_FIRST)
        return self._events(tuple(event for event in events if event.number <= self._event))

    def _events(self, events: tuple[EventView, ...]) -> bytes:
        return b"".join(b"id: %s-%d\n%s" % (self._run.encode(), it.number, _block("event", it)) for it in events)


class Stream:
    """The answer to one listener, as an ASGI application."""

    def __init__(self, streams: Streams, last_id: str) -> None:
        self._streams = streams
        self._last_id = last_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer until cancelled."""
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})

        async def take(data: bytes) -> None:
            await send({"type": "http.response.body", "body": data, "more_body": True})

        await self._streams.listen(self._last_id, take)


class Numbered:
    """Numbers for the entries of a list that grows at its end and loses at its start."""

    def __init__(self) -> None:
        self._entries: tuple[Any, ...] = ()
        self._first = 0

    def take(self, entries: tuple[Any, ...]) -> tuple[Any, ...]:
        """The list as it is now; the entries that are new in it."""
        before = self._entries
        lost = before.index(entries[0]) if entries and entries[0] in before else len(before)
        self._entries, self._first = entries, self._first + lost
        return entries[len(before) - lost :]

    def items(self) -> list[tuple[int, Any]]:
        """Each entry with its number."""
        return list(enumerate(self._entries, self._first))


def _block(kind: str, value: Any) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (kind.encode(), msgspec.json.encode(value))


def _point(point: Point) -> bytes:
    return _block("point", _rounded("", msgspec.to_builtins(point)))


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
