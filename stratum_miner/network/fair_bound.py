"""A limit that all connected miners share, and that no single miner can use up.

Theory of operation: a holder may take more only as long as it then holds no more than what remains for everybody. One
greedy holder therefore stops at half of the limit, two stop at a third each, and a holder of little always gets more.
"""


class FairBound:
    """A shared limit, counted in any unit, such as bytes or shares; ``used`` is kept by the callers."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0

    def has_room(self, held: int, more: int = 1) -> bool:
        """Return whether a holder of ``held`` units may take ``more`` units."""
        return held + more <= self.limit - self.used
