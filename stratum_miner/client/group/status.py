"""One pool of a group as displays read it."""

from collections.abc import Mapping
from dataclasses import dataclass

from stratum_miner.client.group.failover import Condition
from stratum_miner.client.snapshot import ClientSnapshot
from stratum_miner.work.durations import NO_DURATIONS, DurationCounts
from stratum_miner.work.job import PoolKey


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolStatus:
    """One pool as displays show it. Latencies are from submit to reply, in seconds."""

    key: PoolKey
    """It never changes, and no other pool of the run gets it."""
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
    """Difficulty of the best of its shares whose fate is known; 0 before the first."""
    last_accepted_at: float | None
    """Unix time at which it accepted the last share; None before the first."""
    last_accepted_difficulty: float
    """The share difficulty of the job of that share; 0 before the first."""
    latency_p50: float | None
    latency_p99: float | None
    quota: int | None
    """None where pools are mined on one at a time."""
    work_share: float | None
    """The part of all work done for this pool, from 0 to 1. A group by itself knows only the part of the time."""
    client: ClientSnapshot
    switch_p50: float | None = None
    """From a job's arrival until work of it is taken; None where nobody searches."""
    switch_p99: float | None = None
    answers: DurationCounts = NO_DURATIONS
    """Times from submit to reply, of all replies."""
    switches: DurationCounts = NO_DURATIONS
    """Times from a job's arrival until work of it is taken, of all jobs."""
    bound: tuple[str, ...] = ()
    """Backends that mine here alone, over a connection of their own, which this is."""

    @property
    def reject_share(self) -> float:
        """The fraction of all answered shares that the pool rejected, 0 to 1."""
        answered = self.accepted + self.rejected + self.stale
        return self.rejected / answered if answered else 0.0

    @property
    def stale_share(self) -> float:
        """The fraction of all answered shares that the pool called stale, 0 to 1."""
        answered = self.accepted + self.rejected + self.stale
        return self.stale / answered if answered else 0.0
