"""Who owns which extranonce1: a counter that never gives one out twice while its session lives or may come back.

Sans-IO; time is an argument (seconds of any clock that does not go back). A session that ends leaves its lease
behind for a while, so that a miner which reconnects keeps its extranonce1 and its jobs, and shares found in the
meantime stay valid (stratum.md 1.5.2).
"""

import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from stratum_miner.pool.jobs import JobTable

EXTRANONCE1_SIZE = 4
MAX_RETIRED = 10_000
"""Ended sessions remembered; older ones are forgotten early."""


class ExtranoncesExhausted(Exception):  # noqa: N818  a state, not a mistake
    """Every extranonce1 is in use."""


@dataclass(frozen=True, slots=True)
class Lease:
    """One session's share of the search space; outlives its connection by the time for a resume."""

    extranonce1: bytes
    session_id: str
    jobs: JobTable = field(default_factory=JobTable)


class ExtranonceRegistry:
    """Leases extranonce1 values of ``size`` bytes; one per pool.

    ``first`` is where counting starts: a random start keeps a restarted pool from repeating the values of its
    last run. ``token`` makes session ids nobody can guess.
    """

    def __init__(
        self,
        *,
        size: int = EXTRANONCE1_SIZE,
        first: int = 0,
        resume_seconds: float = 600.0,
        token: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> None:
        self._values = 1 << 8 * size
        self._size = size
        self._next = first
        self._resume_seconds = resume_seconds
        self._token = token
        self._live: dict[bytes, Lease] = {}
        self._retired: OrderedDict[bytes, tuple[Lease, float]] = OrderedDict()

    @property
    def live(self) -> int:
        """Leases in use."""
        return len(self._live)

    def remembers(self, resume: str) -> bool:
        """Whether ``resume`` names a session that ended and may still come back."""
        return any(
            resume == lease.session_id or resume.lower() == extranonce1.hex()
            for extranonce1, (lease, _) in self._retired.items()
        )

    def lease(self, now: float, resume: str | None = None) -> Lease:
        """A lease: the one that ``resume`` names (session id or extranonce1 in hex) when it is free, else a new one.

        A resumed lease keeps extranonce1 and jobs and gets a new session id. ExtranoncesExhausted when all are in use.
        """
        self._forget(now)
        old = self._find_retired(resume)
        lease = Lease(self._fresh(), self._token()) if old is None else Lease(old.extranonce1, self._token(), old.jobs)
        self._live[lease.extranonce1] = lease
        return lease

    def release(self, lease: Lease, now: float) -> None:
        """The session is gone; it may come back for a while."""
        del self._live[lease.extranonce1]
        self._retired[lease.extranonce1] = (lease, now + self._resume_seconds)
        self._forget(now)

    def _find_retired(self, resume: str | None) -> Lease | None:
        if resume is None:
            return None
        for extranonce1, (lease, _) in self._retired.items():
            if resume == lease.session_id or resume.lower() == extranonce1.hex():
                del self._retired[extranonce1]
                return lease
        return None

    def _fresh(self) -> bytes:
        if len(self._live) >= self._values:
            raise ExtranoncesExhausted(f"all {self._values} are in use")
        if len(self._live) + len(self._retired) >= self._values:
            self._retired.popitem(last=False)
        while True:
            extranonce1 = (self._next % self._values).to_bytes(self._size, "big")
            self._next += 1
            if extranonce1 not in self._live and extranonce1 not in self._retired:
                return extranonce1

    def _forget(self, now: float) -> None:
        while self._retired:
            _, until = next(iter(self._retired.values()))
            if until > now and len(self._retired) <= MAX_RETIRED:
                return
            self._retired.popitem(last=False)
