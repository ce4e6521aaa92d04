"""One miner's session, sans-IO: requests are answered, shares judged, jobs announced; bytes in, events and bytes out.

It knows the pool only through what it shares with all sessions: the job factory, the validator, the extranonce
registry. ``now`` is seconds of any clock that does not go back; ``unix_time`` is the clock that ntime is held against.

A miner gets its first job once it is subscribed and authorized: difficulty first, then the job (D3). A new difficulty
is announced together with a job of its own, so that both sides mean the same job by "the next one".
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import TypeAlias

from stratum_miner.bitcoin.target import (
    HASHES_PER_DIFFICULTY,
    difficulty_from_target,
    difficulty_to_announce,
    target_from_difficulty,
)
from stratum_miner.downstream.endings import Ending, LimitReachedError
from stratum_miner.downstream.extranonces import ExtranonceRegistry, Lease
from stratum_miner.downstream.jobs import SessionJob
from stratum_miner.downstream.miner_session import RATE_RESOLUTION, RATE_WINDOW, password_difficulty
from stratum_miner.downstream.validator import Accepted, Refused, ShareValidator, Solution
from stratum_miner.downstream.vardiff import Vardiff
from stratum_miner.foreign_text import sanitize
from stratum_miner.pool.config import PoolConfig
from stratum_miner.pool.job_factory import JobFactory, PoolJob
from stratum_miner.pool.template import assemble_block
from stratum_miner.stratum import client_messages as requests
from stratum_miner.stratum.envelope import Id
from stratum_miner.stratum.errors import ErrorReason
from stratum_miner.stratum.events import RequestReceived, RequestRefused
from stratum_miner.stratum.extensions import (
    Info,
    MinimumDifficulty,
    SubscribeExtranonce,
    VersionRolling,
    VersionRollingGrant,
)
from stratum_miner.stratum.pool_messages import SetDifficulty
from stratum_miner.stratum.results import SubscribeResult
from stratum_miner.stratum.server_connection import ServerConnection
from stratum_miner.work.hash_rate import HashRateMeter

MIN_CHANGE_INTERVAL = 1.0
"""Seconds between two changes of difficulty, each of which costs a job of its own; picked by feel."""
MAX_TRANSACTIONS_REPLY = 128 << 10
"""Bytes of transactions that mining.get_transactions hands out; bfgminer asks after every job (stratum.md 7, 73)."""


# ---- events ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WorkerJoined:
    """A worker was authorized for the first time on this session."""

    worker_name: str


@dataclass(frozen=True, slots=True)
class ShareTaken:
    """A share was accepted and answered."""

    worker_name: str
    solution: Solution
    difficulty: float
    is_block: bool


@dataclass(frozen=True, slots=True)
class ShareRefused:
    """A share was refused and answered; ``worker_name`` and ``job_id`` are empty when it could not be read."""

    worker_name: str
    job_id: str
    reason: ErrorReason
    message: str


@dataclass(frozen=True, slots=True)
class BlockCandidate:
    """A hash that meets the network target: to the node with it, now.

    ``refusal`` is set when the share is stale or misses its target: its request still waits for an answer, which
    depends on the node. Give the node's verdict to ``answer_candidate``.
    """

    solution: Solution
    worker_name: str
    request_id: Id = None
    refusal: Refused | None = None

    @property
    def stale(self) -> bool:
        """Whether the job was outdated when the share came."""
        return self.refusal is not None and self.refusal.reason is ErrorReason.JOB_NOT_FOUND

    @property
    def pool_job(self) -> PoolJob:
        """The job with the template that the block is made of."""
        return _made_here(self.solution.job)

    def block(self) -> bytes:
        """The whole block, serialized with witnesses."""
        return assemble_block(self.pool_job.template, self.solution.coinbase, self.solution.header)


@dataclass(frozen=True, slots=True)
class DifficultySet:
    """The miner was told a new difficulty."""

    difficulty: float


SessionEvent: TypeAlias = WorkerJoined | ShareTaken | ShareRefused | BlockCandidate | DifficultySet


# ---- statistics --------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class ShareCount:
    """What came of the shares of a session or worker."""

    accepted: int = 0
    accepted_difficulty: float = 0.0
    """Sum of the difficulties of accepted shares; times 2^32 it is the work done."""
    best_difficulty: float = 0.0
    rejected: Counter[ErrorReason] = field(default_factory=Counter)

    def take(self, difficulty: float, share_difficulty: float) -> None:
        """Count an accepted share."""
        self.accepted += 1
        self.accepted_difficulty += difficulty
        self.best_difficulty = max(self.best_difficulty, share_difficulty)


# ---- the session -------------------------------------------------------------------------------------------------


class PoolSession:
    """One connection of a miner."""

    def __init__(
        self,
        config: PoolConfig,
        jobs: JobFactory,
        validator: ShareValidator,
        extranonces: ExtranonceRegistry,
        now: float,
    ) -> None:
        self.connection = ServerConnection()
        self.lease: Lease | None = None
        self.started = False
        """Whether the miner gets jobs: it is subscribed and authorized."""
        self.user_agent = ""
        self.info: Info | None = None
        self.version_mask = 0
        self.workers: dict[str, ShareCount] = {}
        self.shares = ShareCount()
        self._config = config
        self._jobs = jobs
        self._validator = validator
        self._extranonces = extranonces
        self._events: list[SessionEvent] = []  # two at most, and a deque is 760 bytes for each session
        self._refused_in_a_row = 0
        self._minimum = 0.0
        self._fixed = False
        self._target = 0
        self._pending: float | None = None
        self._changed_at = now - MIN_CHANGE_INTERVAL
        self._latest: PoolJob | None = None
        """The job that the miner was given last."""
        self._meter = HashRateMeter(now, RATE_WINDOW, resolution=RATE_RESOLUTION)
        self._vardiff: Vardiff | None = None
        self.difficulty = 0.0
        self._set_difficulty(self._start_difficulty())
        if config.vardiff is not None:
            self._vardiff = Vardiff(config.vardiff, self.difficulty, now)

    # ---- input ----------------------------------------------------------------------------------------------------

    def receive_data(self, data: bytes) -> None:
        """Add bytes from the miner; then call ``next_event`` until it returns None."""
        self.connection.receive_data(data)

    def next_event(self, now: float, unix_time: float) -> SessionEvent | None:
        """The next event, or None when more data is needed. RemoteProtocolError: send what waits and close."""
        while not self._events:
            self._check_patience()
            event = self.connection.next_event()
            match event:
                case None:
                    return None
                case RequestReceived(request_id, message):
                    self._answer(request_id, message, now, unix_time)
                case RequestRefused("mining.submit", error):
                    self._count_refused("", "", error.reason, error.message)
                case _:
                    pass  # a refusal of another request is answered; replies to our pings mean nothing
        return self._events.pop(0)

    def take_events(self) -> list[SessionEvent]:
        """Events that came about without input: by ``tick`` or ``answer_candidate``."""
        waiting = list(self._events)
        self._events.clear()
        return waiting

    def close(self, now: float) -> None:
        """The connection is gone; the session may be resumed for a while."""
        self.connection.receive_eof()
        if self.lease is not None:
            self._extranonces.release(self.lease, now)
            self.lease = None

    def tick(self, now: float) -> None:
        """Let time pass: at least every few seconds. Difficulty may change."""
        self._meter.sample(now, self._hashes)
        if self._pending is not None:
            self._want_difficulty(self._pending, now)
        if self._vardiff is not None and self.started and not self._fixed:
            self._retarget(self._vardiff.on_tick(now), now)

    # ---- output ---------------------------------------------------------------------------------------------------

    def announce(self, pool_job: PoolJob) -> None:
        """Give the miner this job, when it takes jobs yet."""
        if self.started:
            self._announce(pool_job, pool_job.line)

    def data_to_send(self) -> bytes:
        """Everything waiting to go out, once."""
        return self.connection.data_to_send()

    def answer_candidate(self, candidate: BlockCandidate, *, accepted: bool) -> None:
        """Answer a stale or weak share once the node has judged it as a block; others are answered already."""
        solution, refusal = candidate.solution, candidate.refusal
        if refusal is None:
            return
        if accepted:
            difficulty = min(solution.difficulty, solution.job.difficulty)  # a weak one is worth what its hash is
            self._take(candidate.worker_name, solution, difficulty, is_block=True)
            self.connection.reply(candidate.request_id, True)
            return
        self.connection.refuse(candidate.request_id, refusal.reason, refusal.message)
        self._count_refused(candidate.worker_name, solution.job.job_id, refusal.reason, refusal.message)

    def hash_rate(self, now: float) -> float:
        """Hashes per second, estimated from the accepted shares of the last minutes."""
        return self._meter.rate_at(now, self._hashes, RATE_WINDOW)

    @property
    def _hashes(self) -> int:
        """How many it took to find the accepted shares, as a rule."""
        return int(self.shares.accepted_difficulty * HASHES_PER_DIFFICULTY)

    # ---- requests -------------------------------------------------------------------------------------------------

    def _answer(self, request_id: Id, message: requests.AnyClientMessage, now: float, unix_time: float) -> None:
        match message:
            case requests.Submit():
                self._submit(request_id, message, now, unix_time)
            case requests.Configure():
                self._configure(request_id, message, now)
            case requests.Subscribe():
                self._subscribe(request_id, message, now)
            case requests.Authorize():
                self._authorize(request_id, message, now)
            case requests.SuggestDifficulty(difficulty):
                self.connection.reply(request_id, True)
                self._suggest(difficulty, now)
            case requests.SuggestTarget(target):
                self.connection.reply(request_id, True)
                self._suggest(difficulty_to_announce(target), now)
            case requests.GetTransactions(job_id):
                self._get_transactions(request_id, job_id)
            case requests.ClientPing():
                self.connection.reply(request_id, "pong")
            case requests.ExtranonceSubscribe() | requests.MultiVersion():
                self.connection.reply(request_id, True)

    def _subscribe(self, request_id: Id, message: requests.Subscribe, now: float) -> None:
        if self.lease is None:
            self.lease = self._extranonces.lease(now, message.session_id)
            self.user_agent = sanitize(message.user_agent)
        self.connection.accept_subscribe(
            request_id,
            SubscribeResult(self.lease.extranonce1, self._config.extranonce2_size, self.lease.session_id),
        )
        self._start_if_ready(now)

    def _authorize(self, request_id: Id, message: requests.Authorize, now: float) -> None:
        if not message.worker_name.strip():
            self.connection.refuse(request_id, ErrorReason.UNAUTHORIZED, "expected a worker name, got none")
            return
        self.connection.accept_authorize(request_id, message.worker_name)
        if message.worker_name not in self.workers:
            self.workers[message.worker_name] = ShareCount()
            self._events.append(WorkerJoined(message.worker_name))
        difficulty = password_difficulty(message.password)
        if difficulty is not None:
            self._fixed = True
            self._want_difficulty(self._allowed(difficulty), now)
        self._start_if_ready(now)

    def _configure(self, request_id: Id, message: requests.Configure, now: float) -> None:
        granted: dict[str, bool | str | VersionRollingGrant] = {}
        for extension in message.extensions:
            match extension:
                case VersionRolling(mask):
                    granted[extension.name] = self._grant_version_rolling(mask)
                case MinimumDifficulty(value):
                    granted[extension.name] = self._grant_minimum(value)
                case Info():
                    self.info = extension
                    granted[extension.name] = True
                case SubscribeExtranonce():
                    granted[extension.name] = True
        self.connection.accept_configure(request_id, message, granted)
        self._want_difficulty(max(self.difficulty if self._pending is None else self._pending, self._minimum), now)

    def _grant_version_rolling(self, mask: int) -> bool | VersionRollingGrant:
        """Fewer bits than the miner wants are granted too: BIP 310 leaves the choice to the miner."""
        self.version_mask = mask & self._config.version_mask
        if self.lease is not None:
            self.lease.jobs.allow_versions(self.version_mask)  # a new mask counts at once (stratum.md 1.6.4)
        return VersionRollingGrant(self.version_mask) if self.version_mask else False

    def _grant_minimum(self, value: float) -> bool | str:
        if value > self._ceiling():
            return f"expected a difficulty of at most {self._ceiling():g}"
        self._minimum = value
        return True

    def _get_transactions(self, request_id: Id, job_id: str) -> None:
        job = None if self.lease is None else self.lease.jobs.get(job_id)
        if job is None:
            self.connection.refuse(request_id, ErrorReason.JOB_NOT_FOUND, "job not found")
            return
        transactions = _made_here(job).transactions
        if sum(map(len, transactions)) > MAX_TRANSACTIONS_REPLY:
            self.connection.refuse(
                request_id, ErrorReason.OTHER, f"the transactions exceed {MAX_TRANSACTIONS_REPLY} bytes"
            )
            return
        self.connection.reply(request_id, [transaction.hex() for transaction in transactions])

    # ---- shares ---------------------------------------------------------------------------------------------------

    def _submit(self, request_id: Id, submit: requests.Submit, now: float, unix_time: float) -> None:
        if self.lease is None:  # the connection refuses submits before subscribe
            self.connection.refuse(request_id, ErrorReason.NOT_SUBSCRIBED)
            return
        match self._validator.judge(submit, self.lease.jobs, unix_time):
            case Accepted(solution, difficulty, is_block):
                if is_block:
                    self._events.append(BlockCandidate(solution, submit.worker_name))
                self.connection.reply(request_id, True)
                self._take(submit.worker_name, solution, difficulty, is_block=is_block)
                self._weigh(difficulty, now)
            case Refused(candidate=Solution() as solution) as refusal:
                self._events.append(BlockCandidate(solution, submit.worker_name, request_id, refusal))
                self._weigh(refusal.work, now)
            case Refused(reason, message, work=work):
                self.connection.refuse(request_id, reason, message)
                self._count_refused(submit.worker_name, submit.job_id, reason, message)
                self._weigh(work, now)

    def _weigh(self, work: float, now: float) -> None:
        """Vardiff judges by all the work that was done, too late or not: the difficulty is not to blame for stale."""
        if work and self._vardiff is not None and not self._fixed:
            self._retarget(self._vardiff.on_share(now, work), now)

    def _take(self, worker_name: str, solution: Solution, difficulty: float, *, is_block: bool) -> None:
        self._refused_in_a_row = 0
        share_difficulty = solution.difficulty
        self.shares.take(difficulty, share_difficulty)
        self.workers[worker_name].take(difficulty, share_difficulty)
        self._events.append(ShareTaken(worker_name, solution, difficulty, is_block))

    def _count_refused(self, worker_name: str, job_id: str, reason: ErrorReason, message: str) -> None:
        self.shares.rejected[reason] += 1
        if worker_name in self.workers:
            self.workers[worker_name].rejected[reason] += 1
        self._events.append(ShareRefused(worker_name, job_id, reason, message))
        self._refused_in_a_row += 1

    def _check_patience(self) -> None:
        limit = self._config.max_refused_shares
        if self._refused_in_a_row > limit:
            raise LimitReachedError(f"more than {limit} refused shares in a row", Ending.REFUSED_SHARES)

    # ---- difficulty and jobs --------------------------------------------------------------------------------------

    def _suggest(self, difficulty: float, now: float) -> None:
        difficulty = self._allowed(difficulty)
        self._want_difficulty(difficulty, now)
        if self._vardiff is not None:
            self._vardiff.set_difficulty(difficulty, now)

    def _retarget(self, difficulty: float | None, now: float) -> None:
        if difficulty is not None and self._vardiff is not None:
            self._vardiff.difficulty = self._clamped(difficulty)  # or it would have to come down from beyond our limits
            self._want_difficulty(self._vardiff.difficulty, now)

    def _want_difficulty(self, difficulty: float, now: float) -> None:
        """Announce a difficulty now, or a moment later when the last change was just before."""
        self._pending = None
        if difficulty == self.difficulty:
            return
        if self.started and now - self._changed_at < MIN_CHANGE_INTERVAL:
            self._pending = difficulty
            return
        self._set_difficulty(difficulty)
        if self.started:
            self._changed_at = now
            self.connection.announce(SetDifficulty(difficulty))
            self._events.append(DifficultySet(difficulty))
            if self._jobs.current is not None:
                self._announce_next(self._jobs.current, now)

    def _set_difficulty(self, difficulty: float) -> None:
        self.difficulty = difficulty
        self._target = target_from_difficulty(difficulty)

    def _start_difficulty(self) -> float:
        start = self._config.difficulty
        return start if self._config.vardiff is None else self._clamped(start)

    def _allowed(self, difficulty: float) -> float:
        """What a miner gets that asks for this."""
        return max(self._config.lowest_request, self._clamped(difficulty))

    def _clamped(self, difficulty: float) -> float:
        low = max(self._config.lowest_difficulty, self._minimum)
        return max(low, min(difficulty, self._ceiling()))

    def _ceiling(self) -> float:
        current = self._jobs.current
        return self._config.ceiling(None if current is None else difficulty_from_target(current.network_target))

    def _start_if_ready(self, now: float) -> None:
        if self.started or self.lease is None or not self.workers:
            return
        self.started = True
        self.connection.announce(SetDifficulty(self.difficulty))
        self._events.append(DifficultySet(self.difficulty))
        current = self._jobs.current
        if current is not None and self.lease.jobs.get(current.notify.job_id) is not None:
            current = self._jobs.renew(now)  # it had this job before it came back, and may begin again with it
        if current is not None:
            self._announce(current, current.clean_line)

    def _announce_next(self, current: PoolJob, now: float) -> None:
        """A job that this miner does not know yet: one that was made for another's new difficulty will do, so that
        they take some memory together and not each.
        """
        pool_job = self._jobs.renew(now) if current is self._latest else current
        self._announce(pool_job, pool_job.line)

    def _announce(self, pool_job: PoolJob, line: bytes) -> None:
        assert self.lease is not None, "a started session has a lease"
        self._latest = pool_job
        self.lease.jobs.add(
            SessionJob(
                pool_job=pool_job,
                extranonce1=self.lease.extranonce1,
                difficulty=self.difficulty,
                target=self._target,
                version_mask=self.version_mask,
            )
        )
        self.connection.announce_encoded(line)


def _made_here(job: SessionJob) -> PoolJob:
    assert isinstance(job.pool_job, PoolJob), "a pool's sessions get the pool's own jobs"
    return job.pool_job
