"""The result of a fault that the misbehaving miner committed: how the pool reacted."""

from dataclasses import dataclass
from enum import Enum


class FaultVerdict(Enum):
    """How a pool reacted to a fault. The values are texts for people."""

    REFUSED = "rejected, as expected"
    SERVED = "served"
    CLOSED = "closed the connection"
    REFUSED_OTHERWISE = "rejected for another reason"
    TOLERATED = "accepted, as some pools do"
    ACCEPTED = "accepted"
    NO_ANSWER = "no answer"
    HARMED = "harmful reaction"
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
"""The verdicts with which the pool passes the test. They include ``NOT_POSSIBLE``, although nothing was tested then."""


@dataclass(frozen=True, slots=True)
class FaultOutcome:
    """The name of a fault, the verdict on the pool, and the pool's answer in words."""

    fault: str
    verdict: FaultVerdict
    answer: str

    @property
    def is_good(self) -> bool:
        """Return whether the pool passes the test."""
        return self.verdict in GOOD
