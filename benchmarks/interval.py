"""The statistics of all benchmarks: the median of ratios of interleaved pairs, its interval, and the verdict on it.

The interval is a 95 % confidence interval of the median by the percentile bootstrap: the values are drawn again with
replacement, ``RESAMPLES`` times, and the interval holds the middle 95 % of the medians of these samples. The drawing
starts from a fixed seed, so the same values always have the same interval.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

RESAMPLES = 1000
CONFIDENCE = 0.95
TIMES = 3.0
"""A figure fails if its ratio lies further above 1 than this many times half the length of its interval."""
FLOORS = {"processor": 0.05, "wall": 0.15}
"""The least excess of a ratio that can fail. Two processes that run the same code differ by a few percent in all their
turns, because their memory is laid out differently. The interval does not contain such a difference. Waiting for a
processor that other programs use adds more to the wall-clock time."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A median with the ends of its confidence interval."""

    median: float
    low: float
    high: float

    @property
    def half(self) -> float:
        """Half the length of the interval."""
        return (self.high - self.low) / 2


def median_interval(values: Sequence[float]) -> Interval:
    """Return the median of the values and its 95 % interval. Raises ValueError if there is no value."""
    if not values:
        raise ValueError("expected at least one value, got none")
    draw = random.Random(20).choices
    medians = sorted(median(draw(values, k=len(values))) for _ in range(RESAMPLES))
    cut = round(RESAMPLES * (1 - CONFIDENCE) / 2)
    return Interval(median(values), medians[cut], medians[-1 - cut])


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a figure became worse. ``ratio`` is the cost now, divided by the cost at the base."""

    ratio: Interval
    limit: float
    """The highest median that passes."""

    @property
    def failed(self) -> bool:
        """Whether the median of the ratios is above the limit. A figure that became better never fails."""
        return self.ratio.median > self.limit


def judge(ratios: Sequence[float], clock: str) -> Verdict:
    """Judge the ratios of the pairs of one figure. ``clock``: which time was measured, "processor" or "wall"."""
    ratio = median_interval(ratios)
    return Verdict(ratio, 1 + max(FLOORS[clock], TIMES * ratio.half))
