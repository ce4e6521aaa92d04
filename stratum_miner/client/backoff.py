"""Decides how long a client waits before its next connection to a pool."""

import random

import trio

from stratum_miner.client.pool_memory import PoolMemory

MIN_INTERVAL_S, MAX_INTERVAL_S = 1.05, 1.5
"""Range, in seconds, of the random least time between two connections that follow from something the pool sent or
did."""
LONGEST_REFUSAL_S = 600.0
"""Longest pause (s) between attempts with a worker name whose refusal is temporary. ckpool counts refusals, and stays
silent longer after each."""


class Pauses:
    """The pauses of one client between its connections to a pool. Times are seconds of trio's clock."""

    def __init__(self, memory: PoolMemory, rng: random.Random) -> None:
        self._memory = memory
        self._rng = rng
        self._failures = Backoff(rng)
        self._refusals = Backoff(rng, first=4.0, limit=LONGEST_REFUSAL_S, chance=0.5)
        self._has_tried = False

    async def wait_for_turn(self) -> None:
        """Wait until this client may connect.

        Whatever a pool does, all clients together reconnect to it at most about once a second. The first connection of
        each client does not wait, because the user asked for it.
        """
        now, interval = trio.current_time(), self._rng.uniform(MIN_INTERVAL_S, MAX_INTERVAL_S)
        if self._has_tried:
            await trio.sleep_until(self._memory.next_turn(now, interval))
        else:
            self._memory.note_connecting(now, interval)
        self._has_tried = True

    def connected(self) -> None:
        """Note that a connection was made just now."""
        self._memory.note_connecting(trio.current_time(), MIN_INTERVAL_S)

    def after_failure(self) -> float:
        """Return the seconds to wait after a connection failed or ended."""
        return self._failures.next_pause()

    def after_redirect(self, wait: float) -> float:
        """Return the seconds to wait after the pool asked the client to reconnect in ``wait`` seconds."""
        return max(wait * self._rng.uniform(1, 1.1), self._failures.next_pause())

    def after_refusal(self) -> float:
        """Return the seconds to wait after the pool refused the worker name."""
        return self._refusals.next_pause()

    def reset(self) -> None:
        """Start with short pauses again, because the pool works."""
        self._failures.reset()
        self._refusals.reset()


class Backoff:
    """Pauses that double up to a limit. They are partly random, so that not all miners reconnect to a restarted pool
    at once.

    ``first``: the longest first pause, in seconds. ``limit``: the longest pause, in seconds. ``chance``: the random
    part of a pause, from 0 to 1. No pause is shorter than half of ``first``.
    """

    def __init__(self, rng: random.Random, first: float = 2.0, limit: float = 60.0, chance: float = 1.0) -> None:
        self._rng = rng
        self._first = first
        self._limit = limit
        self._chance = chance
        self._ceiling = first

    def reset(self) -> None:
        """Start with the first pause again. Call it after an accepted share, not after a mere connection."""
        self._ceiling = self._first

    def next_pause(self) -> float:
        """Return the seconds to wait before the next attempt."""
        least = max(self._first / 2, self._ceiling * (1 - self._chance))
        pause = self._rng.uniform(least, self._ceiling)
        self._ceiling = min(self._ceiling * 2, self._limit)
        return pause
