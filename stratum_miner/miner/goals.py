"""The goals at which a miner stops by itself, and the reasons why it stopped."""

from dataclasses import dataclass
from enum import Enum


class StopReason(Enum):
    """Why a miner stopped."""

    SHARES_REACHED = "shares reached"
    BLOCKS_REACHED = "blocks reached"
    TIME_LIMIT = "time limit"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Goals:
    """When a miner stops by itself: at the first of these goals that it reaches. A field that is None sets no goal.

    Raises ValueError if a goal is not more than 0.
    """

    shares: int | None = None
    """Number of accepted shares."""
    blocks: int | None = None
    """Number of blocks, as ``MinerSnapshot.blocks_accepted`` counts them."""
    time_limit: float | None = None
    """Seconds since the miner started."""

    def __post_init__(self) -> None:
        for name, goal in (("shares", self.shares), ("blocks", self.blocks), ("time_limit", self.time_limit)):
            if goal is not None and not goal > 0:  # also refuses NaN
                raise ValueError(f"{name}: expected None, or more than 0, got {goal}")

    def reached(self, shares: int, blocks: int) -> StopReason | None:
        """Return which goal is reached with this many accepted shares and blocks, or None if no goal is. The time limit
        is not checked here."""
        if self.shares is not None and shares >= self.shares:
            return StopReason.SHARES_REACHED
        if self.blocks is not None and blocks >= self.blocks:
            return StopReason.BLOCKS_REACHED
        return None


UNTIL_STOPPED = Goals()
"""No goals: the miner mines until ``stop`` is called."""
