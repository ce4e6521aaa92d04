"""Bytes on their way to one client: bounded, so that a client that does not read costs a bounded amount of memory
and nobody else's time.
"""

import trio

from stratum_miner.network.fair_bound import FairBound

MAX_UNSENT = 256 << 20
"""Bytes on their way to all clients of a pool or proxy; ten thousand that a job waits for have 25 MB."""


class QueueFullError(Exception):
    """The client does not read: more waits for it than the limit allows."""


class SendQueue:
    """One writer takes what any number of callers put; putting never waits. ``bound`` is for all queues together."""

    def __init__(self, max_bytes: int, bound: FairBound) -> None:
        self._max_bytes = max_bytes
        self._bound = bound
        self._taken = 0
        """Bytes in the writer's hands."""
        self._waiting: list[bytes] = []
        self._size = 0
        self._closed = False
        self._asleep = False
        self._wakeup = trio.Event()

    @property
    def idle(self) -> bool:
        """Whether the writer has nothing to do and nothing is on its way: then whoever has bytes may send them."""
        return self._asleep and not self._waiting and not self._closed

    @property
    def size(self) -> int:
        """Bytes waiting, those in the writer's hands not counted."""
        return self._size

    def put_nowait(self, data: bytes) -> None:
        """Append bytes. QueueFullError when that exceeds the limit; nothing is dropped from the middle of a line."""
        if self._closed or not data:
            return
        if self._size + len(data) > self._max_bytes:
            raise QueueFullError(f"expected at most {self._max_bytes} bytes to wait, got {self._size + len(data)}")
        if not self._bound.has_room(self._taken + self._size, len(data)):
            raise QueueFullError(f"expected at most {self._bound.limit} bytes to wait for all clients")
        self._waiting.append(data)
        self._size += len(data)
        self._bound.used += len(data)
        self._wakeup.set()

    def discard(self) -> None:
        """Take no more and forget what waits: the client is gone."""
        self.close()
        self._bound.used -= self._taken + self._size
        self._waiting.clear()
        self._taken = self._size = 0

    def close(self) -> None:
        """Take no more; the writer ends once it has taken what waits."""
        self._closed = True
        self._wakeup.set()

    async def get(self) -> bytes | None:
        """Everything that waits, as soon as there is something; None at the end. What was taken before is sent."""
        self._bound.used -= self._taken
        self._taken = 0
        while not self._waiting:
            if self._closed:
                return None
            self._wakeup = trio.Event()
            self._asleep = True
            try:
                await self._wakeup.wait()
            finally:
                self._asleep = False
        data = b"".join(self._waiting)
        self._waiting.clear()
        self._taken, self._size = self._size, 0
        return data
