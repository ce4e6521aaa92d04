"""A queue of bytes that wait to be sent to one miner. Its size is limited, so that a miner that does not read takes a
limited amount of memory and does not delay other miners.
"""

import trio

from stratum_miner.network.fair_bound import FairBound

MAX_UNSENT = 256 << 20
"""Maximum number of bytes that may wait in the queues of all miners of a pool or proxy together. One job for each of
ten thousand miners takes 25 MB."""


class QueueFullError(Exception):
    """More bytes would wait for a miner than the limit allows, because the miner does not read."""


class SendQueue:
    """A queue of bytes that any number of callers fill and one writer task empties. Adding bytes never waits.

    At most ``max_bytes`` may wait in this queue. ``bound`` limits the bytes in all queues together.
    """

    def __init__(self, max_bytes: int, bound: FairBound) -> None:
        self._max_bytes = max_bytes
        self._bound = bound
        self._taken = 0
        """Number of bytes that the writer has taken out of the queue and may still be sending."""
        self._waiting: list[bytes] = []
        self._size = 0
        self._closed = False
        self._asleep = False
        self._wakeup = trio.Event()

    @property
    def idle(self) -> bool:
        """Whether no bytes wait and the writer is sending nothing. Bytes may then be written to the socket directly,
        without this queue."""
        return self._asleep and not self._waiting and not self._closed

    @property
    def size(self) -> int:
        """Number of bytes that wait in the queue. Bytes that the writer has taken out are not counted."""
        return self._size

    def put_nowait(self, data: bytes) -> None:
        """Append bytes. Raises QueueFullError, and appends nothing, if a limit would be exceeded."""
        if self._closed or not data:
            return
        if self._size + len(data) > self._max_bytes:
            raise QueueFullError(f"expected at most {self._max_bytes} bytes to wait, got {self._size + len(data)}")
        if not self._bound.has_room(self._taken + self._size, len(data)):
            wanted = self._taken + self._size + len(data)
            raise QueueFullError(
                f"expected at most {self._bound.limit} bytes to wait for all miners together, for this miner at most "
                f"the {self._bound.limit - self._bound.used} bytes that are free, got {wanted}"
            )
        self._waiting.append(data)
        self._size += len(data)
        self._bound.used += len(data)
        self._wakeup.set()

    def discard(self) -> None:
        """Close the queue and drop the bytes that wait, because the connection is closed."""
        self.close()
        self._bound.used -= self._taken + self._size
        self._waiting.clear()
        self._taken = self._size = 0

    def close(self) -> None:
        """Accept no more bytes. The writer can still take the bytes that wait."""
        self._closed = True
        self._wakeup.set()

    async def get(self) -> bytes | None:
        """Wait until the queue has bytes, then take and return all of them. Return None if the queue is closed and
        empty.

        By calling ``get`` again, the writer also reports that it has sent the bytes of the previous call.
        """
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
