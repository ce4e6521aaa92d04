"""What became of a share. Each one that the miner hands to the client ends in exactly one fate.

Nothing here knows the protocol in which the pool answered.
"""

from dataclasses import dataclass
from enum import Enum

from stratum_miner.work.share import Share


class ShareOutcome(Enum):
    """The four ends of a share."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    STALE = "stale"
    LOST = "lost"


class RejectReason(Enum):
    """What a pool's refusal means, whatever words and codes it used."""

    OTHER = "other"
    JOB_NOT_FOUND = "job not found"
    DUPLICATE = "duplicate share"
    LOW_DIFFICULTY = "low difficulty share"
    UNAUTHORIZED = "unauthorized worker"
    NOT_SUBSCRIBED = "not subscribed"
    UNKNOWN_METHOD = "unknown method"
    NO_REASON = "refused without a reason"


@dataclass(frozen=True, slots=True)
class ShareResult:
    """A share and what became of it."""

    share: Share
    fate: ShareOutcome
    text: str = ""
    """Why it was not accepted: the pool's words, printable and short, or ours where it was lost on our side."""
    refusal: RejectReason | None = None
    """What the pool's refusal means; None where the pool refused nothing."""
    code: str = ""
    """The pool's own code for the refusal, where it gave one."""
    latency: float | None = None
    """Seconds from submit to answer; None without an answer."""
    worker_name: str = ""
    """The worker name that it was submitted under; empty for a share that was never sent."""
    same_event: bool = False
    """Whether it left before the refusal of another share was known, so that one event at the pool may have refused
    both."""

    @property
    def reason(self) -> str:
        """Why it was not accepted, for people: the code and the text."""
        text = self.text or (self.refusal.value if self.refusal is not None else "")
        return f"{self.code}: {text}" if self.code else text

    @property
    def cause(self) -> str:
        """Why it was not accepted, one of a bounded set: pools put numbers into their texts ("difficulty 2.55e-10")."""
        return self.refusal.value if self.refusal is not None else self.text

    @property
    def refused_as_weak(self) -> bool:
        """Whether it is a block below the share difficulty, and the pool refused it for that, as it may."""
        return self.refusal is RejectReason.LOW_DIFFICULTY and not self.share.meets_share_target
