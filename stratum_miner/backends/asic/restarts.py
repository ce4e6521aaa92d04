"""Decides how long to wait before the next attempt to run a device, and when to give up. The caller passes the time."""

PAUSES_S = (5.0, 10.0, 30.0, 60.0)
"""Seconds to wait after the first failure, after the second one, and so on; the last value repeats
(docs/reference/asic.md#silence-and-restarts)."""
MAX_FAILURES = 10
"""Number of consecutive failures after which a device stays off. cgminer's gekko driver also allows ten
(docs/reference/asic.md#silence-and-restarts)."""
RECOVERED_AFTER_S = 300.0
"""Seconds of mining after which a device counts as recovered, and its earlier failures are forgotten. The value is an
estimate."""


class RestartPolicy:
    """Counts the failures of one device, and decides about its next restart."""

    def __init__(self) -> None:
        self._failures = 0
        self._mining_since: float | None = None

    @property
    def failures(self) -> int:
        """Number of consecutive failures."""
        return self._failures

    def started_mining(self, now: float) -> None:
        """Record that the device mines from time ``now`` (seconds) on."""
        self._mining_since = now

    def failed(self, now: float) -> float | None:
        """Count a failure. Return the seconds to wait before the next attempt, or None to give up."""
        if self._mining_since is not None and now - self._mining_since >= RECOVERED_AFTER_S:
            self._failures = 0
        self._mining_since = None
        self._failures += 1
        if self._failures >= MAX_FAILURES:
            return None
        return PAUSES_S[min(self._failures, len(PAUSES_S)) - 1]
