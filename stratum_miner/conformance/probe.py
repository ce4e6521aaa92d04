"""The tools of a check. A ``Probe`` opens connections and sessions for it, and finds shares that are valid or have one
fault."""

import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import trio

from stratum_miner import __version__
from stratum_miner.bitcoin.header import GENERAL_PURPOSE_MASK, BlockHeader
from stratum_miner.bitcoin.sha256d import sha256d
from stratum_miner.bitcoin.target import MAX_TARGET, hash_value
from stratum_miner.conformance.connection import PATIENCE, ProbeConnection
from stratum_miner.conformance.messages import Answer, PoolLine
from stratum_miner.conformance.outcome import Silent, Skip, UnexpectedDisconnect
from stratum_miner.conformance.pool_under_test import Chain, OpenPoolStream, PoolUnderTest, Unreachable, reason_of
from stratum_miner.conformance.share_search import BudgetedSearch, Hasher
from stratum_miner.conformance.transcript import CheckTranscript, without_password
from stratum_miner.secret_words import SHORTEST
from stratum_miner.stratum.errors import ErrorReason
from stratum_miner.work.job import Job

AGENT = f"stratum_miner-conformance/{__version__}"
CONFIGURE_PATIENCE = 3.0
"""Seconds to wait for a reply to mining.configure. The time is short because NOMP never answers this request."""
FIRST_JOB_PATIENCE = 75.0
"""Seconds to wait for the first job. The time is long because public-pool can take 60 s to send this job."""
RENEWAL = 65.0
"""Seconds within which a pool sends another job. Pools send one every 10 to 60 s
(docs/reference/stratum.md#how-often-jobs-come)."""
NEW_BLOCK_PATIENCE = 2.0
"""After a share was rejected as stale, the check waits this many seconds for the pool to announce a new block, because
a new block would explain the rejection."""
LONG_PATIENCE = 30.0
"""Seconds within which the pool must answer other clients after a check has disturbed it."""
TRIES = 5
"""Number of attempts to submit a share. If a new block makes a share stale before the pool answers it, the check makes
the next attempt with a new share."""
MOST_HASHES = 2**32
"""Maximum number of hashes that one check computes on average for a hash in a narrow range. A share of difficulty 1
takes as many."""
NO_JOB = "no-such-job"
_OTHER_PROTOCOLS = (b"HTTP/", b"\x15\x03")
"""How a reply of HTTP and a TLS alert begin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundShare:
    """A share that was made for a check, valid or not. ``params`` are the parameters of mining.submit, ``header`` is
    the 80-byte block header."""

    job: Job
    extranonce2: bytes
    ntime: int
    nonce: int
    version: int
    params: list[Any]
    header: bytes

    @property
    def digest(self) -> bytes:
        """The hash of the header, 32 bytes in internal order."""
        return sha256d(self.header)

    @property
    def value(self) -> int:
        """The hash of the header as an integer, which can be compared with targets."""
        return hash_value(self.digest)

    @property
    def is_block(self) -> bool:
        """Whether the hash also meets the network target."""
        return self.value <= self.job.network_target

    def with_param(self, index: int, value: Any) -> list[Any]:
        """Return the parameters of mining.submit, with the parameter at ``index`` replaced by ``value``."""
        return [*self.params[:index], value, *self.params[index + 1 :]]


@dataclass(slots=True)
class Facts:
    """What the checks of this run have found out about the pool. Later checks use these facts to save time."""

    configure_unanswered: bool = False
    """Whether the pool does not answer mining.configure."""
    configure_closes: bool = False
    """Whether the pool closes the connection after mining.configure, as ckpool of 2017 does."""
    not_json: dict[str, PoolLine] = field(default_factory=dict)
    """The first line of the pool that is no JSON object, for each check that received one. The keys are the ids of the
    checks."""

    def note_lines(self, identifier: str, connections: Iterable[ProbeConnection]) -> None:
        """Record in ``not_json`` what the pool sent on the connections of a check. Replies of HTTP and TLS do not
        count, because a pool may answer a client in the client's protocol."""
        for connection in connections:
            if connection.lines and not connection.lines[0].data.startswith(_OTHER_PROTOCOLS):
                bad = next((line for line in connection.lines if line.is_not_json), None)
                if bad is not None:
                    self.not_json.setdefault(identifier, bad)

    turn: trio.Lock = field(default_factory=trio.Lock)
    """Held while an intrusive check sends, so that the pool dies of one request and not of one of several."""


@dataclass(slots=True)
class Probe:
    """The connections, the share search and the transcript of one check. ``open_probe`` makes a ``Probe``."""

    pool: PoolUnderTest
    search: BudgetedSearch
    nursery: trio.Nursery
    facts: Facts
    transcript: CheckTranscript
    started: float
    rng: random.Random
    connections: list[ProbeConnection] = field(default_factory=list)
    """All connections of the check, in the order in which they were opened."""
    last_block_time: int = 0
    """Time of the last block that the check made, in seconds since 1970; 0 if it made none."""
    in_turn: bool = False
    """Whether the connections of the check wait for ``Facts.turn`` before they send."""
    in_doubt: bool = False
    """Whether the check could not connect to the pool, or found that the pool does not answer new connections."""

    # ---- connections ----------------------------------------------------------------------------------------------

    async def connect(self, dial: OpenPoolStream | None = None, *, aside: bool = False) -> ProbeConnection:
        """Return a new connection on which nothing has been sent, opened with ``dial``. [default: ``dial`` of the pool]

        If ``aside``, the connection only shows whether the pool is alive, and ``sent`` leaves it out. Raises
        Unreachable if no connection can be made.
        """
        dialled = trio.current_time()
        try:
            stream = await (dial or self.pool.dial)()
        except (OSError, ExceptionGroup, trio.TooSlowError) as error:
            self.in_doubt = True
            raise Unreachable(f"{self.pool.name}: {reason_of(error)}") from error
        connection = ProbeConnection(stream, len(self.connections) + 1, self.transcript, self.started)
        connection.aside = aside
        connection.turn = self.facts.turn if self.in_turn else None
        connection.dial_seconds = trio.current_time() - dialled
        self.connections.append(connection)
        self.nursery.start_soon(connection.read)
        return connection

    @property
    def sent(self) -> tuple[bytes, ...]:
        """What the check sent on each connection, with *** instead of the password. Empty if not all of it was kept."""
        told = [each for each in self.connections if not each.aside]
        if not all(each.kept_all for each in told):
            return ()
        secret = len(self.pool.password) >= SHORTEST
        sent = [without_password(bytes(each.sent)) if secret else bytes(each.sent) for each in told]
        return tuple(filter(None, sent)) or tuple(sent[:1])

    @property
    def sends_ids_of_the_pool(self) -> bool:
        """Whether ``sent`` contains a job id or a session id that the pool gave to the check."""
        ids = {str(each.params[0]) for connection in self.connections for each in connection.notifies if each.params}
        ids |= {each.session_id for each in self.connections if each.session_id is not None}
        return any(json.dumps(each).encode() in sent for each in ids for sent in self.sent)

    async def subscribed(self, *params: Any) -> ProbeConnection:
        """Open a connection, send mining.subscribe without mining.configure, and return the connection after the reply.

        ``params`` are the parameters of mining.subscribe. [default: the user agent] Raises Skip if the pool does not
        answer, Unreachable if no connection can be made.
        """
        connection = await self.connect()
        await self._set_up(connection, "mining.subscribe", *(params or (AGENT,)))
        return connection

    async def session(
        self,
        *,
        mask: int | None = GENERAL_PURPOSE_MASK,
        password: str | None = None,
        job: bool = True,
        subscribe: tuple[Any, ...] = (AGENT,),
        ambiguous_version: bool = False,
    ) -> ProbeConnection:
        """Open a connection, complete the handshake, and wait for the first job unless ``job`` is False. Return the
        connection.

        ``mask`` is the version mask to ask for; if it is None, mining.configure is not sent. ``subscribe`` contains the
        parameters of mining.subscribe.

        If the version of the first job has bits of the granted mask, pools differ in how they combine this version with
        the version bits of a share. Unless ``ambiguous_version`` is True, the session is then opened again without
        mining.configure, so that only the checks of version bits judge this difference.

        Raises Skip if the pool does not complete the handshake or sends no job. The
        check that calls this method is then skipped and does not fail, because other checks test the handshake and the
        first job. Raises Unreachable if no connection can be made.
        """
        connection = await self.connect()
        if mask is not None and not self.facts.configure_closes:
            connection = await self._configure(connection, mask)
        await self._set_up(connection, "mining.subscribe", *subscribe)
        if connection.extranonce1 is None:
            raise Skip("no session: the reply to mining.subscribe contains no valid extranonce1 and extranonce2 size")
        await self.authorize(connection, password)
        if job and not await connection.wait_until(lambda: connection.jobs, FIRST_JOB_PATIENCE):
            problem = connection.notifies[-1].problem if connection.notifies else connection.ending
            raise Skip(f"no usable job within {FIRST_JOB_PATIENCE:g} s{': ' * bool(problem)}{problem}")
        if job and not ambiguous_version and connection.job.version & connection.job.version_mask:
            await connection.aclose()
            return await self.session(mask=None, password=password, subscribe=subscribe)
        return connection

    async def authorize(self, connection: ProbeConnection, password: str | None = None) -> None:
        """Authorize the worker of the pool under test. Raises Skip if the pool refuses or does not answer."""
        connection.worker = self.pool.worker
        answer = await self._set_up(
            connection, "mining.authorize", connection.worker, self.pool.password if password is None else password
        )
        if not answer.accepted:
            raise Skip(f"no session: the pool answered mining.authorize with {answer}")

    async def _configure(self, connection: ProbeConnection, mask: int) -> ProbeConnection:
        parameters = {"version-rolling.mask": f"{mask:08x}", "version-rolling.min-bit-count": 2}
        try:
            request = await connection.send_request("mining.configure", ["version-rolling"], parameters)
            if not self.facts.configure_unanswered:
                answer = await connection.reply_or_none(request, CONFIGURE_PATIENCE)
                self.facts.configure_unanswered = answer is None and not connection.closed
        except UnexpectedDisconnect:
            connection.mark_ended("the pool closed the connection at mining.configure")
        if not connection.closed:
            return connection
        self.facts.configure_closes = True
        return await self.connect()

    async def _set_up(self, connection: ProbeConnection, method: str, *params: Any) -> Answer:
        try:
            return await connection.call(method, *params, within=30.0)
        except (UnexpectedDisconnect, Silent) as error:
            raise Skip(f"no session: {error}") from None

    # ---- whether the pool still answers -----------------------------------------------------------------------------

    async def reply_seconds(self, connection: ProbeConnection, within: float = PATIENCE) -> float:
        """Submit a share of an unknown job, which a pool normally rejects at once. Return the seconds until the reply.

        Raises Silent or UnexpectedDisconnect if the pool does not answer.
        """
        params = (connection.worker, NO_JOB, "00" * connection.extranonce2_size, "00000000", "00000000")
        return (await connection.call("mining.submit", *params, within=within)).waited

    async def new_connection_problem(self) -> str:
        """Return "" if the pool answers mining.subscribe on a new connection. Otherwise return a clause that says what
        happened.

        Raises Silent if the pool does not answer but keeps the connection open.
        """
        try:
            connection = await self.connect(aside=True)
            await connection.call("mining.subscribe", AGENT, within=LONG_PATIENCE)
        except (Unreachable, UnexpectedDisconnect) as error:
            return f"the pool no longer serves a new connection: {error}"
        await connection.aclose()
        return ""

    async def others_problem(self, other_session: ProbeConnection) -> str:
        """Test whether the pool still replies on two connections: ``other_session`` and a new one. Return "" if it
        replies on both. Return a clause that says what is wrong if the pool replies on neither connection, or if it
        closes or refuses one of them.

        Raises Silent if the pool replies on one of the two connections and is silent on the other. In this case, the
        pool still runs, and there is not enough evidence for a failure.
        """
        silence: Silent | None = None
        try:
            await self.reply_seconds(other_session, LONG_PATIENCE)
        except UnexpectedDisconnect as error:
            return f"the pool no longer serves another session: {error}"
        except Silent as error:
            silence = error
        try:
            problem = await self.new_connection_problem()
        except Silent as error:
            if silence is None:
                raise
            return f"the pool answers neither another session nor a new connection: {silence}; {error}"
        if silence is not None and not problem:
            raise silence
        return problem

    # ---- shares ---------------------------------------------------------------------------------------------------

    async def find(
        self,
        connection: ProbeConnection,
        job: Job | None = None,
        *,
        extranonce2: bytes | None = None,
        ntime: int | None = None,
        bits: int | None = None,
        at_most: int | None = None,
        above: int | None = None,
        fits: Callable[[FoundShare], bool] = lambda found: True,
    ) -> FoundShare:
        """Find a new share of ``job`` and return it. [default: the newest job]

        The hash of the share, as an integer, is greater than ``above`` and at most ``at_most``. By default, the hash
        meets the share target but not the network target, so that the share is no block. If each hash that meets the
        share target also meets the network target, the share is a block.

        ``bits`` replaces those version bits of the job that the version mask covers; None keeps them. The search
        continues until ``fits`` returns True for a share. Raises Skip if the search takes too long.
        """
        job = job or connection.job
        at_most = job.share_target if at_most is None else at_most
        if above is None:
            above = job.network_target if job.network_target < at_most else -1
        version = job.version if bits is None else job.version & ~job.version_mask | bits
        ntime = job.ntime if ntime is None else ntime
        while True:
            chosen = self.rng.randbytes(job.extranonce2_size) if extranonce2 is None else extranonce2
            header = job.header(chosen, ntime, 0, version).to_bytes()
            nonce = await self.search.nonce(header, at_most, above)
            if nonce is None:
                continue
            found = _found(connection, job, extranonce2=chosen, ntime=ntime, nonce=nonce, version=version)
            if fits(found):
                return found

    def low_difficulty_share(self, connection: ProbeConnection) -> FoundShare:
        """Return a well-formed share with a hash far above the share target and the network target.

        Raises Skip if nearly every hash meets one of the targets.
        """
        job = connection.job
        extranonce2 = self.rng.randbytes(job.extranonce2_size)
        for _ in range(1000):
            nonce = self.rng.randrange(1 << 32)
            found = _found(connection, job, extranonce2=extranonce2, ntime=job.ntime, nonce=nonce, version=job.version)
            if found.value > far_above(job):
                return found
        raise Skip(f"at difficulty {job.share_difficulty:g} nearly every hash meets the share target")

    def unchecked_share(self, connection: ProbeConnection) -> FoundShare:
        """Return a well-formed share with a random nonce. Its hash may or may not meet the share target."""
        job, nonce = connection.job, self.rng.randrange(1 << 32)
        extranonce2 = self.rng.randbytes(job.extranonce2_size)
        return _found(connection, job, extranonce2=extranonce2, ntime=job.ntime, nonce=nonce, version=job.version)

    async def submit(self, connection: ProbeConnection, params: list[Any]) -> Answer:
        """Submit a share and return the reply. Raises Silent or UnexpectedDisconnect if the pool does not reply."""
        return await connection.call("mining.submit", *params)

    async def find_and_submit(
        self, connection: ProbeConnection, make: Callable[[Job], Awaitable[FoundShare]] | None = None
    ) -> tuple[FoundShare, Answer]:
        """Find a share of the newest job, submit it, and return the share and the reply. If a new block makes the share
        stale, or the pool rejects it after it has changed the difficulty meanwhile, try again with another share.

        ``make`` finds a share of the given job. [default: ``find``] Raises Skip if ``TRIES`` shares in a row become
        stale.
        """
        for _ in range(TRIES):
            job, known = connection.job, len(connection.difficulties)
            found = await (self.find(connection, job) if make is None else make(job))
            if connection.is_stale(job):
                continue
            answer = await self.submit(connection, found.params)
            if answer.refused and len(connection.difficulties) > known:
                continue
            if not await self.made_stale(connection, job, answer):
                return found, answer
        raise Skip(
            f"before the pool answered, each of {TRIES} shares became stale because of a new block, or the difficulty "
            "changed"
        )

    async def made_stale(self, connection: ProbeConnection, job: Job, answer: Answer) -> bool:
        """Return whether the pool rejected a share of ``job`` because the job has become stale.

        The pool must have sent a job that makes ``job`` stale (``ProbeConnection.is_stale``). After an answer with the
        reason JOB_NOT_FOUND, it may also send this job within the next 2 s.
        """
        if not answer.refused:
            return False
        if answer.reason is not ErrorReason.JOB_NOT_FOUND:
            return connection.is_stale(job)
        return await connection.wait_until(lambda: connection.is_stale(job), NEW_BLOCK_PATIENCE)

    @property
    def chain(self) -> Chain:
        """The pool's Bitcoin node. Raises Skip if the user named none."""
        if self.pool.chain is None:
            raise Skip("the check needs the pool's node; name it with --node", "--node")
        return self.pool.chain


def far_above(job: Job) -> int:
    """Return a hash value that is far above both targets of the job: eight times the higher target or, if that is too
    much, the middle between this target and the highest hash value. Only a pool that does not compare the hash with a
    target at all accepts a share with a higher hash."""
    return min(8 * job.search_target, (job.search_target + MAX_TARGET) // 2)


@asynccontextmanager
async def open_probe(
    pool: PoolUnderTest, hasher: Hasher, facts: Facts, seed: int, *, in_turn: bool = False
) -> AsyncIterator[Probe]:
    """Open the probe of one check. At the end of the ``async with`` block, close all connections of the check.

    The same ``seed`` gives the same random choices. ``in_turn`` is described at ``Probe``.
    """
    async with trio.open_nursery() as nursery:
        probe = Probe(
            pool=pool,
            search=BudgetedSearch(hasher, pool.work_seconds),
            nursery=nursery,
            facts=facts,
            transcript=CheckTranscript(pool.password),
            started=trio.current_time(),
            rng=random.Random(seed),
            in_turn=in_turn,
        )
        try:
            yield probe
        finally:
            with trio.CancelScope(shield=True):
                for connection in probe.connections:
                    await connection.aclose()
            nursery.cancel_scope.cancel()


def _found(
    connection: ProbeConnection, job: Job, *, extranonce2: bytes, ntime: int, nonce: int, version: int
) -> FoundShare:
    header: BlockHeader = job.header(extranonce2, ntime, nonce, version)
    params: list[Any] = [connection.worker, job.job_id, extranonce2.hex(), f"{ntime:08x}", f"{nonce:08x}"]
    if job.version_rolling:
        params.append(f"{version & job.version_mask:08x}")
    return FoundShare(
        job=job,
        extranonce2=extranonce2,
        ntime=ntime,
        nonce=nonce,
        version=version,
        params=params,
        header=header.to_bytes(),
    )
