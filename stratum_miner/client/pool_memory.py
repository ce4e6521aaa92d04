"""What this process has learnt of a configured pool, shared by all its connections there.

Passing trouble passes: how to shake hands with the pool and how long to wait for it are kept for an hour at most. Times
are the caller's, in seconds.
"""

from dataclasses import replace
from enum import IntEnum
from typing import Literal, TypeAlias

from stratum_miner.client.dialing.url import PoolUrl
from stratum_miner.client.settings import Timeouts

KEPT_S = 3600.0
TRIES = 2
"""Hang-ups before its first job that a form of the handshake gets; one may be a restart of the pool."""
MOST_PATIENCE = 16.0
"""How many times a limit may grow: the longest wait for an authorization is then eight minutes, before jobs come."""

Limit: TypeAlias = Literal["subscribe", "authorize", "unanswered_submit"]
"""The limits of ``Timeouts`` that a slow pool needs longer; they run while it is connected and may be busy."""


class Handshake(IntEnum):
    """What is asked besides mining.subscribe and mining.authorize; each leaves out one request more."""

    FULL = 0
    WITHOUT_EXTRANONCE = 1
    """A handshake without mining.extranonce.subscribe."""
    BARE = 2
    """A handshake without mining.configure, too."""


class PoolMemory:
    """What is known of one pool."""

    def __init__(self) -> None:
        self._free_at = 0.0
        self._kept = Handshake.FULL
        self._kept_until = 0.0
        self._hang_ups = 0
        self._patience: dict[Limit, float] = {}
        self._patient_until = 0.0

    # ---- connections --------------------------------------------------------------------------------------------

    def next_turn(self, now: float, interval: float) -> float:
        """When a client may connect because of something that the pool said or did; others wait ``interval`` more."""
        turn = max(now, self._free_at)
        self._free_at = turn + interval
        return turn

    def connecting(self, now: float, interval: float) -> None:
        """A client connects, or has just connected: others wait from then on, if it did not wait for them."""
        self._free_at = max(self._free_at, now + interval)

    # ---- the handshake ------------------------------------------------------------------------------------------

    def handshake(self, now: float) -> Handshake:
        """What to try next: the form that worked, or after hang-ups the next one, in a circle."""
        if now >= self._kept_until:
            self._kept = Handshake.FULL
        return Handshake((self._kept + max(0, self._hang_ups - TRIES + 1)) % len(Handshake))

    def hung_up(self) -> None:
        """The pool hung up on a handshake, or never said a word."""
        self._hang_ups += 1

    def worked(self, handshake: Handshake, since: float) -> None:
        """The pool gave jobs after this handshake, the first at that time, and did not hang up on it."""
        self._hang_ups = 0
        if handshake is not self._kept:
            self._kept, self._kept_until = handshake, since + KEPT_S

    # ---- how long to wait ---------------------------------------------------------------------------------------

    def timeouts(self, timeouts: Timeouts, now: float) -> Timeouts:
        """The limits of the next connection."""
        if now >= self._patient_until:
            self._patience.clear()
        return replace(timeouts, **{limit: getattr(timeouts, limit) * more for limit, more in self._patience.items()})

    def too_slow(self, limit: Limit, now: float) -> None:
        """The pool did not answer within this limit: the next one is twice as long."""
        self._patience[limit] = min(self._patience.get(limit, 1.0) * 2, MOST_PATIENCE)
        self._patient_until = now + KEPT_S


Memories: TypeAlias = dict[PoolUrl, PoolMemory]
"""By the first address that is configured for the pool."""
