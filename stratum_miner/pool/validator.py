"""Judges shares, sans-IO: bytes and exact integers in, a verdict out; time is an argument.

Order of checks (stratum.md 9, D20): form, job, stale, ntime, version bits, hash and block, difficulty, duplicate.
Nothing is changed while a share is checked; only an accepted one is remembered. Duplicates are told by the hash of
the header, whatever spelling they came in, and per previous hash for the whole pool: a job that is sent again under
another id, or a session that is resumed, opens no second chance.

A hash below the network target is a block, also when it misses the share target, and also on a job that just became
stale. Such a share is refused unless the node takes its block, so the verdict carries the block to be offered first.
"""

from collections import OrderedDict
from dataclasses import dataclass

from stratum_miner.bitcoin.header import BlockHeader
from stratum_miner.bitcoin.merkle import fold_branch
from stratum_miner.bitcoin.sha256d import sha256d
from stratum_miner.bitcoin.target import difficulty_from_digest, hash_value
from stratum_miner.pool.jobs import MAX_JOBS, JobTable, SessionJob
from stratum_miner.stratum.client_messages import Submit
from stratum_miner.stratum.errors import ErrorReason

MAX_TIPS = 2 * MAX_JOBS
"""Previous hashes whose shares are remembered: more than any job table reaches back."""
MAX_SHARES = 4_000_000
"""Shares remembered for one previous hash, some 400 MB; further ones are refused rather than counted twice."""
MAX_BLOCK_TIME_AHEAD = 7200
"""Seconds by which a block may be ahead of the clock (consensus)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """A header rebuilt from a share, with the coinbase that a block needs."""

    job: SessionJob
    coinbase: bytes
    """Without witness; the extranonces filled in."""
    header: bytes
    digest: bytes

    @property
    def difficulty(self) -> float:
        """What this hash is worth, for display."""
        return difficulty_from_digest(self.digest)

    @property
    def is_block(self) -> bool:
        """Whether the hash meets the network target."""
        return hash_value(self.digest) <= self.job.pool_job.network_target


@dataclass(frozen=True, slots=True)
class Accepted:
    """A good share; it is worth the difficulty its job was announced with."""

    solution: Solution
    difficulty: float
    is_block: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """A bad share. ``candidate``: it is stale or weak but would be a block; give it to the node before answering."""

    reason: ErrorReason
    message: str
    candidate: Solution | None = None


Verdict = Accepted | Refused


class ShareValidator:
    """Judges the shares of all sessions of a pool."""

    def __init__(self, *, extranonce2_size: int = 8, ntime_ahead: int = 600, max_shares: int = MAX_SHARES) -> None:
        self._extranonce2_size = extranonce2_size
        self._ntime_ahead = ntime_ahead
        self._max_shares = max_shares
        self._tip: bytes | None = None
        self._seen: OrderedDict[bytes, set[bytes]] = OrderedDict()

    def set_tip(self, previous_hash: bytes) -> None:
        """From now on only jobs on this block are good."""
        self._tip = previous_hash
        self._seen.setdefault(previous_hash, set())
        self._seen.move_to_end(previous_hash)
        if len(self._seen) > MAX_TIPS:
            self._seen.popitem(last=False)

    def judge(self, submit: Submit, jobs: JobTable, unix_time: float) -> Verdict:
        """Check one share of the session that owns ``jobs``; an accepted one is remembered, as is a candidate."""
        if len(submit.extranonce2) != self._extranonce2_size:
            return _refused(
                ErrorReason.OTHER,
                f"extranonce2: expected {self._extranonce2_size} bytes, got {len(submit.extranonce2)}",
            )
        job = jobs.get(submit.job_id)
        if job is None:
            return _refused(ErrorReason.JOB_NOT_FOUND, "job not found")
        stale = job.pool_job.notify.previous_hash != self._tip
        misfit = self._misfit(submit, job, unix_time)
        if stale:
            candidate = None if misfit else self._new_candidate(solution_of(submit, job))
            return Refused(ErrorReason.JOB_NOT_FOUND, "stale: job of an older block", candidate)
        if misfit:
            return _refused(ErrorReason.OTHER, misfit)
        return self._judge_hash(solution_of(submit, job))

    def _misfit(self, submit: Submit, job: SessionJob, unix_time: float) -> str | None:
        first = job.pool_job.notify.ntime
        last = min(max(int(unix_time), first) + self._ntime_ahead, int(unix_time) + MAX_BLOCK_TIME_AHEAD)
        if not first <= submit.ntime <= max(first, last):  # the job's own ntime is never the miner's fault
            return f"ntime out of range: expected {first:08x} to {max(first, last):08x}, got {submit.ntime:08x}"
        outside = (submit.version_bits or 0) & ~job.version_mask
        if outside:
            return f"version bits: expected only bits of {job.version_mask:08x}, got {submit.version_bits:08x}"
        return None

    def _judge_hash(self, solution: Solution) -> Verdict:
        job = solution.job
        is_block = solution.is_block
        seen = self._seen[job.pool_job.notify.previous_hash]
        if solution.digest in seen:
            return _refused(ErrorReason.DUPLICATE, "duplicate share")
        if hash_value(solution.digest) > job.target:
            message = f"low difficulty share: expected {job.difficulty:.12g}, got {solution.difficulty:.12g}"
            return Refused(ErrorReason.LOW_DIFFICULTY, message, self._new_candidate(solution))
        if len(seen) >= self._max_shares and not is_block:
            return _refused(ErrorReason.OTHER, f"more than {self._max_shares} shares since the last block")
        seen.add(solution.digest)
        return Accepted(solution, job.difficulty, is_block)

    def _new_candidate(self, solution: Solution) -> Solution | None:
        """The solution when it is a block that has not been given out before."""
        seen = self._seen.get(solution.job.pool_job.notify.previous_hash)
        if seen is None or not solution.is_block or solution.digest in seen:
            return None
        seen.add(solution.digest)
        return solution


def solution_of(submit: Submit, job: SessionJob) -> Solution:
    """Rebuild coinbase and header of a share; ``submit.version_bits`` lie inside the job's mask."""
    notify = job.pool_job.notify
    coinbase = notify.coinbase_prefix + job.extranonce1 + submit.extranonce2 + notify.coinbase_suffix
    header = BlockHeader(
        version=notify.version & ~job.version_mask | (submit.version_bits or 0),
        previous_hash=notify.previous_hash,
        merkle_root=fold_branch(sha256d(coinbase), notify.merkle_branch),
        ntime=submit.ntime,
        nbits=notify.nbits,
        nonce=submit.nonce,
    ).to_bytes()
    return Solution(job=job, coinbase=coinbase, header=header, digest=sha256d(header))


def _refused(reason: ErrorReason, message: str) -> Refused:
    return Refused(reason, message)
