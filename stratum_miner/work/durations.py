"""Durations counted in fixed buckets, for as long as a process runs: what a Prometheus histogram is made of.

The bounds serve every wait of a share for its answer. A pool on the same machine answers in 0.1 ms (docs/proxy.md), one
on the same network in 1 ms, one on the internet in 10 to 300 ms, and a busy one in seconds; after 60 s our client gives
the answer up (``client.settings.Timeouts``). All have the same bounds, so that sums over pools and programs are sums.
"""

from bisect import bisect_left
from dataclasses import dataclass

BOUNDS_S = (
    *(0.0001, 0.00025, 0.0005),
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)
"""Upper bounds of the buckets, included, in seconds; a last bucket has what took longer."""


@dataclass(frozen=True, slots=True)
class DurationCounts:
    """How many durations fell into each bucket."""

    counts: tuple[int, ...]
    """One for each of ``BOUNDS_S``, and one for what took longer; each duration is in one of them."""
    total_s: float
    """Sum of all durations in seconds."""
    bounds_s: tuple[float, ...] = BOUNDS_S

    @property
    def count(self) -> int:
        """How many there were."""
        return sum(self.counts)


NO_DURATIONS = DurationCounts((0,) * (len(BOUNDS_S) + 1), 0.0)


class DurationMeter:
    """Add durations; ``counts`` only grow."""

    __slots__ = ("_counts", "_total_s")

    def __init__(self) -> None:
        self._counts = list(NO_DURATIONS.counts)
        self._total_s = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self._counts[bisect_left(BOUNDS_S, seconds)] += 1
        self._total_s += seconds

    @property
    def counts(self) -> DurationCounts:
        """The counts of all durations so far."""
        return DurationCounts(tuple(self._counts), self._total_s)
