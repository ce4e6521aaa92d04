"""Keeps the points of charts in limited memory: one every 2 s for the last ten minutes, one every 60 s for the last
day."""

from collections import deque
from dataclasses import replace

from stratum_miner.monitoring.view import Point

FINE_S = 2.0
"""Seconds between two points of the last ten minutes."""
FINE_KEPT = 300
COARSE_S = 60.0
"""Seconds between two points in the part of the history that is older than ten minutes and is kept for a day."""
COARSE_KEPT = 1440


class History:
    """The points of the last day. After ten minutes, only one point of each minute is still kept."""

    def __init__(self) -> None:
        self._fine: deque[Point] = deque(maxlen=FINE_KEPT)
        self._coarse: deque[Point] = deque(maxlen=COARSE_KEPT)
        self._since_coarse: list[float] = []

    def is_due(self, now: float) -> bool:
        """Return whether the next point is due at the Unix time ``now``."""
        return not self._fine or now - self._fine[-1].at >= FINE_S

    def add(self, point: Point) -> None:
        """Keep a point, which must be newer than all earlier ones.

        One point per minute is also kept for a day. The hash rate of this point is the mean of the hash rates of all
        points that were added since the previous point that is kept for a day."""
        self._fine.append(point)
        self._since_coarse.append(point.hash_rate)
        if not self._coarse or point.at - self._coarse[-1].at >= COARSE_S:
            mean = sum(self._since_coarse) / len(self._since_coarse)
            self._coarse.append(replace(point, hash_rate=mean))
            self._since_coarse.clear()

    def fine(self) -> tuple[Point, ...]:
        """Return the points of the last ten minutes, the oldest first."""
        return tuple(self._fine)

    def points(self) -> tuple[Point, ...]:
        """Return the points of the last day, the oldest first: one every 60 s, and for the last ten minutes one every 2
        s."""
        if not self._fine:
            return ()
        first = self._fine[0].at
        return (*(point for point in self._coarse if point.at < first), *self._fine)
