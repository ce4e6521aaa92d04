"""Assigns an extranonce1 to each session. No two sessions have the same one while they are open or can be resumed.

A *lease* holds the extranonce1 and the jobs of a session, and is kept for a while after the session ends. A miner that
reconnects during this time can resume the session: it gets the same lease, so the shares that it found in the meantime
stay valid. In mining.subscribe, the miner then sends the session id that it got in the reply to the earlier
mining.subscribe. That reply contains pairs of a method and a subscription id. cgminer, bfgminer and
``stratum_miner.client`` use the id that is paired with "mining.notify" as the session id.

Sans-IO; time is an argument (seconds of any clock that does not go back).
"""

import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Generic

from stratum_miner.downstream.jobs import J, JobTable

EXTRANONCE1_SIZE = 4
"""Number of bytes of the extranonce1 that a pool gives each miner."""
MAX_RETIRED = 10_000
"""Maximum number of ended sessions that are remembered, so that they can be resumed. If there are more, those that
ended first are forgotten before they expire."""


class ExtranoncesExhausted(Exception):  # noqa: N818  a state, not a mistake
    """Every extranonce1 is in use by an open session."""


@dataclass(frozen=True, slots=True)
class Lease(Generic[J]):
    """The extranonce1 and the jobs of one session. The lease is kept for a limited time after the session ends, so that
    the session can be resumed."""

    extranonce1: bytes
    extranonce2_size: int
    """Number of bytes of the miner's extranonce2."""
    session_id: str
    """Secret id with which the miner can resume the session."""
    jobs: JobTable[J] = field(default_factory=JobTable)


class ExtranonceRegistry(Generic[J]):
    """Leases extranonce1 values of ``size`` bytes to sessions, each with ``extranonce2_size`` bytes of extranonce2.

    A session can be resumed for ``resume_seconds`` after it ended. ``first`` is the first extranonce1 that is assigned,
    as a number; each further value is higher by 1. If ``first`` is random, a restarted pool hardly ever assigns the
    values of its last run again. ``token`` makes session ids that nobody can guess.
    """

    def __init__(
        self,
        *,
        size: int = EXTRANONCE1_SIZE,
        extranonce2_size: int = 8,
        first: int = 0,
        resume_seconds: float = 600.0,
        token: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> None:
        self._values = 1 << 8 * size
        self._size = size
        self._extranonce2_size = extranonce2_size
        self._next = first
        self._resume_seconds = resume_seconds
        self._token = token
        self._taken: set[bytes] = set()
        """Extranonce1 values of sessions that are open or can be resumed."""
        self._retired: OrderedDict[str, tuple[Lease[J], float]] = OrderedDict()
        """The ended sessions that can still be resumed. Maps the id of each session to its lease and to the time at
        which the session can no longer be resumed. The session that ended first is the first entry."""

    @property
    def live(self) -> int:
        """Number of leases whose session is open."""
        return len(self._taken) - len(self._retired)

    def remembers(self, resume: str) -> bool:
        """Return whether ``resume`` is the id of a session that ended and can still be resumed."""
        return resume in self._retired

    def lease(self, now: float, resume: str | None = None) -> Lease[J]:
        """Return the lease of the ended session with the id ``resume`` if it can be resumed, otherwise a new lease.

        A resumed lease keeps its extranonce1 and its jobs, and gets a new session id. A session cannot be resumed by
        its extranonce1: the extranonce1 values are consecutive numbers, so other miners can guess them. Raises
        ExtranoncesExhausted if open sessions use all extranonce1 values.
        """
        self._forget_expired(now)
        retired = None if resume is None else self._retired.pop(resume, None)
        if retired is None:
            return Lease(self._fresh(), self._extranonce2_size, self._token())
        old, _ = retired
        return replace(old, session_id=self._token())

    def release(self, lease: Lease[J], now: float) -> None:
        """Record that the session of a lease ended. From now on, the session can be resumed for ``resume_seconds``."""
        self._retired[lease.session_id] = (lease, now + self._resume_seconds)
        self._forget_expired(now)

    def _fresh(self) -> bytes:
        if self.live >= self._values:
            raise ExtranoncesExhausted(f"all {self._values} values of extranonce1 are in use by connected miners")
        if len(self._taken) >= self._values:
            self._drop_oldest()
        while True:
            extranonce1 = (self._next % self._values).to_bytes(self._size, "big")
            self._next += 1
            if extranonce1 not in self._taken:
                self._taken.add(extranonce1)
                return extranonce1

    def _forget_expired(self, now: float) -> None:
        while self._retired:
            _, until = next(iter(self._retired.values()))
            if until > now and len(self._retired) <= MAX_RETIRED:
                return
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        _, (lease, _) = self._retired.popitem(last=False)
        self._taken.discard(lease.extranonce1)
