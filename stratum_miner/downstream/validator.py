"""Judges shares, sans-IO: rebuilds the header of a share and returns a verdict. The current time is an argument.

The checks are made in this order: length of the extranonce2, known job, duplicate, stale, ntime, version bits,
difficulty. The check for a duplicate comes before the check for a stale job, because a miner that did not get the
answer to a share submits the share again. The job may be stale by then, although it was not when the share first came.

A share whose hash meets the network target may make a block, even if the share is refused because its hash misses the
share target, its job is stale, or the memory for shares is full. In these three cases, the verdict is ``Refused``, and
its field ``candidate`` contains the header and the coinbase of the block. The caller submits this block candidate to
the node before it answers the miner: if the node accepts the block, the share is valid after all.

Only valid shares and block candidates are remembered (``share_memory``), each by the hash of its header. A share is
therefore recognized as a duplicate even if its numbers are spelled in another way, if it names the same job by another
id, or if it comes in a resumed session.

Verdicts are instances of ``msgspec.Struct``, because one is made for each share, and making a frozen dataclass takes
seven times as long.
"""

from typing import Generic, TypeAlias

import msgspec

from stratum_miner.bitcoin.header import GENERAL_PURPOSE_MASK, MAX_TIME_AHEAD, BlockHeader
from stratum_miner.bitcoin.merkle import fold_branch
from stratum_miner.bitcoin.sha256d import sha256d
from stratum_miner.bitcoin.target import difficulty_from_digest, hash_value
from stratum_miner.downstream.jobs import J, JobContent, JobTable, SessionJob
from stratum_miner.downstream.share_memory import MAX_SHARES
from stratum_miner.network.fair_bound import FairBound
from stratum_miner.stratum.client_messages import Submit
from stratum_miner.stratum.errors import ErrorReason

MAX_NTIME_AHEAD = 7000
"""Largest allowed value of the setting ``ntime_ahead``, which says how many seconds the ntime of a share may be ahead
of the pool's clock. Consensus allows the ntime of a block to be 7200 s ahead of the node's clock. ``MAX_NTIME_AHEAD``
is 200 s smaller, because the clocks of pool and node may differ (docs/reference/stratum.md#ntime)."""


class Solution(msgspec.Struct, Generic[J], frozen=True, kw_only=True):
    """The header of a share, with the coinbase transaction that a block needs."""

    job: SessionJob[J]
    coinbase: bytes
    """The coinbase transaction without witness, with the extranonces filled in."""
    header: bytes
    """80 bytes, as they are hashed."""
    digest: bytes
    """Double SHA-256 of ``header``, 32 bytes in internal byte order."""

    @property
    def difficulty(self) -> float:
        """The highest difficulty that the hash meets, rounded to a float, for display."""
        return difficulty_from_digest(self.digest)

    @property
    def is_block(self) -> bool:
        """Whether the hash meets the network target."""
        return hash_value(self.digest) <= self.job.announced.network_target


class Accepted(msgspec.Struct, Generic[J], frozen=True):
    """The verdict on a valid share."""

    solution: Solution[J]
    difficulty: float
    """The difficulty of the miner's job, with which the share is credited."""
    is_block: bool
    """Whether the hash also meets the network target."""


class Refused(msgspec.Struct, Generic[J], frozen=True):
    """The verdict on a share that is not valid."""

    reason: ErrorReason
    message: str
    """The text of the error that the miner gets."""
    candidate: Solution[J] | None = None
    """The solution, if its hash meets the network target; otherwise None. Such a solution is a block candidate even
    though its share is refused. The reason of the refusal is then that the share is stale, that it misses the share
    target, or that the memory for shares is full."""
    work: float = 0
    """The difficulty of the job, if the hash meets the share target and the share is refused only because it is stale
    or because the memory for shares is full. Otherwise 0."""


ShareVerdict: TypeAlias = Accepted[J] | Refused[J]
"""The verdict on a share."""


class ShareValidator:
    """Judges the shares of all sessions that work on the same jobs.

    ``extranonce2_size`` is the number of bytes that the extranonce2 of a share must have. ``ntime_ahead`` is the number
    of seconds by which the ntime of a share may be ahead of the clock. ``memory`` limits the number of remembered
    shares.
    """

    def __init__(self, *, extranonce2_size: int = 8, ntime_ahead: int = 600, memory: FairBound | None = None) -> None:
        self._extranonce2_size = extranonce2_size
        self._ntime_ahead = ntime_ahead
        self._memory = memory or FairBound(MAX_SHARES)
        self._tip: bytes | None = None

    def set_tip(self, previous_hash: bytes) -> None:
        """Set the newest block, on which jobs must build. From now on, the shares of jobs that build on another block
        are stale. ``previous_hash`` is the hash of the newest block, in internal byte order.
        """
        self._tip = previous_hash

    def judge(self, submit: Submit, jobs: JobTable[J], unix_time: float) -> ShareVerdict[J]:
        """Return the verdict on a share of the session that owns ``jobs``. ``unix_time`` is in seconds.

        A valid share is remembered, and so is a block candidate.
        """
        if len(submit.extranonce2) != self._extranonce2_size:
            message = f"extranonce2: expected {self._extranonce2_size} bytes, got {len(submit.extranonce2)}"
            return Refused(ErrorReason.OTHER, message)
        job = jobs.get(submit.job_id)
        if job is None:
            return unknown_job(submit, jobs)
        solution = solution_of(submit, job)
        if solution.digest in job.announced.seen:
            return Refused(ErrorReason.DUPLICATE, "duplicate share")
        error = self._header_error(submit, job, unix_time)
        if job.announced.content.previous_hash != self._tip:
            return self._judge_stale(solution, jobs, is_valid_header=not error)
        if error:
            return Refused(ErrorReason.OTHER, error)
        return self._judge_hash(solution, jobs)

    def _header_error(self, submit: Submit, job: SessionJob[J], unix_time: float) -> str | None:
        first = job.announced.content.ntime
        latest = job.announced.maxtime
        if latest is not None and submit.ntime > latest:
            return (
                f"ntime out of range: expected at most {latest:08x}, the last second for which the node's template is "
                f"valid, got {submit.ntime:08x}"
            )
        last = min(max(int(unix_time), first) + self._ntime_ahead, int(unix_time) + MAX_TIME_AHEAD)
        if not first <= submit.ntime <= max(first, last):  # max(): a job's own ntime is always allowed
            return f"ntime out of range: expected {first:08x} to {max(first, last):08x}, got {submit.ntime:08x}"
        own = job.announced.content.version & GENERAL_PURPOSE_MASK  # bits that the job itself sets
        outside = (submit.version_bits or 0) & ~(job.version_mask | own)
        if outside and not job.version_mask:
            return (
                "version bits: expected none, because version rolling was not granted with mining.configure, got "
                f"{submit.version_bits:08x}"
            )
        if outside:
            return f"version bits: expected only bits of {job.version_mask:08x}, got {submit.version_bits:08x}"
        return None

    def _judge_hash(self, solution: Solution[J], jobs: JobTable[J]) -> ShareVerdict[J]:
        job = solution.job
        if not _meets_target(solution):
            message = f"low difficulty share: expected {job.difficulty:.12g}, got {solution.difficulty:.12g}"
            return Refused(ErrorReason.LOW_DIFFICULTY, message, self._candidate(solution, jobs))
        if not self._remember(solution, jobs):
            message = f"too many valid shares: {jobs.shares} on the current jobs. Ask for a higher difficulty"
            return Refused(ErrorReason.OTHER, message, self._candidate(solution, jobs), job.difficulty)
        return Accepted(solution, job.difficulty, solution.is_block)

    def _judge_stale(self, solution: Solution[J], jobs: JobTable[J], *, is_valid_header: bool) -> Refused[J]:
        return Refused(
            ErrorReason.JOB_NOT_FOUND,
            "stale: job of an older block",
            self._candidate(solution, jobs) if is_valid_header else None,
            solution.job.difficulty if is_valid_header and _meets_target(solution) else 0,
        )

    def _candidate(self, solution: Solution[J], jobs: JobTable[J]) -> Solution[J] | None:
        if not solution.is_block:
            return None
        self._remember(solution, jobs)  # so that the same candidate is not submitted to the node twice
        return solution

    def _remember(self, solution: Solution[J], jobs: JobTable[J]) -> bool:
        if not self._memory.has_room(jobs.shares):
            return False
        solution.job.announced.seen.add(solution.digest, self._memory)
        jobs.count_share(solution.job.job_id)
        return True


def _meets_target(solution: Solution[J]) -> bool:
    return hash_value(solution.digest) <= solution.job.target


def unknown_job(submit: Submit, jobs: JobTable[J]) -> Refused[J]:
    """Return the verdict on a share of a job that is not in the table.

    If the job was in the table before and the same share was valid then, the verdict is that the share is a
    duplicate. Otherwise the verdict is that the job was not found.
    """
    old = jobs.get_old(submit.job_id)
    if old is not None:
        _, header = _rebuilt(submit, old.content, old.extranonce1, old.version_mask)
        if sha256d(header) in old.seen:
            return Refused(ErrorReason.DUPLICATE, "duplicate share")
    return Refused(ErrorReason.JOB_NOT_FOUND, "job not found")


def solution_of(submit: Submit, job: SessionJob[J]) -> Solution[J]:
    """Rebuild the header and the coinbase of a share. ``submit.version_bits`` is not checked: bits outside the
    job's version mask are set in the header, too."""
    coinbase, header = _rebuilt(submit, job.announced.content, job.extranonce1, job.version_mask)
    return Solution(job=job, coinbase=coinbase, header=header, digest=sha256d(header))


def _rebuilt(submit: Submit, content: JobContent, extranonce1: bytes, version_mask: int) -> tuple[bytes, bytes]:
    """Return the coinbase and the header of a share."""
    coinbase = content.coinbase_prefix + extranonce1 + submit.extranonce2 + content.coinbase_suffix
    header = BlockHeader(
        version=content.version & ~version_mask | (submit.version_bits or 0),
        previous_hash=content.previous_hash,
        merkle_root=fold_branch(sha256d(coinbase), content.merkle_branch),
        ntime=submit.ntime,
        nbits=content.nbits,
        nonce=submit.nonce,
    )
    return coinbase, header.to_bytes()
