"""Connects the search threads with the trio task: by a *stop word* (a number whose change ends all searches), by a
condition variable on which idle threads wait, and by a queue of hits (nonces that meet the target).

A search thread has a low priority, so the system sometimes stops it for a long time, even while it holds a lock. It
therefore shares no lock with trio. To announce new hits, it sends a byte through a socket.
``TrioToken.run_sync_soon`` is not used, because it takes a lock that trio's own thread and its signal handlers need.
"""

import socket
import threading
from collections import deque
from contextlib import suppress

import trio

from stratum_miner.backends.base import BackendError, WorkSource
from stratum_miner.backends.cpu import kernels
from stratum_miner.work.unit import NonceFound

QUEUE_SIZE = 1024
"""Largest number of hits (nonces that meet the target) in the queue. While the queue is full, a search thread that
finds a further hit waits."""


class Handoff:
    """Connects the search threads of one backend with its trio task. Create it in the trio thread."""

    def __init__(self, source: WorkSource) -> None:
        self.source = source
        self.stop_word = kernels.StopWord()
        self.closed = False
        self._waker, self._sleeper = socket.socketpair()
        self._waker.setblocking(False)
        self._sleeper.setblocking(False)
        self._changed = threading.Condition()
        self._room = threading.Semaphore(QUEUE_SIZE)
        self._hits: deque[tuple[int, NonceFound]] = deque()
        self._void_before = 0
        self._failure: BaseException | None = None

    # ---- called in the trio thread ----------------------------------------------------------------------------

    def note_change(self, void: bool) -> None:
        """Make all searches stop, because work has changed. If ``void``, also make ``forward`` drop the hits (nonces
        that meet the target) of earlier work that are still in the queue."""
        value = self.stop_word.bump()
        if void:
            self._void_before = value
        with self._changed:
            self._changed.notify_all()

    async def forward(self, found: trio.MemorySendChannel[NonceFound]) -> None:
        """Send the hits (nonces that meet the target) in the queue to ``found`` until cancelled. Raises BackendError if
        a search thread failed."""
        while True:
            await trio.lowlevel.wait_readable(self._sleeper)
            with suppress(BlockingIOError):
                self._sleeper.recv(QUEUE_SIZE)
            while self._hits:
                generation, hit = self._hits.popleft()
                self._room.release()
                if not _is_before(generation, self._void_before):
                    await found.send(hit)
            if self._failure is not None:
                raise BackendError(f"a search thread failed: {self._failure!r}") from self._failure

    def close(self) -> None:
        """Make all search threads end."""
        self.closed = True
        self.note_change(True)
        self._room.release(QUEUE_SIZE)

    def close_sockets(self) -> None:
        """Close the sockets. Call it only after all search threads have ended."""
        self._waker.close()
        self._sleeper.close()

    # ---- called in the search threads -------------------------------------------------------------------------

    def put(self, generation: int, hit: NonceFound) -> None:
        """Put a hit (a nonce that meets the target) into the queue; if the queue is full, wait. After ``close``, drop
        the hit. ``generation`` is the value that the stop word had when the search began."""
        self._room.acquire()
        if self.closed:
            self._room.release()  # nothing empties the queue after ``close``: let the next waiting thread continue, too
            return
        self._hits.append((generation, hit))
        self._wake()

    def wait_for_change(self, expected: int, seconds: float) -> None:
        """Wait until the stop word (the number whose change ends all searches) differs from ``expected`` or ``close``
        is called, for at most ``seconds``."""
        with self._changed:
            self._changed.wait_for(lambda: self.closed or self.stop_word.value != expected, seconds)

    def fail(self, error: BaseException) -> None:
        """Report to the trio task that a search thread cannot continue."""
        self._failure = error
        self._wake()

    def _wake(self) -> None:
        with suppress(BlockingIOError):  # if the socket is full, the bytes in it wake trio anyway
            self._waker.send(b"!")


def _is_before(generation: int, limit: int) -> bool:
    """Return whether the stop word (the number whose change ends all searches) had the value ``generation`` before it
    had the value ``limit``. The stop word counts up, and continues with 0 after 2^32 - 1."""
    return (generation - limit) & 0xFFFFFFFF >= 1 << 31
