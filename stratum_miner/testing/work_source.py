"""A WorkSource that a test fills by hand."""

import threading
from collections import deque
from collections.abc import Callable, Iterable

from stratum_miner.backends.base import ChangeCallback
from stratum_miner.work.unit import WorkUnit


class ScriptedWorkSource:
    """Hands out the given units, each once, in order; then None. Counts the questions."""

    def __init__(self, units: Iterable[WorkUnit] = ()) -> None:
        self._lock = threading.Lock()
        self._units = deque(units)
        self._callbacks: list[ChangeCallback] = []
        self.taken: list[WorkUnit] = []
        self.asked = 0
        self.rolls: tuple[int, int] | None = None
        """The version bits that the backend last said it can roll, and how many of them at once."""

    def next_unit(self, rollable: int = 0, at_once: int = 32) -> WorkUnit | None:
        """The next unit; see ``WorkSource``. The test sees to it that the mask suits the backend."""
        with self._lock:
            self.asked += 1
            self.rolls = rollable, at_once
            if not self._units:
                return None
            unit = self._units.popleft()
            self.taken.append(unit)
            return unit

    def on_change(self, callback: ChangeCallback) -> Callable[[], None]:
        """Register; see ``WorkSource``."""
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    @property
    def listeners(self) -> int:
        """How many callbacks are registered."""
        return len(self._callbacks)

    def give(self, units: Iterable[WorkUnit], *, void: bool) -> None:
        """Replace what is left by these units and announce the change."""
        self.refill(units)
        for callback in tuple(self._callbacks):
            callback(void)

    def refill(self, units: Iterable[WorkUnit]) -> None:
        """Replace what is left by these units, as time does, without a word."""
        with self._lock:
            self._units = deque(units)
