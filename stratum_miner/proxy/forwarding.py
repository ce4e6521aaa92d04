"""One miner of a proxy, sans-IO: requests are answered, shares judged; what the pool is to judge comes out as events.

It is built of the pool's own parts: the connection, the validator, the job table, the leases. ``now`` is seconds of any
clock that does not go back; ``unix_time`` is the clock that ntime is held against.

A share that is good goes up when it meets the pool's difficulty (or is a block) and is answered with the pool's
answer, under the id it came with. One that meets only the miner's own difficulty is answered at once.
"""

from collections import deque

from stratum_miner.bitcoin.header import GENERAL_PURPOSE_MASK
from stratum_miner.bitcoin.target import (
    HASHES_PER_DIFFICULTY,
    difficulty_to_announce,
    hash_value,
    target_from_difficulty,
)
from stratum_miner.downstream.endings import Ending, LimitReachedError
from stratum_miner.downstream.extranonces import ExtranoncesExhausted, Lease
from stratum_miner.downstream.jobs import SessionJob
from stratum_miner.downstream.miner_session import RATE_RESOLUTION, RATE_WINDOW, password_difficulty
from stratum_miner.downstream.validator import Accepted, Refused, Solution, solution_of, unknown_job
from stratum_miner.downstream.vardiff import Vardiff
from stratum_miner.foreign_text import sanitize
from stratum_miner.proxy.config import ProxyConfig
from stratum_miner.proxy.counts import ShareCounts
from stratum_miner.proxy.events import (
    SessionEvent,
    SharePassed,
    ShareRefused,
    ShareRepeated,
    SubscribeHeld,
    WorkerJoined,
)
from stratum_miner.proxy.job_translator import JobTranslator, ProxyJob
from stratum_miner.stratum import client_messages as requests
from stratum_miner.stratum.envelope import Id
from stratum_miner.stratum.errors import SHARE_LOST_TEXT, ErrorReason
from stratum_miner.stratum.events import RequestReceived, RequestRefused
from stratum_miner.stratum.extensions import (
    Info,
    MinimumDifficulty,
    SubscribeExtranonce,
    VersionRolling,
    VersionRollingGrant,
)
from stratum_miner.stratum.pool_messages import Reconnect, SetDifficulty, SetExtranonce, SetVersionMask
from stratum_miner.stratum.results import SubscribeResult
from stratum_miner.stratum.server_connection import ServerConnection
from stratum_miner.work.hash_rate import HashRateMeter
from stratum_miner.work.job import Job
from stratum_miner.work.share import Share
from stratum_miner.work.share_result import Fate, Refusal, ShareResult


class MinerSession:
    """One connection of a miner. ``total`` counts the shares of all sessions."""

    def __init__(self, config: ProxyConfig, jobs: JobTranslator, total: ShareCounts, now: float) -> None:
        self.connection = ServerConnection()
        self.lease: Lease | None = None
        self.started = False
        """Whether the miner gets jobs: it is subscribed and authorized."""
        self.user_agent = ""
        self.workers: list[str] = []
        self.shares = ShareCounts()
        self.version_mask = 0
        """Bits the miner was told it may roll."""
        self.difficulty = 0.0
        """What the miner was told last; 0 before."""
        self._config = config
        self._jobs = jobs
        self._total = total
        self._events: deque[SessionEvent] = deque()
        self._asked_mask = 0
        """Bits the miner asked for."""
        self._rolls = False
        """Whether it was told that it may roll any."""
        self._takes_extranonce = False
        self._minimum = 0.0
        self._wanted: float | None = None
        """By the miner itself or by its share rate; counts only where difficulties are the proxy's to set."""
        self._fixed = False
        self._vardiff: Vardiff | None = None
        self._refused_in_a_row = 0
        self._meter = HashRateMeter(now, RATE_WINDOW, resolution=RATE_RESOLUTION)

    # ---- input ----------------------------------------------------------------------------------------------------

    def receive_data(self, data: bytes) -> None:
        """Add bytes from the miner; then call ``next_event`` until it returns None."""
        self.connection.receive_data(data)

    def next_event(self, now: float, unix_time: float) -> SessionEvent | None:
        """The next event, or None when more data is needed. RemoteProtocolError: send what waits and close."""
        while not self._events:
            if self._refused_in_a_row > self._config.max_refused_shares:
                reason = f"more than {self._config.max_refused_shares} refused shares in a row"
                raise LimitReachedError(reason, Ending.REFUSED_SHARES)
            match self.connection.next_event():
                case None:
                    return None
                case RequestReceived(request_id, message):
                    self._answer(request_id, message, now, unix_time)
                case RequestRefused("mining.submit", error):
                    self._receive_share()
                    self._count_refused("", error.reason, error.message)
                case _:
                    pass  # a refusal of another request is answered; replies to our pings mean nothing
        return self._events.popleft()

    def subscribe(self, held: SubscribeHeld, jobs: JobTranslator, now: float) -> None:
        """Answer a subscribe: from now on the miner works on these jobs. RemoteProtocolError when it has no room."""
        self._jobs = jobs
        split = jobs.split
        assert split is not None, "a held subscribe waits for the split"
        if self.lease is None:
            try:
                self.lease = self._jobs.extranonces.lease(now, held.message.session_id)
            except ExtranoncesExhausted:
                reason = f"no room: the pool's extranonce2 is enough for {split.miners} miners"
                self.connection.refuse(held.request_id, ErrorReason.OTHER, reason)
                raise LimitReachedError(reason, Ending.NO_ROOM) from None
            self.user_agent = sanitize(held.message.user_agent)
        self.connection.accept_subscribe(
            held.request_id,
            SubscribeResult(self.lease.extranonce1, split.extranonce2_size, self.lease.session_id),
        )
        self._start_if_ready(now)

    def close(self, now: float) -> None:
        """The connection is gone; the miner may come back for a while."""
        self.connection.receive_eof()
        self._release(now)

    def tick(self, now: float) -> None:
        """Let time pass: at least every few seconds."""
        self._meter.sample(now, self._hashes)
        if self._vardiff is not None and self.started and not self._fixed:
            self._wanted = self._vardiff.on_tick(now) or self._wanted

    # ---- output ---------------------------------------------------------------------------------------------------

    def announce(self, job: ProxyJob, now: float) -> None:
        """Give the miner this job, when it takes jobs yet, with whatever changed since the last."""
        if self.started and self.lease is not None:
            self._announce(job, job.line, now)

    def amend(self, job: ProxyJob) -> None:
        """The current job may be rolled in other bits from now on; bits allowed before stay good."""
        if self.started and self.lease is not None:
            self._set_mask(job)

    def move(self, now: float) -> bool:
        """Take a place in a new split; False when the miner has to connect again for that, which it was asked to."""
        if self.lease is None:
            return True
        self.lease = None  # of a registry that is no more
        split = self._jobs.split
        if split is not None and self._takes_extranonce:
            try:
                self.lease = self._jobs.extranonces.lease(now)
            except ExtranoncesExhausted:
                return False
            self.connection.announce(SetExtranonce(self.lease.extranonce1, split.extranonce2_size))
            return True
        self.connection.announce(Reconnect())
        return False

    def misses_rolling(self, job: ProxyJob) -> bool:
        """Whether the miner was told that it may not roll versions, and now could: only a new connection tells it."""
        return self.started and not self._rolls and bool(self._asked_mask & job.job.rollable_mask)

    def ask_to_reconnect(self) -> None:
        """Send client.reconnect to the same place."""
        self.connection.announce(Reconnect())

    def settle(self, passed: SharePassed, outcome: ShareResult) -> None:
        """Answer a share as the pool did."""
        match outcome.fate:
            case Fate.ACCEPTED:
                self._count("accepted")
                self.connection.reply(passed.request_id, True)
            case Fate.REJECTED:
                reason = ErrorReason((outcome.refusal or Refusal.OTHER).value)
                self._count_reason("rejected", reason)
                told = ErrorReason.OTHER if reason is ErrorReason.NO_REASON else reason
                self.connection.refuse(passed.request_id, told, outcome.text or reason.value)
            case Fate.STALE:
                self._count("stale")
                said = f"stale: {outcome.text}" if outcome.refusal is None else outcome.text
                self.connection.refuse(passed.request_id, ErrorReason.JOB_NOT_FOUND, said)
            case Fate.LOST:
                passed.seen.forget(passed.share.digest)  # the pool may never have had it: it may be sent again
                self._count("lost")
                self.connection.refuse(passed.request_id, ErrorReason.OTHER, SHARE_LOST_TEXT)

    def refuse_repeated(self, repeated: ShareRepeated) -> None:
        """Refuse a share that was answered, or whose answer this session waits for already."""
        self._refuse(repeated.request_id, repeated.worker_name, ErrorReason.DUPLICATE, "duplicate share")

    def hand_over(self) -> None:
        """The miner came back and sent a share again whose answer we wait for: it is received there and not here."""
        self.shares.received -= 1
        self._total.received -= 1

    def data_to_send(self) -> bytes:
        """Everything waiting to go out, once."""
        return self.connection.data_to_send()

    def hash_rate(self, now: float) -> float:
        """Hashes per second, estimated from the good shares of the last minutes."""
        return self._meter.rate_at(now, self._hashes, RATE_WINDOW)

    @property
    def _hashes(self) -> int:
        """How many it took to find the good shares, as a rule."""
        return int(self.shares.difficulty * HASHES_PER_DIFFICULTY)

    # ---- requests -------------------------------------------------------------------------------------------------

    def _answer(self, request_id: Id, message: requests.AnyClientMessage, now: float, unix_time: float) -> None:
        match message:
            case requests.Submit():
                self._submit(request_id, message, now, unix_time)
            case requests.Configure():
                self._configure(request_id, message)
            case requests.Subscribe():
                held = SubscribeHeld(request_id, message)
                if self.lease is None:
                    self._events.append(held)
                else:
                    self.subscribe(held, self._jobs, now)
            case requests.Authorize():
                self._authorize(request_id, message, now)
            case requests.SuggestDifficulty(difficulty):
                self.connection.reply(request_id, True)
                self._suggest(difficulty, now)
            case requests.SuggestTarget(target):
                self.connection.reply(request_id, True)
                self._suggest(difficulty_to_announce(target), now)
            case requests.GetTransactions():
                self.connection.refuse(request_id, ErrorReason.OTHER, "not known here: this is a proxy")
            case requests.ClientPing():
                self.connection.reply(request_id, "pong")
            case requests.ExtranonceSubscribe():
                self._takes_extranonce = True
                self.connection.reply(request_id, True)
            case requests.MultiVersion():
                self.connection.reply(request_id, True)

    def _authorize(self, request_id: Id, message: requests.Authorize, now: float) -> None:
        if not message.worker_name.strip(" ."):
            self.connection.refuse(request_id, ErrorReason.UNAUTHORIZED, "expected a worker name, got none")
            return
        self.connection.accept_authorize(request_id, message.worker_name)
        if message.worker_name not in self.workers:
            self.workers.append(message.worker_name)
            self._events.append(WorkerJoined(message.worker_name))
        difficulty = password_difficulty(message.password)
        if difficulty is not None:
            self._wanted, self._fixed = difficulty, True
        self._start_if_ready(now)

    def _configure(self, request_id: Id, message: requests.Configure) -> None:
        granted: dict[str, bool | str | VersionRollingGrant] = {}
        for extension in message.extensions:
            match extension:
                case VersionRolling(mask):
                    granted[extension.name] = self._grant_version_rolling(mask)
                case MinimumDifficulty(value):
                    self._minimum = value
                    granted[extension.name] = True
                case SubscribeExtranonce():
                    self._takes_extranonce = True
                    granted[extension.name] = True
                case Info():
                    granted[extension.name] = True
        self.connection.accept_configure(request_id, message, granted)

    def _grant_version_rolling(self, mask: int) -> bool | VersionRollingGrant:
        """Before the pool has said what it grants, what it may grant: the first job comes with the truth."""
        job = self._jobs.latest
        self._asked_mask = mask
        self.version_mask = mask & (GENERAL_PURPOSE_MASK if job is None else job.rollable_mask)
        self._rolls = self.version_mask != 0
        if job is not None:
            self._allow_versions(job)
        return VersionRollingGrant(self.version_mask) if self._rolls else False

    def _suggest(self, difficulty: float, now: float) -> None:
        self._wanted = difficulty
        if self._vardiff is not None:
            self._vardiff.set_difficulty(difficulty, now)

    # ---- shares ---------------------------------------------------------------------------------------------------

    def _submit(self, request_id: Id, submit: requests.Submit, now: float, unix_time: float) -> None:
        self._receive_share()
        if self.lease is None:
            self._refuse(request_id, submit.worker_name, ErrorReason.JOB_NOT_FOUND, "job not found")
            return
        job = self.lease.jobs.get(submit.job_id)
        if job is None:
            verdict = unknown_job(submit, self.lease.jobs)
            self._refuse(request_id, submit.worker_name, verdict.reason, verdict.message)
            return
        made = _made_here(job)
        match made.session.validator.judge(submit, self.lease.jobs, unix_time):
            case Accepted(solution, difficulty, is_block):
                self._take(solution, difficulty, now)
                self._weigh(difficulty, now)
                if is_block or hash_value(solution.digest) <= made.job.share_target:
                    self._pass(request_id, submit, solution, made)
                else:
                    self._count("kept")
                    self.connection.reply(request_id, True)
            case Refused(candidate=Solution() as solution, work=work):
                # stale or weak, but a block: the pool decides over it
                self._weigh(work, now)
                self._pass(request_id, submit, solution, made)
            case Refused(ErrorReason.DUPLICATE):
                digest = solution_of(submit, job).digest
                self._events.append(ShareRepeated(request_id, submit.worker_name, made.job.origin.session, digest))
            case Refused(reason, message, work=work):
                self._weigh(work, now)
                self._refuse(request_id, submit.worker_name, reason, message)

    def _take(self, solution: Solution, difficulty: float, now: float) -> None:
        self._refused_in_a_row = 0
        for counts in (self.shares, self._total):
            counts.difficulty += difficulty
            counts.best = max(counts.best, solution.difficulty)
            counts.last_at = now

    def _weigh(self, work: float, now: float) -> None:
        """Vardiff judges by all the work that was done, too late or not."""
        if work and self._vardiff is not None and not self._fixed:
            self._wanted = self._vardiff.on_share(now, work) or self._wanted

    def _pass(self, request_id: Id, submit: requests.Submit, solution: Solution, made: ProxyJob) -> None:
        assert self.lease is not None
        share = Share(
            job=made.session.as_granted(made.job),
            extranonce2=made.padding + solution.job.extranonce1 + submit.extranonce2,
            ntime=submit.ntime,
            nonce=submit.nonce,
            version=int.from_bytes(solution.header[:4], "little"),
            header=solution.header,
            digest=solution.digest,
            worker_name=self._config.worker_names.login(submit.worker_name),
        )
        self._events.append(SharePassed(request_id, submit.worker_name, share, made.seen))

    def _refuse(self, request_id: Id, worker_name: str, reason: ErrorReason, message: str) -> None:
        self.connection.refuse(request_id, reason, message)
        self._count_refused(worker_name, reason, message)

    def _receive_share(self) -> None:
        self.shares.received += 1
        self._total.received += 1

    def _count_refused(self, worker_name: str, reason: ErrorReason, message: str) -> None:
        self._refused_in_a_row += 1
        self._events.append(ShareRefused(worker_name, reason, message))
        if reason is ErrorReason.JOB_NOT_FOUND:
            self._count("stale")
        else:
            self._count_reason("refused", reason)

    def _count_reason(self, what: str, reason: ErrorReason) -> None:
        for counts in (self.shares, self._total):
            getattr(counts, what)[reason.value] += 1

    def _count(self, what: str) -> None:
        for counts in (self.shares, self._total):
            setattr(counts, what, getattr(counts, what) + 1)

    # ---- difficulty, mask, jobs -----------------------------------------------------------------------------------

    def _start_if_ready(self, now: float) -> None:
        if self.started or self.lease is None or not self.workers:
            return
        self.started = True
        job = self._jobs.job_for(self.lease.extranonce1, now)
        if job is not None:
            self._announce(job, job.clean_line, now)

    def _announce(self, job: ProxyJob, line: bytes, now: float) -> None:
        assert self.lease is not None, "a session that started has a lease"
        self._set_mask(job)
        difficulty = self._difficulty_for(job, now)
        if difficulty != self.difficulty:
            self.difficulty = difficulty
            self.connection.announce(SetDifficulty(difficulty))
        self.lease.jobs.add(
            SessionJob(
                pool_job=job,
                extranonce1=self.lease.extranonce1,
                difficulty=difficulty,
                target=target_from_difficulty(difficulty),
                version_mask=self.version_mask,
            )
        )
        self._jobs.note_holder(self.lease.extranonce1)
        self.connection.announce_encoded(line)

    def _set_mask(self, job: ProxyJob) -> None:
        """Tell the miner which bits it may roll from now on, in the jobs that it has of this upstream session too.

        Bits that a job's own version uses are left alone, so that all ways to merge bits agree.
        """
        mask = self._asked_mask & job.job.rollable_mask
        if self._rolls and mask != self.version_mask:
            self.version_mask = mask
            self.connection.announce(SetVersionMask(mask))
            self._allow_versions(job.job)

    def _allow_versions(self, of: Job) -> None:
        """What another pool granted says nothing of this one's jobs."""
        if self.lease is not None:
            session = of.origin.session
            self.lease.jobs.allow_versions(self.version_mask, lambda job: _made_here(job).job.origin.session == session)

    def _difficulty_for(self, job: ProxyJob, now: float) -> float:
        theirs = job.difficulty
        config = self._config.vardiff
        if config is None:
            return max(theirs, self._minimum)
        if self._vardiff is None:
            self._vardiff = Vardiff(config, self._wanted or theirs, now)
        return max(min(max(self._wanted or theirs, config.minimum), theirs), self._minimum)

    def _release(self, now: float) -> None:
        if self.lease is not None:
            self._jobs.extranonces.release(self.lease, now)
            self.lease = None


def _made_here(job: SessionJob) -> ProxyJob:
    assert isinstance(job.pool_job, ProxyJob), "a proxy's sessions get the proxy's own jobs"
    return job.pool_job
