"""Shares and their results of our own making, for tests of what is counted, kept and refused."""

from typing import Any

from stratum_miner.bitcoin.target import target_from_difficulty
from stratum_miner.work.job import Job
from stratum_miner.work.share import Share
from stratum_miner.work.share_result import RejectReason, ShareOutcome, ShareResult
from tests.work.jobs import make_job

NO_BLOCK, ANY_BLOCK = 0x1D00FFFF, 0x207FFFFF
"""Network targets, as nbits: difficulty 1, which no hash of these tests meets, and that of regtest, which all meet."""


def share_on(previous_hash: bytes = bytes(32), *, difficulty: float = 0.5, **changes: Any) -> Share:
    """A share whose hash has this difficulty. By default, its share difficulty is 0.001, and it solves a block."""
    changes = {"nbits": ANY_BLOCK, "share_target": target_from_difficulty(0.001), **changes}
    job: Job = make_job(previous_hash=previous_hash, **changes)
    digest = target_from_difficulty(difficulty).to_bytes(32, "little")
    return Share(
        job=job, extranonce2=bytes(4), ntime=0, nonce=0, version=0, header=previous_hash + bytes(48), digest=digest
    )


def accepted(share: Share) -> ShareResult:
    return ShareResult(share, ShareOutcome.ACCEPTED)


def rejected(share: Share, reason: RejectReason = RejectReason.LOW_DIFFICULTY) -> ShareResult:
    return ShareResult(share, ShareOutcome.REJECTED, "above target", reason, "23")


def tips(count: int) -> list[bytes]:
    """Previous hashes, each different from the others and from ``bytes(32)``."""
    return [number.to_bytes(32, "big") for number in range(1, count + 1)]
