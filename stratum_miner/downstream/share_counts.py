"""Counts of what became of the shares of miners."""

from collections import Counter
from dataclasses import dataclass, field, replace

from stratum_miner.stratum.errors import ErrorReason


@dataclass(slots=True)
class DownstreamShareCounts:
    """What came of the shares of a worker, a miner or all of them: each is counted once, when it is answered.

    ``accepted`` and ``rejected`` are by whoever has the last word: a pool itself, for a proxy the pool above it.
    """

    received: int = 0
    accepted: int = 0
    kept: int = 0
    """Good for the miner's own difficulty only: a proxy did not pass them on."""
    rejected: Counter[ErrorReason] = field(default_factory=Counter)
    refused: Counter[ErrorReason] = field(default_factory=Counter)
    """Shares that a proxy refused and did not pass on."""
    stale: int = 0
    """Too late for a proxy or for the pool above it; a pool counts them with the rejected ones."""
    lost: int = 0
    """Shares that the pool above never answered."""
    difficulty: float = 0.0
    """Sum over the good ones, each worth what its job asked for; times 2^32 it is the work done."""
    best: float = 0.0
    """The highest difficulty that the hash of a good one is worth."""
    last_at: float | None = None
    """When the last good one came, on the session's clock."""

    @property
    def open(self) -> int:
        """Received and not answered yet."""
        answered = self.accepted + self.kept + self.stale + self.lost
        return self.received - answered - self.rejected.total() - self.refused.total()

    def credit(self, difficulty: float, share_difficulty: float, now: float) -> None:
        """Count the work of a good share, which is worth ``difficulty``; its hash is worth ``share_difficulty``."""
        self.difficulty += difficulty
        self.best = max(self.best, share_difficulty)
        self.last_at = now

    def copy(self) -> "DownstreamShareCounts":
        """The counts of this moment."""
        return replace(self, rejected=self.rejected.copy(), refused=self.refused.copy())
