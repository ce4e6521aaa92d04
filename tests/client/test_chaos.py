"""Pools that misbehave at random, from a seed. Each share gets exactly one result, none is sent twice except after a
resume, and none reaches a session that did not issue its job.
"""

import gc
import json
import random
from collections import Counter

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from stratum_miner.client import ClientOptions, PoolSettings, PoolUnreachable, PoolUrl
from stratum_miner.client.connection import PoolConnection
from stratum_miner.client.events import ClientEvent, JobArrived, ShareAnswered, WorkLost
from stratum_miner.client.group.group import PoolGroup
from stratum_miner.client.reconnecting import PoolClient
from stratum_miner.stratum.client_connection import ClientConnection
from stratum_miner.testing.manual_pool import REGTEST_JOB
from stratum_miner.work.job import Job
from stratum_miner.work.share import Share, verify
from stratum_miner.work.share_result import ShareOutcome
from stratum_miner.work.space import SearchSpace
from stratum_miner.work.unit import NonceFound

DISCONNECTS, LONG = 200, 1000
"""Number of connections of a run, and of the runs of the second tier."""
RATE = 4000
"""How many times as fast as real time the clock of the run on real sockets is."""


class ChaosPool:
    """Serves short connections on memory streams; each misbehaves in its own way."""

    def __init__(self, name: str, source: random.Random, enough: int) -> None:
        self.name = name
        self.source = source
        self.lives = 0
        self.enough = enough
        self.done = trio.Event()
        self.wrong: list[str] = []
        self.seen: Counter[tuple[object, ...]] = Counter()
        self.resumes = 0
        self._jobs = 0
        self._jobs_of: dict[str, set[str]] = {}
        """Extranonce 1 at subscribe to the ids of the jobs issued under it."""

    async def serve(self, stream: trio.abc.Stream) -> None:
        self.lives += 1
        if self.lives == self.enough:
            self.done.set()
        try:
            with trio.move_on_after(self.source.choice((0.05, 1.0, 20.0, 300.0))):
                await _Life(self, stream).run()
        except* (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            with trio.CancelScope(shield=True):
                await trio.aclose_forcefully(stream)

    def new_job(self, session: str) -> str:
        self._jobs += 1
        identifier = f"{self.name}{self._jobs}"
        self._jobs_of.setdefault(session, set()).add(identifier)
        return identifier

    def issued(self, session: str, job: str) -> bool:
        return job in self._jobs_of.get(session, set())


class _Life:
    """One connection."""

    def __init__(self, pool: ChaosPool, stream: trio.abc.Stream) -> None:
        self.pool, self.source, self.stream = pool, pool.source, stream
        self.session = ""
        self._sending = trio.Lock()
        self.owed: list[bytes] = []
        """Replies that are sent later and in another order."""

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._misbehave)
            await self._listen()
            nursery.cancel_scope.cancel()

    async def _listen(self) -> None:
        buffer = b""
        while data := await self.stream.receive_some(65536):
            buffer += data
            *lines, buffer = buffer.split(b"\n")
            for line in lines:
                await self._answer(json.loads(line))

    async def _answer(self, request: dict[str, object]) -> None:
        match request["method"]:
            case "mining.configure":
                if self.source.random() < 0.9:
                    await self._reply(request, {"version-rolling": True, "version-rolling.mask": "1fffe000"})
            case "mining.subscribe":
                await self._subscribe(request)
            case "mining.authorize":
                await self._reply(request, True)
                await self._notify()
            case "mining.submit":
                await self._submit(request)
            case _:
                await self._reply(request, True)

    async def _subscribe(self, request: dict[str, object]) -> None:
        params = request["params"]
        assert isinstance(params, list)
        wanted = params[1] if len(params) > 1 else None
        if isinstance(wanted, str) and self.source.random() < 0.5:
            self.session = wanted  # resumed: the session id is the extranonce it began with
            self.pool.resumes += 1
        else:
            self.session = f"{self.source.getrandbits(32):08x}"
        await self._reply(request, [[["mining.notify", self.session]], self.session, 4])
        await self._say("mining.set_difficulty", self.source.choice((1e-9, 1e-10, 2e-9)))

    async def _submit(self, request: dict[str, object]) -> None:
        params = request["params"]
        assert isinstance(params, list)
        if not self.pool.issued(self.session, params[1]):
            self.pool.wrong.append(f"job {params[1]} on session {self.session}")
        self.pool.seen[self.session, *params[1:]] += 1
        answer = self.source.choice((True, True, True, [21, "stale", None], [23, "low", None], [22, "dup", None], None))
        if answer is None:
            return  # never answered
        reply = {"id": request["id"], "result": answer is True or None, "error": None if answer is True else answer}
        line = json.dumps(reply).encode() + b"\n"
        if self.source.random() < 0.3:
            self.owed.append(line)
        else:
            await self._send(line)
            if self.source.random() < 0.1:
                await self._send(line)  # twice

    async def _misbehave(self) -> None:
        source = self.source
        while True:
            await trio.sleep(source.choice((0.001, 0.01, 0.5, 5)))
            match source.randrange(12):
                case 0:
                    await self._send(b'{"id":null,"method":"mining.not')
                    await trio.aclose_forcefully(self.stream)  # half a line, then gone
                    return
                case 1:
                    await trio.aclose_forcefully(self.stream)
                    return
                case 2:
                    await trio.sleep(source.choice((1, 70, 200)))  # silence
                case 3 if self.session:
                    for _ in range(source.randrange(2, 30)):
                        await self._notify()
                case 4 if self.session:
                    await self._say("mining.set_difficulty", source.choice((1e-9, 1e-10, 5e-9, 0, "x")))
                case 5 if self.session:
                    await self._say(
                        "mining.set_version_mask", source.choice(("1fffe000", "00000000", "0000e000", "zz"))
                    )
                case 6:
                    source.shuffle(self.owed)
                    owed, self.owed = self.owed, []
                    for line in owed:
                        await self._send(line)
                case 7:
                    await self._send(source.choice((b"{}\n", b"[]\n", b"\n", b"nonsense\n", b'{"id":7}\n')))
                case 8:
                    await self._say("client.reconnect")
                case _ if self.session:
                    await self._notify()

    async def _notify(self) -> None:
        params = list(REGTEST_JOB)
        params[0] = self.pool.new_job(self.session)
        params[1] = f"{self.source.randrange(4):064x}"
        params[8] = self.source.random() < 0.5
        await self._say("mining.notify", *params)

    async def _send(self, data: bytes) -> None:
        async with self._sending:
            await self.stream.send_all(data)

    async def _say(self, method: str, *params: object) -> None:
        await self._send(json.dumps({"id": None, "method": method, "params": params}).encode() + b"\n")

    async def _reply(self, request: dict[str, object], result: object) -> None:
        await self._send(json.dumps({"id": request["id"], "result": result, "error": None}).encode() + b"\n")


class Digger:
    """Finds shares of its present job, and counts them."""

    def __init__(self, source: random.Random) -> None:
        self.source = source
        self.job: Job | None = None
        self.found: list[Share] = []
        self.fates: Counter[ShareOutcome] = Counter()
        self.settled: Counter[int] = Counter()
        self._spaces: dict[int, SearchSpace] = {}
        self._nonce = 0

    def tell(self, event: ClientEvent) -> None:
        match event:
            case JobArrived(job):
                self.job = job
                space = self._spaces.setdefault(job.origin.session, SearchSpace())
                space.set_job(job)
                if len(self._spaces) > 50:
                    del self._spaces[next(iter(self._spaces))]
            case WorkLost():
                self.job = None
            case ShareAnswered(result):
                self.fates[result.outcome] += 1
                self.settled[id(result.share)] += 1

    async def dig(self, client: PoolClient | PoolGroup) -> None:
        """Submit bursts of shares from time to time; some of them are late, for an old job."""
        late: list[Share] = []
        while True:
            await trio.sleep(self.source.choice((0.002, 0.2, 3)))
            batch = self._find(self.source.randrange(4))
            if self.source.random() < 0.2:
                late += batch
                continue
            for share in [*batch, *late]:
                self.found.append(share)
                client.submit(share)
            late = []

    def _find(self, count: int) -> list[Share]:
        if self.job is None:
            return []
        unit = self._spaces[self.job.origin.session].next_unit(trio.current_time() + self.job.ntime)
        if unit is None:
            return []
        found: list[Share] = []
        for nonce in range(64):
            verdict = verify(NonceFound(unit, nonce, unit.version))
            if isinstance(verdict, Share) and len(found) < count:
                found.append(verdict)
        return found


async def until_enough(digger: Digger, *pools: ChaosPool) -> None:
    """Wait until each pool has ended its connections, and 200 shares were found, among them some of each outcome."""
    for pool in pools:
        await pool.done.wait()
    while len(digger.found) < 200 or len(digger.fates) < len(ShareOutcome):  # noqa: ASYNC110  the clock is virtual
        await trio.sleep(1)


def check(digger: Digger, *pools: ChaosPool) -> None:
    assert sum(digger.fates.values()) == len(digger.found)
    assert set(digger.settled.values()) == {1}
    assert [problem for pool in pools for problem in pool.wrong] == []
    assert all(count <= 1 + pool.resumes for pool in pools for count in pool.seen.values())


@pytest.mark.parametrize(("seed", "lives"), [(1, DISCONNECTS), pytest.param(2, LONG, marks=pytest.mark.slow)])
async def test_one_pool_at_its_worst(seed: int, lives: int, autojump_clock: MockClock) -> None:
    source = random.Random(seed)
    pool, digger = ChaosPool("a", source, lives), Digger(source)
    async with trio.open_nursery() as connections:

        async def connect(url: PoolUrl, seconds: float) -> trio.abc.Stream:
            await trio.lowlevel.checkpoint()
            if source.random() < 0.1:
                raise PoolUnreachable("Connection refused")
            ours, theirs = trio.testing.memory_stream_pair()
            connections.start_soon(pool.serve, theirs)
            return ours

        client = PoolClient(
            PoolSettings(url=PoolUrl("a.example", 1), worker_name="w"), digger.tell,
            ClientOptions(clock=trio.current_time, rng=random.Random(seed), connect=connect),
        )  # fmt: skip
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.run)
            nursery.start_soon(digger.dig, client)
            await until_enough(digger, pool)
            nursery.cancel_scope.cancel()
        connections.cancel_scope.cancel()
    check(digger, pool)


@pytest.mark.parametrize("lives", [DISCONNECTS, pytest.param(LONG, marks=pytest.mark.slow)])
async def test_one_pool_at_its_worst_on_real_sockets(lives: int, mock_clock: MockClock) -> None:
    mock_clock.rate = RATE
    source = random.Random(4)
    pool, digger = ChaosPool("a", source, lives), Digger(source)
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]
    client = PoolClient(
        PoolSettings(url=PoolUrl("127.0.0.1", port), worker_name="w"),
        digger.tell,
        ClientOptions(clock=trio.current_time, rng=random.Random(4)),
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, pool.serve, listeners)
        nursery.start_soon(client.run)
        nursery.start_soon(digger.dig, client)
        await until_enough(digger, pool)
        nursery.cancel_scope.cancel()
    check(digger, pool)
    gc.collect()
    assert sum(isinstance(item, PoolConnection | ClientConnection) for item in gc.get_objects()) == 0, (
        "what is over is gone"
    )


async def test_two_pools_at_their_worst_and_taken_away_by_hand(autojump_clock: MockClock) -> None:
    source = random.Random(3)
    pools = {name: ChaosPool(name, source, DISCONNECTS // 4) for name in ("a", "b")}
    digger = Digger(source)
    async with trio.open_nursery() as connections:

        async def connect(url: PoolUrl, seconds: float) -> trio.abc.Stream:
            await trio.lowlevel.checkpoint()
            ours, theirs = trio.testing.memory_stream_pair()
            connections.start_soon(pools[url.host[0]].serve, theirs)
            return ours

        group = PoolGroup(
            [PoolSettings(url=PoolUrl(f"{name}.example", 1), worker_name="w") for name in pools],
            digger.tell, ClientOptions(clock=trio.current_time, rng=random.Random(3), connect=connect),
        )  # fmt: skip

        async def switch() -> None:
            while True:
                await trio.sleep(source.uniform(10, 400))
                group.control.enable(0, enabled=source.random() < 0.6)
                group.control.enable(1, enabled=True)
                if source.random() < 0.3:
                    group.control.move(0, 1)
                if source.random() < 0.3:
                    settings = PoolSettings(url=group.control.pools()[1].client.url, worker_name="w")
                    group.control.remove(1)
                    await trio.sleep(source.uniform(0, 100))
                    group.control.add(settings, source.randrange(2))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(group.run)
            nursery.start_soon(digger.dig, group)
            nursery.start_soon(switch)
            await until_enough(digger, *pools.values())
            nursery.cancel_scope.cancel()
        connections.cancel_scope.cancel()
    check(digger, *pools.values())
