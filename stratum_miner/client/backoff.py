"""How long a client waits before its next connection to a pool."""

import random

import trio

from stratum_miner.client.pool_memory import PoolMemory

MIN_INTERVAL_S, MAX_INTERVAL_S = 1.05, 1.5
"""Least seconds between two connections to a pool that are made because of what it said or did, drawn at random."""
LONGEST_REFUSAL_S = 600.0
"""Seconds between tries of a worker whose refusal may pass; ckpool counts refusals and stays silent longer for each."""


class Pauses:
    """The pauses of one client between its connections to a pool. Times are trio's."""

    def __init__(self, memory: PoolMemory, rng: random.Random) -> None:
        self._memory = memory
        self._rng = rng
        self._failures = Backoff(rng)
        self._refusals = Backoff(rng, first=4.0, limit=LONGEST_REFUSAL_S, chance=0.5)
        self._has_tried = False

    async def wait_for_turn(self) -> None:
        """Wait until this client may connect. A pool makes all our clients together connect at most once a second.

        The first connection of each is what the configuration, or growth, asks for.
        """
        now, interval = trio.current_time(), self._rng.uniform(MIN_INTERVAL_S, MAX_INTERVAL_S)
        if self._has_tried:
            await trio.sleep_until(self._memory.next_turn(now, interval))
        else:
            self._memory.connecting(now, interval)
        self._has_tried = True

    def connected(self) -> None:
        """Note that a connection was made just now, however long that took."""
        self._memory.connecting(trio.current_time(), MIN_INTERVAL_S)

    def after_failure(self) -> float:
        """Seconds to wait after a connection that failed or ended."""
        return self._failures.next_pause()

    def after_redirect(self, wait: float) -> float:
        """Seconds to wait where the pool asked for ``wait`` of them."""
        return max(wait * self._rng.uniform(1, 1.1), self._failures.next_pause())

    def after_refusal(self) -> float:
        """Seconds to wait before a worker is tried again that the pool refused."""
        return self._refusals.next_pause()

    def reset(self) -> None:
        """Start over, for the pool has proved to be a good one."""
        self._failures.reset()
        self._refusals.reset()


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
