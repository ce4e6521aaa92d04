"""A limit that all connected miners share, such as a number of bytes in memory. No single miner can use it up.

The limit is a number of units, such as bytes. A miner that asks for further units gets them only if its new total is
not larger than the number of units that were free before. So a single miner that takes all it can get stops at half of
the limit, and two such miners stop at a third each. There are always free units for a miner that holds few.
"""


class FairBound:
    """A shared limit, counted in any unit, such as bytes or shares. The callers themselves update ``used``, the number
    of units that all miners hold together."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0

    def has_room(self, held: int, more: int = 1) -> bool:
        """Return whether a miner that has ``held`` units may take ``more`` further units."""
        return held + more <= self.limit - self.used
