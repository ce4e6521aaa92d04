"""Weak blocks: when a pool's rejections of hashes that solve a block but miss the share target end their submission."""

from typing import Any

from stratum_miner.bitcoin.target import target_from_difficulty
from stratum_miner.miner.weak_blocks import WeakBlocks
from stratum_miner.work.share import Share
from stratum_miner.work.share_result import RejectReason
from tests.work.shares import accepted, rejected, share_on


def weak(session: int = 1, **changes: Any) -> Share:
    return share_on(session=session, share_target=target_from_difficulty(8.0), **changes)


def full(session: int = 1) -> Share:
    return share_on(session=session)


def refuse(it: WeakBlocks, times: int, session: int = 1) -> list[bool]:
    return [it.note_result(rejected(weak(session))) for _ in range(times)]


def test_the_third_rejection_in_a_session_ends_weak_blocks_there() -> None:
    it = WeakBlocks()
    assert it.are_wanted(weak().job)
    assert refuse(it, 3) == [True, True, False]
    assert not it.are_wanted(weak().job)
    assert it.are_wanted(weak(2).job)
    assert refuse(it, 3, session=2) == [True, True, False]


def test_only_a_rejected_weak_block_is_an_answer_to_act_on() -> None:
    it = WeakBlocks()
    for result in (
        accepted(weak()),
        accepted(full()),
        rejected(full()),
        rejected(weak(), RejectReason.DUPLICATE),
    ):
        for _ in range(3):
            assert not it.note_result(result)
    assert it.are_wanted(weak().job)


def test_an_accepted_weak_block_clears_the_rejections_of_its_session_and_a_full_share_does_not() -> None:
    it = WeakBlocks()
    refuse(it, 2)
    refuse(it, 2, session=2)
    it.note_result(accepted(weak()))
    it.note_result(accepted(weak()))  # with no rejection left
    it.note_result(accepted(full(2)))
    assert refuse(it, 1) == [True]
    assert refuse(it, 1, session=2) == [False]


def test_a_job_on_a_rejected_hash_shows_that_the_pool_makes_blocks_of_them() -> None:
    it = WeakBlocks()
    refuse(it, 3)
    share = weak(difficulty=2.0)
    it.note_result(rejected(share))
    assert not it.are_wanted(weak().job)
    assert it.are_wanted(weak(previous_hash=share.digest).job)
    assert it.are_wanted(weak().job), "the earlier rejections are forgotten, too"


def test_of_very_many_sessions_the_oldest_is_forgotten() -> None:
    it = WeakBlocks()
    for session in range(1, 65):
        refuse(it, 3, session)
    assert not it.are_wanted(weak(1).job), "64 are remembered"
    refuse(it, 3, 65)
    assert [session for session in range(1, 66) if it.are_wanted(weak(session).job)] == [1]
