"""Which of several pools to mine on, and which to be connected to: one state machine, at start and in flight.

Sans-IO; times are the caller's, in seconds. A pool is up when it has sent a valid job on its present connection, and
stays so while its jobs go on changing. The first pool that is up is mined on, in order of priority; a better one takes
over again once it has been up for a while. Whoever is better than the active pool is kept connected, as a probe;
whoever is worse is not, so that backups are not burdened.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum


@dataclass(frozen=True, slots=True, kw_only=True)
class FailoverPolicy:
    """Seconds, with their reasons."""

    first_job: float = 90.0
    """From connecting to a job: public-pool may keep its first one back for 60 s."""
    job_age: float = 300.0
    """Seconds without a job that says anything new, after which a pool is down; pools renew theirs every 10 to 60 s."""
    patience: float = 5.0
    """Seconds to wait for a pool before the next one is tried too, while none is up."""
    failback: float = 60.0
    """Seconds that a better pool must have been up before it takes over again."""
    flap_window: float = 600.0
    flap_limit: int = 3
    """Losses within twice the window that make a pool flap; it must then be up for one window."""
    first_penalty: float = 60.0
    longest_penalty: float = 3600.0
    """Longest pause (s) for a pool that refuses the worker or every share; each doubles the last, for ckpool bans."""
    reject_streak: int = 20
    """Refusals in a row, stale ones not counted, after which a pool accepts nothing; sessions restart at 10."""


DEFAULT_POLICY = FailoverPolicy()


class Condition(Enum):
    """How a pool is, as far as one can tell."""

    UNTRIED = "untried"
    TRYING = "trying"
    UP = "up"
    SILENT = "silent"
    DOWN = "down"
    PENALIZED = "penalized"


@dataclass(slots=True, eq=False)
class _Health:
    condition: Condition = Condition.UNTRIED
    since: float = 0.0
    reason: str = ""
    fresh_at: float = 0.0
    job_content: object = None
    penalty: float = 0.0
    penalized_until: float = 0.0
    refusals: int = 0
    enabled: bool = True
    trusted: bool = False
    """A person wants it: it need not prove itself before it takes over."""
    losses: deque[float] = field(default_factory=deque)
    """When it was lost while it was up, the newest few."""


@dataclass(frozen=True, slots=True)
class FailoverDecision:
    """Indexes of pools: the one to mine on, and all to be connected to."""

    active: int | None
    wanted: frozenset[int]


@dataclass(frozen=True, slots=True)
class HealthSnapshot:
    """How a pool is, since when, and why."""

    condition: Condition
    since: float
    reason: str


class Failover:
    """Pools 0 to ``count`` - 1, the first being the best. Tell it what happens, then ask what to do."""

    def __init__(self, count: int, now: float, policy: FailoverPolicy = DEFAULT_POLICY) -> None:
        if count < 1:
            raise ValueError("failover: expected at least one pool")
        self._policy = policy
        self._pools = [self._new(now) for _ in range(count)]
        self._active: _Health | None = None
        self._none_since = now

    @property
    def active(self) -> int | None:
        """The pool mined on, as of the last decision."""
        return None if self._active is None else self._pools.index(self._active)

    def health(self, index: int) -> HealthSnapshot:
        """How a pool is."""
        pool = self._pools[index]
        return HealthSnapshot(pool.condition, pool.since, pool.reason)

    # ---- what happens -------------------------------------------------------------------------------------------

    def trying(self, index: int, now: float) -> None:
        """A connection is being made."""
        if self._pools[index].condition in (Condition.UNTRIED, Condition.DOWN):
            self._enter(index, Condition.TRYING, now, "")

    def job(self, index: int, now: float, content: object) -> None:
        """A valid job; one of the same content as the one before says nothing new."""
        pool = self._pools[index]
        if content != pool.job_content:
            pool.job_content, pool.fresh_at = content, now
        blocked = pool.condition is Condition.PENALIZED and now < pool.penalized_until
        if pool.condition is not Condition.UP and not blocked and now - pool.fresh_at <= self._policy.job_age:
            self._enter(index, Condition.UP, now, "")

    def lost(self, index: int, now: float, reason: str) -> None:
        """The connection is over, or could not be made."""
        pool = self._pools[index]
        if pool.condition is Condition.UP:
            pool.losses.append(now)
        pool.job_content, pool.trusted = None, False
        if pool.condition is not Condition.PENALIZED:
            self._enter(index, Condition.DOWN, now, reason)

    def left(self, index: int, now: float) -> None:
        """We closed the connection because it is not needed: that says nothing against the pool."""
        self._pools[index].job_content = None
        if self._pools[index].condition is not Condition.PENALIZED:
            self._enter(index, Condition.UNTRIED, now, "standing by")

    def refused(self, index: int, now: float, reason: str) -> None:
        """It does not want this worker, or none of its shares."""
        pool = self._pools[index]
        pool.penalty = min(pool.penalty * 2 or self._policy.first_penalty, self._policy.longest_penalty)
        pool.penalized_until = now + pool.penalty
        pool.refusals = 0
        self._enter(index, Condition.PENALIZED, now, reason)

    def share_accepted(self, index: int) -> None:
        """A share was accepted."""
        self._pools[index].refusals, self._pools[index].penalty = 0, 0.0

    def share_refused(self, index: int, now: float, reason: str) -> None:
        """A share was refused for another reason than being late."""
        pool = self._pools[index]
        pool.refusals += 1
        if pool.refusals >= self._policy.reject_streak and any(other.enabled for other in self._others(pool)):
            self.refused(index, now, f"it refused {pool.refusals} shares in a row: {reason}")

    def enable(self, index: int, enabled: bool) -> None:
        """Whether to use a pool at all; enabling one that is penalized forgives it."""
        self._pools[index].enabled = enabled
        if enabled:
            self._pools[index].penalized_until = 0.0

    def trust(self, index: int) -> None:
        """Let a pool take over as soon as it is up, this once."""
        self._pools[index].trusted = True

    def is_enabled(self, index: int) -> bool:
        """Whether a pool may be used."""
        return self._pools[index].enabled

    def insert(self, index: int, now: float) -> None:
        """A new pool at this place; those from there on become worse by one."""
        self._pools.insert(index, self._new(now))

    def remove(self, index: int) -> None:
        """Forget a pool. ValueError for the last one."""
        if len(self._pools) == 1:
            raise ValueError("failover: expected at least one pool to remain")
        if self._pools.pop(index) is self._active:
            self._active = None

    def arrange(self, places: Sequence[int | None], now: float) -> None:
        """Other pools in another order: each by its place so far, or None for a new one. ValueError for none."""
        if not places:
            raise ValueError("failover: expected at least one pool to remain")
        self._pools = [self._new(now) if place is None else self._pools[place] for place in places]
        if self._active not in self._pools:
            self._active = None

    def move(self, index: int, to: int) -> None:
        """Give a pool another place."""
        self._pools.insert(to, self._pools.pop(index))

    # ---- what to do ---------------------------------------------------------------------------------------------

    def decide(self, now: float) -> FailoverDecision:
        """Look at all pools again."""
        for pool in self._pools:
            self._age(pool, now)
        self._choose(now)
        wanted = frozenset(index for index in range(len(self._pools)) if self._is_wanted(index, now))
        return FailoverDecision(self.active, wanted)

    def connectable(self, now: float) -> frozenset[int]:
        """All that may be used, for those who use all at once."""
        return frozenset(
            index for index, pool in enumerate(self._pools) if pool.enabled and now >= pool.penalized_until
        )

    def up(self) -> tuple[int, ...]:
        """All that are up, as of the last decision."""
        return tuple(index for index, pool in enumerate(self._pools) if _is_up(pool))

    def _choose(self, now: float) -> None:
        before = self._active
        if before is None or not _is_up(before):
            self._active = next((pool for pool in self._pools if _is_up(pool)), self._last_resort(before))
        else:
            better = self._pools[: self._pools.index(before)]
            self._active = next((pool for pool in better if _is_up(pool) and self._is_stable(pool, now)), before)
        if self._active is None and before is not None:
            self._none_since = now

    def _last_resort(self, before: _Health | None) -> _Health | None:
        """When none is up: an old job may still be worth something, no job is worth nothing."""
        silent = [pool for pool in self._pools if _is_silent(pool)]
        return before if before in silent else next(iter(silent), None)

    def _others(self, pool: _Health) -> list[_Health]:
        return [other for other in self._pools if other is not pool]

    def _is_wanted(self, index: int, now: float) -> bool:
        pool, active = self._pools[index], self.active
        if not pool.enabled or now < pool.penalized_until:
            return False
        if active is not None and _is_up(self._pools[active]):
            return index <= active
        # one that was started goes on; the next is started once no better one may still answer in time
        hopeful = any(self._is_hopeful(better, now) for better in self._pools[:index])
        return pool.condition is not Condition.UNTRIED or not hopeful

    def _is_hopeful(self, pool: _Health, now: float) -> bool:
        if not pool.enabled or now < pool.penalized_until:
            return False
        fresh = now - max(pool.since, self._none_since) < self._policy.patience
        return pool.condition is Condition.UNTRIED or (pool.condition is Condition.TRYING and fresh)

    def _is_stable(self, pool: _Health, now: float) -> bool:
        policy, losses = self._policy, pool.losses
        flaps = len(losses) == policy.flap_limit and now - losses[0] <= policy.flap_window * 2
        return pool.trusted or now - pool.since >= (policy.flap_window if flaps else policy.failback)

    def _age(self, pool: _Health, now: float) -> None:
        """What time alone does to a pool."""
        policy = self._policy
        if pool.condition is Condition.UP and now - pool.fresh_at > policy.job_age:
            pool.losses.append(now)
            _enter(pool, Condition.SILENT, now, f"no new job for {policy.job_age:g} s")
        elif pool.condition is Condition.TRYING and now - pool.since > policy.first_job:
            _enter(pool, Condition.SILENT, now, f"no job within {policy.first_job:g} s")
        elif pool.condition is Condition.PENALIZED and now >= pool.penalized_until:
            _enter(pool, Condition.DOWN, now, pool.reason)

    def _new(self, now: float) -> _Health:
        return _Health(since=now, losses=deque(maxlen=self._policy.flap_limit))

    def _enter(self, index: int, condition: Condition, now: float, reason: str) -> None:
        _enter(self._pools[index], condition, now, reason)


def _is_up(pool: _Health) -> bool:
    return pool.enabled and pool.condition is Condition.UP


def _is_silent(pool: _Health) -> bool:
    """Whether it has sent a job on this connection, if an old one."""
    return pool.enabled and pool.condition is Condition.SILENT and pool.job_content is not None


def _enter(pool: _Health, condition: Condition, now: float, reason: str) -> None:
    if pool.condition is not condition:
        pool.since = now
    pool.condition, pool.reason = condition, reason
