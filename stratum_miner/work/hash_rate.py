"""Hash rate over sliding windows, from a counter that only grows. Time is an argument."""

from bisect import bisect_right
from collections import deque

WINDOWS = (5.0, 60.0, 900.0)
"""Seconds; what the field shows: 5 s, 1 m, 15 m."""
RESOLUTION = 0.5
"""Seconds between the samples kept, unless told otherwise: at most 1 800 for the longest window."""


class HashRateMeter:
    """Samples a counter of hashes and answers its slope over any window up to the longest.

    Sample it by the clock: what is asked for in between depends on nobody's having asked before.
    """

    def __init__(self, started: float, longest_window: float = max(WINDOWS), *, resolution: float = RESOLUTION) -> None:
        self._longest = longest_window
        self._resolution = resolution
        self._samples: deque[tuple[float, int]] = deque([(started, 0)])
        self._started = started

    def sample(self, now: float, hashes: int) -> None:
        """Note the counter's value at ``now``; ``now`` does not go back."""
        samples = self._samples
        if len(samples) >= 2 and now - samples[-2][0] < self._resolution:
            samples.pop()
        samples.append((now, hashes))
        while len(samples) > 2 and samples[1][0] <= now - self._longest:
            samples.popleft()

    def rate(self, window: float) -> float:
        """Hashes per second over the last ``window`` seconds, or since the start when that is less."""
        return self.rate_at(*self._samples[-1], window)

    def rate_at(self, now: float, hashes: int, window: float) -> float:
        """The same with the counter at ``hashes`` now, which is not noted."""
        index = max(0, bisect_right(self._samples, (now - window, 1 << 128)) - 1)
        start_time, start_hashes = self._samples[index]
        return (hashes - start_hashes) / (now - start_time) if now > start_time else 0.0

    def average(self) -> float:
        """Hashes per second since the start."""
        end_time, end_hashes = self._samples[-1]
        return end_hashes / (end_time - self._started) if end_time > self._started else 0.0
