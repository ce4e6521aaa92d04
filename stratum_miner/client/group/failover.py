"""Decides which of several pools to mine on, and which to connect to.

This module does no input or output: the caller passes the current time, in seconds, and carries out the decisions. The
pools are ordered by preference; position 0 is the best. A pool is up if it has sent a valid job on its present
connection, and stays up while it sends jobs with new content. The miner mines on the best pool that is up. If a better
pool comes up, the miner switches to it after that pool has been up for a while. The miner stays connected to the pools
that are better than the active one, so that it sees when they work again. It does not connect to the worse pools, so as
not to burden them.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum


@dataclass(frozen=True, slots=True, kw_only=True)
class FailoverPolicy:
    """The limits of failover: times in seconds, and numbers of events."""

    first_job: float = 90.0
    """A pool counts as silent if it sends no job within this many seconds of connecting. public-pool may send its first
    job only after 60 s."""
    job_age: float = 300.0
    """A pool counts as silent if it sends no job with new content for this many seconds. Pools send a new job every 10
    to 60 s."""
    patience: float = 5.0
    """While no pool is up, the miner waits this many seconds for the first job of a pool. Then it also connects to the
    next pool."""
    failback: float = 60.0
    """Seconds for which a pool that is better than the active pool must have been up before the miner switches to
    it."""
    flap_window: float = 600.0
    """Seconds for which a flapping pool (see ``flap_limit``) must have been up before the miner switches to it. If
    ``failback`` is longer, ``failback`` applies instead."""
    flap_limit: int = 3
    """A pool is flapping if it stopped being up (its connection ended, or it became silent) at least this many times
    within twice ``flap_window``."""
    first_penalty: float = 60.0
    """Seconds for which a pool is not used after it refused all worker names, or rejected ``reject_streak`` shares in a
    row. Until the pool accepts a share, each further penalty is twice as long as the previous one, because ckpool bans
    miners that come back soon."""
    longest_penalty: float = 3600.0
    """Longest penalty in seconds. During its penalty, a pool is not used."""
    reject_streak: int = 20
    """Number of rejected shares in a row, not counting stale shares, after which the miner uses another pool. After 10
    such shares in a row, the client already reconnects to the same pool."""


DEFAULT_POLICY = FailoverPolicy()


class Condition(Enum):
    """The condition of a pool, as far as the miner knows."""

    UNTRIED = "untried"
    """The miner has not connected to the pool, or has closed the connection because it was not needed."""
    TRYING = "trying"
    """The miner is connecting to the pool, or waits for the pool's first job."""
    UP = "up"
    """The pool sends jobs."""
    SILENT = "silent"
    """The pool is connected, but sends no job, or no job with new content."""
    DOWN = "down"
    """The pool cannot be reached, its connection ended, or its penalty has ended."""
    PENALIZED = "penalized"
    """The pool refused all worker names, or rejected too many shares in a row. It is not used until its penalty
    ends."""


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
    """Whether the user has switched to the pool. The miner then does not wait for ``failback``."""
    losses: deque[float] = field(default_factory=deque)
    """The last times at which the pool stopped being up, because its connection ended or it became silent. There are at
    most ``flap_limit`` of them, the oldest first."""


@dataclass(frozen=True, slots=True)
class FailoverDecision:
    """The positions of the pool to mine on (None: no pool), and of all pools to connect to."""

    active: int | None
    wanted: frozenset[int]


@dataclass(frozen=True, slots=True)
class HealthSnapshot:
    """The condition of a pool, when it began, and why."""

    condition: Condition
    since: float
    """Time at which the condition began, in seconds of the caller's clock."""
    reason: str
    """Why the pool is in this condition; empty if there is nothing to explain."""


class Failover:
    """Keeps the state of all pools, and decides which of them to use. All methods name a pool by its position.

    When something happens to a pool, call the method for it (``job``, ``lost``, ...), and then ``decide``."""

    def __init__(self, count: int, now: float, policy: FailoverPolicy = DEFAULT_POLICY) -> None:
        if count < 1:
            raise ValueError("failover: expected at least one pool, got none")
        self._policy = policy
        self._pools = [self._new(now) for _ in range(count)]
        self._active: _Health | None = None
        self._none_since = now

    @property
    def active(self) -> int | None:
        """Position of the pool that the last decision chose for mining; None if there is no such pool."""
        return None if self._active is None else self._pools.index(self._active)

    def health(self, index: int) -> HealthSnapshot:
        """Return the condition of a pool, when it began, and why."""
        pool = self._pools[index]
        return HealthSnapshot(pool.condition, pool.since, pool.reason)

    # ---- what happens -------------------------------------------------------------------------------------------

    def trying(self, index: int, now: float) -> None:
        """Record that a client connects to the pool."""
        if self._pools[index].condition in (Condition.UNTRIED, Condition.DOWN):
            self._enter(index, Condition.TRYING, now, "")

    def job(self, index: int, now: float, content: object) -> None:
        """Record that the pool sent a valid job. ``content`` is a value that is equal for jobs of equal content. A job
        restarts the time limit ``job_age`` only if its content differs from that of the previous job."""
        pool = self._pools[index]
        if content != pool.job_content:
            pool.job_content, pool.fresh_at = content, now
        blocked = pool.condition is Condition.PENALIZED and now < pool.penalized_until
        if pool.condition is not Condition.UP and not blocked and now - pool.fresh_at <= self._policy.job_age:
            self._enter(index, Condition.UP, now, "")

    def lost(self, index: int, now: float, reason: str) -> None:
        """Record that the connection ended, or could not be made."""
        pool = self._pools[index]
        if pool.condition is Condition.UP:
            pool.losses.append(now)
        pool.job_content, pool.trusted = None, False
        if pool.condition is not Condition.PENALIZED:
            self._enter(index, Condition.DOWN, now, reason)

    def left(self, index: int, now: float) -> None:
        """Record that the client closed the connection because it is not needed. This does not count as a loss of the
        pool."""
        self._pools[index].job_content = None
        if self._pools[index].condition is not Condition.PENALIZED:
            self._enter(index, Condition.UNTRIED, now, "standing by")

    def refused(self, index: int, now: float, reason: str) -> None:
        """Give the pool a penalty, because it refused all worker names, or rejected too many shares in a row."""
        pool = self._pools[index]
        pool.penalty = min(pool.penalty * 2 or self._policy.first_penalty, self._policy.longest_penalty)
        pool.penalized_until = now + pool.penalty
        pool.refusals = 0
        self._enter(index, Condition.PENALIZED, now, reason)

    def share_accepted(self, index: int) -> None:
        """Record that the pool accepted a share."""
        self._pools[index].refusals, self._pools[index].penalty = 0, 0.0

    def share_refused(self, index: int, now: float, reason: str) -> None:
        """Record that the pool rejected a share that was not stale. After ``reject_streak`` of them in a row the pool
        gets a penalty, if another pool may be used."""
        pool = self._pools[index]
        pool.refusals += 1
        if pool.refusals >= self._policy.reject_streak and any(other.enabled for other in self._others(pool)):
            self.refused(index, now, f"it rejected {pool.refusals} shares in a row: {reason}")

    def enable(self, index: int, enabled: bool) -> None:
        """Set whether a pool may be used. Enabling a pool ends its penalty."""
        self._pools[index].enabled = enabled
        if enabled:
            self._pools[index].penalized_until = 0.0

    def trust(self, index: int) -> None:
        """Let the miner switch to a pool as soon as that pool is up, without waiting for ``failback``. This holds until
        the pool is lost."""
        self._pools[index].trusted = True

    def is_enabled(self, index: int) -> bool:
        """Whether a pool may be used."""
        return self._pools[index].enabled

    def insert(self, index: int, now: float) -> None:
        """Insert a new pool at position ``index``. The pool at this position and all pools after it move towards the
        end, each by one position."""
        self._pools.insert(index, self._new(now))

    def remove(self, index: int) -> None:
        """Remove a pool. Raises ValueError if there is no other pool."""
        if len(self._pools) == 1:
            raise ValueError("failover: expected at least one pool to remain; add another one first")
        if self._pools.pop(index) is self._active:
            self._active = None

    def arrange(self, positions: Sequence[int | None], now: float) -> None:
        """Replace all pools. ``positions`` contains, for each pool in the new order, its present position, or None for
        a new pool.

        Raises ValueError if there is no pool.
        """
        if not positions:
            raise ValueError("failover: expected at least one pool, got none")
        self._pools = [self._new(now) if position is None else self._pools[position] for position in positions]
        if self._active not in self._pools:
            self._active = None

    def move(self, index: int, to: int) -> None:
        """Move a pool to another position."""
        self._pools.insert(to, self._pools.pop(index))

    # ---- what to do ---------------------------------------------------------------------------------------------

    def decide(self, now: float) -> FailoverDecision:
        """Choose the pool to mine on and the pools to connect to, and return both. This also finds pools that have
        become silent, and ends penalties."""
        for pool in self._pools:
            self._age(pool, now)
        self._choose(now)
        wanted = frozenset(index for index in range(len(self._pools)) if self._is_wanted(index, now))
        return FailoverDecision(self.active, wanted)

    def connectable(self, now: float) -> frozenset[int]:
        """Return the positions of all pools that may be used now. Strategy.QUOTA connects to all of them."""
        return frozenset(
            index for index, pool in enumerate(self._pools) if pool.enabled and now >= pool.penalized_until
        )

    def up(self) -> tuple[int, ...]:
        """Return the positions of all pools that are up. Time limits that have passed since the last decision are not
        considered."""
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
        """Return the pool to use if no pool is up. This is a silent pool (one that has sent no new job for too long),
        because it may still accept shares of its last job. ``before`` is the pool in use: if it is silent, return it.
        Otherwise return the best silent pool, or None if no pool is silent."""
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
        # Keep trying each pool that was tried before. Try a new pool only if none of the better pools, which stand
        # before it in the list, is likely to send a job soon.
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
        return pool.trusted or now - pool.since >= (
            max(policy.flap_window, policy.failback) if flaps else policy.failback
        )

    def _age(self, pool: _Health, now: float) -> None:
        """Change the condition of a pool if a time limit has passed."""
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
    """Return whether a pool that may be used has sent a job on its present connection, but no new job for too long."""
    return pool.enabled and pool.condition is Condition.SILENT and pool.job_content is not None


def _enter(pool: _Health, condition: Condition, now: float, reason: str) -> None:
    if pool.condition is not condition:
        pool.since = now
    pool.condition, pool.reason = condition, reason
