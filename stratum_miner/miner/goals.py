"""When a miner stops by itself, and why it did."""

from dataclasses import dataclass
from enum import Enum


class Ending(Enum):
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


UNTIL_STOPPED = Goals()
"""No goal at all."""
