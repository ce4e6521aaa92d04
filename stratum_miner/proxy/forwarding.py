"""The decisions of a proxy about its miners: their jobs, their difficulties, and which shares go to the pool. Sans-IO.

A valid share is forwarded if it meets the pool's difficulty or solves a block. The miner then gets the pool's answer.
The proxy accepts any other valid share at once and does not forward it.
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
    """Decides for all miners that share one connection to the pool: which job and which difficulty a miner gets, and
    whether a share goes to the pool."""

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
        """The registry of the extranonce prefixes: the values of the part of the pool's extranonce2 by which the proxy
        tells its miners apart."""
        return self._jobs.extranonces

    @property
    def latest(self) -> ProxyJob | None:
        """The newest job of the pool; None before the first."""
        return self._jobs.latest

    @property
    def rollable_mask(self) -> int:
        """The version bits that the pool lets miners roll. They are not known before the first job; until then, this is
        the mask of all bits that a pool can grant.
        """
        return GENERAL_PURPOSE_MASK if self.latest is None else self.latest.rollable_mask

    def job_for(self, lease: Lease[ProxyJob], now: float) -> ProxyJob | None:
        """Return the pool's current job for a miner, or None if there is no job. ``lease`` contains the extranonce
        prefix of the miner, the part of the pool's extranonce2 that the proxy has assigned to this miner. If a miner
        with the same extranonce prefix has already had this job, the result is a changed copy of the job, so that no
        work is repeated.
        """
        job = self._jobs.job_for(lease.extranonce1, now)
        self._jobs.note_holder(lease.extranonce1)
        return job

    def difficulty(self, job: ProxyJob | None, wanted: float | None, minimum: float) -> float | None:
        """Return the share difficulty of a session: the pool's difficulty or, with vardiff, ``wanted`` if that is
        lower. The result is at least ``minimum``. Return None before the first job.
        """
        if job is None:
            return None
        of_pool = job.difficulty
        if self.vardiff is None:
            return max(of_pool, minimum)
        return max(min(max(wanted or of_pool, self.vardiff.minimum), of_pool), minimum)

    def bounded(self, difficulty: float, *, asked: bool) -> float:
        """Return the difficulty unchanged. The limits depend on the job, so the method ``difficulty`` applies them."""
        return difficulty

    def judge(
        self, submit: Submit, jobs: JobTable[ProxyJob], unix_time: float
    ) -> ShareVerdict[ProxyJob] | ForwardVerdict[ProxyJob]:
        """Judge a share. It is forwarded if it meets the pool's target.

        A share that solves a block is forwarded even if it is stale or below the share difficulty, because the pool
        decides about it.

        A duplicate share is not forwarded again. ``Proxy`` decides how to answer it, so the verdict contains both the
        share and the refusal. ``Proxy`` refuses the duplicate, except in one case: the first submission of the share
        still waits for the pool's answer, and the connection on which it came has ended. The miner has then probably
        reconnected and submitted the share again, so ``Proxy`` answers the duplicate with the pool's answer.
        """
        job = jobs.get(submit.job_id)
        if job is None:
            return unknown_job(submit, jobs)
        announced = job.announced
        verdict = announced.session.validator.judge(submit, jobs, unix_time)
        if isinstance(verdict, Accepted):
            solution = verdict.solution
            is_for_pool = verdict.is_block or hash_value(solution.digest) <= announced.job.share_target
            return ForwardVerdict(verdict, solution, waits=True) if is_for_pool else verdict
        if verdict.candidate is not None:
            return ForwardVerdict(verdict, verdict.candidate, waits=True)
        is_known = verdict.reason is ErrorReason.DUPLICATE
        return ForwardVerdict(verdict, solution_of(submit, job), waits=True) if is_known else verdict

    def transactions(self, job: ProxyJob | None) -> Refused[ProxyJob]:
        """Refuse the request, because a proxy does not know the transactions."""
        return Refused(ErrorReason.OTHER, "this is a proxy, which does not know the transactions")


def share_of(share: ShareToForward[ProxyJob], worker_name: str) -> Share:
    """Translate a miner's share into a share for the job that the pool sent.

    ``worker_name`` is the worker name under which the share is submitted to the pool, as in ``Share.worker_name``.
    """
    solution, submit = share.solution, share.submit
    announced = solution.job.announced
    return Share(
        job=announced.session.as_granted(announced.job),
        extranonce2=announced.padding + solution.job.extranonce1 + submit.extranonce2,
        ntime=submit.ntime,
        nonce=submit.nonce,
        version=int.from_bytes(solution.header[:4], "little"),
        header=solution.header,
        digest=solution.digest,
        worker_name=worker_name,
    )


def refusal_of(result: ShareResult) -> Refused[ProxyJob] | None:
    """Return the error with which a miner's share is answered, or None if the pool accepted the share."""
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
