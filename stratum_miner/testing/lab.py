"""A laboratory for tests: pools, miners that find shares on demand, taps, faults and emulated devices.

This module is for trio tests: ``async with open_lab(seed=7) as lab``. Other tests use ``portal_lab``, which runs the
laboratory in a thread. Some methods wait for an event. Such a method returns as soon as the event happens, and fails if
a time limit is exceeded. No method waits for a fixed time.
"""

import errno
import os
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any, Literal, TypeAlias, TypeVar

import trio

from stratum_miner.bitcoin.target import expected_hashes
from stratum_miner.capture import rules as tap_rules
from stratum_miner.capture.record import Side
from stratum_miner.capture.recorder import RecordedListener, record_connections
from stratum_miner.capture.rules import RuleFilter
from stratum_miner.capture.tap import Tap
from stratum_miner.client import ClientOptions, PoolSettings, PoolUnreachable, PoolUrl
from stratum_miner.client.dialing.dialer import Dialer
from stratum_miner.client.dialing.tls import TlsSettings
from stratum_miner.client.events import ConnectionState, StateChanged
from stratum_miner.emulators import Emulator, emulated
from stratum_miner.faults.faulty_server import behind_faults
from stratum_miner.miner import JobStarted, Miner, MinerEvent, MinerSnapshot
from stratum_miner.pool import Pool, PoolConfig, PoolSnapshot, open_pool
from stratum_miner.pool.nodes import open_node
from stratum_miner.pool.nodes.base import Node
from stratum_miner.pool.nodes.memory import MemoryNode
from stratum_miner.testing.on_demand_backend import OnDemandBackend, ShareKind, why_impossible
from stratum_miner.testing.transcript import LabError, LabMessage, LabTimeout, Transcript
from stratum_miner.work.share_result import ShareOutcome, ShareResult

TIMEOUT = 30.0
"""Default time limit of every wait, in seconds: enough for a busy computer, and not too long for a person."""
SHARE_DIFFICULTY = 1e-6
"""Default share difficulty of a pool: about 4,300 hashes per share."""
NETWORK_DIFFICULTY = 1e-4
"""Default network difficulty of a chain in memory: about 430,000 hashes per block."""
MOST_HASHES = 4e9
"""Maximum expected number of hashes per share: one processor core needs about a minute for them."""
NEXT_BLOCK_SECONDS = 2.0
"""Time limit of the wait for a job on the next block, after the pool has accepted a block, in seconds."""
STARTUP_SECONDS = 2.0
"""Default time in seconds that a pool may take until a miner of the laboratory can connect to it."""
RETRY_SECONDS = 1.0
"""Pause of a miner of the laboratory before it tries again to connect, in seconds."""
PAYOUT_SCRIPT = b"\x51"
CONNECT_SECONDS = 10.0

T = TypeVar("T")
DifficultyGoal: TypeAlias = float | Callable[[float], bool]
"""What to wait for: a share difficulty, or a function that takes a share difficulty and returns whether it is the
wanted one."""


class LabPool:
    """A pool on a free port.

    The pool may have faults (see ``Lab.pool``), which change, delay or drop messages between the pool and its miners.
    ``transcript`` contains the messages as the miners sent and received them. ``url`` is for miners; ``pool`` is the
    ``stratum_miner.pool.Pool`` itself.
    """

    def __init__(self, pool: Pool, node: Node, url: str, transcript: Transcript) -> None:
        self.pool = pool
        self.url = url
        self.transcript = transcript
        self._node = node

    @property
    def port(self) -> int:
        """Return the port on which the pool listens, on 127.0.0.1."""
        return int(self.url.rpartition(":")[2])

    async def snapshot(self) -> PoolSnapshot:
        """Return the figures of the pool at this moment."""
        return self.pool.snapshot()

    async def wait_for(self, message: str, within: float = TIMEOUT) -> dict[str, Any]:
        """Wait for the next request with the method ``message``, such as ``"mining.submit"``, from any miner, and
        return its JSON object.

        A request that came before this call counts as well, but no request is returned twice. Raises LabTimeout if
        no such request comes within ``within`` seconds.
        """
        return await self.transcript.wait_for(message, Side.MINER, within)

    async def new_block(self) -> int:
        """Act as if a miner of another pool had found a block, so that all miners get a job with clean_jobs true.

        Return the height of the block that the new job is for. Raises LabError if the pool was made with
        ``node="kernel"``.
        """
        if not isinstance(self._node, MemoryNode):
            raise LabError(
                "new_block: expected a pool with node='memory', got node='kernel'. To find a block on a kernel node, "
                "use mine_block() of a miner"
            )
        return (await self._node.add_block()).height + 1


class LabMiner:
    """A real miner on one pool, which finds a share only when the test asks for one.

    ``transcript`` contains its messages, ``outcomes`` the results of its shares, ``error`` the exception that ended it.
    """

    def __init__(self, settings: PoolSettings, *, seed: int, startup: float = STARTUP_SECONDS) -> None:
        self.transcript = Transcript()
        self.error: Exception | None = None
        self.outcomes: list[ShareResult] = []
        self.difficulty: float | None = None
        """The share difficulty of the current job; None before the first job."""
        self._extended: bytes | None = None
        """The previous block of the last block that the pool accepted, until the next share is asked for."""
        self._url = settings.url
        self._startup = startup
        self._connected = False
        self._backend = OnDemandBackend(seed=seed)
        self.miner = Miner(
            settings,
            [self._backend],
            weak_blocks=False,
            on_event=self._note,
            options=ClientOptions(
                wrap=partial(record_connections, recorder=self.transcript), retry_pause=RETRY_SECONDS
            ),
            first_extranonce2=_random(seed, 0).getrandbits(64),
        )

    async def run(self) -> None:
        """Mine until cancelled. If mining fails, ``error`` becomes the exception, and methods that wait raise
        LabError."""
        try:
            await self.miner.run()
        except Exception as error:
            self.error = error
            failure = LabError(f"the miner has stopped: {error}")
            failure.__cause__ = error
            self._fail(failure)

    async def expect_connection(self) -> None:
        """Let methods that wait raise LabError if the miner cannot connect to the pool within ``startup`` seconds. The
        miner goes on trying; when it has connected, these methods wait again."""
        await trio.sleep(self._startup)
        if not self._connected:
            _, _, reason = self.transcript.trouble.partition(": ")
            place = f"{self._url.host}:{self._url.port}"
            what = f"no connection to {place}: {reason or 'it did not answer'}"
            if reason == os.strerror(errno.ECONNREFUSED):
                what = f"connection refused by {place}"
            self._fail(
                LabError(
                    f"{what} (tried for {self._startup:g} s). Is the pool running? If it needs more time, use pytest "
                    "--stratum-startup 60s"
                )
            )

    def _fail(self, failure: LabError) -> None:
        self.transcript.failure = failure
        self.transcript.wake()

    async def submit_one(self, within: float = TIMEOUT) -> ShareResult:
        """Find one share, submit it, and return its result: outcome, reason, latency and the share itself. The share is
        no block, unless every share of the job is a block.

        Raises LabTimeout if no job or no result comes within ``within`` seconds. Raises LabError if the miner has
        stopped, or if the difficulty of the job is too high for a test.
        """
        return await self._find(ShareKind.ANY, within)

    async def submit_non_block(self, within: float = TIMEOUT) -> ShareResult:
        """Find one share that is surely no block, submit it, and return its result.

        Raises LabTimeout and LabError for the same reasons as ``submit_one``. Raises LabError also if every share of
        the job is a block.
        """
        return await self._find(ShareKind.NON_BLOCK, within)

    async def mine_block(self, within: float = TIMEOUT) -> ShareResult:
        """Find one share that is also a block, submit it, and return its result.

        Raises LabTimeout and LabError for the same reasons as ``submit_one``.
        """
        return await self._find(ShareKind.BLOCK, within)

    async def until_difficulty(self, wanted: DifficultyGoal, within: float = TIMEOUT) -> float:
        """Wait until the current job has the share difficulty ``wanted``, and return its share difficulty.

        ``wanted`` may also be a function that takes a share difficulty and returns whether it is the wanted one. Raises
        LabTimeout if no such job comes within ``within`` seconds, and LabError if the miner has stopped.
        """
        agrees = wanted if callable(wanted) else lambda value: abs(value - wanted) <= 1e-9 * abs(wanted)
        goal = "that the function accepts" if callable(wanted) else f"of {wanted:g}"
        before = "no job" if self.difficulty is None else f"{self.difficulty:g}"
        await self._until(
            lambda: self.difficulty is not None and agrees(self.difficulty),
            f"a job with a share difficulty {goal} (at the start: {before})",
            within,
        )
        assert self.difficulty is not None
        return self.difficulty

    async def wait_for(self, message: str, within: float = TIMEOUT) -> dict[str, Any]:
        """Wait for the pool's next message with the method ``message``, such as ``"mining.notify"``, and return it.

        A message that came before this call counts as well, but no message is returned twice. A reply counts as a
        message with the method of its request. Raises LabTimeout if no such message comes within ``within`` seconds.
        """
        return await self.transcript.wait_for(message, Side.POOL, within)

    async def snapshot(self) -> MinerSnapshot:
        """Return the figures of the miner at this moment."""
        return self.miner.snapshot()

    async def stop(self) -> None:
        """Stop the miner gracefully, as Ctrl-C would."""
        self.miner.stop()

    async def _find(self, kind: ShareKind, within: float) -> ShareResult:
        await self._until(lambda: self.miner.scheduler.job is not None, "a job", within)
        await self._wait_for_next_block()
        job = self.miner.scheduler.job
        if job is not None:
            if impossible := why_impossible(job, kind):
                raise LabError(
                    f"expected {kind.value}, but {impossible}. Use a pool with a higher network difficulty, as one of "
                    "the laboratory with node='memory', or 'stratum-miner pool --network-difficulty'"
                )
            block = kind is ShareKind.BLOCK
            target = min(job.share_target, job.network_target) if block else job.share_target
            if expected_hashes(target) > MOST_HASHES:
                option, value = (
                    ("network_difficulty", job.network_difficulty) if block else ("difficulty", job.share_difficulty)
                )
                raise LabError(f"{option}: expected a value below 1, so that a test can find shares, got {value:g}")
        number = len(self.outcomes)
        self._backend.find_one(kind)
        await self._until(lambda: len(self.outcomes) > number, "the result of a share", within)
        result = self.outcomes[number]
        if result.outcome is ShareOutcome.ACCEPTED and result.share.is_block:
            self._extended = result.share.job.previous_hash
        return result

    async def _wait_for_next_block(self) -> None:
        """If the pool has accepted a block of this miner, wait for a job on the next block, because further shares of
        the old job are stale. Go on without such a job if it does not come soon: the node may have rejected the block.
        """
        extended = self._extended
        if extended is not None:
            with suppress(LabTimeout):
                await self._until(
                    lambda: (job := self.miner.scheduler.job) is not None and job.previous_hash != extended,
                    "a job on the next block",
                    NEXT_BLOCK_SECONDS,
                )
            self._extended = None

    async def _until(self, condition: Callable[[], bool], what: str, within: float) -> None:
        await self.transcript.until(lambda: _YES if condition() else None, what, within)

    def _note(self, event: MinerEvent) -> None:
        if isinstance(event, ShareResult):
            self.outcomes.append(event)
        elif isinstance(event, JobStarted):
            self.difficulty = event.job.share_difficulty
        elif isinstance(event, StateChanged):
            if event.state in (ConnectionState.HANDSHAKE, ConnectionState.MINING) and not self._connected:
                self._connected, self.transcript.failure = True, None
            if event.state is ConnectionState.WAITING:
                self.transcript.trouble = event.detail
            elif event.state is ConnectionState.MINING:
                self.transcript.trouble = ""
        self.transcript.wake()


_YES = LabMessage(0, Side.MINER, b"", None, None)


class LabTap:
    """A tap on a free port, between miners and a pool. Miners connect to its ``url``.

    ``transcript`` contains the lines that the tap delivered.
    """

    def __init__(self, url: str, transcript: Transcript) -> None:
        self.url = url
        self.transcript = transcript

    async def wait_for(self, message: str, within: float = TIMEOUT) -> dict[str, Any]:
        """Wait until the tap delivers a message with the method ``message``, such as ``"mining.submit"``, to either
        side, and return it.

        A message that was delivered before this call counts as well, but no message is returned twice. A reply counts
        as a message with the method of its request. Raises LabTimeout if no such message comes within ``within``
        seconds.
        """
        return await self.transcript.wait_for(message, None, within)


class Lab:
    """Makes pools, miners, taps and devices. All of them are closed together with the laboratory.

    If two runs of a test use the same ``seed`` and call the methods of the laboratory in the same order, the miners,
    faults, rules and devices make the same random choices in both runs.
    """

    def __init__(self, nursery: trio.Nursery, seed: int, startup: float = STARTUP_SECONDS) -> None:
        self.seed = seed
        self._startup = startup
        self._nursery = nursery
        self._made = 0

    async def pool(
        self,
        *,
        difficulty: float = SHARE_DIFFICULTY,
        network_difficulty: float = NETWORK_DIFFICULTY,
        faults: Sequence[str] = (),
        node: Literal["memory", "kernel"] = "memory",
        tls: ssl.SSLContext | None = None,
        **config: Any,
    ) -> LabPool:
        """Open a pool on a free port of 127.0.0.1.

        ``difficulty``: share difficulty of the pool.
        ``node``: ``memory`` is a block chain that checks header, coinbase and merkle root of a block, and nothing else
        (``stratum_miner.pool.nodes.memory``). ``kernel`` validates blocks with Bitcoin Core's code on regtest, where
        every second hash is a block; it needs the extra ``regtest`` of the distribution.
        ``network_difficulty``: network difficulty, if ``node`` is ``memory``.
        ``faults``: pool faults such as ``slow-replies=3``.
        ``tls``: TLS context of the pool's port.

        Other parameters are passed to ``PoolConfig``. Raises ValueError if a fault is unknown.
        """
        transcript = Transcript()
        chain = await self._host(open_node("kernel")) if node == "kernel" else MemoryNode(network_difficulty)
        [socket] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = socket.socket.getsockname()[1]
        inner = socket if tls is None else trio.SSLListener(socket, tls)
        listener = RecordedListener(inner, transcript)
        settings = PoolConfig(**{"payout_script": PAYOUT_SCRIPT, "port": 0, "difficulty": difficulty, **config})
        if faults:
            opening = behind_faults(
                lambda inner: open_pool(chain, settings, listeners=inner),
                faults,
                listeners=[listener],
                seed=self._seed(),
            )
        else:
            opening = open_pool(chain, settings, listeners=[listener])
        scheme = "stratum+tcp" if tls is None else "stratum+ssl"
        return LabPool(await self._host(opening), chain, f"{scheme}://127.0.0.1:{port}", transcript)

    async def miner(
        self,
        url: str,
        *,
        worker_name: str = "alice.rig",
        password: str = "x",
        tls: TlsSettings | None = None,
        **more: Any,
    ) -> LabMiner:
        """Start a miner on the pool at ``url``. It connects at once, and again if the connection ends.

        ``tls``: TLS settings of the miner. Other parameters are passed to ``PoolSettings``. Raises PoolUrlError
        if the URL is invalid.
        """
        settings = PoolSettings(url=PoolUrl.parse(url), worker_name=worker_name, password=password, **more)
        miner = LabMiner(
            settings if tls is None else replace(settings, tls=tls), seed=self._seed(), startup=self._startup
        )
        self._nursery.start_soon(miner.run)
        self._nursery.start_soon(miner.expect_connection)
        return miner

    async def fleet(self, url: str, count: int, *, worker_name: str = "alice", **more: Any) -> list[LabMiner]:
        """Start ``count`` miners with the worker names ``alice.1``, ``alice.2`` and so on.

        The other parameters are those of ``miner``. Raises ValueError if ``count`` is below 1, and PoolUrlError if the
        URL is invalid.
        """
        if count < 1:
            raise ValueError(f"fleet: expected a count of at least 1, got {count}")
        return [await self.miner(url, worker_name=f"{worker_name}.{n}", **more) for n in range(1, count + 1)]

    async def tap(self, url: str, *rules: str, tls: TlsSettings | None = None) -> LabTap:
        """Open a tap in front of the pool at ``url``, on a free port of 127.0.0.1.

        ``rules`` are those of ``stratum-miner tap --rule``, such as ``drop nth=3``. ``tls``: settings for the
        connection to a pool with TLS. Raises ``capture.rules.RuleError`` if a rule is invalid, and PoolUrlError if the
        URL is invalid.
        """
        chosen, seed, transcript = [tap_rules.parse(rule) for rule in rules], self._seed(), Transcript()
        upstream, dial = PoolUrl.parse(url), Dialer(tls or TlsSettings())
        tap = Tap(
            lambda: dial(upstream, CONNECT_SECONDS),
            lambda number: RuleFilter(chosen, _random(seed, number)),
            unreachable=PoolUnreachable,
            recorder=transcript,
        )
        listeners = await self._nursery.start(tap.serve, await trio.open_tcp_listeners(0, host="127.0.0.1"))
        return LabTap(f"stratum+tcp://127.0.0.1:{listeners[0].socket.getsockname()[1]}", transcript)

    async def device(self, kind: str, **options: Any) -> Emulator:
        """Open an emulated device of a kind such as ``erupter`` on a pseudo-terminal; a driver opens its ``path``.

        ``options`` are those of ``stratum_miner.emulators.emulated``. Raises EmulatorError if there is no such kind.
        """
        return await self._host(emulated(kind, **{"seed": self._seed(), **options}))

    def _seed(self) -> int:
        self._made += 1
        return _random(self.seed, self._made).getrandbits(32)

    async def _host(self, context: AbstractAsyncContextManager[T]) -> T:
        value: T = await self._nursery.start(_hold, context)
        return value


@asynccontextmanager
async def open_lab(seed: int = 0, *, startup: float = STARTUP_SECONDS) -> AsyncIterator[Lab]:
    """Open a laboratory for the duration of the ``with`` statement; at its end, everything in the laboratory is closed.

    ``startup``: seconds that a pool may take until a miner can connect to it. If it takes longer, the test fails.
    An exception that is raised inside the statement is passed on as it is, not inside an exception group.
    """
    failure: Exception | None = None
    async with trio.open_nursery() as nursery:
        try:
            yield Lab(nursery, seed, startup)
        except Exception as error:
            failure = error
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure


async def _hold(context: AbstractAsyncContextManager[T], *, task_status: trio.TaskStatus[T]) -> None:
    async with context as value:
        task_status.started(value)
        await trio.sleep_forever()


def _random(seed: int, number: int) -> Random:
    return Random(f"{seed}/{number}")
