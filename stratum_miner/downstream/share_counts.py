"""Counts of the shares of miners, by their results."""

from collections import Counter
from dataclasses import dataclass, field, replace

from stratum_miner.stratum.errors import ErrorReason


@dataclass(slots=True)
class DownstreamShareCounts:
    """Counts of the shares of a worker, of a miner, or of all miners.

    A share is counted in ``received`` when it arrives. When it has its result, it is also counted in exactly one of
    ``accepted``, ``kept``, ``rejected``, ``refused``, ``stale`` and ``lost``.
    """

    received: int = 0
    """Shares that arrived."""
    accepted: int = 0
    """Number of shares that the pool accepted. For a proxy, "the pool" is the pool to which the proxy forwards."""
    kept: int = 0
    """Shares that a proxy accepted and did not forward, because they are below the pool's difficulty."""
    rejected: Counter[ErrorReason] = field(default_factory=Counter)
    """Number of shares that the pool rejected, by reason. For a proxy, "the pool" is the pool to which the proxy
    forwards, and stale shares are counted in ``stale`` instead."""
    refused: Counter[ErrorReason] = field(default_factory=Counter)
    """Number of shares that a proxy refused and did not forward, by reason. Stale shares are counted in ``stale``
    instead."""
    stale: int = 0
    """Number of shares that a proxy or its pool found stale: their job is outdated or unknown. A pool counts such
    shares in ``rejected`` instead."""
    lost: int = 0
    """Shares that a proxy forwarded and its pool never answered."""
    difficulty: float = 0.0
    """Work of the valid shares: the sum of the difficulties with which they were credited. This sum times 2^32 is about
    the number of hashes that the miners computed."""
    best: float = 0.0
    """Highest difficulty that the hash of a valid share meets."""
    last_at: float | None = None
    """Time of the last valid share, on trio's clock; None before the first."""

    @property
    def open(self) -> int:
        """Number of shares that were received and are not answered yet."""
        answered = self.accepted + self.kept + self.stale + self.lost
        return self.received - answered - self.rejected.total() - self.refused.total()

    def credit(self, difficulty: float, share_difficulty: float, now: float) -> None:
        """Add a valid share. ``difficulty`` is credited for it; ``share_difficulty`` is the highest difficulty that its
        hash meets. ``now`` is the time on trio's clock, in seconds."""
        self.difficulty += difficulty
        self.best = max(self.best, share_difficulty)
        self.last_at = now

    def copy(self) -> "DownstreamShareCounts":
        """Return a copy. Shares that are counted in this object later do not change the copy."""
        return replace(self, rejected=self.rejected.copy(), refused=self.refused.copy())
