"""A bound that all who connect to us have in common, and that none of them can use up.

Theory of operation: whoever holds some of it may take more only while that is no more than what is left for everybody.
One that takes all it can get ends at half of the bound, two of them at a third each, and whoever holds little
always finds room.
"""


class FairBound:
    """So much of something: bytes, or shares."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0

    def has_room(self, held: int, more: int = 1) -> bool:
        """Whether one that holds so much may take more."""
        return held + more <= self.limit - self.used
