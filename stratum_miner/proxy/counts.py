"""What came of shares, counted."""

from collections import Counter
from dataclasses import dataclass, field

from stratum_miner.proxy.snapshot import SharesSnapshot


@dataclass(slots=True)
class ShareCounts:
    """What came of a miner's shares: each that was received is counted once, when it is answered."""

    received: int = 0
    accepted: int = 0
    """By the pool."""
    kept: int = 0
    """Good, but only for the miner's own difficulty."""
    rejected: Counter[str] = field(default_factory=Counter)
    """By the pool, by reason."""
    refused: Counter[str] = field(default_factory=Counter)
    """Here, by reason; they never went up."""
    stale: int = 0
    """Here or by the pool: too late."""
    lost: int = 0
    """Without an answer of the pool."""
    difficulty: float = 0.0
    """Sum over the good ones, each worth what its job asked for; times 2^32 it is the work done."""
    best: float = 0.0
    last_at: float | None = None
    """When the last good one came, on the session's clock."""

    @property
    def open(self) -> int:
        """Received and not answered yet."""
        answered = self.accepted + self.kept + self.stale + self.lost
        return self.received - answered - self.rejected.total() - self.refused.total()

    def snapshot(self) -> SharesSnapshot:
        """What there is to see."""
        return SharesSnapshot(
            received=self.received,
            accepted=self.accepted,
            kept=self.kept,
            rejected=Counter(self.rejected),
            refused=Counter(self.refused),
            stale=self.stale,
            lost=self.lost,
            open=self.open,
            difficulty=self.difficulty,
            best=self.best,
        )
