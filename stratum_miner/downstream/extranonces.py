"""Who owns which extranonce1: a counter that never gives one out twice while its session lives or may come back.

Sans-IO; time is an argument (seconds of any clock that does not go back). A session that ends leaves its lease
behind for a while, so that a miner which reconnects keeps its extranonce1 and its jobs, and shares found in the
meantime stay valid. Miners name their session by the id of mining.subscribe's reply: cgminer, bfgminer and our own
client send that of its "mining.notify" pair.
"""

import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Generic

from stratum_miner.downstream.jobs import J, JobTable

EXTRANONCE1_SIZE = 4
MAX_RETIRED = 10_000
"""Ended sessions remembered; older ones are forgotten early."""


class ExtranoncesExhausted(Exception):  # noqa: N818  a state, not a mistake
    """Every extranonce1 is in use."""


@dataclass(frozen=True, slots=True)
class Lease(Generic[J]):
    """One session's share of the search space; outlives its connection by the time for a resume."""

    extranonce1: bytes
    extranonce2_size: int
    session_id: str
    jobs: JobTable[J] = field(default_factory=JobTable)


class ExtranonceRegistry(Generic[J]):
    """Leases extranonce1 values of ``size`` bytes, each with ``extranonce2_size`` bytes to count in; one per pool.

    ``first`` is where counting starts: a random start keeps a restarted pool from repeating the values of its
    last run. ``token`` makes session ids nobody can guess.
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
        """Extranonce1 values of sessions that live or may come back."""
        self._retired: OrderedDict[str, tuple[Lease[J], float]] = OrderedDict()
        """Leases that may come back, by session id, the oldest first, each with the time until which it may."""

    @property
    def live(self) -> int:
        """Leases in use."""
        return len(self._taken) - len(self._retired)

    def remembers(self, resume: str) -> bool:
        """Whether ``resume`` names a session that ended and may still come back."""
        return resume in self._retired

    def lease(self, now: float, resume: str | None = None) -> Lease[J]:
        """A lease: the retired one of the session id ``resume``, else a new one.

        A resumed lease keeps extranonce1 and jobs and gets a new session id. An extranonce1 resumes nothing: it comes
        from a counter, so anybody can guess his neighbour's. ExtranoncesExhausted when all are in use.
        """
        self._forget(now)
        retired = None if resume is None else self._retired.pop(resume, None)
        if retired is None:
            return Lease(self._fresh(), self._extranonce2_size, self._token())
        old, _ = retired
        return replace(old, session_id=self._token())

    def release(self, lease: Lease[J], now: float) -> None:
        """Note that the session ended; it may come back for a while."""
        self._retired[lease.session_id] = (lease, now + self._resume_seconds)
        self._forget(now)

    def _fresh(self) -> bytes:
        if self.live >= self._values:
            raise ExtranoncesExhausted(f"the pool's extranonce2 is enough for {self._values} miners")
        if len(self._taken) >= self._values:
            self._drop_oldest()
        while True:
            extranonce1 = (self._next % self._values).to_bytes(self._size, "big")
            self._next += 1
            if extranonce1 not in self._taken:
                self._taken.add(extranonce1)
                return extranonce1

    def _forget(self, now: float) -> None:
        while self._retired:
            _, until = next(iter(self._retired.values()))
            if until > now and len(self._retired) <= MAX_RETIRED:
                return
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        _, (lease, _) = self._retired.popitem(last=False)
        self._taken.discard(lease.extranonce1)
