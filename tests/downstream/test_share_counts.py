"""The counts of shares by their results."""

from stratum_miner.downstream.share_counts import DownstreamShareCounts
from stratum_miner.stratum.errors import ErrorReason


def test_a_share_is_open_until_it_has_a_result() -> None:
    assert DownstreamShareCounts() == DownstreamShareCounts(
        received=0, accepted=0, kept=0, stale=0, lost=0, difficulty=0.0, best=0.0, last_at=None
    )
    counts = DownstreamShareCounts(received=100, accepted=1, kept=2, stale=4, lost=8)
    counts.rejected[ErrorReason.DUPLICATE] = 16
    counts.refused[ErrorReason.OTHER] = 32
    assert counts.open == 37


def test_a_valid_share_adds_its_work_and_the_best_stays() -> None:
    counts = DownstreamShareCounts()
    counts.credit(2.0, 5.0, 10.0)
    counts.credit(3.0, 4.0, 20.0)
    assert (counts.difficulty, counts.best, counts.last_at) == (5.0, 5.0, 20.0)


def test_a_copy_does_not_change() -> None:
    counts = DownstreamShareCounts()
    copy = counts.copy()
    counts.rejected[ErrorReason.OTHER] += 1
    counts.refused[ErrorReason.OTHER] += 1
    counts.received += 2
    assert copy == DownstreamShareCounts()
