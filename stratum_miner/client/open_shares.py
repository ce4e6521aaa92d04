"""Keeps the shares of one connection that wait for the pool's reply, and turns each reply into the result of its share.
Sans-IO.

When the connection ends, the module ``reconnecting`` takes the shares that have no reply, and the module ``resume``
keeps them for the next connection.
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
"""The client reconnects after this number of rejections in a row, because its state probably differs from the pool's. A
single event, such as a new block, can make a pool reject many shares at once. Therefore, a rejection counts only if its
share was sent after the previous counted rejection had arrived."""
ANSWER_WAS_LOST = "the pool had seen it; its answer was lost"
"""Reason of a share that counts as lost, because the client submitted it a second time and the pool then called it a
duplicate. The pool may have accepted or rejected the first submission: pools also remember shares that they
rejected."""


@dataclass(frozen=True, slots=True)
class OpenShare:
    """A share that was sent to the pool and has no reply yet."""

    share: Share
    worker_name: str
    sent_at: float
    resubmitted: bool
    differences: bool
    """How the share's version bits were sent. True: the client sent the difference (XOR) between the header's version
    and the job's version. False: the client sent the bits as they are in the header."""
    number: int
    """Number of shares that were sent before this share on the same connection."""
    was_tried_before: bool = False
    """Whether the pool rejected the share before, when its version bits were sent in the other form (see
    ``differences``)."""


class OpenShares:
    """The open shares of one connection, by the id of the request that submitted each of them; the oldest first."""

    def __init__(self) -> None:
        self._open: OrderedDict[int, OpenShare] = OrderedDict()
        self.sent_so_far = 0
        """Number of shares that were sent on this connection."""
        self._refused_up_to = 0
        """Value of ``sent_so_far`` at the arrival of the last rejection that was counted in ``refusals_in_a_row``.
        Every share with a lower ``number`` was sent before that rejection arrived."""
        self.refusals_in_a_row = 0
        """Number of rejections since the last accepted share. Some rejections are not counted (see ``REJECT_STREAK``
        and ``_says_something``)."""
        self.differences = False
        """Whether this pool expects version bits as the difference (XOR) between the header's version and the job's
        version."""

    def __len__(self) -> int:
        return len(self._open)

    @property
    def oldest_sent_at(self) -> float | None:
        """Time at which the oldest open share was sent, in seconds; None if no share is open."""
        return next((item.sent_at for item in self._open.values()), None)

    def sent(self, request_id: int, item: OpenShare) -> None:
        """Record that a share was sent with this request id."""
        self._open[request_id] = item
        self.sent_so_far += 1

    def pop(self, request_id: int) -> OpenShare:
        """Remove and return the share with this request id. Raises KeyError if there is none."""
        return self._open.pop(request_id)

    def take(self) -> list[Unanswered]:
        """Remove and return all open shares. Called when this connection has ended and no more replies come."""
        shares = [Unanswered(item.share, sent=True) for item in self._open.values()]
        self._open.clear()
        return shares

    def result(self, item: OpenShare, error: ErrorReply | None, now: float, newest_job_id: str | None) -> ShareResult:
        """Return the result of the share ``item``, to which the pool has replied, and update ``refusals_in_a_row``.
        ``error``: the reply if the pool did not accept the share; None if the pool accepted it."""
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
    outcome = ShareOutcome.STALE if error.reason is ErrorReason.JOB_NOT_FOUND else ShareOutcome.REJECTED
    return ShareResult(
        item.share,
        outcome,
        error.message,
        RejectReason(error.reason.value),
        "" if error.code is None else str(error.code),
        latency,
        item.worker_name,
    )


def _says_something(result: ShareResult, newest_job_id: str | None) -> bool:
    """Return whether the result of a share that was not accepted is a sign that the client's state (such as its job or
    difficulty) differs from the pool's.

    Three results are no sign of that:

    * The share is stale, and a newer job has come.
    * The share is lost.
    * The share is a weak block: its hash meets the network target, but misses the share target. The pool rejected it as
      too easy, which the client expected. The client sent the share only because it solves a block.
    """
    if result.outcome is ShareOutcome.STALE:
        return result.share.job.job_id == newest_job_id
    return result.outcome is ShareOutcome.REJECTED and not result.refused_as_weak
