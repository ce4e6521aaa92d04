"""Latencies: quantiles of the newest in bounded memory, exact over what is kept, and all of them in buckets."""

from collections import deque

from stratum_miner.work.durations import DurationCounts, DurationMeter
from stratum_miner.work.quantile import rank

KEPT = 1000
"""Newest ones; older replies say little of a pool today."""


class Latencies:
    """Add seconds, ask for quantiles and for counts."""

    def __init__(self) -> None:
        self._values: deque[float] = deque(maxlen=KEPT)
        self._all = DurationMeter()

    def add(self, seconds: float) -> None:
        """Note one."""
        self._values.append(seconds)
        self._all.add(seconds)

    def quantile(self, share: float) -> float | None:
        """The smallest that at least this share of them do not exceed; None before the first."""
        return sorted(self._values)[rank(share, len(self._values)) - 1] if self._values else None

    @property
    def counts(self) -> DurationCounts:
        """How many there were of each length, over the whole run."""
        return self._all.counts
