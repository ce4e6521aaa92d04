"""``PoolClient``: keeps one pool connected. If it loses the connection, it connects again.

Each submitted share gets exactly one result, whatever happens to the connections.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import structlog
import trio

from stratum_miner.bitcoin.target import HASHES_PER_DIFFICULTY
from stratum_miner.client.addresses import Addresses
from stratum_miner.client.backoff import Pauses
from stratum_miner.client.connection import PoolConnection
from stratum_miner.client.dialing.url import PoolUnreachable
from stratum_miner.client.endings import (
    ConnectionEnded,
    PoolDisconnected,
    Redirect,
    SubscribeRefused,
    TooSlow,
    WorkerRefused,
)
from stratum_miner.client.events import (
    STOPPED,
    ClientEvent,
    ClientListener,
    ConnectionState,
    JobArrived,
    ShareAnswered,
    StateChanged,
    WorkLost,
)
from stratum_miner.client.options import ClientOptions
from stratum_miner.client.pool_memory import Handshake, PoolMemory
from stratum_miner.client.pool_tally import PoolTally
from stratum_miner.client.resume import Resumable, Resumption, Unanswered
from stratum_miner.client.settings import PoolSettings
from stratum_miner.client.snapshot import ClientSnapshot, WorkerSnapshot
from stratum_miner.client.workers import wanted_worker_name
from stratum_miner.work.job import Job, Origin, PoolKey
from stratum_miner.work.share import Share
from stratum_miner.work.share_result import ShareOutcome, ShareResult

log = structlog.get_logger(__name__)

MAX_UNANSWERED = 1000
"""If this many shares of one connection wait for a reply, the search for shares pauses (see ``wait_for_room``). The
number does not come from a measurement."""
SECONDS_PER_SHARE = 10.0
"""With ``suggest_difficulty="auto"``, the client suggests a difficulty at which it takes this many seconds on average
to find a share. At this rate the user soon sees that the pool accepts shares, and no pool gets too many."""
STABLE_S = 60.0
"""A connection counts as stable if the pool accepts a share at least this many seconds after the connection was made.
The pauses before reconnecting grow with each failure; a stable connection makes them short again."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a share is to be submitted: the pool, the worker name and the session. With the session id, a later run can
    ask the pool to resume the session."""

    pool: str
    """The URL of the pool."""
    worker_name: str
    session_id: str | None
    """The id that the pool gave the session; None if it gave none."""


class PoolClient:
    """Keeps one pool connected. ``run`` may be called once; it runs until it is cancelled.

    ``on_event``: called with each event, such as a job or the result of a share.
    ``options``: clock, random numbers and the like, which all clients of the program share; None: the defaults.
    ``key``: identifies the pool; each job carries it in ``Job.origin``. None: ``PoolSettings.key``.
    ``tally``: the counts of earlier clients of this pool, which this client continues. None: begin at 0.
    """

    def __init__(
        self,
        settings: PoolSettings,
        on_event: ClientListener,
        options: ClientOptions | None = None,
        *,
        key: PoolKey | None = None,
        tally: PoolTally | None = None,
    ) -> None:
        options = ClientOptions() if options is None else options
        self.settings = settings
        self._on_event = on_event
        self._options = options
        self._connect = options.connector(settings)
        self._memory = options.memories.setdefault(settings.url, PoolMemory())
        self._tally = PoolTally() if tally is None else tally
        self._addresses = Addresses(settings)
        self._pauses = Pauses(self._memory, options.rng, options.retry_pause)
        origin = Origin(settings.key if key is None else key, settings.worker_name, session=0)
        self._resumption = Resumption(origin, options.sessions)
        self._connection: PoolConnection | None = None
        self._running = False
        self._failures = 0
        """Number of failed attempts to connect since the last job. A failed attempt that is followed by an attempt at
        the pool's next URL without a wait does not count."""
        self._bare_next = False
        """Whether the next connection begins with ``Handshake.BARE``, because the pool disconnected after
        mining.configure, before it accepted mining.subscribe. Used only if ``ClientOptions.retry`` is False."""
        self._suggestion = None if settings.suggest_difficulty == "auto" else settings.suggest_difficulty
        self._stop_reason = ""
        self._state, self._detail = ConnectionState.CONNECTING, ""
        self._newest_job: Job | None = None
        self._version_mask = 0
        """The version mask of the last connection that has ended."""
        self._refusals: dict[str, str] = {}
        """Maps each worker name that the pool refused to the reason of the refusal. The refusals are those of the last
        connection that has ended."""

    async def run(self) -> None:
        """Keep the pool connected until cancelled.

        Raises WorkerRefused if the pool refuses all worker names, unless the refusal may be temporary.
        Raises PoolUnreachable if ``ClientOptions.retry`` is False and the pool cannot be reached, or disconnects.
        """
        self._running = True
        lost_because = "the miner stopped before the pool answered"
        try:
            while True:
                await self._pauses.wait_for_turn()
                pause = await self._one_connection()
                if pause:
                    self._enter(ConnectionState.WAITING, f"next attempt in {pause:.0f} s: {self._detail}")
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
            self._lose(self._resumption.take(), self._stop_reason or lost_because)

    def note_stop_reason(self, reason: str) -> None:
        """Record why ``run`` is about to be cancelled. Shares that have no result yet when ``run`` ends count as lost,
        and get this reason.

        An empty reason removes an earlier one.
        """
        self._stop_reason = reason

    def submit(self, share: Share) -> None:
        """Submit a share. Its result comes as a ``ShareAnswered``, possibly before this method returns.

        While ``run`` is running but there is no connection, the client keeps the share, and submits it if the pool
        resumes the session.
        """
        connection = self._connection
        if share.job.origin.session != self.origin.session:
            self._end(share, ShareOutcome.LOST, "its session is over")
        elif connection is not None and connection.is_subscribed:
            if connection.previous_hash in (None, share.job.previous_hash) or share.is_block:
                connection.submit(share)
            else:
                self._end(share, ShareOutcome.STALE, "the previous block changed before it was found")
        elif not self._running:
            self._end(share, ShareOutcome.LOST, "its pool is not connected to any more")
        else:
            self._carry([Unanswered(share, sent=False)])

    @property
    def origin(self) -> Origin:
        """The origin that this client gives to its jobs: it names the pool, the worker name and the newest session. The
        session number is 0 before the first session."""
        return self._resumption.origin

    def destination(self, share: Share) -> Destination:
        """Return the pool, worker name and session id of a share, for the share journal."""
        resumable = self._resumption.resumable
        session_id = None if resumable is None else resumable.session_id
        return Destination(str(self.settings.url), wanted_worker_name(share, self.settings), session_id)

    def adopt(self, resumable: Resumable, shares: Sequence[Share]) -> None:
        """Take over a session of an earlier run of the program, and the shares of this session that have no reply.

        Call this before the first connection, on which the client then asks the pool to resume the session. If the pool
        does so, the client resubmits the shares; otherwise they are lost. The jobs of the shares must have the session
        number 0: this is the number of a session that the first connection resumes (see ``origin``).
        """
        self._resumption.adopt(resumable, shares)

    def note_hash_rate(self, hash_rate: float) -> None:
        """Record the measured hash rate in H/s. With ``suggest_difficulty="auto"`` the client suggests a share
        difficulty that fits it.

        Only the first call counts: public-pool uses only the first suggestion, so a single good one is better than
        many.
        """
        if self.settings.suggest_difficulty == "auto" and self._suggestion is None:
            self._suggestion = hash_rate * SECONDS_PER_SHARE / HASHES_PER_DIFFICULTY
            log.info("difficulty_suggested", difficulty=float(f"{self._suggestion:.4g}"))
            if self._connection is not None:
                self._connection.suggest_difficulty(self._suggestion)

    async def wait_all_answered(self) -> None:
        """Wait until no share is open on the current connection, or the connection has ended. Return at once if there
        is no connection."""
        if self._connection is not None:
            await self._connection.wait_until_unanswered(0)

    async def wait_for_room(self) -> None:
        """Wait until fewer than ``MAX_UNANSWERED`` shares are open, or the connection has ended. Return at once if
        there is no connection. In this way a slow pool slows the search down, but no share is lost."""
        if self._connection is not None:
            await self._connection.wait_until_unanswered(MAX_UNANSWERED - 1)

    @property
    def unanswered(self) -> int:
        """Number of shares that wait for a reply or for a connection."""
        return self._resumption.carried + (self._connection.unanswered if self._connection else 0)

    def snapshot(self) -> ClientSnapshot:
        """Return a frozen view of the client."""
        connection, traffic = self._connection, self._tally.traffic
        has_mask = connection is not None and connection.is_subscribed
        return ClientSnapshot(
            url=self._addresses.current,
            worker_name=self.settings.worker_name,
            state=self._state,
            detail=self._detail,
            session=self.origin.session,
            difficulty=None if self._newest_job is None else self._newest_job.share_difficulty,
            version_mask=connection.version_mask if connection is not None and has_mask else self._version_mask,
            jobs=traffic.jobs,
            connects=self._tally.connects,
            unanswered=self.unanswered,
            bad_lines=traffic.bad_lines,
            unpaired_replies=traffic.unpaired_replies,
            bytes_received=traffic.bytes_received,
            bytes_sent=traffic.bytes_sent,
            workers=tuple(map(self._worker, self.settings.worker_names)),
        )

    def _worker(self, name: str) -> WorkerSnapshot:
        refusals = self._connection.workers.refusals if self._connection else self._refusals
        return WorkerSnapshot(
            name=name,
            refusal=refusals.get(name, ""),
            accepted=self._tally.workers[name, ShareOutcome.ACCEPTED],
            rejected=self._tally.workers[name, ShareOutcome.REJECTED],
            stale=self._tally.workers[name, ShareOutcome.STALE],
        )

    # ---- one connection ---------------------------------------------------------------------------------------

    async def _one_connection(self) -> float:
        """Connect, and mine until the connection ends. Return the seconds to wait before the next connection."""
        url, is_redirected = self._addresses.take()
        self._enter(ConnectionState.CONNECTING, str(url))
        try:
            stream = await self._connect(url, self.settings.timeouts.connect)
            self._pauses.connected()
        except PoolUnreachable as error:
            detail = str(error).removeprefix(f"{url}: ")
            return self._try_again("pool_unreachable", error, str(error), detail, next_address=not is_redirected)
        connection = self._new_connection(stream)
        try:
            await self._mine_on(connection)
        except Redirect as redirect:
            self._addresses.redirect(redirect.host, redirect.port)
            self._detail = str(redirect)
            log.info("reconnect_followed", host=redirect.host, port=redirect.port, wait_s=redirect.wait)
            return self._pauses.after_redirect(redirect.wait)
        except WorkerRefused as refusal:
            return self._try_refused_again(refusal, is_redirected)
        except ConnectionEnded as end:
            self._learn_from(end, connection)
            if (
                isinstance(end, PoolDisconnected)
                and end.subscribe_unanswered
                and not (self._options.retry or self._bare_next)
            ):
                self._bare_next = True
                return 0.0
            lost = PoolUnreachable(f"{url}: {end}")
            next_address = not connection.traffic.jobs and not is_redirected
            return self._try_again("connection_ended", lost, str(end), str(end), next_address=next_address)
        raise AssertionError("a connection ends by an exception")

    def _new_connection(self, stream: trio.abc.Stream) -> PoolConnection:
        now, url = trio.current_time(), self._addresses.current
        return PoolConnection(
            stream,
            replace(self.settings, url=url, timeouts=self._memory.timeouts(self.settings.timeouts, now)),
            self._resumption,
            self._take,
            clock=self._options.clock,
            handshake=Handshake.BARE if self._bare_next else self._memory.handshake(now),
            suggestion=self._suggestion,
        )

    async def _mine_on(self, connection: PoolConnection) -> None:
        self._tally.note_opened(connection.traffic)
        self._enter(ConnectionState.HANDSHAKE, str(self._addresses.current))
        self._connection = connection
        reason = STOPPED
        try:
            await connection.run()
        except (ConnectionEnded, WorkerRefused) as error:
            reason = str(error)
            raise
        finally:
            self._carry(connection.take_unanswered())
            self._tally.note_closed(connection.traffic)
            self._version_mask, self._refusals = connection.version_mask, connection.workers.refusals
            self._connection = None
            self._on_event(WorkLost(self._resumption.origin, reason))

    def _learn_from(self, end: ConnectionEnded, connection: PoolConnection) -> None:
        now, traffic = trio.current_time(), connection.traffic
        if isinstance(end, SubscribeRefused):
            self._resumption.resumable = None
        if isinstance(end, TooSlow):
            self._memory.note_too_slow(end.limit, now)
        if (isinstance(end, PoolDisconnected) and end.unanswered) or not (traffic.jobs or traffic.bytes_received):
            self._memory.note_disconnected()
            following = self._memory.handshake(now)
            if following not in (connection.handshake, Handshake.FULL):
                methods = ["mining.extranonce.subscribe", "mining.configure"][:following]
                log.warning("handshake_shortened", without=" and ".join(methods))
        elif traffic.jobs:
            self._note_that_it_works(connection)

    def _note_that_it_works(self, connection: PoolConnection) -> None:
        if connection.first_job_at is not None:
            self._memory.note_worked(connection.handshake, connection.first_job_at)

    def _try_again(self, event: str, error: PoolUnreachable, reason: str, detail: str, *, next_address: bool) -> float:
        """Return the seconds to wait before the client connects again.

        ``next_address``: whether to switch to the pool's next URL. The client tries this URL without a wait, unless all
        URLs have failed. ``error``: this method raises it if ``ClientOptions.retry`` is False or
        ``ClientOptions.retries`` retries in a row have failed.
        """
        self._detail = detail
        if next_address and self._addresses.next():
            log.warning(event, reason=reason, next=str(self._addresses.current))
            return 0.0
        retries = self._options.retries
        if not self._options.retry or (retries is not None and self._failures >= retries):
            raise error
        self._failures += 1
        pause = self._pauses.after_failure()
        log.warning(event, reason=reason, retry_in_s=round(pause, 1))
        return pause

    def _try_refused_again(self, refusal: WorkerRefused, is_redirected: bool) -> float:
        """Return the seconds to wait before the client connects again with the worker names that the pool refused.

        Raises the refusal if ``ClientOptions.retry`` is False, or if the refusal is final: a configured URL refused the
        names, the pool never accepted any of them, and it does not say that the refusal is temporary.
        """
        was_accepted = not self._resumption.accepted.isdisjoint(self.settings.worker_names)
        if not self._options.retry or not (is_redirected or was_accepted or refusal.is_temporary):
            raise refusal
        pause = self._pauses.after_refusal()
        self._detail = str(refusal)
        pool = str(self._addresses.current)
        log.warning("worker_refused", pool=pool, reason=self._detail, retry_in_s=round(pause, 1))
        return pause

    # ---- events -------------------------------------------------------------------------------------------------

    def _take(self, event: ClientEvent) -> None:
        """Report an event of the connection to the listener, and count it only afterwards, because the event may be a
        new job, which the listener must get without delay."""
        match event:
            case JobArrived(job):
                self._on_event(event)
                self._newest_job = job
                self._failures = 0
                self._addresses.note_job()
            case ShareAnswered(result):
                self._on_event(event)
                self._note_result(result)
            case StateChanged(_, state, detail):
                self._enter(state, detail)
            case _:
                self._on_event(event)

    def _note_result(self, result: ShareResult) -> None:
        self._tally.add(result)
        connection = self._connection
        if result.outcome is ShareOutcome.ACCEPTED and connection is not None:
            self._note_that_it_works(connection)
            if trio.current_time() - connection.started_at >= STABLE_S:
                self._pauses.reset()

    def _carry(self, shares: Sequence[Unanswered]) -> None:
        self._lose(self._resumption.carry(*shares), "too many shares without a connection")

    def _lose(self, shares: Sequence[Unanswered], reason: str) -> None:
        for item in shares:
            self._end(item.share, ShareOutcome.LOST, reason)

    def _end(self, share: Share, outcome: ShareOutcome, reason: str) -> None:
        self._take(ShareAnswered(ShareResult(share, outcome, reason)))

    def _enter(self, state: ConnectionState, detail: str) -> None:
        self._state, self._detail = state, detail
        self._on_event(StateChanged(self._resumption.origin, state, detail))
