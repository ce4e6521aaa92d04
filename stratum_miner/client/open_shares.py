"""The shares of one connection that wait for the pool's answer, and what an answer says of a share. Sans-IO.

When the connection ends, ``reconnecting`` takes those without an answer, and ``resume`` keeps them for the next one.
"""

from collections import OrderedDict
from dataclasses import dataclass, replace

import structlog

from stratum_miner.client.resume import Unanswered
from stratum_miner.stratum.errors import SHARE_LOST_REASON, ErrorReason, ErrorReply
from stratum_miner.work.share import Share
from stratum_miner.work.share_result import RejectReason, ShareOutcome, ShareResult

log = structlog.get_logger(__name__)

REJECT_STREAK = 10
"""Refusals in a row after which our state and the pool's no longer agree: reconnect. One counts only if its share left
after the refusal before it was known, for a change of the tip or a proxy's lost connection refuses many at once."""
ANSWER_WAS_LOST = "the pool had seen it; its answer was lost"
"""Why a share is lost that we sent again and that the pool then calls a duplicate. That does not mean that the pool
accepted it before: pools also remember shares that they refused."""


@dataclass(frozen=True, slots=True)
class OpenShare:
    """A share that was sent to the pool and has no answer yet."""

    share: Share
    worker_name: str
    sent_at: float
    resubmitted: bool
    differences: bool
    """The form of its version bits: as their difference from the job's version; else as they stand in the header."""
    number: int
    """The number of shares that were sent before it on this connection."""
    was_tried_before: bool = False
    """Whether it was sent before in the other form, which was refused."""


class OpenShares:
    """Open shares by the ids of the requests that took them to the pool, the oldest first."""

    def __init__(self) -> None:
        self._open: OrderedDict[int, OpenShare] = OrderedDict()
        self.sent_so_far = 0
        """The number of shares that were sent on this connection."""
        self._refused_up_to = 0
        """Shares with a lower number left before the newest refusal that counts was known."""
        self.refusals_in_a_row = 0
        self.differences = False
        """Whether this pool takes version bits as their difference from the job's version, where that has any."""

    def __len__(self) -> int:
        return len(self._open)

    @property
    def oldest_sent_at(self) -> float | None:
        """Time at which the share was sent that has waited longest; None when none waits."""
        return next((item.sent_at for item in self._open.values()), None)

    def sent(self, request_id: int, item: OpenShare) -> None:
        """Note that a share was sent under this id."""
        self._open[request_id] = item
        self.sent_so_far += 1

    def pop(self, request_id: int) -> OpenShare:
        """Remove the share that was answered, and return it."""
        return self._open.pop(request_id)

    def take(self) -> list[Unanswered]:
        """Remove and return all shares, because this connection gets no more answers."""
        shares = [Unanswered(item.share, sent=True) for item in self._open.values()]
        self._open.clear()
        return shares

    def result(self, item: OpenShare, error: ErrorReply | None, now: float, newest_job_id: str | None) -> ShareResult:
        """What the pool's answer says of a share, and nothing that we conclude from it. None is no error: accepted."""
        if error is None and item.was_tried_before and item.differences is not self.differences:
            self.differences = item.differences
            log.info("version_bits_form", form="XOR with the job's version" if item.differences else "BIP 310")
        result = _result(item, error, now - item.sent_at)
        if result.outcome is ShareOutcome.ACCEPTED:
            self.refusals_in_a_row = 0
        elif _says_something(result, newest_job_id):
            if item.number < self._refused_up_to:
                return replace(result, same_event=True)
            self.refusals_in_a_row += 1
            self._refused_up_to = self.sent_so_far
        return result


def _result(item: OpenShare, error: ErrorReply | None, latency: float) -> ShareResult:
    if error is None:
        return ShareResult(item.share, ShareOutcome.ACCEPTED, latency=latency, worker_name=item.worker_name)
    if error.reason is ErrorReason.DUPLICATE and item.resubmitted:
        return ShareResult(
            item.share, ShareOutcome.LOST, ANSWER_WAS_LOST, latency=latency, worker_name=item.worker_name
        )
    if error.reports_lost_share:
        return ShareResult(
            item.share, ShareOutcome.LOST, SHARE_LOST_REASON, latency=latency, worker_name=item.worker_name
        )
    fate = ShareOutcome.STALE if error.reason is ErrorReason.JOB_NOT_FOUND else ShareOutcome.REJECTED
    return ShareResult(
        item.share,
        fate,
        error.message,
        RejectReason(error.reason.value),
        "" if error.code is None else str(error.code),
        latency,
        item.worker_name,
    )


def _says_something(result: ShareResult, newest_job_id: str | None) -> bool:
    """Whether a refusal may mean that our state is not the pool's: shares on the way while the job changed, whose
    answer a proxy missed, or below the share difficulty as we know it do not.
    """
    if result.outcome is ShareOutcome.STALE:
        return result.share.job.job_id == newest_job_id
    return result.outcome is ShareOutcome.REJECTED and not result.refused_as_weak
