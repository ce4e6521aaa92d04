"""The record of the work that was handed out, for several schedulers whose threads use it at the same time."""

import threading

from stratum_miner.work.versions import Versions
from stratum_miner.work.visited import Visited


class SharedVisited(Visited):
    """A ``Visited`` (the record of the headers that were given to backends) that schedulers may use from different
    threads. ``start``: first value of extranonce2 counters."""

    def __init__(self, start: int = 0) -> None:
        super().__init__(start)
        self._lock = threading.Lock()

    def known_since(self, name: bytes, size: int, now: float) -> float:
        """Do the same as ``Visited.known_since``. If another thread uses this object, this method waits until that
        thread has finished."""
        with self._lock:
            return super().known_since(name, size, now)

    def take(
        self, name: bytes, size: int, versions: Versions, rollable: int = 0, at_once: int = 32
    ) -> tuple[bytes, Versions] | None:
        """Do the same as ``Visited.take``. If another thread uses this object, this method waits until that thread
        has finished."""
        with self._lock:
            return super().take(name, size, versions, rollable, at_once)
