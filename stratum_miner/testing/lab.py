"""A laboratory for tests: a pool, miners that find shares on demand, fleets, faults, taps and devices, all in one.

This is the trio side. ``async with open_lab(seed=7) as lab`` in a trio test; other tests go through ``portal_lab``,
which runs it in a thread. Whatever is waited for is an event, bounded by a limit; nothing here sleeps.
"""

import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any, Literal, TypeAlias, TypeVar

import trio

from stratum_miner.bitcoin.target import bits_from_target, expected_hashes, target_from_difficulty
from stratum_miner.capture import rules as tap_rules
from stratum_miner.capture.record import Side
from stratum_miner.capture.recorder import RecordedListener, record_connections
from stratum_miner.capture.rules import RuleFilter
from stratum_miner.capture.tap import Tap
from stratum_miner.client import ClientOptions, PoolSettings, PoolUnreachable, PoolUrl
from stratum_miner.client.dialing.dialer import Dialer
from stratum_miner.client.dialing.tls import TlsSettings
from stratum_miner.emulators import Emulator, emulated
from stratum_miner.faults.faulty_server import behind_faults
from stratum_miner.miner import JobStarted, Miner, MinerEvent, MinerSnapshot
from stratum_miner.pool import Pool, PoolConfig, PoolSnapshot, open_pool
from stratum_miner.pool.nodes import open_node
from stratum_miner.pool.nodes.base import Node
from stratum_miner.testing.on_demand_backend import OnDemandBackend
from stratum_miner.testing.scripted_node import ScriptedNode, make_template
from stratum_miner.testing.transcript import LabMessage, LabTimeout, Transcript
from stratum_miner.work.share_result import ShareOutcome, ShareResult

TIMEOUT = 30.0
"""Seconds that any wait may take unless told: long for a busy machine, short for a person."""
SHARE_DIFFICULTY = 1e-6
"""4300 hashes a share."""
NETWORK_DIFFICULTY = 1e-4
"""430 000 hashes a block: one share in a hundred is one."""
MOST_HASHES = 4e9
"""What an order may take on average: a minute of one core."""
PAYOUT_SCRIPT = b"\x51"
CONNECT_SECONDS = 10.0

T = TypeVar("T")
DifficultyGoal: TypeAlias = float | Callable[[float], bool]


class LabError(AssertionError):
    """A part of the laboratory has failed; the text says which and why."""


class LabPool:
    """A pool on a port of its own. It sees what faults before it let through; the transcript has what miners got."""

    def __init__(self, pool: Pool, node: Node, url: str, transcript: Transcript) -> None:
        self.pool = pool
        self.url = url
        self.transcript = transcript
        self._node = node

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.url.rpartition(":")[2])

    async def snapshot(self) -> PoolSnapshot:
        """Its figures of this moment."""
        return self.pool.snapshot()

    async def wait_for(self, message: str, within: float = TIMEOUT) -> dict[str, Any]:
        """The next request of this method from any miner. LabTimeout."""
        return await self.transcript.wait_for(message, Side.MINER, within)

    async def new_block(self) -> int:
        """Somebody else finds a block: all miners get a clean job. Returns the height to mine now."""
        if not isinstance(self._node, ScriptedNode):
            raise LabError("new_block: expected a pool with node='scripted', a real chain has its own mind")
        before = self._node.template
        self._node.push(make_template(before.height + 1, nbits=before.nbits, curtime=before.curtime + 1))
        return before.height + 1


class LabMiner:
    """A real miner on one pool that finds a share when told, and none otherwise."""

    def __init__(self, settings: PoolSettings, *, seed: int) -> None:
        self.transcript = Transcript()
        self.error: Exception | None = None
        self.outcomes: list[ShareResult] = []
        self.difficulty: float | None = None
        """The share difficulty of the job that is being mined; None before the first."""
        self._backend = OnDemandBackend(seed=seed)
        self.miner = Miner(
            settings,
            [self._backend],
            weak_blocks=False,
            on_event=self._note,
            options=ClientOptions(wrap=partial(record_connections, recorder=self.transcript)),
            first_extranonce2=_random(seed, 0).getrandbits(64),
        )

    async def run(self) -> None:
        """Mine until cancelled; what goes wrong is told to whoever waits."""
        try:
            await self.miner.run()
        except Exception as error:
            self.error = error
            self.transcript.wake()

    async def submit_one(self, within: float = TIMEOUT) -> ShareResult:
        """Find one share, submit it, return what became of it. LabTimeout, LabError."""
        return await self._find(block=False, within=within)

    async def mine_block(self, within: float = TIMEOUT) -> ShareResult:
        """The same with a share that is a block."""
        return await self._find(block=True, within=within)

    async def until_difficulty(self, wanted: DifficultyGoal, within: float = TIMEOUT) -> float:
        """Wait until the job that is mined has this difficulty, or one that the function agrees to; returns it."""
        agrees = wanted if callable(wanted) else lambda value: abs(value - wanted) <= 1e-9 * abs(wanted)
        await self._until(
            lambda: self.difficulty is not None and agrees(self.difficulty),
            f"a job of difficulty {'as wanted' if callable(wanted) else wanted}, not {self.difficulty}",
            within,
        )
        assert self.difficulty is not None
        return self.difficulty

    async def wait_for(self, message: str, within: float = TIMEOUT) -> dict[str, Any]:
        """The next message of this method from the pool, or its next reply to a request of this method."""
        return await self.transcript.wait_for(message, Side.POOL, within)

    async def snapshot(self) -> MinerSnapshot:
        """Its figures of this moment."""
        return self.miner.snapshot()

    async def stop(self) -> None:
        """Leave the pool as a user's Ctrl-C would."""
        self.miner.stop()

    async def _find(self, *, block: bool, within: float) -> ShareResult:
        await self._until(lambda: self.miner.scheduler.job is not None, "a job", within)
        job = self.miner.scheduler.job
        if job is not None:
            target = min(job.share_target, job.network_target) if block else job.share_target
            if expected_hashes(target) > MOST_HASHES:
                what = f"difficulty {job.network_difficulty if block else job.share_difficulty:g}"
                raise LabError(f"expected a difficulty that a test can mine (below 1), the pool's job has {what}")
        number = len(self.outcomes)
        self._backend.find_one(block=block)
        await self._until(lambda: len(self.outcomes) > number, "the answer to a share", within)
        return self.outcomes[number]

    async def _until(self, condition: Callable[[], bool], what: str, within: float) -> None:
        def look() -> LabMessage | None:
            if self.error is not None:
                raise LabError(f"the miner has ended: {self.error}") from self.error
            return _YES if condition() else None

        await self.transcript.until(look, what, within)

    def _note(self, event: MinerEvent) -> None:
        if isinstance(event, ShareResult):
            self.outcomes.append(event)
        elif isinstance(event, JobStarted):
            self.difficulty = event.job.share_difficulty
        self.transcript.wake()


_YES = LabMessage(0, Side.MINER, b"", None, None)


class LabTap:
    """A tap on a port of its own, between miners and a pool."""

    def __init__(self, url: str, transcript: Transcript) -> None:
        self.url = url
        self.transcript = transcript

    async def wait_for(self, message: str, within: float = TIMEOUT) -> dict[str, Any]:
        """The next message of this method that was let through, or a reply to one, from either side."""
        return await self.transcript.wait_for(message, None, within)


class Lab:
    """Makes the parts; all of them end with it. Equal seeds make equal miners, fleets and faults."""

    def __init__(self, nursery: trio.Nursery, seed: int) -> None:
        self.seed = seed
        self._nursery = nursery
        self._made = 0

    async def pool(
        self,
        *,
        difficulty: float = SHARE_DIFFICULTY,
        network_difficulty: float = NETWORK_DIFFICULTY,
        faults: Sequence[str] = (),
        node: Literal["scripted", "kernel"] = "scripted",
        tls: ssl.SSLContext | None = None,
        **config: Any,
    ) -> LabPool:
        """A pool, with faults before it if any are named. ``config`` goes to ``PoolConfig``.

        A scripted node takes every block; ``kernel`` is Bitcoin Core's own validation on regtest (extra ``regtest``),
        where every second hash is a block.
        """
        transcript = Transcript()
        chain = await self._host(open_node("kernel")) if node == "kernel" else _scripted(network_difficulty)
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
        """A miner on the pool at ``url``; ``more`` goes to ``PoolSettings``. It connects at once."""
        settings = PoolSettings(url=PoolUrl.parse(url), worker_name=worker_name, password=password, **more)
        miner = LabMiner(settings if tls is None else replace(settings, tls=tls), seed=self._seed())
        self._nursery.start_soon(miner.run)
        return miner

    async def fleet(self, url: str, count: int, *, worker_name: str = "alice", **more: Any) -> list[LabMiner]:
        """Several miners, each a worker of its own: ``alice.1`` and on."""
        if count < 1:
            raise ValueError(f"fleet: expected a number of miners above zero, got {count}")
        return [await self.miner(url, worker_name=f"{worker_name}.{n}", **more) for n in range(1, count + 1)]

    async def tap(self, url: str, *rules: str, tls: TlsSettings | None = None) -> LabTap:
        """A tap before the pool at ``url``, with rules as ``stratum-miner tap --rule`` takes them."""
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
        """An emulated device on a pseudo-terminal; its ``path`` is for a driver to open."""
        return await self._host(emulated(kind, **{"seed": self._seed(), **options}))

    def _seed(self) -> int:
        self._made += 1
        return _random(self.seed, self._made).getrandbits(32)

    async def _host(self, context: AbstractAsyncContextManager[T]) -> T:
        value: T = await self._nursery.start(_hold, context)
        return value


@asynccontextmanager
async def open_lab(seed: int = 0) -> AsyncIterator[Lab]:
    """A laboratory that lasts as long as the block; what the block raises comes out as it is, in no group."""
    failure: Exception | None = None
    async with trio.open_nursery() as nursery:
        try:
            yield Lab(nursery, seed)
        except Exception as error:
            failure = error
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure


async def _hold(context: AbstractAsyncContextManager[T], *, task_status: trio.TaskStatus[T]) -> None:
    async with context as value:
        task_status.started(value)
        await trio.sleep_forever()


def _scripted(network_difficulty: float) -> ScriptedNode:
    nbits = bits_from_target(target_from_difficulty(network_difficulty))
    return ScriptedNode(make_template(nbits=nbits), grows=True)


def _random(seed: int, number: int) -> Random:
    return Random(f"{seed}/{number}")


__all__ = ["Lab", "LabError", "LabMiner", "LabPool", "LabTap", "LabTimeout", "ShareOutcome", "open_lab"]
