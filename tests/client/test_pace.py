"""Whatever a pool does, the client reconnects to it at most once a second, and can still mine on another pool."""

import contextlib
import itertools
import json
import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from stratum_miner.client import ClientOptions, PoolSettings, PoolUnreachable, PoolUrl
from stratum_miner.client.events import ClientEvent, JobArrived
from stratum_miner.client.group.group import PoolGroup
from stratum_miner.client.pool_memory import Memories
from stratum_miner.client.reconnecting import PoolClient
from stratum_miner.client.settings import Strategy
from stratum_miner.testing.manual_pool import ManualPool
from tests.client.client_lab import lab
from tests.work.jobs import body_of

Behaviour = Callable[[trio.abc.Stream], Any]


class Pools:
    """Pools with a behaviour that the test chooses, and the times of the connections to each."""

    def __init__(self, nursery: trio.Nursery, behaviour: Behaviour) -> None:
        self.times: list[float] = []
        self.hosts: list[str] = []
        self._nursery = nursery
        self._behaviour = behaviour

    async def connect(self, url: PoolUrl, seconds: float) -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        self.times.append(trio.current_time())
        self.hosts.append(url.host)
        ours, theirs = trio.testing.memory_stream_pair()
        self._nursery.start_soon(self._serve, theirs)
        return ours

    async def _serve(self, stream: trio.abc.Stream) -> None:
        with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await self._behaviour(stream)

    @property
    def intervals(self) -> list[float]:
        return [later - earlier for earlier, later in itertools.pairwise(self.times)]


def new_client(pools: Pools, memories: Memories | None = None, **settings: Any) -> PoolClient:
    return PoolClient(
        PoolSettings(**{"url": PoolUrl("pool.example.com", 3333), "worker_name": "w", **settings}),
        lambda event: None,
        ClientOptions(
            clock=trio.current_time,
            rng=random.Random(1),
            connect=pools.connect,
            memories={} if memories is None else memories,
        ),
    )


def ordering(*params: Any) -> Behaviour:
    """A pool that sends client.reconnect on every connection."""

    async def behave(stream: trio.abc.Stream) -> None:
        await stream.receive_some(4096)
        line = json.dumps({"id": None, "method": "client.reconnect", "params": params}).encode() + b"\n"
        await stream.send_all(line * 3)
        await trio.sleep_forever()

    return behave


async def hang_up(stream: trio.abc.Stream) -> None:
    await stream.receive_some(4096)
    await stream.aclose()


async def hang_up_unheard(stream: trio.abc.Stream) -> None:
    await stream.aclose()


async def hang_up_after_a_job(stream: trio.abc.Stream) -> None:
    pool = ManualPool(stream)
    await pool.accept()
    await pool.notify()
    await stream.aclose()


async def refuse_the_subscription(stream: trio.abc.Stream) -> None:
    await stream.receive_some(4096)
    await stream.send_all(b'{"id":2,"result":null,"error":[20,"no",null]}\n')
    await trio.sleep_forever()


async def talk_nonsense(stream: trio.abc.Stream) -> None:
    await stream.receive_some(4096)
    await stream.send_all(b"SSH-2.0-OpenSSH_9\r\n")
    await trio.sleep_forever()


WAITS: list[Any] = [0, 0.001, 1e-9, 0.5, 1, "0.001", "1e-300", -1, -1e300, "nan", None, [], {}, True, "soon"]


@pytest.mark.parametrize(
    "behaviour",
    [
        *(pytest.param(ordering("eu.example.com", 3333, wait), id=f"wait {wait!r}") for wait in WAITS),
        pytest.param(ordering(), id="no host"),
        pytest.param(ordering("pool.example.com", 4444), id="another port"),
        hang_up,
        hang_up_unheard,
        hang_up_after_a_job,
        refuse_the_subscription,
        talk_nonsense,
    ],
)
@pytest.mark.parametrize("addresses", [0, 5])
async def test_no_pool_makes_more_than_one_connection_a_second(
    autojump_clock: MockClock, behaviour: Behaviour, addresses: int
) -> None:
    async with trio.open_nursery() as nursery:
        pools = Pools(nursery, behaviour)
        more = tuple(PoolUrl(f"p{number}.example.com", 3333) for number in range(addresses))
        nursery.start_soon(new_client(pools, addresses=more).run)
        await trio.sleep(600)
        nursery.cancel_scope.cancel()
    assert len(pools.times) >= 5, "it is tried again"
    assert min(pools.intervals) >= 1
    assert len(set(pools.intervals)) > 2, "with jitter"


@pytest.mark.parametrize("wait", [1e6, 1e300, "1e300", 300, "300"])
async def test_an_order_to_wait_is_bounded(autojump_clock: MockClock, wait: Any) -> None:
    async with trio.open_nursery() as nursery:
        pools = Pools(nursery, ordering("pool.example.com", 3333, wait))
        nursery.start_soon(new_client(pools).run)
        await trio.sleep(3600)
        nursery.cancel_scope.cancel()
    assert len(pools.times) >= 10
    assert 300 <= min(pools.intervals) <= max(pools.intervals) <= 331


async def test_all_clients_of_a_pool_share_its_pace(autojump_clock: MockClock) -> None:
    """The first connection of each client does not wait."""
    async with trio.open_nursery() as nursery:
        pools = Pools(nursery, hang_up_after_a_job)
        memories: Memories = {}
        for _ in range(20):
            nursery.start_soon(new_client(pools, memories).run)
        await trio.sleep(300)
        nursery.cancel_scope.cancel()
    assert pools.times[:20] == [pools.times[0]] * 20
    assert min(pools.intervals[19:]) >= 1
    assert len(pools.times) > 120


async def test_two_pools_do_not_slow_each_other_down(autojump_clock: MockClock) -> None:
    async with trio.open_nursery() as nursery:
        pools = Pools(nursery, hang_up)
        memories: Memories = {}
        for host in ("a.example", "b.example"):
            nursery.start_soon(new_client(pools, memories, url=PoolUrl(host, 3333)).run)
        await trio.sleep(20)
        nursery.cancel_scope.cancel()
    assert min(pools.intervals) < 1


async def test_leaving_a_pool_and_coming_back_counts(autojump_clock: MockClock) -> None:
    """If a pool alternates between jobs and silence, the backup pool's client starts and stops each time."""
    async with trio.open_nursery() as nursery:
        pools = Pools(nursery, hang_up_after_a_job)
        client = new_client(pools)
        for _ in range(50):
            with trio.move_on_after(0.05):
                await client.run()
    assert len(pools.times) <= 4


async def test_an_order_to_wait_keeps_nobody_from_another_pool(autojump_clock: MockClock) -> None:
    hosts: list[str] = []

    class Tells:
        def __init__(self) -> None:
            self.at_b = trio.Event()

        def tell(self, event: ClientEvent) -> None:
            if isinstance(event, JobArrived) and body_of(event.job).extranonce1.hex() == "0000000b":
                self.at_b.set()

    async def serve(stream: trio.abc.Stream, host: str) -> None:
        pool = ManualPool(stream)
        with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError, AssertionError):
            await pool.accept(extranonce1="0000000a" if host == "a.example" else "0000000b")
            await pool.notify()
            if host == "a.example":
                await pool.send_call("client.reconnect", host, 3333, 300)
            await trio.sleep_forever()

    for strategy in Strategy:
        hosts.clear()
        tells = Tells()
        async with trio.open_nursery() as nursery:

            async def connect(url: PoolUrl, seconds: float, nursery: trio.Nursery = nursery) -> trio.abc.Stream:
                await trio.lowlevel.checkpoint()
                hosts.append(url.host)
                ours, theirs = trio.testing.memory_stream_pair()
                nursery.start_soon(serve, theirs, url.host)
                return ours

            group = PoolGroup(
                [PoolSettings(url=PoolUrl(host, 3333), worker_name="w") for host in ("a.example", "b.example")],
                tells.tell,
                ClientOptions(clock=trio.current_time, rng=random.Random(1), connect=connect),
                strategy=strategy,
            )
            before = trio.current_time()
            nursery.start_soon(group.run)
            with trio.fail_after(20):
                await tells.at_b.wait()
            assert trio.current_time() - before < 12, "a second, or a turn of the quota"
            assert hosts.count("a.example") == 1
            nursery.cancel_scope.cancel()


async def test_without_retries_no_pace_is_kept(autojump_clock: MockClock) -> None:
    async def refuse(url: PoolUrl, seconds: float) -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        raise PoolUnreachable(f"{url}: Connection refused")

    client = PoolClient(
        PoolSettings(url=PoolUrl("a.example", 1), worker_name="w"),
        lambda event: None,
        ClientOptions(retry=False, connect=refuse),
    )
    before = trio.current_time()
    with pytest.raises(PoolUnreachable):
        await client.run()
    assert trio.current_time() == before


@pytest.mark.parametrize(("retries", "attempts"), [(0, 1), (1, 2), (3, 4)])
async def test_the_number_of_retries_and_the_pause_can_be_set(
    retries: int, attempts: int, autojump_clock: MockClock
) -> None:
    times: list[float] = []

    async def refuse(url: PoolUrl, seconds: float) -> trio.abc.Stream:
        times.append(trio.current_time())
        await trio.lowlevel.checkpoint()
        raise PoolUnreachable(f"{url}: Connection refused")

    client = PoolClient(
        PoolSettings(url=PoolUrl("a.example", 1), worker_name="w"),
        lambda event: None,
        ClientOptions(retries=retries, retry_pause=30.0, clock=trio.current_time, connect=refuse),
    )
    with pytest.raises(PoolUnreachable, match="Connection refused"):
        await client.run()
    assert len(times) == attempts
    assert all(later - earlier == pytest.approx(30) for earlier, later in pairwise(times))


async def test_a_job_ends_the_row_of_failed_attempts(autojump_clock: MockClock) -> None:
    async with lab(retries=2) as it:
        for _ in range(3):
            await (await it.connection()).stream.aclose()
            pool = await it.mining()
            await pool.stream.aclose()
            it.recorder.jobs.clear()
        assert it.error is None
        for _ in range(2):
            await (await it.connection()).stream.aclose()
        await it.ended.wait()
        assert isinstance(it.error, PoolUnreachable)


async def test_the_second_between_connections_begins_when_the_first_was_made(autojump_clock: MockClock) -> None:
    """Connecting takes 20 s here, and the next URL is tried without a pause."""
    made: list[float] = []

    async def connect(url: PoolUrl, seconds: float) -> trio.abc.Stream:
        began.append(trio.current_time())
        await trio.sleep(20)
        ours, theirs = trio.testing.memory_stream_pair()
        await theirs.aclose()
        made.append(trio.current_time())
        return ours

    began: list[float] = []
    urls = [PoolUrl(f"{host}.example", 1) for host in "abc"]
    settings = PoolSettings(url=urls[0], addresses=tuple(urls[1:]), worker_name="w")
    client = PoolClient(settings, lambda event: None, ClientOptions(clock=trio.current_time, connect=connect))
    with trio.move_on_after(50):
        await client.run()
    assert len(made) == 2
    assert began[1] - made[0] == pytest.approx(1.05)
