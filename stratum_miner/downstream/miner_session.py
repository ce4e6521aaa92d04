"""One miner's Stratum session, sans-IO: requests are answered, shares counted, jobs announced; bytes in, events and
bytes out.

It does not know whether it serves a pool or a proxy: where jobs come from and who has the last word on a share, it asks
its policy (``session_policy``). ``now`` is seconds of any clock that does not go back; ``unix_time`` is the clock that
ntime is held against.

A miner gets its first job once it is subscribed and authorized: difficulty first, then the job
(docs/reference/stratum.md#order-of-a-session). A new difficulty is announced together with the job that it is for, so
that both sides mean the same job by "the next one".
"""

import math
import re
from typing import Generic, TypeAlias

from stratum_miner.bitcoin.target import HASHES_PER_DIFFICULTY, difficulty_to_announce, target_from_difficulty
from stratum_miner.downstream.endings import DisconnectReason, LimitReachedError
from stratum_miner.downstream.events import (
    AnsweredWithError,
    AnsweredWithTrue,
    DifficultySet,
    SessionEvent,
    ShareToForward,
    SubscribePending,
    WorkerAdded,
)
from stratum_miner.downstream.extranonces import ExtranoncesExhausted, Lease
from stratum_miner.downstream.jobs import J, SessionJob
from stratum_miner.downstream.session_policy import ForwardVerdict, SessionPolicy
from stratum_miner.downstream.share_counts import DownstreamShareCounts
from stratum_miner.downstream.validator import Accepted, Refused
from stratum_miner.downstream.vardiff import Vardiff
from stratum_miner.foreign_text import sanitize
from stratum_miner.stratum import client_messages as requests
from stratum_miner.stratum.envelope import Id
from stratum_miner.stratum.errors import SHARE_LOST_TEXT, ErrorReason, FieldError
from stratum_miner.stratum.events import RequestReceived, RequestRefused
from stratum_miner.stratum.extensions import (
    ExtensionAnswer,
    Info,
    MinimumDifficulty,
    SubscribeExtranonce,
    VersionRolling,
    VersionRollingGrant,
)
from stratum_miner.stratum.fields import difficulty as difficulty_field
from stratum_miner.stratum.pool_messages import Reconnect, SetDifficulty, SetExtranonce, SetVersionMask
from stratum_miner.stratum.results import SubscribeResult
from stratum_miner.stratum.server_connection import ServerConnection
from stratum_miner.work.hash_rate import HashRateMeter

RATE_WINDOW = 300.0
"""Seconds over which a session's hash rate is estimated."""
RATE_RESOLUTION = 10.0
"""Seconds between the samples kept for that: some 30, 4 kB a session."""

_Counted: TypeAlias = tuple[DownstreamShareCounts, ...]
_PASSWORD_DIFFICULTY = re.compile(r"(?:^|[,;\s])(?:d|diff)=([0-9.eE+-]{1,40})(?=$|[,;\s])")


class MinerSession(Generic[J]):
    """One connection of a miner, under ``policy`` until it is subscribed to another. ``total`` counts all shares."""

    def __init__(self, policy: SessionPolicy[J], total: DownstreamShareCounts, now: float) -> None:
        self.connection = ServerConnection()
        self.lease: Lease[J] | None = None
        self.started = False
        """Whether the miner gets jobs: it is subscribed and authorized."""
        self.user_agent = ""
        self.info: Info | None = None
        self.workers: dict[str, DownstreamShareCounts] = {}
        self.shares = DownstreamShareCounts()
        self.version_mask = 0
        """Version bits that the miner was told it may roll."""
        self.difficulty = 0.0
        """The difficulty that the miner was told last; 0 before."""
        self._policy = policy
        self._total = total
        self._events: list[SessionEvent[J]] = []  # three at most, and a deque is 760 bytes for each session
        self._refused_in_a_row = 0
        self._takes_extranonce = False
        self._asked_mask = 0
        """Bits the miner asked for."""
        self._rolls = False
        """Whether it was told that it may roll any."""
        self._minimum = 0.0
        self._wanted = policy.start_difficulty
        """The difficulty that the miner asked for, or that its share rate suggests, whichever came last; None: any."""
        self._fixed = False
        self._target = 0
        """The target of the difficulty that the miner was told."""
        self._changed_at = -math.inf
        self._change_waits = False
        self._vardiff: Vardiff | None = None
        self._meter = HashRateMeter(now, RATE_WINDOW, resolution=RATE_RESOLUTION)

    # ---- input ----------------------------------------------------------------------------------------------------

    def receive_data(self, data: bytes) -> None:
        """Add bytes from the miner; then call ``next_event`` until it returns None."""
        self.connection.receive_data(data)

    def next_event(self, now: float, unix_time: float) -> SessionEvent[J] | None:
        """The next event, or None when more data is needed. RemoteProtocolError: send what waits and close."""
        while not self._events:
            limit = self._policy.max_refused_shares
            if self._refused_in_a_row > limit:
                raise LimitReachedError(f"more than {limit} refused shares in a row", DisconnectReason.REFUSED_SHARES)
            match self.connection.next_event():
                case None:
                    return None
                case RequestReceived(request_id, message):
                    self._answer(request_id, message, now, unix_time)
                case RequestRefused("mining.submit", error):
                    counted = self._counted("")
                    for counts in counted:
                        counts.received += 1
                    self._count_refused(counted, AnsweredWithError("", "", error.reason, error.message))
                case _:
                    pass  # a refusal of another request is answered; replies to our pings mean nothing
        return self._events.pop(0)

    def take_events(self) -> list[SessionEvent[J]]:
        """Events that came about without input, by ``tick``."""
        waiting = list(self._events)
        self._events.clear()
        return waiting

    def subscribe(self, held: SubscribePending, policy: SessionPolicy[J], now: float) -> None:
        """Answer a subscribe: from now on the miner is under this policy. RemoteProtocolError when it has no room."""
        self._policy = policy
        if self.lease is None:
            try:
                self.lease = policy.leases.lease(now, held.resume)
            except ExtranoncesExhausted as error:
                reason = f"no room: {error}"
                self.connection.refuse(held.request_id, ErrorReason.OTHER, reason)
                raise LimitReachedError(reason, DisconnectReason.NO_ROOM) from None
            self.user_agent = held.user_agent
        result = SubscribeResult(self.lease.extranonce1, self.lease.extranonce2_size, self.lease.session_id)
        self.connection.accept_subscribe(held.request_id, result)
        self._start_if_ready(now)

    def close(self, now: float) -> None:
        """Note that the connection ended; the miner may come back for a while."""
        self.connection.receive_eof()
        if self.lease is not None:
            self._policy.leases.release(self.lease, now)
            self.lease = None

    def tick(self, now: float) -> None:
        """Let time pass: at least every few seconds. Difficulty may change."""
        self._meter.sample(now, self._hashes)
        if self._change_waits:
            self._follow_wanted(now)
        if self._vardiff is not None and not self._fixed:
            self._retarget(self._vardiff, self._vardiff.on_tick(now), now)

    # ---- output ---------------------------------------------------------------------------------------------------

    def data_to_send(self) -> bytes:
        """Everything waiting to go out, once."""
        return self.connection.data_to_send()

    def announce(self, job: J, now: float) -> None:
        """Give the miner this job, when it takes jobs yet, with whatever changed since the last."""
        if self.started and self.lease is not None:
            self._announce(job, self.lease, job.line, now)

    def amend(self, job: J) -> None:
        """The current job may be rolled in other bits from now on; bits allowed before stay good."""
        if self._rolls and self.started and self.lease is not None:
            self._set_mask(job)

    def move(self, now: float) -> bool:
        """Go on under a lease of other extranonces; False when the miner has to connect again, as it was asked to."""
        if self.lease is None:
            return True
        self.lease = None  # of a registry that is no more
        if not self._takes_extranonce:
            self.ask_to_reconnect()
            return False
        try:
            self.lease = self._policy.leases.lease(now)
        except ExtranoncesExhausted:
            return False
        self.connection.announce(SetExtranonce(self.lease.extranonce1, self.lease.extranonce2_size))
        return True

    def misses_rolling(self, job: J) -> bool:
        """Whether the miner was told that it may not roll versions, and now could: only a new connection tells it."""
        return self.started and not self._rolls and bool(self._asked_mask & job.rollable_mask)

    def ask_to_reconnect(self) -> None:
        """Send client.reconnect to the same place."""
        self.connection.announce(Reconnect())

    def answer(self, passed: ShareToForward[J], refusal: Refused[J] | None, now: float) -> SessionEvent[J] | None:
        """Answer a share that waits, with true or with this refusal. None if there is nothing to tell of it."""
        if not passed.waits:
            return None
        counted, solution = self._counted(passed.submit.worker_name), passed.solution
        if refusal is not None:
            reason = ErrorReason.OTHER if refusal.reason is ErrorReason.NO_REASON else refusal.reason
            self.connection.refuse(passed.request_id, reason, refusal.message)
            self._count_bad(counted, refusal.reason, passed=refusal is not passed.refusal)
            return AnsweredWithError(passed.submit.worker_name, solution.job.job_id, reason, refusal.message)
        self.connection.reply(passed.request_id, True)
        for counts in counted:
            counts.accepted += 1
        if passed.refusal is None:  # it was credited when it came
            return None
        share_difficulty = solution.difficulty
        difficulty = min(solution.job.difficulty, share_difficulty)  # a weak one is worth what its hash is
        self._credit(counted, difficulty, share_difficulty, now)
        return AnsweredWithTrue(passed.submit.worker_name, solution, difficulty, share_difficulty, solution.is_block)

    def answer_lost(self, passed: ShareToForward[J]) -> None:
        """Answer a share that waits and of which nobody will ever say what became of it: it may be sent again."""
        passed.solution.job.announced.seen.forget(passed.solution.digest)
        self.connection.refuse(passed.request_id, ErrorReason.OTHER, SHARE_LOST_TEXT)
        for counts in self._counted(passed.submit.worker_name):
            counts.lost += 1

    def hand_over(self, passed: ShareToForward[J]) -> None:
        """The miner came back and sent a share again that waits: it is received there and not here."""
        for counts in self._counted(passed.submit.worker_name):
            counts.received -= 1

    def hash_rate(self, now: float) -> float:
        """Hashes per second, estimated from the good shares of the last minutes."""
        return self._meter.rate_at(now, self._hashes, RATE_WINDOW)

    @property
    def _hashes(self) -> int:
        """The number of hashes that it takes on average to find the good shares."""
        return int(self.shares.difficulty * HASHES_PER_DIFFICULTY)

    # ---- requests -------------------------------------------------------------------------------------------------

    def _answer(self, request_id: Id, message: requests.AnyClientMessage, now: float, unix_time: float) -> None:
        match message:
            case requests.Submit():
                self._submit(request_id, message, now, unix_time)
            case requests.Configure():
                self._configure(request_id, message, now)
            case requests.Subscribe():
                held = SubscribePending(request_id, sanitize(message.user_agent), message.session_id)
                if self.lease is None:
                    self._events.append(held)
                else:
                    self.subscribe(held, self._policy, now)
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
            self.workers[message.worker_name] = DownstreamShareCounts()
            self._events.append(WorkerAdded(message.worker_name))
        difficulty = password_difficulty(message.password)
        if difficulty is not None:
            self._fixed = True
            self._wanted = self._bounded(difficulty, asked=True)
            self._follow_wanted(now)
        self._start_if_ready(now)

    def _configure(self, request_id: Id, message: requests.Configure, now: float) -> None:
        granted: dict[str, ExtensionAnswer] = {}
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
                    self._takes_extranonce = True
                    granted[extension.name] = True
        self.connection.accept_configure(request_id, message, granted)
        self._follow_wanted(now)

    def _grant_version_rolling(self, mask: int) -> bool | VersionRollingGrant:
        """Fewer bits than the miner wants are granted too: BIP 310 leaves the choice to the miner."""
        self._asked_mask = mask
        self.version_mask = mask & self._policy.rollable_mask
        self._rolls = self.version_mask != 0
        self._allow_versions(self._policy.latest)
        return VersionRollingGrant(self.version_mask) if self._rolls else False

    def _grant_minimum(self, value: float) -> bool | str:
        if value > self._policy.ceiling:
            return f"expected a difficulty of at most {self._policy.ceiling:g}"
        self._minimum = value
        return True

    def _get_transactions(self, request_id: Id, job_id: str) -> None:
        job = None if self.lease is None else self.lease.jobs.get(job_id)
        transactions = self._policy.transactions(None if job is None else job.announced)
        if isinstance(transactions, Refused):
            self.connection.refuse(request_id, transactions.reason, transactions.message)
        else:
            self.connection.reply(request_id, transactions)

    # ---- shares ---------------------------------------------------------------------------------------------------

    def _submit(self, request_id: Id, submit: requests.Submit, now: float, unix_time: float) -> None:
        counted = self._counted(submit.worker_name)
        for counts in counted:
            counts.received += 1
        if self.lease is None:  # the connection refuses submits before subscribe; this one was to connect again
            self._refuse(request_id, submit, counted, ErrorReason.JOB_NOT_FOUND, "job not found")
            return
        verdict = self._policy.judge(submit, self.lease.jobs, unix_time)
        waits = False
        if isinstance(verdict, ForwardVerdict):
            solution, waits, verdict = verdict.solution, verdict.waits, verdict.verdict
            refusal = verdict if isinstance(verdict, Refused) else None
            self._events.append(ShareToForward(request_id, submit, solution, refusal, waits))
        if isinstance(verdict, Accepted):
            self._take(request_id, submit, counted, verdict, now, waits=waits)
        elif waits:
            self._refused_in_a_row += 1
            self._weigh(verdict.work, now)
        else:
            self._refuse(request_id, submit, counted, verdict.reason, verdict.message)
            self._weigh(verdict.work, now)

    def _take(
        self, request_id: Id, submit: requests.Submit, counted: _Counted, good: Accepted[J], now: float, *, waits: bool
    ) -> None:
        solution, difficulty = good.solution, good.difficulty
        share_difficulty = solution.difficulty
        self._credit(counted, difficulty, share_difficulty, now)
        if not waits:
            self.connection.reply(request_id, True)
            for counts in counted:
                if self._policy.has_last_word:
                    counts.accepted += 1
                else:
                    counts.kept += 1
            taken = AnsweredWithTrue(submit.worker_name, solution, difficulty, share_difficulty, good.is_block)
            self._events.append(taken)
        self._weigh(difficulty, now)

    def _refuse(
        self, request_id: Id, submit: requests.Submit, counted: _Counted, reason: ErrorReason, message: str
    ) -> None:
        self.connection.refuse(request_id, reason, message)
        self._count_refused(counted, AnsweredWithError(submit.worker_name, submit.job_id, reason, message))

    def _weigh(self, work: float, now: float) -> None:
        """Vardiff judges by all the work that was done, too late or not: the difficulty is not to blame for stale."""
        if work and self._vardiff is not None and not self._fixed:
            self._retarget(self._vardiff, self._vardiff.on_share(now, work), now)

    def _counted(self, worker_name: str) -> _Counted:
        """Where a worker's shares are counted."""
        worker = self.workers.get(worker_name)
        return (self.shares, self._total) if worker is None else (self.shares, self._total, worker)

    def _credit(self, counted: _Counted, difficulty: float, share_difficulty: float, now: float) -> None:
        self._refused_in_a_row = 0
        for counts in counted:
            counts.credit(difficulty, share_difficulty, now)

    def _count_refused(self, counted: _Counted, refused: AnsweredWithError) -> None:
        self._refused_in_a_row += 1
        self._count_bad(counted, refused.reason, passed=False)
        self._events.append(refused)

    def _count_bad(self, counted: _Counted, reason: ErrorReason, *, passed: bool) -> None:
        for counts in counted:
            if self._policy.has_last_word:
                counts.rejected[reason] += 1
            elif reason is ErrorReason.JOB_NOT_FOUND:
                counts.stale += 1
            else:
                (counts.rejected if passed else counts.refused)[reason] += 1

    # ---- difficulty, mask, jobs -----------------------------------------------------------------------------------

    def _suggest(self, difficulty: float, now: float) -> None:
        self._wanted = self._bounded(difficulty, asked=True)
        self._follow_wanted(now)
        if self._vardiff is not None:
            self._vardiff.set_difficulty(self._wanted, now)

    def _retarget(self, vardiff: Vardiff, difficulty: float | None, now: float) -> None:
        if difficulty is not None:
            self._wanted = self._bounded(difficulty, asked=False)
            vardiff.difficulty = self._wanted  # or it would have to come back from beyond our limits
            self._follow_wanted(now)

    def _bounded(self, difficulty: float, *, asked: bool) -> float:
        return max(self._minimum, self._policy.bounded(difficulty, asked=asked))

    def _follow_wanted(self, now: float) -> None:
        """Announce a wanted difficulty with a job for it, a moment later when the last change was just before."""
        interval = self._policy.change_interval
        if interval is None or not self.started or self.lease is None:
            return
        difficulty = self._policy.difficulty(None, self._wanted, self._minimum)
        self._change_waits = difficulty != self.difficulty and now - self._changed_at < interval
        if difficulty != self.difficulty and not self._change_waits:
            self._changed_at = now
            self._announce_current(self.lease, now, clean=False)

    def _start_if_ready(self, now: float) -> None:
        if not self.started and self.lease is not None and self.workers:
            self.started = True
            self._announce_current(self.lease, now, clean=True)

    def _announce_current(self, lease: Lease[J], now: float, *, clean: bool) -> None:
        job = self._policy.job_for(lease, now)
        if job is None:
            self._tell_difficulty(self._policy.difficulty(None, self._wanted, self._minimum), now)
        else:
            self._announce(job, lease, job.clean_line if clean else job.line, now)

    def _announce(self, job: J, lease: Lease[J], line: bytes, now: float) -> None:
        if self._rolls:
            self._set_mask(job)
        difficulty = self._policy.difficulty(job, self._wanted, self._minimum)
        if difficulty != self.difficulty:
            self._tell_difficulty(difficulty, now)
        lease.jobs.add(
            SessionJob(
                announced=job,
                extranonce1=lease.extranonce1,
                difficulty=self.difficulty,
                target=self._target,
                version_mask=self.version_mask,
            )
        )
        self.connection.announce_encoded(line)

    def _tell_difficulty(self, difficulty: float | None, now: float) -> None:
        if difficulty is None or difficulty == self.difficulty:
            return
        self.difficulty = difficulty
        self._target = target_from_difficulty(difficulty)
        self.connection.announce(SetDifficulty(difficulty))
        self._events.append(DifficultySet(difficulty))
        if self._vardiff is None and self._policy.vardiff is not None:
            self._vardiff = Vardiff(self._policy.vardiff, self._wanted or difficulty, now)

    def _set_mask(self, job: J) -> None:
        """Tell the miner which bits it may roll from now on, in the jobs that it has of the same origin too.

        Bits that a job's own version uses are left alone, so that all ways to merge bits agree.
        """
        mask = self._asked_mask & job.rollable_mask
        if mask != self.version_mask:
            self.version_mask = mask
            self.connection.announce(SetVersionMask(mask))
            self._allow_versions(job)

    def _allow_versions(self, job: J | None) -> None:
        """A new mask counts at once (docs/reference/stratum.md#changing-the-version-mask); what one origin granted says
        nothing of another's jobs."""
        if job is not None and self.lease is not None:
            self.lease.jobs.allow_versions(self.version_mask, job.origin)


def password_difficulty(password: str) -> float | None:
    """The difficulty a password asks for, as in ``x,d=64`` or ``diff=0.5``; None when it names none that is sane."""
    match = _PASSWORD_DIFFICULTY.search(password)
    if match is None:
        return None
    try:
        return difficulty_field(match[1], "password difficulty")
    except FieldError:
        return None
