"""Counts durations in fixed buckets, as a Prometheus histogram needs them.

The buckets fit the time between a share and its answer. A pool on the same computer answers within 0.1 ms
(docs/measured/benchmarks.md), a pool in the local network within 1 ms, a pool on the internet within 10 to 300 ms,
and a busy pool within seconds. After 60 s the client stops waiting and reconnects (``client.settings.Timeouts``). The
buckets are always the same, so that the counts of several pools and programs can be added.
"""

from bisect import bisect_left
from dataclasses import dataclass

BOUNDS_S = (
    *(0.0001, 0.00025, 0.0005),
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)
"""Inclusive upper bounds of the buckets in seconds. One further bucket holds everything that took longer."""


@dataclass(frozen=True, slots=True)
class DurationCounts:
    """The number of durations in each bucket."""

    counts: tuple[int, ...]
    """The number of durations in each bucket: one number for each of ``BOUNDS_S``, and one for all longer durations."""
    total_s: float
    """Sum of all durations in seconds."""
    bounds_s: tuple[float, ...] = BOUNDS_S

    @property
    def count(self) -> int:
        """Number of all durations."""
        return sum(self.counts)


NO_DURATIONS = DurationCounts((0,) * (len(BOUNDS_S) + 1), 0.0)


class DurationMeter:
    """Counts durations. Its counts never decrease."""

    __slots__ = ("_counts", "_total_s")

    def __init__(self) -> None:
        self._counts = list(NO_DURATIONS.counts)
        self._total_s = 0.0

    def add(self, seconds: float) -> None:
        """Count one duration."""
        self._counts[bisect_left(BOUNDS_S, seconds)] += 1
        self._total_s += seconds

    @property
    def counts(self) -> DurationCounts:
        """The counts of all durations so far."""
        return DurationCounts(tuple(self._counts), self._total_s)
