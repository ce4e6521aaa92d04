"""Numbers of shares by outcome."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ShareCounts:
    """Number of shares by outcome. The sum of the four numbers is the number of submitted shares that have a
    result."""

    accepted: int = 0
    rejected: int = 0
    stale: int = 0
    lost: int = 0

    @property
    def total(self) -> int:
        """Number of shares that have a result."""
        return self.accepted + self.rejected + self.stale + self.lost
