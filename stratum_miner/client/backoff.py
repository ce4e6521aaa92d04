"""Decides how long a client waits before its next connection to a pool."""

import random

import trio

from stratum_miner.client.pool_memory import PoolMemory

MIN_INTERVAL_S, MAX_INTERVAL_S = 1.05, 1.5
"""Shortest and longest value, in seconds, of a random interval between two connections to the same pool. A client
reconnects only when this interval has passed since the last connection of any client to the pool. The first connection
of a client does not wait."""
LONGEST_REFUSAL_S = 600.0
"""Longest pause in seconds before the client tries refused worker names again. It is long because of ckpool, which
ignores the client for a while after a refusal, and for longer after each further refusal."""


class Pauses:
    """The pauses, in seconds, that one client makes between its connections to a pool."""

    def __init__(self, memory: PoolMemory, rng: random.Random, after_failure: float | None = None) -> None:
        """``after_failure`` is the pause after each failure; None lets the pauses grow."""
        self._memory = memory
        self._rng = rng
        self._failures = Backoff(rng)
        if after_failure is not None:
            self._failures = Backoff(rng, first=after_failure, limit=after_failure, chance=0.0)
        self._refusals = Backoff(rng, first=4.0, limit=LONGEST_REFUSAL_S, chance=0.5)
        self._has_tried = False

    async def wait_for_turn(self) -> None:
        """Wait until this client may connect.

        The clients in this program that use the same pool take turns. Counted together, they reconnect at most about
        once a second. The first connection of each client does not wait, because the user asked for it.
        """
        now, interval = trio.current_time(), self._rng.uniform(MIN_INTERVAL_S, MAX_INTERVAL_S)
        if self._has_tried:
            await trio.sleep_until(self._memory.next_turn(now, interval))
        else:
            self._memory.note_connecting(now, interval)
        self._has_tried = True

    def connected(self) -> None:
        """Record that a connection to the pool was made just now. Clients may reconnect to the pool only
        ``MIN_INTERVAL_S`` later."""
        self._memory.note_connecting(trio.current_time(), MIN_INTERVAL_S)

    def after_failure(self) -> float:
        """Return the seconds to wait after a connection failed or ended. The pauses grow with each call, up to a
        limit."""
        return self._failures.next_pause()

    def after_redirect(self, wait: float) -> float:
        """Return the seconds to wait after the pool asked the client to reconnect in ``wait`` seconds.

        The result is at least ``wait``. It is longer if the pool has failed or redirected the client several times
        since the last ``reset``.
        """
        return max(wait * self._rng.uniform(1, 1.1), self._failures.next_pause())

    def after_refusal(self) -> float:
        """Return the seconds to wait after the pool refused the worker name. The pauses grow with each call, up to a
        limit."""
        return self._refusals.next_pause()

    def reset(self) -> None:
        """Make the next pauses short again, because the pool works."""
        self._failures.reset()
        self._refusals.reset()


class Backoff:
    """Random pauses whose upper limit doubles with each pause. They are random so that not all miners reconnect to a
    restarted pool at once.

    ``first``: upper limit of the first pause, in seconds. No pause is shorter than half of this. ``limit``: largest
    upper limit of a pause, in seconds. ``chance``: how random the pauses are, from 0 to 1. Each pause is at least its
    upper limit multiplied by (1 - ``chance``).
    """

    def __init__(self, rng: random.Random, first: float = 2.0, limit: float = 60.0, chance: float = 1.0) -> None:
        self._rng = rng
        self._first = first
        self._limit = limit
        self._chance = chance
        self._ceiling = first

    def reset(self) -> None:
        """Start with the first pause again. Call this after an accepted share; a mere connection is not enough."""
        self._ceiling = self._first

    def next_pause(self) -> float:
        """Return the seconds to wait before the next attempt, and double the upper limit for the next pause."""
        least = max(self._first / 2, self._ceiling * (1 - self._chance))
        pause = self._rng.uniform(least, self._ceiling)
        self._ceiling = min(self._ceiling * 2, self._limit)
        return pause
