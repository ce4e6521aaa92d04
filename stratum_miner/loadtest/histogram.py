"""A histogram of durations. Its size is fixed, the error of its quantiles is bounded, and two histograms can be merged
without loss of precision.

The layout is that of HdrHistogram by Gil Tene: buckets of 1 µs below 256 µs, then 128 buckets for each doubling. A
computed quantile is therefore never below the exact quantile. Below 256 µs, it exceeds the exact quantile by at most 1
µs. From 256 µs on, it exceeds the exact quantile by at most 1/128 of the exact quantile.

The Python package hdrhistogram 0.10 is not used, because it takes 1.4 µs to record a value, five times as long as this
module. That would delay the loop of the load generator, and so add to the latencies that the loop measures. The package
also depends on setuptools.
"""

import math
from array import array
from collections.abc import Iterable, Sequence

from stratum_miner.work.quantile import rank

SUB_BUCKETS = 128
"""Number of buckets for each doubling, which gives 7 bits of precision."""
MAX_MICROSECONDS = (1 << 32) - 1
"""Longest duration in µs that a bucket can represent, 71 minutes. A longer duration is counted in the last bucket."""
BUCKETS = (MAX_MICROSECONDS.bit_length() - 8) * SUB_BUCKETS + 2 * SUB_BUCKETS


class Histogram:
    """Counts durations in seconds and returns quantiles in seconds. A negative duration counts as 0."""

    __slots__ = ("_counts", "count", "maximum", "minimum", "total")

    def __init__(self) -> None:
        self.count = 0
        self.total = 0.0
        """Sum of all durations in seconds."""
        self.minimum = math.inf
        self.maximum = 0.0
        """The longest duration in seconds, not rounded to a bucket."""
        self._counts = array("Q", bytes(8 * BUCKETS))

    def add(self, seconds: float) -> None:
        """Add a duration in seconds. This method does not call min() and max(), because that would double its
        running time."""
        if seconds < 0:
            seconds = 0.0
        value = int(seconds * 1e6)
        if value > MAX_MICROSECONDS:  # noqa: PLR1730  faster than a call
            value = MAX_MICROSECONDS
        shift = value.bit_length() - 8
        self._counts[value if shift <= 0 else shift * SUB_BUCKETS + (value >> shift)] += 1
        self.count += 1
        self.total += seconds
        if seconds > self.maximum:  # noqa: PLR1730  faster than a call
            self.maximum = seconds
        if seconds < self.minimum:  # noqa: PLR1730  faster than a call
            self.minimum = seconds

    @property
    def mean(self) -> float | None:
        """Mean duration in seconds; None if the histogram is empty."""
        return self.total / self.count if self.count else None

    def quantile(self, fraction: float) -> float | None:
        """Return a quantile of the durations, in seconds. ``fraction`` is from 0 to 1: with 0.99, 99 % of the durations
        are at most as long as the result.

        The result is the upper end of a bucket, or the longest duration if that is shorter. It is None if the histogram
        is empty.
        """
        return self.quantiles((fraction,))[0]

    def quantiles(self, fractions: Sequence[float]) -> list[float | None]:
        """Return the quantiles, in seconds, of several fractions in ascending order. One pass finds all of them."""
        if not self.count:
            return [None] * len(fractions)
        found: list[float | None] = []
        ranks = [rank(fraction, self.count) for fraction in fractions]
        below = 0
        for index, count in enumerate(self._counts):
            if not count:
                continue
            below += count
            while len(found) < len(ranks) and below >= ranks[len(found)]:
                found.append(min(_end_of(index), self.maximum))
            if len(found) == len(ranks):
                break
        return found

    def merge(self, other: "Histogram") -> None:
        """Add all durations of another histogram."""
        for index, count in enumerate(other._counts):
            if count:
                self._counts[index] += count
        self.count += other.count
        self.total += other.total
        self.minimum = min(self.minimum, other.minimum)
        self.maximum = max(self.maximum, other.maximum)

    def cells(self) -> list[tuple[int, int]]:
        """Return the index and the count of each bucket that is not empty, for ``restore``."""
        return [(index, count) for index, count in enumerate(self._counts) if count]

    @classmethod
    def restore(cls, cells: Iterable[tuple[int, int]], *, total: float, minimum: float, maximum: float) -> "Histogram":
        """Return the histogram that has these ``cells`` (see the method ``cells``). The sum ``total``, the minimum and
        the maximum of its durations are in seconds.

        Raises ValueError if a cell has an index out of range or a negative count.
        """
        restored = cls()
        for index, count in cells:
            if not 0 <= index < BUCKETS or count < 0:
                raise ValueError(
                    f"histogram: expected bucket 0 to {BUCKETS - 1} and a count from 0, got bucket {index} with count "
                    f"{count}"
                )
            restored._counts[index] += count
            restored.count += count
        if restored.count:
            restored.total, restored.minimum, restored.maximum = total, minimum, maximum
        return restored

    def curve(self, points: Sequence[float]) -> list[float]:
        """Return the quantiles in seconds, for a plot. ``points`` are their fractions in ascending order. All quantiles
        are 0 if the histogram is empty."""
        return [value or 0.0 for value in self.quantiles(points)]


def _end_of(index: int) -> float:
    """Return the longest duration in seconds that belongs to a bucket."""
    if index < 2 * SUB_BUCKETS:
        return (index + 1) / 1e6
    shift = index // SUB_BUCKETS - 1
    return ((index - shift * SUB_BUCKETS + 1) << shift) / 1e6
