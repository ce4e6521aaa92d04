"""The decisions of a pool about its miners: their difficulties, their jobs and the verdicts on their shares. Sans-IO.

The pool judges each share itself. A share that may solve a block also goes to the node."""

from stratum_miner.bitcoin.target import difficulty_from_target
from stratum_miner.downstream.extranonces import ExtranonceRegistry, Lease
from stratum_miner.downstream.jobs import JobTable
from stratum_miner.downstream.session_policy import ForwardVerdict
from stratum_miner.downstream.validator import Accepted, Refused, ShareValidator, ShareVerdict, Solution
from stratum_miner.pool.config import PoolConfig
from stratum_miner.pool.job_factory import JobFactory, PoolJob
from stratum_miner.pool.template import assemble_block
from stratum_miner.stratum.client_messages import Submit
from stratum_miner.stratum.errors import ErrorReason

MIN_CHANGE_INTERVAL = 1.0
"""Minimum number of seconds between two changes of a miner's difficulty. Changes must not be frequent, because each
change needs an extra job. The value of 1 s is a guess."""
MAX_TRANSACTIONS_REPLY = 128 << 10
"""Maximum number of bytes of transactions in a reply to mining.get_transactions. bfgminer sends this request after
every job (docs/reference/stratum.md#asking-for-the-transactions)."""


class JudgingPolicy:
    """Decides for all sessions of a pool which difficulty and which job a miner gets, and what is answered to a
    share."""

    decides_shares = True
    change_interval: float | None = MIN_CHANGE_INTERVAL

    def __init__(
        self,
        config: PoolConfig,
        jobs: JobFactory,
        validator: ShareValidator,
        leases: ExtranonceRegistry[PoolJob],
    ) -> None:
        self.max_refused_shares = config.max_refused_shares
        self.vardiff = config.vardiff
        self.leases = leases
        self.rollable_mask = config.version_mask
        self._config = config
        self._jobs = jobs
        self._validator = validator

    @property
    def latest(self) -> PoolJob | None:
        """The current job."""
        return self._jobs.current

    def job_for(self, lease: Lease[PoolJob], now: float) -> PoolJob | None:
        """Return a job that the miner has not had yet: the newest job or, if the miner has had that job, another one
        made now. Return None before the first job. ``lease`` contains the jobs that the miner has had.

        A miner that gets a new difficulty also gets a job. It may then start its extranonce2 counter again, and would
        repeat its work if it had had this job before. Another job is made only if necessary, because one job for many
        miners takes less memory than many jobs.
        """
        current = self._jobs.current
        if current is None or lease.jobs.get(current.content.job_id) is None:
            return current
        return self._jobs.renew(now)

    # ---- difficulty -----------------------------------------------------------------------------------------------

    @property
    def start_difficulty(self) -> float:
        """The difficulty of a new session. It is the configured difficulty. With vardiff, it is limited by the method
        ``bounded``."""
        start = self._config.difficulty
        return start if self.vardiff is None else self.bounded(start, asked=False)

    @property
    def ceiling(self) -> float:
        """The network difficulty, or the configured maximum if that is lower."""
        current = self._jobs.current
        return self._config.ceiling(None if current is None else difficulty_from_target(current.network_target))

    def difficulty(self, job: PoolJob | None, wanted: float | None, minimum: float) -> float:
        """Return the difficulty of a session: ``wanted``, or ``start_difficulty`` if ``wanted`` is None. The result is
        at least ``minimum``, the minimum that the miner asked for. ``job`` is not used; only a proxy needs it."""
        return max(self.start_difficulty if wanted is None else wanted, minimum)

    def bounded(self, difficulty: float, *, asked: bool) -> float:
        """Return the difficulty, limited to at most ``ceiling`` and at least a minimum from the settings. The minimum
        is ``lowest_request`` if the miner asked for the difficulty (``asked``), and otherwise ``lowest_difficulty``.
        """
        lowest = self._config.lowest_request if asked else self._config.lowest_difficulty
        return max(lowest, min(difficulty, self.ceiling))

    # ---- requests -------------------------------------------------------------------------------------------------

    def judge(
        self, submit: Submit, jobs: JobTable[PoolJob], unix_time: float
    ) -> ShareVerdict[PoolJob] | ForwardVerdict[PoolJob]:
        """Judge a share. A share that solves a block is forwarded to the node.

        A share that solves a block but is stale or below the share difficulty is accepted only if the node accepts the
        block.
        """
        verdict = self._validator.judge(submit, jobs, unix_time)
        if isinstance(verdict, Accepted):
            return ForwardVerdict(verdict, verdict.solution, waits=False) if verdict.is_block else verdict
        return verdict if verdict.candidate is None else ForwardVerdict(verdict, verdict.candidate, waits=True)

    def transactions(self, job: PoolJob | None) -> list[str] | Refused[PoolJob]:
        """Return the transactions of the job's template in hex, or a refusal if the job is unknown or the transactions
        are too large.
        """
        if job is None:
            return Refused(ErrorReason.JOB_NOT_FOUND, "job not found")
        transactions = [transaction.data for transaction in job.template.transactions]
        if sum(map(len, transactions)) > MAX_TRANSACTIONS_REPLY:
            return Refused(ErrorReason.OTHER, f"the transactions exceed {MAX_TRANSACTIONS_REPLY} bytes")
        return [data.hex() for data in transactions]


def block_of(solution: Solution[PoolJob]) -> bytes:
    """Return the whole block, serialized with witnesses."""
    return assemble_block(solution.job.announced.template, solution.coinbase, solution.header)
