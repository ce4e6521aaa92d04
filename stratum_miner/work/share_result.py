"""The final result of a share. Each share that the miner passes to the pool client gets exactly one result.

This module does not depend on the protocol that the pool uses.
"""

from dataclasses import dataclass
from enum import Enum

from stratum_miner.work.share import Share


class ShareOutcome(Enum):
    """How a share ended. The outcome is final."""

    ACCEPTED = "accepted"
    """The pool credited the share."""
    REJECTED = "rejected"
    """The pool answered that it does not credit the share, and the share is not stale."""
    STALE = "stale"
    """The pool answered that it does not know the job of the share, or the client did not send the share because the
    previous block had changed."""
    LOST = "lost"
    """No answer to the share arrived, and none can arrive any more. So it is not known whether the pool credited the
    share."""


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
    """Why the share was not accepted: the text that the pool sent, made printable and shortened. For a share
    without an answer, it is the reason that the client gives."""
    refusal: RejectReason | None = None
    """The meaning of the pool's rejection; None if the pool did not reject the share."""
    code: str = ""
    """The error code that the pool sent with its rejection; empty if it sent none."""
    latency: float | None = None
    """Seconds from submit to answer; None if there was no answer."""
    worker_name: str = ""
    """The worker name under which the share was submitted; empty if the share was never sent."""
    same_event: bool = False
    """Whether this share was rejected, but had been sent before the rejection of an earlier share arrived. If so, a
    single event at the pool, such as a restart, may have caused both rejections."""

    @property
    def reason(self) -> str:
        """Why the share was not accepted, for people: the code and the text."""
        text = self.text or (self.refusal.value if self.refusal is not None else "")
        return f"{self.code}: {text}" if self.code else text

    @property
    def cause(self) -> str:
        """Why the share was not accepted, as one of a limited number of texts, so that shares can be counted by cause.

        The texts that pools send cannot be counted in this way, because they contain numbers that vary, as in
        "difficulty 2.55e-10".
        """
        return self.refusal.value if self.refusal is not None else self.text

    @property
    def refused_as_weak(self) -> bool:
        """Whether the share solves a block but misses the share target, and the pool rejected it for that reason.

        A pool may reject such a share, so the rejection is not a sign of a problem.
        """
        return self.refusal is RejectReason.LOW_DIFFICULTY and not self.share.meets_share_target
