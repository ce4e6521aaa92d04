"""What the program has learnt about a pool, shared by all its connections to this pool.

Some pools close the connection if a handshake contains optional requests; the client then leaves these requests out.
Some pools answer slowly; the client then waits longer for their replies. A ``PoolMemory`` keeps for an hour which
handshake and which time limits a pool needs. After the hour, the client uses the usual handshake and time limits again,
because the cause may have been temporary. Parameters with the name ``now`` are the current time, in seconds.
"""

from dataclasses import replace
from enum import IntEnum
from typing import Literal, TypeAlias

from stratum_miner.client.dialing.url import PoolUrl
from stratum_miner.client.settings import Timeouts

KEPT_S = 3600.0
"""Seconds for which the program remembers that a pool needs a handshake with fewer requests, or longer time limits."""
TRIES = 2
"""The client changes to the next form of the handshake (see ``Handshake``) when this number of connections in a row
have ended during the handshake. A single connection is not enough, because the pool may only have restarted. After the
first change, each further connection that ends during the handshake makes the client change to the next form."""
MOST_PATIENCE = 16.0
"""Largest factor by which a time limit grows. The default limit for the reply to mining.authorize, 30 s, then becomes 8
minutes."""

Limit: TypeAlias = Literal["subscribe", "authorize", "unanswered_submit"]
"""The name of a field of ``Timeouts``: one of the time limits that grow if a pool is slow."""


class Handshake(IntEnum):
    """The form of a handshake: which optional requests it contains. All forms contain mining.subscribe and
    mining.authorize. Each form leaves out one more optional request than the form before it."""

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
        """Return the earliest time at which the calling client may reconnect to the pool. The next call, by this or
        another client, returns a time that is at least ``interval`` seconds later."""
        turn = max(now, self._free_at)
        self._free_at = turn + interval
        return turn

    def note_connecting(self, now: float, interval: float) -> None:
        """Record that a client connects now without waiting. The next client that reconnects to this pool must wait
        until ``interval`` seconds from now."""
        self._free_at = max(self._free_at, now + interval)

    # ---- the handshake ------------------------------------------------------------------------------------------

    def handshake(self, now: float) -> Handshake:
        """Return the form of the next handshake.

        The result is usually the form that worked last. If ``TRIES`` connections in a row have ended during the
        handshake, the result is the form that follows the one that worked last. After each further connection that ends
        during the handshake, the result is the next form. The last form is followed by the first.
        """
        if now >= self._kept_until:
            self._kept = Handshake.FULL
        return Handshake((self._kept + max(0, self._hang_ups - TRIES + 1)) % len(Handshake))

    def note_disconnected(self) -> None:
        """Record that a connection ended during the handshake, or before the pool had sent anything."""
        self._hang_ups += 1

    def note_worked(self, handshake: Handshake, since: float) -> None:
        """Record that the pool sent jobs after this form of the handshake, the first of them at the time ``since``."""
        self._hang_ups = 0
        if handshake is not self._kept:
            self._kept, self._kept_until = handshake, since + KEPT_S

    # ---- how long to wait ---------------------------------------------------------------------------------------

    def timeouts(self, timeouts: Timeouts, now: float) -> Timeouts:
        """Return the time limits for the next connection: those of ``timeouts``, but each limit that the pool exceeded
        lately is longer."""
        if now >= self._patient_until:
            self._patience.clear()
        return replace(timeouts, **{limit: getattr(timeouts, limit) * more for limit, more in self._patience.items()})

    def note_too_slow(self, limit: Limit, now: float) -> None:
        """Record that the pool did not reply within a time limit. The limit doubles for the next connections."""
        self._patience[limit] = min(self._patience.get(limit, 1.0) * 2, MOST_PATIENCE)
        self._patient_until = now + KEPT_S


Memories: TypeAlias = dict[PoolUrl, PoolMemory]
"""What was learnt about each pool. The key is the first URL that is configured for the pool."""
