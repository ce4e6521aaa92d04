"""Calls the ``on_event`` function of a pool or a proxy, in such a way that an exception in ``on_event`` never loses a
share or a block."""

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from stratum_miner.callbacks import check_on_event

E = TypeVar("E")


class EventReporter(Generic[E]):
    """Passes events to ``on_event`` in the order in which they were added.

    The owner of this object, a pool or a proxy, adds an event when something happens. It calls ``deliver`` only after
    it has handled what happened: a share is answered, and a block is being submitted to the node, before ``on_event``
    runs. If ``on_event`` raises an exception, this object keeps it, delivers no further event, and calls ``stop``, so
    that the owner stops gracefully. The owner then calls ``raise_error``, which raises the exception.

    Raises TypeError if ``on_event`` is a coroutine function.
    """

    def __init__(self, on_event: Callable[[E], None] | None, stop: Callable[[], None]) -> None:
        check_on_event(on_event)
        self._on_event = on_event
        self._stop = stop
        self._waiting: deque[E] = deque()
        self._error: BaseException | None = None

    def add(self, event: E) -> None:
        """Add an event. The next ``deliver`` passes it to ``on_event``."""
        if self._on_event is not None:
            self._waiting.append(event)

    def deliver(self) -> None:
        """Call ``on_event`` with each event that waits. An exception of ``on_event`` is kept, not raised."""
        while self._waiting and self._on_event is not None:
            try:
                self._on_event(self._waiting.popleft())
            except BaseException as error:  # not only ``Exception``, because ``pytest.fail`` raises a BaseException
                self._error = error
                self._on_event = None
                self._waiting.clear()
                self._stop()

    def raise_error(self) -> None:
        """Raise the exception that ``on_event`` raised, if it raised one."""
        if self._error is not None:
            raise self._error
