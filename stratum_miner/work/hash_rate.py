"""Computes hash rates over sliding windows from a counter of hashes. This module reads no clock: time is an
argument."""

import math
from bisect import bisect_right
from collections import deque

WINDOWS = (5.0, 60.0, 900.0)
"""Lengths of the windows in seconds. Other mining programs use the same windows: 5 s, 1 min, 15 min."""
RESOLUTION = 0.5
"""Default resolution in seconds. A sample is kept if the samples before and after it are at least this far apart. So
the longest window has at most 3,600 samples."""


class HashRateMeter:
    """Samples a counter of hashes and computes its rate over any window up to the longest.

    Call ``sample`` at regular times. Reading a rate changes nothing, so any number of readers get the same rates.
    """

    def __init__(self, started: float, longest_window: float = max(WINDOWS), *, resolution: float = RESOLUTION) -> None:
        self._longest = longest_window
        self._resolution = resolution
        self._samples: deque[tuple[float, int]] = deque([(started, 0)])
        self._started = started

    def sample(self, now: float, hashes: int) -> None:
        """Record the value of the counter at ``now`` (seconds). ``now`` must not decrease."""
        samples = self._samples
        if len(samples) >= 2 and now - samples[-2][0] < self._resolution:
            samples.pop()
        samples.append((now, hashes))
        while samples[1][0] <= now - self._longest:
            samples.popleft()

    def rate(self, window: float) -> float:
        """Return the hashes per second over the last ``window`` seconds, or over the time since the start if the start
        is less than ``window`` seconds ago."""
        return self.rate_at(*self._samples[-1], window)

    def rate_at(self, now: float, hashes: int, window: float) -> float:
        """Return the rate that ``rate`` would return after ``sample(now, hashes)``, but record nothing."""
        index = max(0, bisect_right(self._samples, (now - window, math.inf)) - 1)
        start_time, start_hashes = self._samples[index]
        return (hashes - start_hashes) / (now - start_time) if now > start_time else 0.0

    def average(self) -> float:
        """Return the hashes per second since the start."""
        end_time, end_hashes = self._samples[-1]
        return end_hashes / (end_time - self._started) if end_time > self._started else 0.0
