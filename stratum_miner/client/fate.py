"""What became of a share. Each one that the miner hands to the client ends in exactly one fate."""

from dataclasses import dataclass
from enum import Enum

from stratum_miner.stratum.errors import ErrorReason, ErrorReply
from stratum_miner.work.share import Share


class Fate(Enum):
    """The four ends of a share."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    STALE = "stale"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class ShareOutcome:
    """A share and its end. ``error`` is the pool's refusal; ``reason`` says why in words; ``latency`` in seconds.

    ``worker_name`` is whose it was for the pool; empty for a share that never left. ``same_event``: the share left
    before the refusal of another one was known, so whatever happened at the pool may have refused both.
    """

    share: Share
    fate: Fate
    reason: str = ""
    error: ErrorReply | None = None
    latency: float | None = None
    worker_name: str = ""
    same_event: bool = False

    @property
    def cause(self) -> str:
        """Why it was not accepted, one of a bounded set: pools put numbers into their texts ("difficulty 2.55e-10")."""
        return self.error.reason.value if self.error is not None else self.reason

    @property
    def refused_as_weak(self) -> bool:
        """Whether it is a block below the share difficulty, and the pool refused it for that, as it may."""
        refused = self.error is not None and self.error.reason is ErrorReason.LOW_DIFFICULTY
        return refused and not self.share.meets_share_target
