"""The shares without a reply of one connection: the result of each reply, and the rejections in a row."""

from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from stratum_miner.client.open_shares import ANSWER_WAS_LOST, OpenShare, OpenShares
from stratum_miner.client.resume import Unanswered
from stratum_miner.stratum.errors import SHARE_LOST_REASON, SHARE_LOST_TEXT, ErrorReason, ErrorReply
from stratum_miner.work.share import Share
from stratum_miner.work.share_result import RejectReason, ShareOutcome, ShareResult
from tests.work.shares import share_on

LOW = ErrorReply(ErrorReason.LOW_DIFFICULTY, 23, "above target")
STALE = ErrorReply(ErrorReason.JOB_NOT_FOUND, 21, "job not found")
DUPLICATE = ErrorReply(ErrorReason.DUPLICATE, None, "duplicate")
NEWEST = "1"
"""The job id of ``share_on``."""


def opened(it: OpenShares, *, share: Share | None = None, **changes: Any) -> OpenShare:
    values: dict[str, Any] = {"resubmitted": False, "differences": it.differences, "number": it.sent_so_far}
    return OpenShare(share or share_on(), "worker", 10.0, **values | changes)


def answer(it: OpenShares, error: ErrorReply | None = None, **changes: Any) -> ShareResult:
    """The result of a share that is sent and answered before the next one."""
    item = opened(it, **changes)
    it.sent(it.sent_so_far, item)
    return it.result(it.pop(it.sent_so_far - 1), error, 10.25, NEWEST)


@pytest.mark.parametrize(
    ("error", "resubmitted", "outcome", "text", "refusal", "code"),
    [
        (None, False, ShareOutcome.ACCEPTED, "", None, ""),
        (None, True, ShareOutcome.ACCEPTED, "", None, ""),
        (LOW, False, ShareOutcome.REJECTED, "above target", RejectReason.LOW_DIFFICULTY, "23"),
        (STALE, True, ShareOutcome.STALE, "job not found", RejectReason.JOB_NOT_FOUND, "21"),
        (DUPLICATE, False, ShareOutcome.REJECTED, "duplicate", RejectReason.DUPLICATE, ""),
        (DUPLICATE, True, ShareOutcome.LOST, ANSWER_WAS_LOST, None, ""),
        (ErrorReply(ErrorReason.OTHER, 20, SHARE_LOST_TEXT), False, ShareOutcome.LOST, SHARE_LOST_REASON, None, ""),
        (ErrorReply(ErrorReason.OTHER, 0, "no"), False, ShareOutcome.REJECTED, "no", RejectReason.OTHER, "0"),
    ],
)
def test_each_reply_becomes_a_result(
    error: ErrorReply | None, resubmitted: bool, outcome: ShareOutcome, text: str, refusal: RejectReason, code: str
) -> None:
    share = share_on()
    result = answer(OpenShares(), error, share=share, resubmitted=resubmitted)
    assert result == ShareResult(share, outcome, text, refusal, code, latency=0.25, worker_name="worker")


def test_the_oldest_open_share_is_the_one_that_waits_longest() -> None:
    it = OpenShares()
    assert (len(it), it.oldest_sent_at, it.sent_so_far) == (0, None, 0)
    shares = [share_on(difficulty=number) for number in (1.0, 2.0, 3.0)]
    for number, share in enumerate(shares):
        it.sent(number, replace(opened(it, share=share), sent_at=float(number)))
    assert (len(it), it.oldest_sent_at, it.sent_so_far) == (3, 0.0, 3)
    it.pop(0)
    assert it.oldest_sent_at == 1.0
    assert it.take() == [Unanswered(share, sent=True) for share in shares[1:]]
    assert len(it) == 0
    assert it.oldest_sent_at is None


def streak(it: OpenShares, error: ErrorReply | None = None, **changes: Any) -> int:
    assert not answer(it, error, **changes).same_event
    return it.refusals_in_a_row


def test_only_rejections_that_say_something_about_the_session_count() -> None:
    it = OpenShares()
    old = share_on(job_id="0")
    weak = share_on(share_target=1)
    lost = ErrorReply(ErrorReason.OTHER, 20, SHARE_LOST_TEXT)
    counts = [
        streak(it, LOW),
        streak(it, STALE),  # of the newest job
        streak(it, STALE, share=old),
        streak(it, DUPLICATE, share=old),
        streak(it, LOW, share=weak),
        streak(it, DUPLICATE, share=weak),
        streak(it, lost),
        streak(it),
        streak(it, LOW),
    ]
    assert counts == [1, 2, 2, 3, 3, 4, 4, 0, 1]


def test_shares_that_were_sent_before_a_rejection_arrived_are_of_one_event_with_it() -> None:
    it = OpenShares()
    items = [opened(it)]
    it.sent(0, items[0])
    items.append(opened(it))
    it.sent(1, items[1])
    results = [it.result(item, LOW, 11.0, NEWEST) for item in items]
    assert [result.same_event for result in results] == [False, True]
    assert it.refusals_in_a_row == 1
    assert streak(it, LOW) == 2, "sent after the rejection had arrived"


@pytest.mark.parametrize(("differences", "form"), [(True, "XOR with the job's version"), (False, "BIP 310")])
def test_the_form_in_which_a_share_was_accepted_at_the_second_try_is_used_from_then_on(
    differences: bool, form: str
) -> None:
    it = OpenShares()
    it.differences = not differences
    with capture_logs() as lines:
        answer(it, LOW, differences=differences, was_tried_before=True)
        answer(it, differences=differences)
        assert it.differences is not differences
        answer(it, differences=differences, was_tried_before=True)
        assert it.differences is differences
        answer(it, differences=differences, was_tried_before=True)
    assert lines == [{"event": "version_bits_form", "form": form, "log_level": "info"}]
