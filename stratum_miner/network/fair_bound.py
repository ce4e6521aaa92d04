"""A limit that all connected miners share, and that no single miner can use up.

Theory of operation: a miner may take more units only if these and the units that it already holds are together at most
as many as the units that are still free. A single miner that takes all it can get therefore stops at half of the limit,
and two such miners stop at a third each. There are always free units for a miner that holds few.
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
