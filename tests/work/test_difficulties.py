"""Sums of difficulties by outcome."""

from dataclasses import replace

import pytest

from stratum_miner.bitcoin.target import DIFFICULTY_1_TARGET, target_from_difficulty
from stratum_miner.work.difficulties import Difficulties
from stratum_miner.work.share import Share
from stratum_miner.work.share_result import RejectReason, ShareOutcome, ShareResult
from tests.work.jobs import make_job


def share_of(difficulty: float, share_difficulty: float) -> Share:
    """A share whose hash has a difficulty, of a job with a share difficulty."""
    return Share(
        job=make_job(share_target=target_from_difficulty(share_difficulty)),
        extranonce2=bytes(4),
        ntime=0,
        nonce=0,
        version=0,
        header=bytes(80),
        digest=int(DIFFICULTY_1_TARGET / difficulty).to_bytes(32, "little"),
    )


def test_a_share_counts_with_its_jobs_difficulty_and_a_weak_block_with_its_own() -> None:
    sums = Difficulties()
    assert sums.by_outcome() == {"accepted": 0, "rejected": 0, "stale": 0, "lost": 0}
    sums.add(ShareResult(share_of(1000.0, 8.0), ShareOutcome.ACCEPTED))
    sums.add(ShareResult(share_of(2.0, 4.0), ShareOutcome.ACCEPTED))
    sums.add(ShareResult(share_of(16.0, 16.0), ShareOutcome.STALE))
    assert sums.by_outcome() == pytest.approx({"accepted": 8 + 2, "rejected": 0, "stale": 16, "lost": 0})


def test_only_a_weak_block_is_refused_as_weak() -> None:
    """A pool may refuse a block that misses the share target. Refusing a good share as weak is a sign of a problem."""
    weak = ShareResult(share_of(1.0, 2.0), ShareOutcome.REJECTED, refusal=RejectReason.LOW_DIFFICULTY)
    assert weak.refused_as_weak
    assert not replace(weak, refusal=RejectReason.DUPLICATE).refused_as_weak
    assert not replace(weak, share=share_of(2.5, 2.0)).refused_as_weak
