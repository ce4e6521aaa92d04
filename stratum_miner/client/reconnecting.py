"""One pool, kept: connect, work, lose the connection, come back; and an account of every share meanwhile.

The listener is called synchronously in the trio thread, so that a new job reaches the search without another task
switch. It must not block or raise.
"""

import itertools
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import structlog
import trio

from stratum_miner.bitcoin.target import HASHES_PER_DIFFICULTY
from stratum_miner.client.backoff import Backoff
from stratum_miner.client.connection import PoolConnection
from stratum_miner.client.dialing.dialer import Connector, Dialer
from stratum_miner.client.dialing.url import PoolUnreachable, PoolUrl
from stratum_miner.client.endings import ConnectionEnded, HungUp, Redirect, SubscribeRefused, TooSlow, WorkerRefused
from stratum_miner.client.events import STOPPED, ClientListener, ConnectionState
from stratum_miner.client.pool_memory import KEPT_S, Handshake, Memories, PoolMemory
from stratum_miner.client.pool_tally import PoolTally
from stratum_miner.client.resume import Resumable, Unanswered
from stratum_miner.client.settings import PoolSettings
from stratum_miner.client.snapshot import ClientSnapshot, WorkerSnapshot
from stratum_miner.client.workers import wanted_login
from stratum_miner.stratum import events
from stratum_miner.stratum_job import job_of
from stratum_miner.work.job import Origin, PoolKey
from stratum_miner.work.share import Share
from stratum_miner.work.share_result import Fate, ShareResult

log = structlog.get_logger(__name__)

MAX_CARRIED = 4096
"""Shares kept for a resume; the oldest beyond it are lost."""
MAX_UNANSWERED = 1000
"""Shares in flight before the search has to wait; picked by feel: a second of the fastest pool, a minute of none."""
SECONDS_PER_SHARE = 10.0
"""What ``auto`` asks for: a reply often enough to see that all is well, seldom enough for any pool."""
MIN_INTERVAL_S, MAX_INTERVAL_S = 1.05, 1.5
"""Between two connections to a pool that are made because of what it said or did: at least so long by chance."""
LONGEST_REFUSAL_S = 600.0
"""Between tries of a worker whose refusal may pass; ckpool counts refusals and stays silent longer for each."""
STABLE_S = 60.0
"""An accepted share after this long on one connection makes the pool a good one again: pauses start over."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a share goes, under whose name, and what would resume that session."""

    pool: str
    """Its URL."""
    worker_name: str
    session_id: str | None


class PoolClient:
    """Keeps one worker mining on one pool until cancelled."""

    def __init__(
        self,
        settings: PoolSettings,
        listener: ClientListener,
        *,
        retry: bool = True,
        clock: Callable[[], float] = time.monotonic,
        rng: random.Random | None = None,
        connect: Connector | None = None,
        wrap_connector: Callable[[Connector], Connector] | None = None,
        session_numbers: Iterator[int] | None = None,
        memories: Memories | None = None,
        tally: PoolTally | None = None,
        key: PoolKey | None = None,
    ) -> None:
        self.settings = settings
        self._listener = listener
        self._retry = retry
        self._clock = clock
        self._rng = rng or random.Random()
        self._backoff = Backoff(self._rng)
        self._refusals_backoff = Backoff(self._rng, first=4.0, limit=LONGEST_REFUSAL_S, chance=0.5)
        self._memory = ({} if memories is None else memories).setdefault(settings.url, PoolMemory())
        self._tally = PoolTally() if tally is None else tally
        self._has_tried = False
        self._accepted: set[str] = set()
        """Workers that the pool authorized on any connection."""
        self._connect = connect or Dialer(settings.tls, settings.proxy)
        if wrap_connector is not None:  # a recorder, say
            self._connect = wrap_connector(self._connect)
        self._session: PoolConnection | None = None
        self._subscribed = False
        """Whether this connection's session is known: until then it may turn out to be another one than before."""
        self._running = False
        self._origin = Origin(settings.key if key is None else key, settings.worker_name, 0)
        self._session_numbers = session_numbers or itertools.count(1)
        """Shared by the clients of a group, so that a number names one session of one pool."""
        self._resumable: Resumable | None = None
        self._carried: list[Unanswered] = []
        self._previous_hash: bytes | None = None
        self._bare_next = False
        """Without retries a pool that hangs up on mining.configure gets one try more, without it."""
        self._url = settings.url
        """The address in use, of several."""
        self._unreached = 0
        """Addresses without a job since the last job."""
        self._redirect: tuple[str | None, int | None] = (None, None)
        self._refusals: dict[str, str] = {}
        self._connected_at = 0.0
        self._handshake = Handshake.FULL
        self._first_job_at: float | None = None
        """On the present connection, as is the handshake."""
        self._left_because = ""
        self._state = ConnectionState.CONNECTING
        self._detail = ""
        self._difficulty: float | None = None
        self._suggestion = None if settings.suggest_difficulty == "auto" else settings.suggest_difficulty
        self._version_mask = 0
        self._bytes_received = 0
        """On this client's connections that are over."""
        self._next_id = 1
        """The id of the next request. Each connection counts on from the one before."""
        self._jobs = self._bad_lines = self._unpaired = 0

    async def run(self) -> None:
        """Connect for ever. Raises WorkerRefused, unless that may pass, and PoolUnreachable when told not to retry."""
        self._running = True
        lost_because = "the miner stopped before the pool answered"
        try:
            while True:
                await self._wait_for_turn()
                pause = await self._one_connection()
                if pause:
                    self._enter(ConnectionState.WAITING, f"next try in {pause:.0f} s: {self._detail}")
                    await trio.sleep(pause)
        except WorkerRefused:
            lost_because = "the pool refused the worker"
            raise
        except PoolUnreachable:
            lost_because = "the pool could not be reached again"
            raise
        finally:
            self._running = False
            self._enter(ConnectionState.STOPPED, "")
            self._lose_carried(self._left_because or lost_because)

    def leave(self, reason: str) -> None:
        """Note why ``run`` is about to be cancelled, for the shares that are still open then; empty: it is not."""
        self._left_because = reason

    def submit(self, share: Share) -> None:
        """Hand a share over; its fate comes through ``share_settled``, possibly before this returns."""
        if share.job.origin.session != self._origin.session:
            self._settle(ShareResult(share, Fate.LOST, "its session is over"))
        elif share.job.previous_hash != self._previous_hash and self._previous_hash is not None and not share.is_block:
            self._settle(ShareResult(share, Fate.STALE, "the previous block changed before it was found"))
        elif self._session is not None and self._subscribed:
            self._session.submit(share)
        elif not self._running:
            self._settle(ShareResult(share, Fate.LOST, "its pool is not connected to any more"))
        else:
            self._carried.append(Unanswered(share, sent=False))
            if len(self._carried) > MAX_CARRIED:
                self._settle(ShareResult(self._carried.pop(0).share, Fate.LOST, "too many shares without a connection"))

    def destination(self, share: Share) -> Destination:
        """Where a share goes; for a journal."""
        resumable = (self._session and self._session.resumable) or self._resumable
        return Destination(
            str(self.settings.url),
            wanted_login(share, self.settings),
            resumable.session_id if resumable is not None else None,
        )

    def adopt(self, resumable: Resumable, shares: Sequence[Share]) -> None:
        """Before the first connection: shares of a session that this client is to resume, their jobs' number being 0.

        If the pool resumes it they are submitted again, else they are lost.
        """
        self._resumable = resumable
        self._carried.extend(Unanswered(share, sent=True) for share in shares)

    def hash_rate_known(self, hash_rate: float) -> None:
        """The measured H/s: asks for a difficulty that fits it, where the settings say ``auto``; the first call counts.

        Pools take the first suggestion only (public-pool) or each (ckpool), so one good one is better than many.
        """
        if self.settings.suggest_difficulty == "auto" and self._suggestion is None:
            self._suggestion = hash_rate * SECONDS_PER_SHARE / HASHES_PER_DIFFICULTY
            log.info("difficulty_suggested", difficulty=float(f"{self._suggestion:.4g}"))
            if self._session is not None:
                self._session.suggest_difficulty(self._suggestion)

    async def all_answered(self) -> None:
        """Wait until no share is open on the current connection."""
        if self._session is not None:
            await self._session.wait_until_unanswered(0)

    async def wait_for_room(self) -> None:
        """Wait while very many shares are unanswered: a pool slower than the search slows it down, and loses none."""
        if self._session is not None:
            await self._session.wait_until_unanswered(MAX_UNANSWERED - 1)

    def snapshot(self) -> ClientSnapshot:
        """What there is to see."""
        return ClientSnapshot(
            url=self._url,
            worker_name=self.settings.worker_name,
            state=self._state,
            detail=self._detail,
            session=self._origin.session,
            difficulty=self._difficulty,
            version_mask=self._version_mask,
            jobs=self._tally.jobs,
            connects=self._tally.connects,
            unanswered=len(self._carried) + (self._session.unanswered if self._session else 0),
            bad_lines=self._bad_lines,
            unpaired_replies=self._unpaired,
            bytes_received=self._tally.bytes_received,
            bytes_sent=self._tally.bytes_sent,
            workers=tuple(map(self._worker, self.settings.worker_names)),
        )

    def _worker(self, name: str) -> WorkerSnapshot:
        refusals = self._session.logins.refusals if self._session else self._refusals
        return WorkerSnapshot(
            name=name,
            refusal=refusals.get(name, ""),
            accepted=self._tally.workers[name, Fate.ACCEPTED],
            rejected=self._tally.workers[name, Fate.REJECTED],
            stale=self._tally.workers[name, Fate.STALE],
        )

    # ---- one connection ---------------------------------------------------------------------------------------

    async def _wait_for_turn(self) -> None:
        """Nothing that a pool says or does makes us connect to it more than once a second, over all our clients there.

        The first connection of each is what the configuration, or growth, asks for.
        """
        now, interval = trio.current_time(), self._rng.uniform(MIN_INTERVAL_S, MAX_INTERVAL_S)
        if self._has_tried:
            await trio.sleep_until(self._memory.next_turn(now, interval))
        else:
            self._memory.connecting(now, interval)
        self._has_tried = True

    async def _one_connection(self) -> float:
        """Connect, mine, lose it; returns the pause before the next try."""
        url, is_redirected = self._target(), self._redirect != (None, None)
        self._redirect = (None, None)
        jobs_before, bytes_before = self._jobs, self._bytes_received
        self._enter(ConnectionState.CONNECTING, str(url))
        try:
            stream = await self._connect(url, self.settings.timeouts.connect)
            self._memory.connecting(trio.current_time(), MIN_INTERVAL_S)
        except PoolUnreachable as error:
            detail = str(error).removeprefix(f"{url}: ")
            return self._try_again("pool_unreachable", error, str(error), detail, next_address=not is_redirected)
        handshake = Handshake.BARE if self._bare_next else self._memory.handshake(trio.current_time())
        try:
            await self._run_session(stream, handshake)
        except Redirect as redirect:
            self._redirect, self._detail = (redirect.host, redirect.port), str(redirect)
            log.info("reconnect_followed", host=redirect.host, port=redirect.port, wait_s=redirect.wait)
            return max(redirect.wait * self._rng.uniform(1, 1.1), self._backoff.next_pause())
        except WorkerRefused as refusal:
            return self._try_refused_again(refusal, is_redirected)
        except ConnectionEnded as end:
            is_useless = self._jobs == jobs_before
            self._learn_from(end, handshake, is_useless, self._bytes_received == bytes_before)
            if isinstance(end, HungUp) and end.unheard and not (self._retry or self._bare_next):
                self._bare_next = True
                return 0.0
            lost = PoolUnreachable(f"{url}: {end}")
            next_address = is_useless and not is_redirected
            return self._try_again("connection_ended", lost, str(end), str(end), next_address=next_address)
        raise AssertionError("a session ends by an exception")

    def _learn_from(self, end: ConnectionEnded, handshake: Handshake, is_useless: bool, is_silent: bool) -> None:
        now = trio.current_time()
        if isinstance(end, SubscribeRefused):
            self._resumable = None
        if isinstance(end, TooSlow):
            self._memory.too_slow(end.limit, now)
        if (isinstance(end, HungUp) and end.unanswered) or (is_useless and is_silent):
            self._memory.hung_up()
            following = self._memory.handshake(now)
            if following not in (handshake, Handshake.FULL):
                methods = ["mining.extranonce.subscribe", "mining.configure"][:following]
                log.warning("handshake_shortened", without=" and ".join(methods))
        elif not is_useless:
            self._note_that_it_works()

    def _try_again(self, event: str, error: PoolUnreachable, reason: str, detail: str, *, next_address: bool) -> float:
        """The next address comes next, and after the last one a pause. Raises the error when told not to retry."""
        self._detail = detail
        if next_address and self._next_address():
            log.warning(event, reason=reason, next=str(self._url))
            return 0.0
        if not self._retry:
            raise error
        pause = self._backoff.next_pause()
        log.warning(event, reason=reason, retry_in_s=round(pause, 1))
        return pause

    def _try_refused_again(self, refusal: WorkerRefused, is_redirected: bool) -> float:
        """Return to the configured address, or wait until the refusal passes. Raises it when it will not."""
        was_accepted = not self._accepted.isdisjoint(self.settings.worker_names)
        if not self._retry or not (is_redirected or was_accepted or refusal.passes):
            raise refusal
        pause = self._refusals_backoff.next_pause()
        self._detail = str(refusal)
        log.warning("worker_refused", pool=str(self._url), reason=self._detail, retry_in_s=round(pause, 1))
        return pause

    def _target(self) -> PoolUrl:
        """Where the pool sent us once, else its own address; with TLS if that has it, whatever the pool said."""
        url, (host, port) = self._url, self._redirect
        return replace(url, host=host or url.host, port=port or url.port)

    def _next_address(self) -> bool:
        """Turn to the pool's next address; False when all were tried in vain since the last job."""
        addresses = (self.settings.url, *self.settings.addresses)
        self._unreached += 1
        self._url = addresses[(addresses.index(self._url) + 1) % len(addresses)]
        return self._unreached % len(addresses) != 0

    async def _run_session(self, stream: trio.abc.Stream, handshake: Handshake) -> None:
        self._tally.connects += 1
        self._connected_at = trio.current_time()
        self._enter(ConnectionState.HANDSHAKE, str(self._url))
        self._handshake, self._first_job_at = handshake, None
        timeouts = self._memory.timeouts(self.settings.timeouts, trio.current_time())
        session = self._session = PoolConnection(
            stream,
            replace(self.settings, url=self._url, timeouts=timeouts),
            on_event=self._on_event,
            on_outcome=self._settle,
            handshake=handshake,
            accepted=self._accepted,
            resume_id=self._resumable.session_id if self._resumable else None,
            suggestion=self._suggestion,
            first_id=self._next_id,
        )
        self._tally.opened(session)
        reason = STOPPED
        try:
            await session.run()
        except (ConnectionEnded, WorkerRefused) as error:
            reason = str(error)
            raise
        finally:
            self._resumable = session.resumable or self._resumable
            self._carried += session.take_unanswered()
            self._bytes_received += session.bytes_received
            self._tally.closed(session)
            self._refusals = session.logins.refusals
            self._next_id = session.connection.next_id
            self._session, self._subscribed = None, False
            self._previous_hash = None
            self._listener.work_lost(reason)

    # ---- events -----------------------------------------------------------------------------------------------

    def _on_event(self, event: events.ClientEvent) -> None:
        match event:
            case events.Subscribed():
                self._on_subscribed(event)
            case events.JobAnnounced():
                self._on_job(event)
            case events.WorkerAuthorized() if self._state is not ConnectionState.MINING:
                self._enter(ConnectionState.MINING, str(self._url))
            case events.Configured(version_mask=mask) | events.VersionMaskChanged(version_mask=mask):
                self._version_mask = mask
            case events.BadLine(reason):
                self._bad_lines += 1
                log.warning("bad_line", reason=reason)
            case events.UnpairedReply(identifier, _, error):
                self._unpaired += 1
                log.warning("unpaired_reply", id=str(identifier)[:40], error=str(error or ""))
            case events.MessageShown(text):
                log.info("pool_message", text=text)
                self._listener.message_shown(text)
            case events.Ignored(what):
                log.debug("ignored", what=what)

    def _on_subscribed(self, event: events.Subscribed) -> None:
        self._subscribed = True
        before, result = self._resumable, event.result
        self._origin = replace(self._origin, session_id=result.session_id)
        resumed = before is not None and (before.extranonce1, before.extranonce2_size) == (
            result.extranonce1,
            result.extranonce2_size,
        )
        if resumed and self._session is not None:
            carried, self._carried = self._carried, []
            log.info("session_resumed", resubmitted=len(carried))
            for item in carried:
                self._session.submit(item.share, resubmitted=item.sent)
            return
        self._origin = replace(self._origin, session=next(self._session_numbers))
        self._lose_carried("the pool did not resume the session")

    def _on_job(self, event: events.JobAnnounced) -> None:
        notify = event.notify
        try:
            job = job_of(
                notify,
                self._origin,
                extranonce1=event.extranonce1,
                extranonce2_size=event.extranonce2_size,
                share_target=event.share_target,
                version_mask=event.version_mask,
                version_rolling=event.version_rolling,
                clean_jobs=event.is_clean,
                received_at=self._clock(),
            )
        except ValueError as error:
            self._bad_lines += 1
            log.warning("bad_job", job_id=notify.job_id, reason=str(error))
            return
        self._jobs += 1 + event.superseded
        self._tally.jobs += 1 + event.superseded
        self._difficulty = job.share_difficulty
        self._version_mask = event.version_mask
        self._previous_hash = job.previous_hash
        self._unreached = 0
        if self._first_job_at is None:
            self._first_job_at = trio.current_time()
            if self._handshake is not Handshake.FULL and self._session is not None:
                self._session.ask_the_rest_at(self._first_job_at + KEPT_S)
        self._listener.job_arrived(job)

    def _note_that_it_works(self) -> None:
        if self._first_job_at is not None:
            self._memory.worked(self._handshake, self._first_job_at)

    def _settle(self, outcome: ShareResult) -> None:
        self._tally.settled(outcome)
        if outcome.fate is Fate.ACCEPTED:
            self._note_that_it_works()
            if trio.current_time() - self._connected_at >= STABLE_S:
                self._backoff.reset()
                self._refusals_backoff.reset()
        self._listener.share_settled(outcome)

    def _lose_carried(self, reason: str) -> None:
        carried, self._carried = self._carried, []
        for item in carried:
            self._settle(ShareResult(item.share, Fate.LOST, reason))

    def _enter(self, state: ConnectionState, detail: str) -> None:
        self._state, self._detail = state, detail
        self._listener.state_changed(state, detail)
