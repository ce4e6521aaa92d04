"""Several pools at once, each for its share of the time: who is mined on now, so that the shares come out.

Sans-IO; times are the caller's, in seconds. While pools are up they earn credit by their quotas, and the one that is
mined on spends it; the richest is next. A pool that is down earns nothing: when it returns it starves nobody.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

SLICE_S = 10.0
"""Seconds on one pool before the next may have its turn: each turn throws the work at hand away."""

PoolT = TypeVar("PoolT", bound=Hashable)


@dataclass(slots=True)
class _Account:
    credit: float = 0.0
    worked: float = 0.0


class Quotas(Generic[PoolT]):
    """Credits each pool with its share of the time, and chooses the next."""

    def __init__(self, now: float) -> None:
        self._accounts: dict[PoolT, _Account] = {}
        self._active: PoolT | None = None
        self._chosen_at = self._accounted_at = now

    def choose(self, up: Mapping[PoolT, int], now: float) -> PoolT | None:
        """The pool to mine on, of those that are up with their quotas; None when none is. A quota of 0 is for when
        there is no other.
        """
        self._account(up, now)
        if not up:
            self._active = None
        elif self._active not in up or now - self._chosen_at >= SLICE_S:
            candidates = [pool for pool, quota in up.items() if quota > 0] or list(up)
            richest = max(candidates, key=lambda pool: self._account_of(pool).credit)
            if richest != self._active or now - self._chosen_at >= SLICE_S:
                self._active, self._chosen_at = richest, now
        return self._active

    def share(self, pool: PoolT) -> float:
        """The part of all the time mined so far that the pool got, from 0 to 1."""
        total = sum(account.worked for account in self._accounts.values())
        return self._account_of(pool).worked / total if total else 0.0

    def forget(self, pool: PoolT) -> None:
        """Forget a pool that was removed."""
        self._accounts.pop(pool, None)
        if self._active == pool:
            self._active = None

    def _account(self, up: Mapping[PoolT, int], now: float) -> None:
        """Give what was earned since the last time, take what was spent."""
        # pools decide every second: a longer time is one in which the process did not run, and no pool got work
        elapsed, self._accounted_at = min(now - self._accounted_at, SLICE_S), now
        if self._active is None or self._active not in up:
            return
        account = self._account_of(self._active)
        account.worked += elapsed
        total = sum(up.values())
        if total:
            account.credit -= elapsed
            for pool, quota in up.items():
                self._account_of(pool).credit += elapsed * quota / total

    def _account_of(self, pool: PoolT) -> _Account:
        return self._accounts.setdefault(pool, _Account())
