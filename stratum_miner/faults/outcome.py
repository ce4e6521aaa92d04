"""What came of a fault that a miner committed."""

from dataclasses import dataclass
from enum import Enum


class FaultVerdict(Enum):
    """What a pool made of a fault; the first three are as they should be."""

    REFUSED = "refused, as expected"
    SERVED = "served"
    CLOSED = "closed the connection"
    REFUSED_OTHERWISE = "refused for another reason"
    TOLERATED = "accepted; some pools do"
    ACCEPTED = "accepted"
    NO_ANSWER = "no answer"
    HARMED = "harmed"
    NOT_POSSIBLE = "not possible here"


GOOD = frozenset(
    {
        FaultVerdict.REFUSED,
        FaultVerdict.SERVED,
        FaultVerdict.CLOSED,
        FaultVerdict.REFUSED_OTHERWISE,
        FaultVerdict.TOLERATED,
        FaultVerdict.NOT_POSSIBLE,
    }
)
"""With these nothing that matters went wrong."""


@dataclass(frozen=True, slots=True)
class FaultOutcome:
    """One fault and what came of it; ``answer`` is the pool's own, in words."""

    fault: str
    verdict: FaultVerdict
    answer: str

    @property
    def is_good(self) -> bool:
        """Whether the pool held out."""
        return self.verdict in GOOD
