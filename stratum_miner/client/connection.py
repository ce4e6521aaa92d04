"""``PoolConnection``: one connection to a pool, from the handshake to its end.

A ``PoolConnection`` reads and writes a trio stream, and reports events. This module contains the handshake, the task
that reads, and the task that checks the time limits. Other modules do the rest. ``writer`` contains the task that
writes. ``workers`` keeps the worker names, and ``open_shares`` the shares without a reply. ``reconnecting`` makes the
next connection, and ``resume`` keeps what that connection needs to resume the session.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from math import inf

import structlog
import trio

from stratum_miner.client.dialing.domains import same_domain
from stratum_miner.client.endings import (
    ConnectionEnded,
    PoolDisconnected,
    Redirect,
    SubscribeRefused,
    TooSlow,
    WorkerRefused,
)
from stratum_miner.client.events import (
    ClientListener,
    ConnectionState,
    JobArrived,
    MessageShown,
    ShareAnswered,
    StateChanged,
)
from stratum_miner.client.open_shares import REJECT_STREAK, OpenShare, OpenShares
from stratum_miner.client.pool_memory import KEPT_S, Handshake
from stratum_miner.client.resume import Resumable, Resumption, Unanswered
from stratum_miner.client.settings import PoolSettings
from stratum_miner.client.temporary_refusals import is_temporary_refusal
from stratum_miner.client.traffic import Traffic
from stratum_miner.client.workers import Workers, wanted_worker_name
from stratum_miner.client.writer import Writer, trace
from stratum_miner.exception_groups import leading_cause
from stratum_miner.foreign_text import is_plain
from stratum_miner.stratum import events
from stratum_miner.stratum.client_connection import ClientConnection, ClientState
from stratum_miner.stratum.client_messages import ExtranonceSubscribe, Submit, Subscribe, SuggestDifficulty
from stratum_miner.stratum.errors import (
    ErrorReason,
    ErrorReply,
    LocalProtocolError,
    RemoteProtocolError,
)
from stratum_miner.stratum.extensions import SubscribeExtranonce
from stratum_miner.stratum_job import job_of, submit_of
from stratum_miner.work.job import Job
from stratum_miner.work.share import Share
from stratum_miner.work.share_result import ShareOutcome, ShareResult

log = structlog.get_logger(__name__)

RECEIVE_SIZE = 1 << 16
"""Maximum number of bytes to read at once."""
MAX_JOBS_AT_ONCE = 4
"""If the data of a single read contains more than this number of jobs, the client does not report all of them, because
each reported job restarts the search. It then reports the first jobs, up to this number, and the last job."""
WATCHDOG_INTERVAL_S = 1.0
"""Seconds between two checks of the time limits."""
TLS_ALERT = b"\x15\x03"
"""First bytes of the reply of a TLS server to a client that does not use TLS: a TLS record of type alert, version
3.x."""
LAST_ANSWERS_S = 1.0
"""Seconds for which the client still waits for the replies to open shares before it closes a connection."""
SUSPICIOUS_S = 5.0
"""If the pool disconnects within this many seconds after requests of the handshake were sent, and one of them has no
reply, the reason may be that the pool does not know this request."""
PATIENCE_WITH_JOBS = 4
"""If the pool already sends jobs, the client waits for the reply to mining.authorize this many times as long as
``Timeouts.authorize``."""


class PoolConnection:
    """One connection to a pool; ``run`` may be called once. It calls ``on_event`` with each job, result and message.

    ``stream``: an open stream to the pool, which the connection closes. ``resumption``: what the previous connection to
    the pool left to this one: the session to resume, and the shares without a reply. ``handshake``: the requests to
    send besides mining.subscribe and mining.authorize. ``suggestion``: the share difficulty to suggest; None: suggest
    nothing. ``watch``: called with each event of the ``ClientConnection`` after the ``PoolConnection`` has handled the
    event.
    """

    def __init__(
        self,
        stream: trio.abc.Stream,
        settings: PoolSettings,
        resumption: Resumption,
        on_event: ClientListener,
        *,
        clock: Callable[[], float] = time.monotonic,
        handshake: Handshake = Handshake.FULL,
        suggestion: float | None = None,
        watch: Callable[[events.ClientConnectionEvent], None] | None = None,
    ) -> None:
        self.settings = settings
        self.connection = ClientConnection(
            settings.user_agent, version_mask=settings.version_mask, first_id=resumption.next_id
        )
        self.workers = Workers(settings, resumption.accepted)
        self.traffic = Traffic()
        self._writer = Writer(stream, self.connection, settings, self.traffic)
        self.handshake = handshake
        self.started_at = trio.current_time()
        self.first_job_at: float | None = None
        self.previous_hash: bytes | None = None
        """Hash of the previous block in the newest job, 32 bytes in internal order; None before the first job."""
        self._stream = stream
        self._resumption = resumption
        self._on_event = on_event
        self._clock = clock
        self._watch = watch
        self._ask_configure = handshake < Handshake.BARE and settings.version_mask != 0
        self._ask_extranonce = handshake < Handshake.WITHOUT_EXTRANONCE and settings.extranonce_subscribe
        self._ask_the_rest_at = inf
        """Time at which to send the optional requests that were left out of the handshake because the pool did not seem
        to understand them. It is an hour after the first job, because the pool may understand them by then. Infinite if
        no request is to be sent."""
        self._suggestion = suggestion
        self._held: list[Unanswered] = []
        self._open = OpenShares()
        self._latest_job_id: str | None = None
        self._is_given_up = self._ended = False
        self._subscribed = trio.Event()
        self._authorized = trio.Event()
        self._answered = trio.Event()
        self._last_received = self._asked_at = trio.current_time()

    # ---- for the pool client ----------------------------------------------------------------------------------

    async def run(self) -> None:
        """Do the handshake, and mine until the connection ends.

        Raises ConnectionEnded with the reason when the connection ends.
        Raises WorkerRefused if the pool refuses all configured worker names.
        """
        self._last_received = trio.current_time()
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._read)
                nursery.start_soon(self._writer.run)
                nursery.start_soon(self._guard)
                await self._handshake_with_pool()
        except BaseExceptionGroup as group:
            cancelled, rest = group.split(trio.Cancelled)
            cause = rest and leading_cause(rest, WorkerRefused, ConnectionEnded, LocalProtocolError)
            if rest is not None and cause is None:
                raise
            if cancelled is None:
                await self._read_last_replies()
            # raise only the cancellation if the task is cancelled while the connection ends
            raise (cancelled or cause or group) from None
        finally:
            self._ended = True
            self._resumption.next_id = self.connection.next_id
            self._wake()
            with trio.CancelScope(shield=True):
                await trio.aclose_forcefully(self._stream)

    def submit(self, share: Share, *, resubmitted: bool = False) -> None:
        """Send a share. If its worker name is not authorized yet, hold the share until then, because a pool rejects or
        ignores shares of worker names that it has not authorized.

        If this connection has ended, the share is held for the next one. ``resubmitted``: the pool may have received
        the share on an earlier connection.
        """
        worker_name = self._submitting_name(share) if self.is_authorized and not self._is_over else None
        if worker_name is None:
            self._held.append(Unanswered(share, resubmitted))
            return
        differences, number = self._open.differences, self._open.sent_so_far
        self._send(OpenShare(share, worker_name, trio.current_time(), resubmitted, differences, number))

    def _send(self, item: OpenShare) -> None:
        share = item.share
        request = submit_of(
            share,
            item.worker_name,
            mask=self._mask_of(share.job),
            version_rolling=self.connection.version_rolling,
            differences=item.differences,
        )
        try:
            request_id = self.connection.submit(request)
        except LocalProtocolError as error:
            self._on_event(ShareAnswered(ShareResult(share, ShareOutcome.LOST, str(error))))
            return
        self._open.sent(request_id, item)
        self._writer.flush()

    def _mask_of(self, job: Job) -> int:
        """Return a mask of the version bits that the pool may accept in a mining.submit for this job: the bits that it
        had granted when it sent the job, and the bits that it grants now."""
        return job.version_mask | self.connection.granted_mask

    def suggest_difficulty(self, difficulty: float) -> None:
        """Suggest a share difficulty to the pool, now or once a worker name is authorized. The pool may ignore it."""
        self._suggestion = difficulty
        if self.is_authorized and not self._is_over:
            self.connection.request(SuggestDifficulty(difficulty))
            self._writer.flush()

    def take_unanswered(self) -> list[Unanswered]:
        """Remove and return the shares without a reply, the oldest first."""
        shares, self._held = self._open.take() + self._held, []
        return shares

    @property
    def is_subscribed(self) -> bool:
        """Whether the pool has accepted mining.subscribe. Until then the client does not know whether the pool resumes
        the session."""
        return self._subscribed.is_set()

    @property
    def version_mask(self) -> int:
        """The version bits that the miner may roll now, a 32-bit mask."""
        return self.connection.granted_mask

    @property
    def is_authorized(self) -> bool:
        """Whether the pool has authorized at least one worker name."""
        return self._authorized.is_set()

    @property
    def unanswered(self) -> int:
        """Number of shares that wait for a reply or for the authorization of their worker name."""
        return len(self._open) + len(self._held)

    async def wait_until_unanswered(self, at_most: int) -> None:
        """Wait until at most ``at_most`` shares are unanswered (see ``unanswered``), or the connection has ended."""
        while self.unanswered > at_most and not self._ended:
            await self._answered.wait()

    @property
    def _is_over(self) -> bool:
        """Whether nothing can be sent any more, because the stream has ended or the client is closing the
        connection."""
        return self._is_given_up or self.connection.state is ClientState.CLOSED

    # ---- handshake --------------------------------------------------------------------------------------------

    async def _handshake_with_pool(self) -> None:
        """Send mining.configure, mining.subscribe and mining.authorize together, as the firmware of miners does, so
        that a missing reply to one does not delay the others. Wait for the replies, and then send
        mining.extranonce.subscribe and mining.suggest_difficulty, if they are wanted.

        Raises TooSlow if the pool does not accept mining.subscribe or any worker name in time.
        """
        timeouts = self.settings.timeouts
        if self._ask_configure:
            self.connection.configure(*([SubscribeExtranonce()] if self._ask_extranonce else []))
        resumable = self._resumption.resumable
        self.connection.subscribe(resumable.session_id if resumable is not None else None)
        for name in self.settings.worker_names:
            self._ask_for(name)
        if not await self._wait(self._subscribed, timeouts.subscribe):
            raise TooSlow("subscribe", f"no reply to mining.subscribe within {timeouts.subscribe:g} s")
        limit = timeouts.authorize
        if not await self._wait(self._authorized, limit) and self._latest_job_id is not None:
            limit *= PATIENCE_WITH_JOBS
            await self._wait(self._authorized, limit - timeouts.authorize)
        if not self.is_authorized:
            raise TooSlow("authorize", f"no reply to mining.authorize within {limit:g} s")
        # Send these requests last: some pools understand them only after the authorization, and some never reply to
        # them.
        self._asked_at = trio.current_time()
        if self._ask_extranonce:
            self.connection.request(ExtranonceSubscribe())
        if self._suggestion is not None:
            self.connection.request(SuggestDifficulty(self._suggestion))
        self._writer.flush()

    async def _wait(self, event: trio.Event, seconds: float) -> bool:
        self._writer.flush()
        with trio.move_on_after(seconds):
            await event.wait()
        return event.is_set()

    # ---- the three tasks --------------------------------------------------------------------------------------

    async def _read(self) -> None:
        while True:
            try:
                data = await self._stream.receive_some(RECEIVE_SIZE)
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                self._raise_disconnected(f"connection lost ({error.__cause__ or error})")
            if not data:
                rest = self.connection.receive_eof()
                how = (
                    f" in the middle of {rest!r}"
                    if rest
                    else ""
                    if self.traffic.bytes_received
                    else " without sending anything"
                )
                self._raise_disconnected("the pool closed the connection" + how)
            if not self.traffic.bytes_received and bytes(data[:2]) == TLS_ALERT and not self.settings.url.tls:
                raise ConnectionEnded("expected plain text, got a TLS alert; try stratum+ssl:// for this port")
            self._take(data)
            try:
                self._handle_all()
            except RemoteProtocolError as error:
                reason = self._hide(str(error))
                raise (SubscribeRefused if self._was_refused else ConnectionEnded)(reason) from None
            self._writer.flush()
            await self._writer.wait_for_room()

    @property
    def _was_refused(self) -> bool:
        waiting = any(isinstance(request, Subscribe) for request in self.connection.outstanding.values())
        return not waiting and not self._subscribed.is_set()

    async def _read_last_replies(self) -> None:
        """Before the connection is closed, wait up to ``LAST_ANSWERS_S`` for the replies to open shares. Ignore all
        other messages."""
        self._is_given_up = True
        with trio.move_on_after(LAST_ANSWERS_S, shield=True):
            try:
                while True:
                    while (event := self.connection.next_event()) is not None:
                        if isinstance(event, events.SubmitAnswered):
                            self._on_answer(event)
                    self.connection.data_to_send()  # discard these bytes: nothing is sent any more
                    if not self._open or self.connection.state is ClientState.CLOSED:
                        return
                    data = await self._stream.receive_some(RECEIVE_SIZE)
                    if not data:
                        return
                    self._take(data)
            except (trio.BrokenResourceError, trio.ClosedResourceError, RemoteProtocolError):
                return

    def _take(self, data: bytes | bytearray) -> None:
        self.traffic.bytes_received += len(data)
        self._last_received = trio.current_time()
        if self.settings.trace:
            trace("received", data)
        self.connection.receive_data(data)

    def _raise_disconnected(self, reason: str) -> None:
        waiting = not all(isinstance(request, Submit) for request in self.connection.outstanding.values())
        recently = trio.current_time() - self._asked_at < SUSPICIOUS_S
        unanswered = waiting and (recently or self._latest_job_id is None)
        subscribe_unanswered = self._ask_configure and not self._subscribed.is_set()
        raise PoolDisconnected(self._hide(reason), unanswered=unanswered, subscribe_unanswered=subscribe_unanswered)

    async def _guard(self) -> None:
        timeouts = self.settings.timeouts
        while True:
            await trio.sleep(WATCHDOG_INTERVAL_S)
            now = trio.current_time()
            if now >= self._ask_the_rest_at:
                self._ask_the_rest()
            for name in self.workers.due_again(now):
                self._authorize(name)
            if self._authorized.is_set():  # before that, ``_handshake_with_pool`` checks the time limit
                for name in self.workers.overdue(now - timeouts.authorize):
                    self._on_authorize_answer(name, f"no reply within {timeouts.authorize:g} s")
            if now - self._last_received > timeouts.silence:
                raise ConnectionEnded(f"no data from the pool for {timeouts.silence:g} s")
            oldest = self._open.oldest_sent_at
            if oldest is not None and now - oldest > timeouts.unanswered_submit:
                raise TooSlow("unanswered_submit", f"a share got no reply for {timeouts.unanswered_submit:g} s")

    def _ask_the_rest(self) -> None:
        if self._is_over:
            return
        self._ask_the_rest_at, self._asked_at = inf, trio.current_time()
        if self.settings.version_mask and not self._ask_configure:
            self.connection.configure()
        if self.settings.extranonce_subscribe and not self._ask_extranonce:
            self.connection.request(ExtranonceSubscribe())
        self._writer.flush()

    # ---- events -----------------------------------------------------------------------------------------------

    def _handle_all(self) -> None:
        """Handle all events of the bytes read. If there are more than ``MAX_JOBS_AT_ONCE`` jobs, skip some of them."""
        jobs, last = 0, None
        while (event := self.connection.next_event()) is not None:
            if isinstance(event, events.JobAnnounced):
                jobs += 1
                if jobs > MAX_JOBS_AT_ONCE:
                    last = event if last is None else event.after(last)
                    continue
            self._handle(event)
        if last is not None:
            self._handle(last)

    def _handle(self, event: events.ClientConnectionEvent) -> None:
        match event:
            case events.JobAnnounced():
                self._on_job(event)
            case events.SubmitAnswered(error=error):
                self._on_answer(event)
                if self._open.refusals_in_a_row >= REJECT_STREAK:
                    reason = f"the pool rejected {REJECT_STREAK} shares in a row, the last one with: {error}"
                    raise ConnectionEnded(self._hide(reason))
            case events.Subscribed(result=result):
                self._on_subscribed(Resumable(result.session_id, result.extranonce1, result.extranonce2_size))
            case events.WorkerAuthorized(worker_name=name):
                is_first = not self.is_authorized
                self._on_authorize_answer(name, "")
                if is_first:
                    self._on_event(
                        StateChanged(self._resumption.origin, ConnectionState.MINING, str(self.settings.url))
                    )
            case events.AuthorizeRefused(worker_name=name, error=error):
                self._on_authorize_answer(name, self._hide(str(error)), is_temporary=is_temporary_refusal(str(error)))
            case events.ExtranonceChanged(extranonce1, size):
                self._resumption.change_extranonce(extranonce1, size)
            case events.ReconnectRequested(host, port, wait):
                self._on_reconnect(host, port, wait)
            case events.MessageReceived(text):
                self._on_message(self._hide(text))
            case events.BadLine(reason):
                self.traffic.bad_lines += 1
                log.warning("bad_line", reason=self._hide(reason))
            case events.UnpairedReply(identifier, _, error):
                self.traffic.unpaired_replies += 1
                log.warning("unpaired_reply", id=self._hide(str(identifier))[:40], error=self._hide(str(error or "")))
            case events.Ignored(what):
                log.debug("ignored", what=self._hide(what))
        if self._watch is not None:
            self._watch(event)

    def _hide(self, text: str) -> str:
        """Return a text that the pool sent, with the password replaced."""
        return self.settings.without_password(text)

    def _on_subscribed(self, session: Resumable) -> None:
        self._subscribed.set()
        resumes = self._resumption.begin(session)
        carried = self._resumption.take()
        if resumes:
            log.info("session_resumed", resubmitted=len(carried))
            for item in carried:
                self.submit(item.share, resubmitted=item.sent)
        else:
            for item in carried:
                reason = "the pool did not resume the session"
                self._on_event(ShareAnswered(ShareResult(item.share, ShareOutcome.LOST, reason)))

    def _on_job(self, event: events.JobAnnounced) -> None:
        self._latest_job_id = event.notify.job_id
        try:
            job = job_of(
                event.notify,
                self._resumption.origin,
                extranonce1=event.extranonce1,
                extranonce2_size=event.extranonce2_size,
                share_target=event.share_target,
                version_mask=event.version_mask,
                version_rolling=event.version_rolling,
                clean_jobs=event.is_clean,
                received_at=self._clock(),
            )
        except ValueError as error:
            self.traffic.bad_lines += 1
            log.warning("bad_job", job_id=event.notify.job_id, reason=str(error))
            return
        self._on_event(JobArrived(job))  # report the job first, so that the search begins at once
        self.traffic.jobs += 1 + event.superseded
        self.previous_hash = job.previous_hash
        if self.first_job_at is None:
            self.first_job_at = trio.current_time()
            if self.handshake is not Handshake.FULL:
                self._ask_the_rest_at = self.first_job_at + KEPT_S

    def _on_message(self, text: str) -> None:
        log.info("pool_message", text=text)
        self._on_event(MessageShown(self._resumption.origin, text))

    # ---- worker names: the configured ones are authorized at once, others when a share first needs them -------------

    def _submitting_name(self, share: Share) -> str | None:
        """Return the worker name under which a share may be submitted now; None: the share must wait for an
        authorization. Sends mining.authorize if the share needs a new worker name."""
        name = wanted_worker_name(share, self.settings)
        if name not in self.workers and not self.workers.is_full:
            self._ask_for(name)
        return self.workers.stand_in(name)

    def _ask_for(self, name: str) -> None:
        if self._is_over:
            return  # the connection ended for another reason, which ``_read`` raises
        self.workers.asked(name, trio.current_time())
        self._authorize(name)

    def _authorize(self, name: str) -> None:
        try:
            self.connection.authorize(name, self.settings.password)
        except LocalProtocolError as error:
            self._on_authorize_answer(name, str(error))
        self._writer.flush()

    def _on_authorize_answer(self, name: str, refusal: str, *, is_temporary: bool = False) -> None:
        """Record whether the pool accepted a worker name, and submit the shares that waited for its reply. The shares
        of a refused worker name are submitted under a different name.

        ``refusal``: why the pool refused the worker name; empty if the pool accepted it.
        """
        self.workers.answered(name, refusal, trio.current_time(), is_temporary=is_temporary)
        if not refusal:
            self._authorized.set()
        held, self._held = self._held, []
        for item in held:
            self.submit(item.share, resubmitted=item.sent)

    def _on_answer(self, event: events.SubmitAnswered) -> None:
        """Report the result of a share. If the pool may have rejected the share because it expects the version bits in
        another form, send the share again in that form instead."""
        item, now = self._open.pop(event.id), trio.current_time()
        if self._may_be_other_form(item, event.error):
            other, number = not item.differences, self._open.sent_so_far
            self._send(replace(item, sent_at=now, differences=other, number=number, was_tried_before=True))
            return
        result = self._open.result(item, event.error, now, self._latest_job_id)
        if result.refusal is not None:
            result = replace(result, text=self._hide(result.text))
        self._on_event(ShareAnswered(result))
        self._wake()

    def _may_be_other_form(self, item: OpenShare, error: ErrorReply | None) -> bool:
        """Return whether to send a rejected share again, because the pool may expect its version bits in another form.

        In the form of BIP 310, mining.submit contains the version bits as they are in the header. In the form of
        public-pool and ESP-Miner, it contains the XOR of these bits with the job's version. Both forms are equal if all
        bits that may be rolled are 0 in the job's version.
        """
        if error is None or error.reason is not ErrorReason.LOW_DIFFICULTY or item.was_tried_before or self._is_over:
            return False
        has_bits = self.connection.version_rolling and item.share.job.version & self._mask_of(item.share.job)
        return bool(has_bits) and item.share.meets_share_target

    def _on_reconnect(self, host: str | None, port: int | None, wait: float) -> None:
        if not self.settings.follow_redirects:
            own = self.settings.url.host
            log.warning("reconnect_refused", host=host or own, port=port, reason="pool_redirect is off")
            return
        if host is not None and not (is_plain(host) and same_domain(host, self.settings.url.host)):
            reason = "expected the configured host, or a host of the same registered domain"
            log.warning("reconnect_refused", host=host, port=port, reason=reason)
            return
        raise Redirect(host, port, wait)

    def _wake(self) -> None:
        self._answered.set()
        self._answered = trio.Event()
