"""A work source for tests of backends: the test supplies its work units."""

import threading
from collections import deque
from collections.abc import Callable, Iterable

from stratum_miner.backends.base import ChangeCallback
from stratum_miner.work.unit import WorkUnit


class ScriptedWorkSource:
    """A ``WorkSource`` that returns each of the given work units once, in order, and then None.

    ``taken`` is the list of the units that were returned, ``asked`` the number of calls of ``next_unit``.
    """

    def __init__(self, units: Iterable[WorkUnit] = ()) -> None:
        self._lock = threading.Lock()
        self._units = deque(units)
        self._callbacks: list[ChangeCallback] = []
        self.taken: list[WorkUnit] = []
        self.asked = 0
        self.rolls: tuple[int, int] | None = None
        """The arguments of the last call of ``next_unit``: a mask of the version bits that the backend can roll, and
        how many of these bits it can roll at once. None before the first call."""

    def next_unit(self, rollable: int = 0, at_once: int = 32) -> WorkUnit | None:
        """Return the next unit at once, or None if no unit is left; see ``WorkSource``.

        The arguments do not change the version mask of the unit: the test must supply units that suit the backend.
        """
        with self._lock:
            self.asked += 1
            self.rolls = rollable, at_once
            if not self._units:
                return None
            unit = self._units.popleft()
            self.taken.append(unit)
            return unit

    def on_change(self, callback: ChangeCallback) -> Callable[[], None]:
        """Register a change callback (a function to call when the work changes), and return a function that removes it;
        see ``WorkSource``."""
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    @property
    def listeners(self) -> int:
        """Return the number of registered change callbacks: functions to call when the work changes."""
        return len(self._callbacks)

    def give(self, units: Iterable[WorkUnit], *, void: bool) -> None:
        """Replace the remaining work units by ``units``, and call the change callbacks (the functions that backends
        registered).

        ``void`` says whether the units that were returned before have become invalid.
        """
        self.refill(units)
        for callback in tuple(self._callbacks):
            callback(void)

    def refill(self, units: Iterable[WorkUnit]) -> None:
        """Replace the remaining work units by ``units``. Unlike ``give``, do not call the change callbacks (the
        functions that backends registered)."""
        with self._lock:
            self._units = deque(units)
