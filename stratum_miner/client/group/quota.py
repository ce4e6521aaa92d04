"""Divides the mining time among several pools in proportion to their quotas.

Sans-IO: the caller passes the current time, in seconds. While the miner mines, each pool that is up earns credit in
proportion to its quota, and the pool that the miner mines on spends credit. The miner switches to the pool with the
most credit. A pool that is down earns no credit, so it does not get more time later to make up for this.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

SLICE_S = 10.0
"""After the miner has switched to a pool, it mines on this pool for at least this many seconds, unless the pool goes
down. Each switch throws away the work in progress."""

PoolT = TypeVar("PoolT", bound=Hashable)


@dataclass(slots=True)
class _Account:
    credit: float = 0.0
    worked: float = 0.0


class Quotas(Generic[PoolT]):
    """Counts the credit of each pool, and chooses the pool to mine on."""

    def __init__(self, now: float) -> None:
        self._accounts: dict[PoolT, _Account] = {}
        self._active: PoolT | None = None
        self._chosen_at = self._accounted_at = now

    def choose(self, up: Mapping[PoolT, int], now: float) -> PoolT | None:
        """Return the pool to mine on, or None if no pool is up.

        ``up``: the pools that are up, with their quotas. A pool with quota 0 is chosen only if no pool with a higher
        quota is up.
        """
        self._account(up, now)
        if not up:
            self._active = None
        elif self._active not in up or now - self._chosen_at >= SLICE_S:
            candidates = [pool for pool, quota in up.items() if quota > 0] or list(up)
            self._active = max(candidates, key=lambda pool: self._account_of(pool).credit)
            self._chosen_at = now
        return self._active

    def share(self, pool: PoolT) -> float:
        """Return which fraction of all mining time so far, from 0 to 1, went to this pool."""
        total = sum(account.worked for account in self._accounts.values())
        return self._account_of(pool).worked / total if total else 0.0

    def forget(self, pool: PoolT) -> None:
        """Delete the credit and the mining time of a pool that was removed from the group."""
        self._accounts.pop(pool, None)

    def _account(self, up: Mapping[PoolT, int], now: float) -> None:
        """Add the credit that the pools have earned since the last call, and subtract the credit that the pool in use
        has spent."""
        # This method is called about once a second. If the last call was more than SLICE_S seconds ago, the process was
        # suspended meanwhile, and only SLICE_S seconds count.
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
