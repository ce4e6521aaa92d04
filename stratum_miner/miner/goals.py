"""When a miner stops by itself, and why it did."""

from dataclasses import dataclass
from enum import Enum


class StopReason(Enum):
    """Why a miner stopped by itself."""

    SHARES_REACHED = "shares reached"
    BLOCKS_REACHED = "blocks reached"
    TIME_LIMIT = "time limit"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Goals:
    """When to stop; None never. Accepted shares, blocks as the miner counts them, and seconds."""

    shares: int | None = None
    blocks: int | None = None
    time_limit: float | None = None

    def reached(self, shares: int, blocks: int) -> StopReason | None:
        """Which goal so many accepted shares and blocks reach; None: none yet."""
        if self.shares is not None and shares >= self.shares:
            return StopReason.SHARES_REACHED
        if self.blocks is not None and blocks >= self.blocks:
            return StopReason.BLOCKS_REACHED
        return None


UNTIL_STOPPED = Goals()
"""No goal at all."""
