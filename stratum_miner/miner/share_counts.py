"""Shares by fate."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ShareCounts:
    """Shares by fate; the four add up to what was handed to the client and has its fate."""

    accepted: int = 0
    rejected: int = 0
    stale: int = 0
    lost: int = 0

    @property
    def total(self) -> int:
        """Settled shares."""
        return self.accepted + self.rejected + self.stale + self.lost
