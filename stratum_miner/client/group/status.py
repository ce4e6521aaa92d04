"""The frozen view of one pool of a group, for displays and summaries."""

from collections.abc import Mapping
from dataclasses import dataclass

from stratum_miner.client.group.failover import Condition
from stratum_miner.client.snapshot import ClientSnapshot
from stratum_miner.work.durations import NO_DURATIONS, DurationCounts
from stratum_miner.work.job import PoolKey


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolStatus:
    """A frozen view of one pool. Latencies are in seconds, from a submit to its reply."""

    key: PoolKey
    """The key, which never changes. No other pool of the run gets the same key."""
    name: str
    """The label: the name that the user gave the pool, or its URL. No other pool of the run has the same label."""
    active: bool
    """Whether the miner mines on this pool now."""
    enabled: bool
    """Whether the pool may be used."""
    condition: Condition
    reason: str
    """Why the pool is in this condition; empty if it is up."""
    since: float
    """Seconds that have passed since the pool came into this condition."""
    accepted: int
    """Number of shares that the pool accepted."""
    rejected: int
    """Number of shares that the pool rejected, not counting stale shares."""
    stale: int
    """Number of shares that were too late."""
    lost: int
    """Number of shares whose result never arrived."""
    reasons: tuple[tuple[str, int], ...]
    """Why shares were not accepted, with counts, the most frequent first."""
    difficulties: Mapping[str, float]
    """For each outcome, the sum of the difficulties of this pool's shares that had this outcome; see
    ``Difficulties``."""
    work_units: int
    """Number of work units that backends took from this pool's jobs; 0 in a proxy, which does not search."""
    best_share: float
    """Highest difficulty that the hash of a share reached, among this pool's shares that have a result; 0 before the
    first result."""
    last_accepted_at: float | None
    """Unix time at which the pool last accepted a share; None before the first accepted share."""
    last_accepted_difficulty: float
    """Share difficulty that the pool had set for the last accepted share; 0 before the first accepted share."""
    latency_p50: float | None
    """Median of the newest latencies; None before the first reply."""
    latency_p99: float | None
    """Latency that 99 % of the newest latencies do not exceed; None before the first reply."""
    quota: int | None
    """Quota of the pool; None with Strategy.FAILOVER."""
    work_share: float | None
    """Fraction of all hashes of the miner that were computed for this pool, from 0 to 1. A ``PoolGroup`` does not count
    hashes: in a status that it returns, this is the pool's fraction of the mining time, or None with
    Strategy.FAILOVER."""
    client: ClientSnapshot
    switch_p50: float | None = None
    """Median of the seconds from a job's arrival until a backend takes work of it; None in a proxy."""
    switch_p99: float | None = None
    """99 % quantile of the seconds from a job's arrival until a backend takes work of it; None in a proxy."""
    answers: DurationCounts = NO_DURATIONS
    """Histogram of the seconds from a submit to its reply, over the whole run."""
    switches: DurationCounts = NO_DURATIONS
    """Histogram of the seconds from a job's arrival until a backend takes work of it, over the whole run."""
    bound: tuple[str, ...] = ()
    """Names of the backends that are assigned to this pool and mine on no other pool. Empty if there are none: the
    strategy then decides when the miner uses the pool."""

    @property
    def reject_share(self) -> float:
        """Number of rejected shares divided by the number of shares that the pool replied to, from 0 to 1. Stale shares
        do not count as rejected."""
        answered = self.accepted + self.rejected + self.stale
        return self.rejected / answered if answered else 0.0

    @property
    def stale_share(self) -> float:
        """Number of stale shares divided by the number of shares that the pool replied to, from 0 to 1."""
        answered = self.accepted + self.rejected + self.stale
        return self.stale / answered if answered else 0.0
