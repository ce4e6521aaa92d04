"""The final result of a share. Each share that the miner hands to the client gets exactly one.

Nothing here depends on the protocol in which the pool answered.
"""

from dataclasses import dataclass
from enum import Enum

from stratum_miner.work.share import Share


class ShareOutcome(Enum):
    """How a share ended. The outcome is final."""

    ACCEPTED = "accepted"
    """The pool credited the share."""
    REJECTED = "rejected"
    """The pool answered that it does not credit the share, for another reason than a job that it no longer knows."""
    STALE = "stale"
    """The pool answered that it does not know the job of the share, or the client did not send the share because the
    previous block had changed."""
    LOST = "lost"
    """No answer to the share arrived or can still arrive, so that nobody knows whether the pool credited it."""


class RejectReason(Enum):
    """Why a pool rejected a share, independent of the wording and the error code of that pool."""

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
    """A share, its outcome, and what the pool answered."""

    share: Share
    outcome: ShareOutcome
    text: str = ""
    """Why the share was not accepted: the pool's text, made printable and shortened, or for a lost share the client's
    own reason."""
    refusal: RejectReason | None = None
    """The meaning of the pool's rejection; None if the pool did not reject the share."""
    code: str = ""
    """The error code that the pool sent with its rejection; empty if it sent none."""
    latency: float | None = None
    """Seconds from submit to answer; None if there was no answer."""
    worker_name: str = ""
    """The worker name under which the share was submitted; empty if the share was never sent."""
    same_event: bool = False
    """Whether the share was sent before the rejection of another share arrived. One event at the pool, such as a
    restart, may then have caused both rejections."""

    @property
    def reason(self) -> str:
        """Why the share was not accepted, for people: the code and the text."""
        text = self.text or (self.refusal.value if self.refusal is not None else "")
        return f"{self.code}: {text}" if self.code else text

    @property
    def cause(self) -> str:
        """Why the share was not accepted, as one of a bounded set of texts.

        A pool's own text is not bounded: pools put numbers into it ("difficulty 2.55e-10").
        """
        return self.refusal.value if self.refusal is not None else self.text

    @property
    def refused_as_weak(self) -> bool:
        """Whether the share solves a block but misses the share target, and the pool rejected it for that reason.

        A pool may do so. Such a rejection is no sign of a fault.
        """
        return self.refusal is RejectReason.LOW_DIFFICULTY and not self.share.meets_share_target
