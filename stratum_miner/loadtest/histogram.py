"""Durations counted in buckets: fixed memory, a known error, and sums of histograms that lose nothing.

The layout is that of HdrHistogram (Gil Tene): linear below 256 microseconds, then 128 buckets for each doubling, so
a quantile is at most 1/128 above the truth, and never below it. It is ours because this is a tool for measuring: the
maintained port for Python (hdrhistogram 0.10) takes five times as long to record a value, 1.4 microseconds at the very
moment that is being measured, and brings setuptools along.
"""

import math
from array import array
from collections.abc import Iterable, Sequence

from stratum_miner.work.quantile import rank

SUB_BUCKETS = 128
"""Buckets for each doubling: 7 bits of precision."""
MAX_MICROSECONDS = (1 << 32) - 1
"""71 minutes; longer ones are counted as this."""
BUCKETS = (MAX_MICROSECONDS.bit_length() - 8) * SUB_BUCKETS + 2 * SUB_BUCKETS


class Histogram:
    """Add seconds, ask for quantiles in seconds. Negative durations count as none: two clocks read in a row."""

    __slots__ = ("_counts", "count", "maximum", "minimum", "total")

    def __init__(self) -> None:
        self.count = 0
        self.total = 0.0
        """Sum of everything added, seconds."""
        self.minimum = math.inf
        self.maximum = 0.0
        """Exact, seconds."""
        self._counts = array("Q", bytes(8 * BUCKETS))

    def add(self, seconds: float) -> None:
        """Count one. Comparisons, for min and max take as long as all the rest."""
        if seconds < 0:
            seconds = 0.0
        value = int(seconds * 1e6)
        if value > MAX_MICROSECONDS:  # noqa: PLR1730  see above
            value = MAX_MICROSECONDS
        shift = value.bit_length() - 8
        self._counts[value if shift <= 0 else shift * SUB_BUCKETS + (value >> shift)] += 1
        self.count += 1
        self.total += seconds
        if seconds > self.maximum:  # noqa: PLR1730  see above
            self.maximum = seconds
        if seconds < self.minimum:  # noqa: PLR1730  see above
            self.minimum = seconds

    @property
    def mean(self) -> float | None:
        """None before the first."""
        return self.total / self.count if self.count else None

    def quantile(self, share: float) -> float | None:
        """The end of the bucket below which at least this share of all lies, at most the maximum; None before the
        first. ``share`` is 0 to 1.
        """
        return self.quantiles((share,))[0]

    def quantiles(self, shares: Sequence[float]) -> list[float | None]:
        """Several at once, ascending, in one walk."""
        if not self.count:
            return [None] * len(shares)
        found: list[float | None] = []
        ranks = [rank(share, self.count) for share in shares]
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
        """Add everything that another one counted."""
        for index, count in enumerate(other._counts):
            if count:
                self._counts[index] += count
        self.count += other.count
        self.total += other.total
        self.minimum = min(self.minimum, other.minimum)
        self.maximum = max(self.maximum, other.maximum)

    def cells(self) -> list[tuple[int, int]]:
        """The buckets that are not empty, as index and count: what ``restore`` takes."""
        return [(index, count) for index, count in enumerate(self._counts) if count]

    @classmethod
    def restore(cls, cells: Iterable[tuple[int, int]], *, total: float, minimum: float, maximum: float) -> "Histogram":
        """One that was sent elsewhere as numbers. ValueError when an index is none of ours."""
        restored = cls()
        for index, count in cells:
            if not 0 <= index < BUCKETS or count < 0:
                raise ValueError(
                    f"histogram: expected buckets 0 to {BUCKETS - 1} and counts from 0, got {index, count}"
                )
            restored._counts[index] += count
            restored.count += count
        if restored.count:
            restored.total, restored.minimum, restored.maximum = total, minimum, maximum
        return restored

    def curve(self, points: Sequence[float]) -> list[float]:
        """Quantiles for a plot, in seconds; zeros before the first value."""
        return [value or 0.0 for value in self.quantiles(points)]


def _end_of(index: int) -> float:
    """The largest duration that falls into a bucket, seconds."""
    if index < 2 * SUB_BUCKETS:
        return (index + 1) / 1e6
    shift = index // SUB_BUCKETS - 1
    return ((index - shift * SUB_BUCKETS + 1) << shift) / 1e6
