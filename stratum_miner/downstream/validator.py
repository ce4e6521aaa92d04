"""Judges shares, sans-IO: bytes and exact integers in, a verdict out; time is an argument.

Order of checks: form, job, duplicate, stale, ntime, version bits, difficulty. Duplicate comes before stale, so that a
miner who lost the answer to a share and sends it again, on a job that is stale by now, is not told that the share came
too late. Nothing is changed while a share is checked; only one that is accepted, or given to the node as a block, is
remembered (``share_memory``). Duplicates are told by the hash of the header, whatever spelling they came in: a job that
is sent again under another id, or a session that is resumed, opens no second chance.

A hash below the network target is a block, also when it misses the share target, and also on a job that just became
stale. Such a share is refused unless the node takes its block. So ``Refused`` carries the solution as its *candidate*:
the caller gives the candidate to the node first, and answers the miner afterwards.

Verdicts and events are made for each share; as structs they cost a seventh of what frozen dataclasses do.
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
"""Consensus allows 7200 s on the node's clock; the rest is for clocks that disagree
(docs/reference/stratum.md#ntime)."""


class Solution(msgspec.Struct, Generic[J], frozen=True, kw_only=True):
    """A header rebuilt from a share, with the coinbase that a block needs."""

    job: SessionJob[J]
    coinbase: bytes
    """The coinbase transaction without witness, with the extranonces filled in."""
    header: bytes
    digest: bytes

    @property
    def difficulty(self) -> float:
        """What this hash is worth, for display."""
        return difficulty_from_digest(self.digest)

    @property
    def is_block(self) -> bool:
        """Whether the hash meets the network target."""
        return hash_value(self.digest) <= self.job.announced.network_target


class Accepted(msgspec.Struct, Generic[J], frozen=True):
    """A good share; it is worth the difficulty its job was announced with."""

    solution: Solution[J]
    difficulty: float
    is_block: bool


class Refused(msgspec.Struct, Generic[J], frozen=True):
    """A bad share. It has a ``candidate`` if it is stale or weak but may be a block."""

    reason: ErrorReason
    message: str
    candidate: Solution[J] | None = None
    work: float = 0.0
    """The difficulty of its job, if the share is good work that came too late or finds no room; else 0."""


ShareVerdict: TypeAlias = Accepted[J] | Refused[J]


class ShareValidator:
    """Judges the shares of all sessions of a pool."""

    def __init__(self, *, extranonce2_size: int = 8, ntime_ahead: int = 600, memory: FairBound | None = None) -> None:
        self._extranonce2_size = extranonce2_size
        self._ntime_ahead = ntime_ahead
        self._memory = memory or FairBound(MAX_SHARES)
        self._tip: bytes | None = None

    def set_tip(self, previous_hash: bytes) -> None:
        """From now on only jobs on this block are good."""
        self._tip = previous_hash

    def judge(self, submit: Submit, jobs: JobTable[J], unix_time: float) -> ShareVerdict[J]:
        """Check one share of the session that owns ``jobs``; an accepted one is remembered, as is a candidate."""
        if len(submit.extranonce2) != self._extranonce2_size:
            message = f"extranonce2: expected {self._extranonce2_size} bytes, got {len(submit.extranonce2)}"
            return Refused(ErrorReason.OTHER, message)
        job = jobs.get(submit.job_id)
        if job is None:
            return unknown_job(submit, jobs)
        solution = solution_of(submit, job)
        if solution.digest in job.announced.seen:
            return Refused(ErrorReason.DUPLICATE, "duplicate share")
        misfit = self._misfit(submit, job, unix_time)
        if job.announced.content.previous_hash != self._tip:
            return self._judge_stale(solution, jobs, fits=not misfit)
        if misfit:
            return Refused(ErrorReason.OTHER, misfit)
        return self._judge_hash(solution, jobs)

    def _misfit(self, submit: Submit, job: SessionJob[J], unix_time: float) -> str | None:
        first = job.announced.content.ntime
        latest = job.announced.maxtime
        if latest is not None and submit.ntime > latest:
            return (
                f"ntime out of range: expected at most {latest:08x}, the last second for which the node's template is "
                f"valid, got {submit.ntime:08x}"
            )
        last = min(max(int(unix_time), first) + self._ntime_ahead, int(unix_time) + MAX_TIME_AHEAD)
        if not first <= submit.ntime <= max(first, last):  # the job's own ntime is never the miner's fault
            return f"ntime out of range: expected {first:08x} to {max(first, last):08x}, got {submit.ntime:08x}"
        own = job.announced.content.version & GENERAL_PURPOSE_MASK  # may be named: the header is the same
        outside = (submit.version_bits or 0) & ~(job.version_mask | own)
        if outside:
            return f"version bits: expected only bits of {job.version_mask:08x}, got {submit.version_bits:08x}"
        return None

    def _judge_hash(self, solution: Solution[J], jobs: JobTable[J]) -> ShareVerdict[J]:
        job = solution.job
        if not _meets_target(solution):
            message = f"low difficulty share: expected {job.difficulty:.12g}, got {solution.difficulty:.12g}"
            return Refused(ErrorReason.LOW_DIFFICULTY, message, self._candidate(solution, jobs))
        if not self._remember(solution, jobs):
            message = f"more than {jobs.shares} shares on jobs that are still good: ask for a higher difficulty"
            return Refused(ErrorReason.OTHER, message, self._candidate(solution, jobs), job.difficulty)
        return Accepted(solution, job.difficulty, solution.is_block)

    def _judge_stale(self, solution: Solution[J], jobs: JobTable[J], *, fits: bool) -> Refused[J]:
        return Refused(
            ErrorReason.JOB_NOT_FOUND,
            "stale: job of an older block",
            self._candidate(solution, jobs) if fits else None,
            solution.job.difficulty if fits and _meets_target(solution) else 0.0,
        )

    def _candidate(self, solution: Solution[J], jobs: JobTable[J]) -> Solution[J] | None:
        """The solution when it is a block; remembered when there is room, so that it is given out once."""
        if not solution.is_block:
            return None
        self._remember(solution, jobs)
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
    """The verdict over a share of a job that is not in the table: it may have been counted while the job was."""
    old = jobs.get_old(submit.job_id)
    if old is not None:
        _, header = _rebuilt(submit, old.content, old.extranonce1, old.version_mask)
        if sha256d(header) in old.seen:
            return Refused(ErrorReason.DUPLICATE, "duplicate share")
    return Refused(ErrorReason.JOB_NOT_FOUND, "job not found")


def solution_of(submit: Submit, job: SessionJob[J]) -> Solution[J]:
    """The hash of a share, and what it is of; ``submit.version_bits`` lie inside the job's mask."""
    coinbase, header = _rebuilt(submit, job.announced.content, job.extranonce1, job.version_mask)
    return Solution(job=job, coinbase=coinbase, header=header, digest=sha256d(header))


def _rebuilt(submit: Submit, content: JobContent, extranonce1: bytes, version_mask: int) -> tuple[bytes, bytes]:
    """Coinbase and header of a share."""
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
