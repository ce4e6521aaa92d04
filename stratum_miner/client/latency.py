"""Collects latencies in limited memory: exact quantiles of the newest ones, and a histogram of all of them."""

from collections import deque

from stratum_miner.work.durations import DurationCounts, DurationMeter
from stratum_miner.work.quantile import rank

KEPT = 1000
"""The newest latencies are kept, at most this number of them. Older latencies say little about how fast the pool is
now."""


class Latencies:
    """Collects latencies in seconds."""

    def __init__(self) -> None:
        self._values: deque[float] = deque(maxlen=KEPT)
        self._all = DurationMeter()

    def add(self, seconds: float) -> None:
        """Add one latency."""
        self._values.append(seconds)
        self._all.add(seconds)

    def quantile(self, fraction: float) -> float | None:
        """Return a quantile: the latency, in seconds, that the given fraction of the kept latencies do not exceed.

        ``fraction``: from 0 to 1. Returns None before the first latency.
        """
        return sorted(self._values)[rank(fraction, len(self._values)) - 1] if self._values else None

    @property
    def counts(self) -> DurationCounts:
        """The histogram of all latencies of the run."""
        return self._all.counts
