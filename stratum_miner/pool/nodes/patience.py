"""How long to wait for a node whose trouble passes, and when to say so: at the start and in flight alike."""

from collections.abc import Callable

import trio

from stratum_miner.pool.nodes.base import NodeError

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 15.0
"""Seconds between attempts to reach the node; doubled each time."""


class Patience:
    """Pauses between attempts. ``tell`` hears of trouble once for each change of its reason."""

    def __init__(self, tell: Callable[[NodeError], None]) -> None:
        self._tell = tell
        self._told: str | None = None
        self._pause = FIRST_PAUSE
        self._troubled_at = 0.0

    async def outwait(self, error: NodeError) -> None:
        """Pause before the next attempt. Raises ``error`` when waiting cannot help."""
        if error.permanent:
            raise error
        if trio.current_time() - self._troubled_at > 2 * LONGEST_PAUSE:
            self._pause = FIRST_PAUSE
        if error.reason != self._told:
            self._told = error.reason
            self._tell(error)
        await trio.sleep(self._pause)
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
        self._troubled_at = trio.current_time()

    def over(self) -> bool:
        """Note that the trouble is over; whether there was any. The pauses stay long for a while if it comes again."""
        told, self._told = self._told, None
        return told is not None
