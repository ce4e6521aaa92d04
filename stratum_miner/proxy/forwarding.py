"""How a proxy treats its miners: what they find for the pool is passed on, and answered as the pool answers. Sans-IO.

A share that is good goes up when it meets the pool's difficulty (or is a block). One that meets only the miner's own
difficulty is answered at once.
"""

import math

from stratum_miner.bitcoin.header import GENERAL_PURPOSE_MASK
from stratum_miner.bitcoin.target import hash_value
from stratum_miner.downstream.events import ShareToForward
from stratum_miner.downstream.extranonces import ExtranonceRegistry, Lease
from stratum_miner.downstream.jobs import JobTable
from stratum_miner.downstream.session_policy import ForwardVerdict
from stratum_miner.downstream.validator import Accepted, Refused, ShareVerdict, solution_of, unknown_job
from stratum_miner.proxy.config import ProxyConfig
from stratum_miner.proxy.job_translator import JobTranslator, ProxyJob
from stratum_miner.stratum.client_messages import Submit
from stratum_miner.stratum.errors import ErrorReason
from stratum_miner.work.share import Share
from stratum_miner.work.share_result import ShareOutcome, ShareResult


class ForwardingPolicy:
    """The policy of all sessions that work on one connection up."""

    decides_shares = False
    change_interval: float | None = None
    start_difficulty: float | None = None
    ceiling = math.inf

    def __init__(self, config: ProxyConfig, jobs: JobTranslator) -> None:
        self.max_refused_shares = config.max_refused_shares
        self.vardiff = config.vardiff
        self._jobs = jobs

    @property
    def leases(self) -> ExtranonceRegistry[ProxyJob]:
        """The registry of the prefixes that the pool's extranonce2 has room for."""
        return self._jobs.extranonces

    @property
    def latest(self) -> ProxyJob | None:
        """The last job of the pool."""
        return self._jobs.latest

    @property
    def rollable_mask(self) -> int:
        """What the pool grants; before it has said so, what it may grant."""
        return GENERAL_PURPOSE_MASK if self.latest is None else self.latest.rollable_mask

    def job_for(self, lease: Lease[ProxyJob], now: float) -> ProxyJob | None:
        """The pool's current job, made anew for a prefix that had it before."""
        job = self._jobs.job_for(lease.extranonce1, now)
        self._jobs.note_holder(lease.extranonce1)
        return job

    def difficulty(self, job: ProxyJob | None, wanted: float | None, minimum: float) -> float | None:
        """The pool's difficulty, or with vardiff a wanted one up to that."""
        if job is None:
            return None
        theirs = job.difficulty
        if self.vardiff is None:
            return max(theirs, minimum)
        return max(min(max(wanted or theirs, self.vardiff.minimum), theirs), minimum)

    def bounded(self, difficulty: float, *, asked: bool) -> float:
        """Accept any difficulty: the bounds come with the pool's jobs."""
        return difficulty

    def judge(
        self, submit: Submit, jobs: JobTable[ProxyJob], unix_time: float
    ) -> ShareVerdict[ProxyJob] | ForwardVerdict[ProxyJob]:
        """What meets the pool's target goes up, and so does a late or weak block, over which the pool decides.

        What came before is handed on too, with our refusal: the proxy waits for the answer that it may still get, and
        sends nothing up a second time.
        """
        job = jobs.get(submit.job_id)
        if job is None:
            return unknown_job(submit, jobs)
        announced = job.announced
        verdict = announced.session.validator.judge(submit, jobs, unix_time)
        if isinstance(verdict, Accepted):
            solution = verdict.solution
            goes_up = verdict.is_block or hash_value(solution.digest) <= announced.job.share_target
            return ForwardVerdict(verdict, solution, waits=True) if goes_up else verdict
        if verdict.candidate is not None:
            return ForwardVerdict(verdict, verdict.candidate, waits=True)
        is_known = verdict.reason is ErrorReason.DUPLICATE
        return ForwardVerdict(verdict, solution_of(submit, job), waits=True) if is_known else verdict

    def transactions(self, job: ProxyJob | None) -> Refused[ProxyJob]:
        """Refuse: a proxy does not know the transactions."""
        return Refused(ErrorReason.OTHER, "not known here: this is a proxy")


def share_of(passed: ShareToForward[ProxyJob], login: str) -> Share:
    """A miner's share as one of ours, for the job that the pool sent; ``login`` is the worker whose it is there."""
    solution, submit = passed.solution, passed.submit
    announced = solution.job.announced
    return Share(
        job=announced.session.as_granted(announced.job),
        extranonce2=announced.padding + solution.job.extranonce1 + submit.extranonce2,
        ntime=submit.ntime,
        nonce=submit.nonce,
        version=int.from_bytes(solution.header[:4], "little"),
        header=solution.header,
        digest=solution.digest,
        worker_name=login,
    )


def refusal_of(result: ShareResult) -> Refused[ProxyJob] | None:
    """What a miner is told of a share that the pool answered; None: it is good."""
    match result:
        case ShareResult(outcome=ShareOutcome.ACCEPTED):
            return None
        case ShareResult(outcome=ShareOutcome.STALE, refusal=None, text=text):
            return Refused(ErrorReason.JOB_NOT_FOUND, f"stale: {text}")
        case ShareResult(outcome=ShareOutcome.STALE, text=text):
            return Refused(ErrorReason.JOB_NOT_FOUND, text)
        case ShareResult(refusal=refusal, text=text):
            reason = ErrorReason.OTHER if refusal is None else ErrorReason(refusal.value)
            return Refused(reason, text or reason.value)
