"""How several pools are used, seen and changed: what displays read, and the one interface for whoever may change."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from stratum_miner.client.failover import Condition
from stratum_miner.client.pool_client import ClientSnapshot
from stratum_miner.client.settings import PoolSettings
from stratum_miner.work.durations import NO_DURATIONS, DurationCounts


class Strategy(Enum):
    """How several pools are used."""

    FAILOVER = "failover"
    """The best that is up."""
    QUOTA = "quota"
    """All that are up, in turns, each for its quota of the time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolStatus:
    """One pool as displays show it. Latencies are from submit to reply, in seconds."""

    id: int
    """Counted from 0 in the order in which pools came in this run; it never moves, and no other pool gets it."""
    name: str
    """The label: what the user calls the pool, else its URL; no other pool of the run has the same."""
    active: bool
    enabled: bool
    condition: Condition
    reason: str
    """Why it is so; empty for a pool that is up."""
    since: float
    """Seconds in this condition."""
    accepted: int
    rejected: int
    stale: int
    lost: int
    reasons: tuple[tuple[str, int], ...]
    difficulties: Mapping[str, float]
    """Sum of what its shares were worth, by the word for their fate."""
    work_units: int
    """Units of work taken of its jobs; 0 where nobody searches."""
    best_share: float
    """Difficulty of the best of its settled shares; 0 before the first."""
    last_accepted_at: float | None
    """Unix time at which it accepted the last share; None before the first."""
    last_accepted_difficulty: float
    """The share difficulty of the job of that share; 0 before the first."""
    latency_p50: float | None
    latency_p99: float | None
    quota: int | None
    """None where pools are mined on one at a time."""
    work_share: float | None
    """Of all the work, from 0 to 1; what the quota, or a binding, came to. A group by itself knows it by time only."""
    client: ClientSnapshot
    switch_p50: float | None = None
    """From a job's arrival until work of it is taken; None where nobody searches."""
    switch_p99: float | None = None
    answers: DurationCounts = NO_DURATIONS
    """From submit to reply, of all replies."""
    switches: DurationCounts = NO_DURATIONS
    """From a job's arrival until work of it is taken, of all jobs."""
    bound: tuple[str, ...] = ()
    """Backends that mine here alone, over a connection of their own, which this is."""

    @property
    def reject_share(self) -> float:
        """Of all answered shares, 0 to 1."""
        answered = self.accepted + self.rejected + self.stale
        return self.rejected / answered if answered else 0.0

    @property
    def stale_share(self) -> float:
        """Of all answered shares, 0 to 1."""
        answered = self.accepted + self.rejected + self.stale
        return self.stale / answered if answered else 0.0


class PoolControl(Protocol):
    """How pools are changed while mining, by whoever may: configuration, APIs, a terminal. Places count from 0, the
    best first; ValueError for a place that is none, with the reason in one line.
    """

    def pools(self) -> tuple[PoolStatus, ...]:
        """All pools, the best first."""
        ...

    def add(self, settings: PoolSettings, index: int | None = None) -> int:
        """A pool more, the worst unless a place is given; its id."""
        ...

    def remove(self, index: int) -> None:
        """A pool less; never the last."""
        ...

    def move(self, index: int, to: int) -> None:
        """Give a pool another priority."""
        ...

    def enable(self, index: int, enabled: bool) -> None:
        """Use or leave a pool."""
        ...

    def switch(self, index: int) -> None:
        """Make a pool the best and mine on it as soon as it is up. ValueError where pools are mined on in turns."""
        ...

    def set_quota(self, index: int, quota: int) -> None:
        """Give a pool another part of the time; its connection stays."""
        ...

    def settings(self) -> tuple[PoolSettings, ...]:
        """Of all pools, the best first."""
        ...

    def change(self, index: int, settings: PoolSettings) -> None:
        """Give a pool other settings, in its place; it is connected to anew if they make a difference there."""
        ...

    def arrange(self, settings: Sequence[PoolSettings]) -> None:
        """Make these the pools, in this order; those that stay as they are keep their connections."""
        ...

    def use(self, strategy: Strategy) -> None:
        """Use the pools in another way from now on."""
        ...
