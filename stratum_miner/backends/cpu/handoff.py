"""What search threads and trio exchange: the stop word, the threads that wait for work, the queue of hits.

A search thread gives way to everything else, so it may stand still for long while it holds something. It therefore
shares no lock with trio: a byte in a socket tells of new hits, for ``TrioToken.run_sync_soon`` takes a lock that trio's
own thread and its signal handlers need.
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
"""Hits between threads and trio before threads wait."""


class Handoff:
    """Connects the threads of one backend with its trio task; made in the trio thread."""

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

    # ---- trio's side ------------------------------------------------------------------------------------------

    def note_change(self, void: bool) -> None:
        """Work changed: end all slices; on a void change also disown their hits."""
        value = self.stop_word.bump()
        if void:
            self._void_before = value
        with self._changed:
            self._changed.notify_all()

    async def forward(self, found: trio.MemorySendChannel[NonceFound]) -> None:
        """Pass hits on until cancelled. BackendError when a thread failed."""
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
                raise BackendError(f"search thread failed: {self._failure!r}") from self._failure

    def close(self) -> None:
        """Let all threads end."""
        self.closed = True
        self.note_change(True)
        self._room.release(QUEUE_SIZE)

    def close_sockets(self) -> None:
        """Only after all threads have ended."""
        self._waker.close()
        self._sleeper.close()

    # ---- the threads' side ------------------------------------------------------------------------------------

    def put(self, generation: int, hit: NonceFound) -> None:
        """Queue a hit; waits while the queue is full."""
        self._room.acquire()
        if self.closed:
            self._room.release()  # nobody takes hits out any more: pass the room on, or the next thread waits forever
            return
        self._hits.append((generation, hit))
        self._wake()

    def wait_for_change(self, expected: int, seconds: float) -> None:
        """Sleep until the stop word differs from ``expected``, at most ``seconds``."""
        with self._changed:
            self._changed.wait_for(lambda: self.closed or self.stop_word.value != expected, seconds)

    def fail(self, error: BaseException) -> None:
        """Tell trio that a thread cannot go on."""
        self._failure = error
        self._wake()

    def _wake(self) -> None:
        with suppress(BlockingIOError):  # full of bytes that wake as well
            self._waker.send(b"!")


def _is_before(generation: int, limit: int) -> bool:
    """Whether one value of the stop word is older than another, also across the wrap at 2^32."""
    return (generation - limit) & 0xFFFFFFFF >= 1 << 31
