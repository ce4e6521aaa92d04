"""How long to wait before the next try."""

import random


class Backoff:
    """Pauses between tries: doubling up to a limit, and partly random so that a restarted pool is not stormed.

    ``chance`` is the random part of a pause, from 0 to 1. None is shorter than half the first limit.
    """

    def __init__(self, rng: random.Random, first: float = 2.0, limit: float = 60.0, chance: float = 1.0) -> None:
        self._rng = rng
        self._first = first
        self._limit = limit
        self._chance = chance
        self._ceiling = first

    def reset(self) -> None:
        """Start over: call it after accepted work, not after a mere connection."""
        self._ceiling = self._first

    def next_pause(self) -> float:
        """Seconds to wait before the next try."""
        least = max(self._first / 2, self._ceiling * (1 - self._chance))
        pause = self._rng.uniform(least, self._ceiling)
        self._ceiling = min(self._ceiling * 2, self._limit)
        return pause
