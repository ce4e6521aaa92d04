"""What a check works with: fresh connections, whole sessions, shares with exactly one fault, a record of it all."""

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import trio

from stratum_miner import __version__
from stratum_miner.bitcoin.header import GENERAL_PURPOSE_MASK, BlockHeader
from stratum_miner.bitcoin.sha256d import sha256d
from stratum_miner.bitcoin.target import hash_value
from stratum_miner.conformance.connection import PATIENCE, ProbeConnection
from stratum_miner.conformance.messages import Answer
from stratum_miner.conformance.outcome import Silent, Skip, UnexpectedDisconnect
from stratum_miner.conformance.pool_under_test import Chain, OpenPoolStream, PoolUnderTest, Unreachable, reason_of
from stratum_miner.conformance.share_search import BudgetedSearch, Hasher
from stratum_miner.conformance.transcript import CheckTranscript
from stratum_miner.stratum.errors import ErrorReason
from stratum_miner.work.job import Job

AGENT = f"stratum_miner-conformance/{__version__}"
CONFIGURE_PATIENCE = 3.0
"""Seconds: NOMP never answers mining.configure."""
FIRST_JOB_PATIENCE = 75.0
"""Seconds: public-pool may keep the first job back for 60."""
RENEWAL = 65.0
"""Seconds in which pools announce a job again: every 10 to 60 (docs/reference/stratum.md#how-often-jobs-come)."""
NEW_BLOCK_PATIENCE = 2.0
"""Seconds in which the announcement of a block may follow the refusal that it caused."""
LONG_PATIENCE = 30.0
"""Seconds in which others are to be served after something rude."""
TRIES = 5
"""Shares that are tried in turn while new blocks come between."""
NO_JOB = "no-such-job"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundShare:
    """A share made for a check, and the parameters that submit it."""

    job: Job
    extranonce2: bytes
    ntime: int
    nonce: int
    version: int
    params: list[Any]
    header: bytes

    @property
    def digest(self) -> bytes:
        """Its hash, internal order."""
        return sha256d(self.header)

    @property
    def value(self) -> int:
        """Its hash as a number."""
        return hash_value(self.digest)

    @property
    def is_block(self) -> bool:
        """Whether it also meets the network target."""
        return self.value <= self.job.network_target

    def with_param(self, index: int, value: Any) -> list[Any]:
        """The parameters with one of them changed."""
        return [*self.params[:index], value, *self.params[index + 1 :]]


@dataclass(slots=True)
class Facts:
    """What checks of one run learned of the pool that spares the others time."""

    configure_unanswered: bool = False
    configure_closes: bool = False


@dataclass(slots=True)
class Probe:
    """The world of one check; opened by ``open_probe``."""

    pool: PoolUnderTest
    search: BudgetedSearch
    nursery: trio.Nursery
    facts: Facts
    transcript: CheckTranscript
    started: float
    rng: random.Random
    connections: list[ProbeConnection] = field(default_factory=list)
    blocks_made: int = 0

    # ---- connections ----------------------------------------------------------------------------------------------

    async def connect(self, dial: OpenPoolStream | None = None) -> ProbeConnection:
        """A fresh connection with nothing said. Unreachable when there is none to be had."""
        dialled = trio.current_time()
        try:
            stream = await (dial or self.pool.dial)()
        except (OSError, ExceptionGroup, trio.TooSlowError) as error:
            raise Unreachable(f"{self.pool.name}: {reason_of(error)}") from None
        connection = ProbeConnection(stream, len(self.connections) + 1, self.transcript, self.started)
        connection.dial_seconds = trio.current_time() - dialled
        self.connections.append(connection)
        self.nursery.start_soon(connection.read)
        return connection

    async def subscribed(self, *params: Any) -> ProbeConnection:
        """A connection that has subscribed, with our agent unless told otherwise; nothing configured."""
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
    ) -> ProbeConnection:
        """A connection after the whole handshake, and with its first job unless ``job`` is false.

        Skip when the pool does not get that far: other checks say what is wrong with it.
        """
        connection = await self.connect()
        if mask is not None and not self.facts.configure_closes:
            connection = await self._configure(connection, mask)
        await self._set_up(connection, "mining.subscribe", *subscribe)
        if connection.extranonce1 is None:
            raise Skip("no session: the reply to mining.subscribe makes no sense")
        await self.authorize(connection, password)
        if job and not await connection.wait_until(lambda: connection.jobs, FIRST_JOB_PATIENCE):
            problem = connection.notifies[-1].problem if connection.notifies else connection.ending
            raise Skip(f"no job in {FIRST_JOB_PATIENCE:g} s {problem}".strip())
        return connection

    async def authorize(self, connection: ProbeConnection, password: str | None = None) -> None:
        """Log our worker in. Skip when the pool refuses."""
        connection.worker = self.pool.worker
        answer = await self._set_up(
            connection, "mining.authorize", connection.worker, self.pool.password if password is None else password
        )
        if not answer.accepted:
            raise Skip(f"no session: mining.authorize was answered with {answer}")

    async def _configure(self, connection: ProbeConnection, mask: int) -> ProbeConnection:
        parameters = {"version-rolling.mask": f"{mask:08x}", "version-rolling.min-bit-count": 2}
        try:
            request = await connection.send_request("mining.configure", ["version-rolling"], parameters)
            if not self.facts.configure_unanswered:
                answer = await connection.reply_or_none(request, CONFIGURE_PATIENCE)
                self.facts.configure_unanswered = answer is None and not connection.closed
        except UnexpectedDisconnect:
            connection.end("closed at mining.configure")
        if not connection.closed:
            return connection
        self.facts.configure_closes = True  # ckpool of 2017
        return await self.connect()

    async def _set_up(self, connection: ProbeConnection, method: str, *params: Any) -> Answer:
        try:
            return await connection.call(method, *params, within=30.0)
        except (UnexpectedDisconnect, Silent) as error:
            raise Skip(f"no session: {error}") from None

    # ---- signs of life --------------------------------------------------------------------------------------------

    async def reply_seconds(self, connection: ProbeConnection, within: float = PATIENCE) -> float:
        """Seconds to the reply to a submit that every pool answers: one for an unknown job.

        Silent or HungUp when there is none.
        """
        params = (connection.worker, NO_JOB, "00" * connection.extranonce2_size, "00000000", "00000000")
        return (await connection.call("mining.submit", *params, within=within)).waited

    async def new_connection_problem(self) -> str:
        """Empty when a new connection gets its reply to mining.subscribe, else what happened. Silent for silence."""
        try:
            connection = await self.connect()
            await connection.call("mining.subscribe", AGENT, within=LONG_PATIENCE)
        except (Unreachable, UnexpectedDisconnect) as error:
            return f"a new connection is not served: {error}"
        await connection.aclose()
        return ""

    async def others_problem(self, other_session: ProbeConnection) -> str:
        """Empty when an earlier session and newcomers are both served, else who is not.

        Silent when only one of them is silent: the other shows that the pool lives.
        """
        silence: Silent | None = None
        try:
            await self.reply_seconds(other_session, LONG_PATIENCE)
        except UnexpectedDisconnect as error:
            return f"another session is no longer served: {error}"
        except Silent as error:
            silence = error
        try:
            down = await self.new_connection_problem()
        except Silent as error:
            if silence is None:
                raise
            return f"neither another session nor a new connection is answered any more: {silence}; {error}"
        if silence is not None and not down:
            raise silence
        return down

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
        """A share of the job that was never made before.

        Its hash lies in (above, at_most]: by default it meets the share target, and is no block where shares can be
        that. ``bits`` are version bits to roll; None rolls none. ``fits`` adds a condition.
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
        """A share whose hash meets neither target. Skip when nearly every hash meets one."""
        job = connection.job
        extranonce2 = self.rng.randbytes(job.extranonce2_size)
        for _ in range(1000):
            nonce = self.rng.randrange(1 << 32)
            found = _found(connection, job, extranonce2=extranonce2, ntime=job.ntime, nonce=nonce, version=job.version)
            if found.value > job.search_target:
                return found
        raise Skip(f"at difficulty {job.share_difficulty:g} nearly every hash is a share")

    def unchecked_share(self, connection: ProbeConnection) -> FoundShare:
        """Parameters in form, whatever their hash is worth."""
        job, nonce = connection.job, self.rng.randrange(1 << 32)
        extranonce2 = self.rng.randbytes(job.extranonce2_size)
        return _found(connection, job, extranonce2=extranonce2, ntime=job.ntime, nonce=nonce, version=job.version)

    async def submit(self, connection: ProbeConnection, params: list[Any]) -> Answer:
        """Submit and wait for the reply."""
        return await connection.call("mining.submit", *params)

    async def find_and_submit(
        self, connection: ProbeConnection, make: Callable[[Job], Awaitable[FoundShare]] | None = None
    ) -> tuple[FoundShare, Answer]:
        """A share of the newest job and the reply to it; made anew when a block came between.

        Skip when the chain moves too fast for a share to be judged.
        """
        for _ in range(TRIES):
            job = connection.job
            found = await (self.find(connection, job) if make is None else make(job))
            if connection.is_stale(job):
                continue
            answer = await self.submit(connection, found.params)
            if not await self.made_stale(connection, job, answer):
                return found, answer
        raise Skip("the chain moved on before a share could be judged")

    async def made_stale(self, connection: ProbeConnection, job: Job, answer: Answer) -> bool:
        """Whether a refusal is explained by a new block whose announcement crossed our share."""
        if answer.reason is not ErrorReason.JOB_NOT_FOUND:
            return False
        return await connection.wait_until(lambda: connection.is_stale(job), NEW_BLOCK_PATIENCE)

    @property
    def chain(self) -> Chain:
        """The node. Skip without one."""
        if self.pool.chain is None:
            raise Skip("needs the pool's node (--node)")
        return self.pool.chain


@asynccontextmanager
async def open_probe(pool: PoolUnderTest, hasher: Hasher, facts: Facts, seed: int) -> AsyncIterator[Probe]:
    """A probe; its connections are closed at the end."""
    async with trio.open_nursery() as nursery:
        probe = Probe(
            pool=pool,
            search=BudgetedSearch(hasher, pool.work_seconds),
            nursery=nursery,
            facts=facts,
            transcript=CheckTranscript(pool.password),
            started=trio.current_time(),
            rng=random.Random(seed),
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
