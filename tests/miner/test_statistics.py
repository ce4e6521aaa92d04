"""What a miner counts: shares by outcome and reason, difficulty, and blocks by their previous hash."""

import pytest

from stratum_miner.bitcoin.target import target_from_difficulty
from stratum_miner.miner.share_counts import ShareCounts
from stratum_miner.miner.statistics import Statistics
from stratum_miner.work.share_result import RejectReason, ShareOutcome, ShareResult
from tests.work.shares import accepted, rejected, share_on, tips


def test_before_the_first_share_all_is_0() -> None:
    it = Statistics(5.0)
    assert (it.started, it.found, it.blocks_accepted, it.accepted, it.best_share) == (5.0, 0, 0, 0, 0.0)
    assert (it.shares, it.shares.total, it.accepted_difficulty) == (ShareCounts(), 0, 0.0)


def test_each_result_counts_under_its_outcome() -> None:
    it = Statistics(0.0)
    outcomes = [ShareOutcome.ACCEPTED] * 4 + [ShareOutcome.REJECTED] * 3 + [ShareOutcome.STALE] * 2
    for outcome in [*outcomes, ShareOutcome.LOST]:
        it.add(ShareResult(share_on(), outcome, "why"))
    assert it.shares == ShareCounts(accepted=4, rejected=3, stale=2, lost=1)
    assert (it.accepted, it.shares.total) == (4, 10)


def test_an_accepted_share_is_worth_its_share_difficulty_and_a_weak_block_what_its_hash_is() -> None:
    it = Statistics(0.0)
    easy, hard = (target_from_difficulty(difficulty) for difficulty in (0.25, 8.0))
    it.add(accepted(share_on(difficulty=4.0, share_target=easy)))
    assert it.accepted_difficulty == pytest.approx(0.25)
    it.add(accepted(share_on(difficulty=4.0, share_target=hard)))
    assert it.accepted_difficulty == pytest.approx(4.25)
    it.add(rejected(share_on(difficulty=4.0, share_target=easy)))
    assert it.accepted_difficulty == pytest.approx(4.25)


def test_what_was_not_accepted_counts_by_outcome_and_cause() -> None:
    it = Statistics(0.0)
    it.add(accepted(share_on()))
    for _ in range(2):
        it.add(rejected(share_on()))
    it.add(ShareResult(share_on(), ShareOutcome.STALE, "too late", RejectReason.JOB_NOT_FOUND))
    it.add(ShareResult(share_on(), ShareOutcome.LOST, "its session is over"))
    assert it.reasons == {
        "rejected: low difficulty share": 2,
        "stale: job not found": 1,
        "lost: its session is over": 1,
    }


def test_two_blocks_on_one_previous_hash_count_as_one() -> None:
    it, (first, second) = Statistics(0.0), tips(2)
    counts = []
    for tip in (first, first, second, first, second):
        it.count_block(share_on(tip))
        counts.append(it.blocks_accepted)
    assert counts == [1, 1, 2, 2, 2]


def test_of_very_many_previous_hashes_the_oldest_is_forgotten() -> None:
    it, (first, *others) = Statistics(0.0), tips(1025)
    for tip in (first, *others[:-1]):
        it.count_block(share_on(tip))
    it.count_block(share_on(first))
    assert it.blocks_accepted == 1024, "1,024 are remembered"
    it.count_block(share_on(others[-1]))
    it.count_block(share_on(others[0]))
    assert it.blocks_accepted == 1025, "only the oldest is forgotten"
    it.count_block(share_on(first))
    assert it.blocks_accepted == 1026
