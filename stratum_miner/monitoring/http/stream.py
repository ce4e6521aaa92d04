"""Server-sent events: a view of everything once a second, and each event as it happens."""

from collections.abc import AsyncIterator

import msgspec
import trio

from stratum_miner.monitoring.monitor import Monitor

VIEW_S = 1.0
MAX_LISTENERS = 16


class Streams:
    """Counts who listens, and makes each one's stream."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor
        self.listeners = 0

    @property
    def full(self) -> bool:
        """Whether there are as many as there may be."""
        return self.listeners >= MAX_LISTENERS

    async def stream(self, after: int) -> AsyncIterator[bytes]:
        """Chunks for one listener, from the event after this number on; ends only by cancellation."""
        self.listeners += 1
        try:
            yield b"retry: 2000\n\n" + self._view()
            due = trio.current_time() + VIEW_S
            while True:
                news = None
                with trio.move_on_at(due):
                    news = await self._monitor.events.wait(after)
                if news is None:
                    yield self._view()
                    due = max(due + VIEW_S, trio.current_time())
                    continue
                after = news[-1].number
                yield b"".join(
                    b"id: %d\nevent: event\ndata: %s\n\n" % (event.number, msgspec.json.encode(event)) for event in news
                )
        finally:
            self.listeners -= 1

    def _view(self) -> bytes:
        return b"event: view\ndata: %s\n\n" % msgspec.json.encode(self._monitor.view())
