"""Between the miner's work source and one device: what changed, whether it is void, and a unit kept for later."""

from collections.abc import Callable

import trio

from stratum_miner.backends.asic.work_history import WorkHistory
from stratum_miner.backends.base import ASK_AGAIN_SECONDS, WorkSource
from stratum_miner.work.unit import WorkUnit


class WorkFeed:
    """Registered with a source from ``open`` to ``close``; all in the trio thread."""

    def __init__(self, source: WorkSource) -> None:
        self._source = source
        self.history: WorkHistory | None = None
        """What the device was given; void changes are noted in it at once."""
        self._kept: WorkUnit | None = None
        self._unregister: Callable[[], None] | None = None
        self.woken = trio.Event()
        """Set, and replaced by a fresh one, at each change and ``wake``: take it before you look."""

    def open(self) -> None:
        """Begin to listen for changes."""
        self._unregister = self._source.on_change(self._note)

    def close(self) -> None:
        """Listen for changes no more."""
        if self._unregister is not None:
            self._unregister()
            self._unregister = None

    def next_unit(self, rollable: int, at_once: int) -> WorkUnit | None:
        """The unit kept by ``wait_for_work``, or the source's next one."""
        unit, self._kept = self._kept, None
        return unit if unit is not None else self._source.next_unit(rollable, at_once)

    def wake(self) -> None:
        """Let whoever waits look again."""
        self.woken.set()
        self.woken = trio.Event()

    async def wait_for_work(self, rollable: int, at_once: int) -> None:
        """Until there is a unit, which is kept for the next ``next_unit``."""
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
