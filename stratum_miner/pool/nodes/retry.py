"""Pauses between attempts to reach a node that has a temporary error, when the pool starts and while it runs."""

import math
from collections.abc import Callable

import trio

from stratum_miner.pool.nodes.base import NodeError

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 15.0
"""Seconds of the first pause and of the longest pause between two attempts to reach the node. The pause doubles after
each failed attempt."""


class NodeRetry:
    """Makes the pool wait after errors of a node. ``on_failure`` is called with the first error after a success, and
    with each error that has another reason than the error before it."""

    def __init__(self, on_failure: Callable[[NodeError], None]) -> None:
        self._on_failure = on_failure
        self._reported: str | None = None
        self._pause = FIRST_PAUSE
        self._failed_at = -math.inf

    async def pause_after(self, error: NodeError) -> None:
        """Wait before the next attempt. Raises ``error`` if it is permanent."""
        if error.permanent:
            raise error
        if trio.current_time() - self._failed_at > 2 * LONGEST_PAUSE:
            self._pause = FIRST_PAUSE
        if error.reason != self._reported:
            self._reported = error.reason
            self._on_failure(error)
        await trio.sleep(self._pause)
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
        self._failed_at = trio.current_time()

    def succeeded(self) -> bool:
        """Record a successful attempt. Return whether an error was reported since the previous success.

        If the node fails again within 30 s after the last pause, the next pause is as long as if no attempt had
        succeeded.
        """
        reported, self._reported = self._reported, None
        return reported is not None
