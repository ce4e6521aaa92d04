"""Passes work from the miner's work source to one device, and wakes the device's tasks when the work changes."""

from collections.abc import Callable

import trio

from stratum_miner.backends.asic.work_history import WorkHistory
from stratum_miner.backends.base import ASK_AGAIN_SECONDS, WorkSource
from stratum_miner.work.unit import WorkUnit


class WorkFeed:
    """Takes work for one device. Between ``open`` and ``close``, the source tells it about changes of work. Use it in
    the trio thread."""

    def __init__(self, source: WorkSource) -> None:
        self._source = source
        self.history: WorkHistory | None = None
        """The work that the device has got in this mining run; None outside of a mining run. When the work becomes
        void, the feed marks it as void here at once."""
        self._kept: WorkUnit | None = None
        self._unregister: Callable[[], None] | None = None
        self.woken = trio.Event()
        """At each change of work, and by ``wake``, this event is set and then replaced by a new one. To miss no change,
        read this attribute before you ask for work, and wait for the event that you read."""

    def open(self) -> None:
        """Register for changes of work."""
        self._unregister = self._source.on_change(self._note)

    def close(self) -> None:
        """Unregister from changes of work."""
        if self._unregister is not None:
            self._unregister()
            self._unregister = None

    def next_unit(self, rollable: int, at_once: int) -> WorkUnit | None:
        """Return the unit for which ``wait_for_work`` waited, or otherwise the next unit of the source; None if the
        source has no work now. Does not wait. ``WorkSource.next_unit`` explains the arguments."""
        unit, self._kept = self._kept, None
        return unit if unit is not None else self._source.next_unit(rollable, at_once)

    def wake(self) -> None:
        """Set the event ``woken``, so that tasks that wait for it continue."""
        self.woken.set()
        self.woken = trio.Event()

    async def wait_for_work(self, rollable: int, at_once: int) -> None:
        """Wait until the source has a work unit. The next call of ``next_unit`` returns this unit, unless it becomes
        void before that call."""
        while self._kept is None:
            woken = self.woken
            self._kept = self._source.next_unit(rollable, at_once)
            if self._kept is None:
                with trio.move_on_after(ASK_AGAIN_SECONDS):
                    await woken.wait()

    def _note(self, void: bool) -> None:
        if void:
            self._kept = None
            if self.history is not None:
                self.history.mark_void()
        self.wake()
