"""The Stratum session of one miner, sans-IO: it answers requests, counts shares and announces jobs.

The session takes bytes from the miner, and returns events and the bytes to send. It does not know whether it belongs to
a pool or to a proxy: it asks its policy (``session_policy``) for jobs and for verdicts on shares. The parameter ``now``
is the time in seconds on any clock that does not go back; ``unix_time`` is the Unix time with which the ntime of a
share is compared.

When a miner is subscribed and authorized, it gets a difficulty and then its first job
(docs/reference/stratum.md#order-of-a-session). A new difficulty applies from the next job on. The session sends it
directly before a job, so that miner and session agree on the first job with the new difficulty.
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
"""The hash rate of a session is estimated from its shares of the last ``RATE_WINDOW`` seconds."""
RATE_RESOLUTION = 10.0
"""To estimate its hash rate, a session records its number of hashes (see ``MinerSession._hashes``) once in this many
seconds. It keeps about 30 of these numbers (4 kB)."""

_Counted: TypeAlias = tuple[DownstreamShareCounts, ...]
_PASSWORD_DIFFICULTY = re.compile(r"(?:^|[,;\s])(?:d|diff)=([0-9.eE+-]{1,40})(?=$|[,;\s])", re.IGNORECASE)


class MinerSession(Generic[J]):
    """The Stratum session of one miner's connection.

    ``policy`` applies until ``subscribe`` sets another policy. ``total`` contains the share counts of all sessions
    together; this session also counts its shares there.
    """

    def __init__(self, policy: SessionPolicy[J], total: DownstreamShareCounts, now: float) -> None:
        self.connection = ServerConnection()
        self.lease: Lease[J] | None = None
        """The miner's extranonce1 and jobs; None while it is not subscribed."""
        self.started = False
        """Whether the miner gets jobs: it is subscribed and authorized."""
        self.user_agent = ""
        """First parameter of mining.subscribe."""
        self.info: Info | None = None
        """What the miner reported about itself with the info extension of mining.configure; None if it reported
        nothing."""
        self.workers: dict[str, DownstreamShareCounts] = {}
        """Share counts by worker name, for the worker names that were authorized."""
        self.shares = DownstreamShareCounts()
        """Share counts of all worker names of this session."""
        self.version_mask = 0
        """The version mask that was last sent to the miner: the version bits that it may roll."""
        self.difficulty = 0.0
        """The difficulty that was last sent to the miner; 0 if none was sent yet."""
        self._policy = policy
        self._total = total
        self._events: list[SessionEvent[J]] = []  # at most three events; a deque would take 760 bytes
        self._errors_in_a_row = 0
        self._accepts_extranonce = False
        self._requested_mask = 0
        """Version bits that the miner asked for."""
        self._rolls = False
        """Whether the miner was granted version rolling."""
        self._minimum: float = 0
        """The minimum difficulty that the miner asked for."""
        self._wanted = policy.start_difficulty
        """The difficulty that the session wants to use: the one that the miner asked for, or the one that vardiff
        chose, whichever came last. None: the session uses the difficulty of each job."""
        self._is_difficulty_fixed = False
        """Whether the miner asked for a difficulty in its password. If so, vardiff does not change the difficulty."""
        self._target = 0
        """The share target that corresponds to ``difficulty``."""
        self._changed_at = -math.inf
        """Time at which the session last sent an extra job in order to change the difficulty; -inf before the first
        such job."""
        self._change_waits = False
        """Whether a change of difficulty waits until ``SessionPolicy.change_interval`` has passed since the last
        change."""
        self._vardiff: Vardiff | None = None
        self._meter = HashRateMeter(now, RATE_WINDOW, resolution=RATE_RESOLUTION)

    # ---- input ----------------------------------------------------------------------------------------------------

    def receive_data(self, data: bytes) -> None:
        """Add bytes from the miner. Then call ``next_event`` until it returns None."""
        self.connection.receive_data(data)

    def next_event(self, now: float, unix_time: float) -> SessionEvent[J] | None:
        """Return the next event, or None if more bytes are needed.

        Raises RemoteProtocolError if the miner sent invalid bytes, and LimitReachedError if it exceeded a limit. In
        both cases, send the bytes that wait, and close the connection.
        """
        while not self._events:
            limit = self._policy.max_refused_shares
            if self._errors_in_a_row > limit:
                raise LimitReachedError(f"more than {limit} refused shares in a row", DisconnectReason.REFUSED_SHARES)
            match self.connection.next_event():
                case None:
                    return None
                case RequestReceived(request_id, message):
                    self._answer(request_id, message, now, unix_time)
                case RequestRefused("mining.submit", error):
                    counted = self._counts_of("")
                    for counts in counted:
                        counts.received += 1
                    answered = AnsweredWithError(worker_name="", job_id="", reason=error.reason, message=error.message)
                    self._count_refused(counted, answered)
                case _:
                    pass  # ``ServerConnection`` answers other invalid requests; replies from miners are ignored
        return self._events.pop(0)

    def take_events(self) -> list[SessionEvent[J]]:
        """Return the events that wait, and forget them. Call this after methods other than ``next_event``, such as
        ``tick``, because these also cause events."""
        waiting = list(self._events)
        self._events.clear()
        return waiting

    def subscribe(self, pending: SubscribePending, policy: SessionPolicy[J], now: float) -> None:
        """Answer mining.subscribe. From now on, ``policy`` applies to the session.

        Raises LimitReachedError if ``policy`` has no free extranonce1. The miner then gets an error as its answer.
        """
        self._policy = policy
        if self.lease is None:
            try:
                self.lease = policy.leases.lease(now, pending.resume)
            except ExtranoncesExhausted as error:
                reason = f"no free extranonce1: {error}"
                self.connection.refuse(pending.request_id, ErrorReason.OTHER, reason)
                raise LimitReachedError(reason, DisconnectReason.NO_ROOM) from None
            self.user_agent = pending.user_agent
        result = SubscribeResult(self.lease.extranonce1, self.lease.extranonce2_size, self.lease.session_id)
        self.connection.accept_subscribe(pending.request_id, result)
        self._start_if_ready(now)

    def close(self, now: float) -> None:
        """Record that the connection is closed. The miner can resume the session for a while."""
        self.connection.receive_eof()
        if self.lease is not None:
            self._policy.leases.release(self.lease, now)
            self.lease = None

    def tick(self, now: float) -> None:
        """Update the hash rate, and let vardiff lower the difficulty if no shares come. Call it at least every few
        seconds.
        """
        self._meter.sample(now, self._hashes)
        if self._change_waits:
            self._announce_wanted_difficulty(now)
        if self._vardiff is not None and not self._is_difficulty_fixed:
            self._retarget(self._vardiff, self._vardiff.on_tick(now), now)

    # ---- output ---------------------------------------------------------------------------------------------------

    def data_to_send(self) -> bytes:
        """Return all bytes that wait to be sent, and forget them."""
        return self.connection.data_to_send()

    def announce(self, job: J, now: float) -> None:
        """Send the miner this job, if it is subscribed and authorized. A new difficulty or version mask is sent before
        the job.
        """
        if self.started and self.lease is not None:
            self._announce(job, self.lease, job.line, now)

    def update_version_mask(self, job: J) -> None:
        """Send the miner the new version mask of the current job ``job``. Bits that were allowed before stay
        allowed."""
        if self._rolls and self.started and self.lease is not None:
            self._set_mask(job)

    def change_extranonce(self, now: float) -> bool:
        """Give the miner another extranonce1, with mining.set_extranonce.

        Return False if the miner gets no other extranonce1, because the miner does not accept a change or no
        extranonce1 is free. The miner must then connect again.
        """
        if self.lease is None:
            return True
        self.lease = None  # the policy no longer uses the registry that assigned the extranonce1 of this lease
        if not self._accepts_extranonce:
            self.ask_to_reconnect()
            return False
        try:
            self.lease = self._policy.leases.lease(now)
        except ExtranoncesExhausted:
            return False
        self.connection.announce(SetExtranonce(self.lease.extranonce1, self.lease.extranonce2_size))
        return True

    def was_refused_rolling(self, job: J) -> bool:
        """Return whether the session refused the miner's request for version rolling, although ``job`` would allow it.

        To get version rolling, such a miner must ask for it again on a new connection.
        """
        return self.started and not self._rolls and bool(self._requested_mask & job.rollable_mask)

    def ask_to_reconnect(self) -> None:
        """Send client.reconnect without an address: the miner connects to the same address again."""
        self.connection.announce(Reconnect())

    def answer(self, share: ShareToForward[J], refusal: Refused[J] | None, now: float) -> SessionEvent[J] | None:
        """Answer a share with true if ``refusal`` is None, otherwise with the error in ``refusal``. Return the event
        that the caller must report, or None if there is nothing to report.

        If ``share.waits`` is False, the share was already answered when it arrived: this method does nothing and
        returns None. It also returns None if the session had judged the share as valid and ``refusal`` is None, because
        the share was then already credited when it arrived.
        """
        if not share.waits:
            return None
        counted, solution = self._counts_of(share.submit.worker_name), share.solution
        if refusal is not None:
            reason = ErrorReason.OTHER if refusal.reason is ErrorReason.NO_REASON else refusal.reason
            self.connection.refuse(share.request_id, reason, refusal.message)
            self._count_error(counted, refusal.reason, by_pool=refusal is not share.refusal)
            return AnsweredWithError(share.submit.worker_name, solution.job.job_id, reason, refusal.message)
        self.connection.reply(share.request_id, True)
        for counts in counted:
            counts.accepted += 1
        if share.refusal is None:  # the share was credited when it arrived
            return None
        share_difficulty = solution.difficulty
        # a block that does not meet the share target (a weak block) counts with its own difficulty, which is less than
        # the difficulty of the job
        difficulty = min(solution.job.difficulty, share_difficulty)
        self._credit(counted, difficulty, share_difficulty, now)
        return AnsweredWithTrue(share.submit.worker_name, solution, difficulty, share_difficulty, solution.is_block)

    def answer_lost(self, share: ShareToForward[J]) -> None:
        """Answer a share whose result will never be known, with an error. The miner may submit it again."""
        share.solution.job.announced.seen.forget(share.solution.digest)
        self.connection.refuse(share.request_id, ErrorReason.OTHER, SHARE_LOST_TEXT)
        for counts in self._counts_of(share.submit.worker_name):
            counts.lost += 1

    def uncount_received(self, share: ShareToForward[J]) -> None:
        """Lower the number of received shares by one. Call this if the miner has reconnected and submitted ``share``
        again in its new session, because the new session counts this share."""
        for counts in self._counts_of(share.submit.worker_name):
            counts.received -= 1

    def hash_rate(self, now: float) -> float:
        """Return the hashes per second, estimated from the valid shares of the last 5 minutes."""
        return self._meter.rate_at(now, self._hashes, RATE_WINDOW)

    @property
    def _hashes(self) -> int:
        """Number of hashes that the valid shares of this session stand for: how many it takes on average to find
        them."""
        return int(self.shares.difficulty * HASHES_PER_DIFFICULTY)

    # ---- requests -------------------------------------------------------------------------------------------------

    def _answer(self, request_id: Id, message: requests.AnyClientMessage, now: float, unix_time: float) -> None:
        match message:
            case requests.Submit():
                self._submit(request_id, message, now, unix_time)
            case requests.Configure():
                self._configure(request_id, message, now)
            case requests.Subscribe():
                pending = SubscribePending(request_id, sanitize(message.user_agent), message.session_id)
                if self.lease is None:
                    self._events.append(pending)
                else:
                    self.subscribe(pending, self._policy, now)
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
                self._accepts_extranonce = True
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
            self._is_difficulty_fixed = True
            self._wanted = self._bounded(difficulty, asked=True)
            self._announce_wanted_difficulty(now)
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
                    self._accepts_extranonce = True
                    granted[extension.name] = True
        self.connection.accept_configure(request_id, message, granted)
        self._announce_wanted_difficulty(now)

    def _grant_version_rolling(self, mask: int) -> bool | VersionRollingGrant:
        # grant the allowed bits even if the miner asked for more bits: in BIP 310, it is the miner who decides whether
        # the granted bits are enough
        self._requested_mask = mask
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
        counted = self._counts_of(submit.worker_name)
        for counts in counted:
            counts.received += 1
        if self.lease is None:  # the miner lost its extranonce1 and was asked to connect again
            self._refuse(request_id, submit, counted, ErrorReason.JOB_NOT_FOUND, "job not found")
            return
        verdict = self._policy.judge(submit, self.lease.jobs, unix_time)
        waits = False
        if isinstance(verdict, ForwardVerdict):
            solution, waits, verdict = verdict.solution, verdict.waits, verdict.verdict
            refusal = verdict if isinstance(verdict, Refused) else None
            self._events.append(ShareToForward(request_id, submit, solution, refusal, waits))
        if isinstance(verdict, Accepted):
            self._accept(request_id, submit, counted, verdict, now, waits=waits)
        elif waits:
            self._errors_in_a_row += 1
            self._count_work(verdict.work, now)
        else:
            self._refuse(request_id, submit, counted, verdict.reason, verdict.message)
            self._count_work(verdict.work, now)

    def _accept(
        self, request_id: Id, submit: requests.Submit, counted: _Counted, good: Accepted[J], now: float, *, waits: bool
    ) -> None:
        solution, difficulty = good.solution, good.difficulty
        share_difficulty = solution.difficulty
        self._credit(counted, difficulty, share_difficulty, now)
        if not waits:
            self.connection.reply(request_id, True)
            for counts in counted:
                if self._policy.decides_shares:
                    counts.accepted += 1
                else:
                    counts.kept += 1
            answered = AnsweredWithTrue(submit.worker_name, solution, difficulty, share_difficulty, good.is_block)
            self._events.append(answered)
        self._count_work(difficulty, now)

    def _refuse(
        self, request_id: Id, submit: requests.Submit, counted: _Counted, reason: ErrorReason, message: str
    ) -> None:
        self.connection.refuse(request_id, reason, message)
        self._count_refused(counted, AnsweredWithError(submit.worker_name, submit.job_id, reason, message))

    def _count_work(self, work: float, now: float) -> None:
        """Report a share to vardiff, which derives the difficulty from the rate of shares. Vardiff counts the share
        with the difficulty ``work``; if ``work`` is 0, it does not count the share. Stale shares count, too, because
        the miner computed hashes to find them.
        """
        if work and self._vardiff is not None and not self._is_difficulty_fixed:
            self._retarget(self._vardiff, self._vardiff.on_share(now, work), now)

    def _counts_of(self, worker_name: str) -> _Counted:
        """Return all share counts in which a share of this worker name is counted."""
        worker = self.workers.get(worker_name)
        return (self.shares, self._total) if worker is None else (self.shares, self._total, worker)

    def _credit(self, counted: _Counted, difficulty: float, share_difficulty: float, now: float) -> None:
        self._errors_in_a_row = 0
        for counts in counted:
            counts.credit(difficulty, share_difficulty, now)

    def _count_refused(self, counted: _Counted, refused: AnsweredWithError) -> None:
        self._errors_in_a_row += 1
        self._count_error(counted, refused.reason, by_pool=False)
        self._events.append(refused)

    def _count_error(self, counted: _Counted, reason: ErrorReason, *, by_pool: bool) -> None:
        for counts in counted:
            if self._policy.decides_shares:
                counts.rejected[reason] += 1
            elif reason is ErrorReason.JOB_NOT_FOUND:
                counts.stale += 1
            else:
                (counts.rejected if by_pool else counts.refused)[reason] += 1

    # ---- difficulty, mask, jobs -----------------------------------------------------------------------------------

    def _suggest(self, difficulty: float, now: float) -> None:
        self._wanted = self._bounded(difficulty, asked=True)
        self._announce_wanted_difficulty(now)
        if self._vardiff is not None:
            self._vardiff.set_difficulty(self._wanted, now)

    def _retarget(self, vardiff: Vardiff, difficulty: float | None, now: float) -> None:
        if difficulty is not None:
            self._wanted = self._bounded(difficulty, asked=False)
            vardiff.difficulty = self._wanted  # vardiff does not know the limits that ``_bounded`` applies
            self._announce_wanted_difficulty(now)

    def _bounded(self, difficulty: float, *, asked: bool) -> float:
        return max(self._minimum, self._policy.bounded(difficulty, asked=asked))

    def _announce_wanted_difficulty(self, now: float) -> None:
        """Send the difficulty in ``_wanted``, followed by an extra job. If less than ``SessionPolicy.change_interval``
        has passed since the last such change, delay this change."""
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
            self._send_difficulty(self._policy.difficulty(None, self._wanted, self._minimum), now)
        else:
            self._announce(job, lease, job.clean_line if clean else job.line, now)

    def _announce(self, job: J, lease: Lease[J], line: bytes, now: float) -> None:
        if self._rolls:
            self._set_mask(job)
        difficulty = self._policy.difficulty(job, self._wanted, self._minimum)
        if difficulty != self.difficulty:
            self._send_difficulty(difficulty, now)
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

    def _send_difficulty(self, difficulty: float | None, now: float) -> None:
        if difficulty is None or difficulty == self.difficulty:
            return
        self.difficulty = difficulty
        self._target = target_from_difficulty(difficulty)
        self.connection.announce(SetDifficulty(difficulty))
        self._events.append(DifficultySet(difficulty))
        if self._vardiff is None and self._policy.vardiff is not None:
            self._vardiff = Vardiff(self._policy.vardiff, self._wanted or difficulty, now)

    def _set_mask(self, job: J) -> None:
        """Send the miner its version mask for this job, if the mask has changed. The mask also applies to all earlier
        jobs of the same origin (see ``AnnouncedJob.origin``).

        The mask excludes all bits that are set in the job's own version, because there are several ways to merge the
        miner's bits into the version, and they give different results for these bits.
        """
        mask = self._requested_mask & job.rollable_mask
        if mask != self.version_mask:
            self.version_mask = mask
            self.connection.announce(SetVersionMask(mask))
            self._allow_versions(job)

    def _allow_versions(self, job: J | None) -> None:
        """Apply the session's version mask to all announced jobs with the same origin as ``job`` (see
        ``AnnouncedJob.origin``), because a new mask also applies to earlier jobs
        (docs/reference/stratum.md#changing-the-version-mask). Jobs of another origin keep their masks. If ``job`` is
        None, do nothing.
        """
        if job is not None and self.lease is not None:
            self.lease.jobs.allow_versions(self.version_mask, job.origin)


def password_difficulty(password: str) -> float | None:
    """Return the difficulty that a password asks for, as in ``x,d=64`` or ``diff=0.5``. Return None if the password
    contains no valid difficulty.
    """
    match = _PASSWORD_DIFFICULTY.search(password)
    if match is None:
        return None
    try:
        return difficulty_field(match[1], "password difficulty")
    except FieldError:
        return None
