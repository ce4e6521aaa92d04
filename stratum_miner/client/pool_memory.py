"""What the program has learnt about a pool, shared by all its connections to this pool.

Some pools end the connection on the usual handshake, and the client then leaves out requests. Some pools answer slowly,
and the client then waits longer. Both are remembered here for at most an hour, because the cause may be temporary. The
caller passes the current time, in seconds.
"""

from dataclasses import replace
from enum import IntEnum
from typing import Literal, TypeAlias

from stratum_miner.client.dialing.url import PoolUrl
from stratum_miner.client.settings import Timeouts

KEPT_S = 3600.0
"""Seconds for which a shorter handshake and longer time limits are remembered."""
TRIES = 2
"""If this many connections in a row end during the handshake, the client uses the next form of the handshake (see
``Handshake``). After a single one it does not, because the pool may only have restarted. Each further connection that
ends in this way changes the form again."""
MOST_PATIENCE = 16.0
"""Largest factor by which a time limit grows. With the default limit, the client then waits for an authorization for at
most 8 minutes, if no jobs come."""

Limit: TypeAlias = Literal["subscribe", "authorize", "unanswered_submit"]
"""The time limits of ``Timeouts`` that grow for a slow pool."""


class Handshake(IntEnum):
    """The form of a handshake: which requests it contains besides mining.subscribe and mining.authorize. Each form
    leaves out one more request than the form before."""

    FULL = 0
    """A handshake with mining.configure and mining.extranonce.subscribe."""
    WITHOUT_EXTRANONCE = 1
    """A handshake without mining.extranonce.subscribe."""
    BARE = 2
    """A handshake with neither mining.extranonce.subscribe nor mining.configure."""


class PoolMemory:
    """What the program has learnt about one pool."""

    def __init__(self) -> None:
        self._free_at = 0.0
        self._kept = Handshake.FULL
        self._kept_until = 0.0
        self._hang_ups = 0
        self._patience: dict[Limit, float] = {}
        self._patient_until = 0.0

    # ---- connections --------------------------------------------------------------------------------------------

    def next_turn(self, now: float, interval: float) -> float:
        """Reserve and return the time at which a client may reconnect. The next client may reconnect ``interval``
        seconds later."""
        turn = max(now, self._free_at)
        self._free_at = turn + interval
        return turn

    def note_connecting(self, now: float, interval: float) -> None:
        """Note that a client connects now without waiting. Other clients have to wait ``interval`` seconds from now."""
        self._free_at = max(self._free_at, now + interval)

    # ---- the handshake ------------------------------------------------------------------------------------------

    def handshake(self, now: float) -> Handshake:
        """Return the form of the next handshake.

        It is the form that worked last, until ``TRIES`` connections in a row have ended during the handshake. Then the
        next form is tried, and after the last form the first one again.
        """
        if now >= self._kept_until:
            self._kept = Handshake.FULL
        return Handshake((self._kept + max(0, self._hang_ups - TRIES + 1)) % len(Handshake))

    def note_disconnected(self) -> None:
        """Note that the pool disconnected during the handshake, or sent nothing at all."""
        self._hang_ups += 1

    def note_worked(self, handshake: Handshake, since: float) -> None:
        """Note that the pool gave jobs after this form of the handshake, the first one at ``since``."""
        self._hang_ups = 0
        if handshake is not self._kept:
            self._kept, self._kept_until = handshake, since + KEPT_S

    # ---- how long to wait ---------------------------------------------------------------------------------------

    def timeouts(self, timeouts: Timeouts, now: float) -> Timeouts:
        """Return the time limits for the next connection: those of ``timeouts``, but longer if the pool exceeded them
        lately."""
        if now >= self._patient_until:
            self._patience.clear()
        return replace(timeouts, **{limit: getattr(timeouts, limit) * more for limit, more in self._patience.items()})

    def note_too_slow(self, limit: Limit, now: float) -> None:
        """Note that the pool did not reply within a time limit. The limit doubles for the next connections."""
        self._patience[limit] = min(self._patience.get(limit, 1.0) * 2, MOST_PATIENCE)
        self._patient_until = now + KEPT_S


Memories: TypeAlias = dict[PoolUrl, PoolMemory]
"""What was learnt about each pool, by the first URL that is configured for it."""
