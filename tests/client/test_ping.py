"""The steps of ``ping``, in virtual time with a pool that the test plays, and on real sockets."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict
from functools import partial
from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from stratum_miner.client import PoolSettings, PoolUrl
from stratum_miner.client import ping as ping_module
from stratum_miner.client.dialing.tunnel import TunnelUrl
from stratum_miner.client.ping import PingResult, ping
from stratum_miner.testing.manual_pool import ManualPool

SETTINGS = PoolSettings(url=PoolUrl("127.0.0.1", 3333), worker_name="worker", password="hunter2")
GRANT = {"version-rolling": True, "version-rolling.mask": "1fffe000"}
SUBSCRIBED = [[], "a1b2c3d4", 4]


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Awaitable[PingResult]]:
    """Runs a ping whose connections lead to pools that these functions play, one for each connection."""

    async def run(*pools: Callable[[ManualPool], Awaitable[None]], seconds: float = 90.0) -> PingResult:
        waiting = list(pools)
        async with trio.open_nursery() as nursery:

            async def connect(settings: PoolSettings, steps: Any) -> trio.abc.Stream:
                stream, other = trio.testing.memory_stream_pair()
                await trio.sleep(0.25)
                steps.done("connect")
                nursery.start_soon(waiting.pop(0), ManualPool(other))
                return stream

            monkeypatch.setattr(ping_module, "_open", connect)
            result = await ping(SETTINGS, seconds=seconds)
            nursery.cancel_scope.cancel()
        assert waiting == []
        return result

    return run


def steps(result: PingResult) -> dict[str, float]:
    """The milliseconds of the steps that were done."""
    return {name.removesuffix("_ms"): value for name, value in asdict(result).items() if name.endswith("_ms") and value}


async def answer_all(pool: ManualPool) -> None:
    configure = await pool.request("mining.configure")
    await trio.sleep(1)
    await pool.reply(configure, GRANT)
    subscribe = await pool.request("mining.subscribe")
    await trio.sleep(2)
    await pool.reply(subscribe, SUBSCRIBED)
    authorize = await pool.request("mining.authorize")
    await trio.sleep(3)
    await pool.reply(authorize, True)
    await pool.send_call("mining.set_difficulty", 512)
    await trio.sleep(4)
    await pool.notify()


async def test_each_step_is_measured_from_the_end_of_the_one_before(autojump_clock: MockClock, play: Any) -> None:
    result = await play(answer_all)
    assert steps(result) == {
        "connect": 250, "configure": 1000, "subscribe": 2000, "authorize": 3000, "first_job": 4000
    }  # fmt: skip
    assert (result.difficulty, result.error, result.submit_ms) == (512, None, None)
    assert result.url == "stratum+tcp://127.0.0.1:3333"


async def test_a_job_before_the_authorization_is_enough_after_it(autojump_clock: MockClock, play: Any) -> None:
    async def early(pool: ManualPool) -> None:
        await pool.accept_subscribe()
        authorize = await pool.request("mining.authorize")
        await pool.send_call("mining.set_difficulty", 8)
        await pool.notify()
        await trio.sleep(5)
        await pool.send_call("mining.set_difficulty", 16)
        await pool.notify("2")
        await pool.reply(authorize, True)

    result = await play(early)
    assert (result.authorize_ms, result.first_job_ms) == (5000, 0)
    assert result.difficulty == 8, "of the first job"


async def hang_up(pool: ManualPool) -> None:
    await pool.request("mining.configure")
    await trio.sleep(7)
    await pool.stream.aclose()


async def test_a_pool_that_hangs_up_on_configure_is_asked_again_without_it(
    autojump_clock: MockClock, play: Any
) -> None:
    async def bare(pool: ManualPool) -> None:
        await pool.reply(await pool.request("mining.subscribe"), SUBSCRIBED)
        await pool.reply(await pool.request("mining.authorize"), True)
        await pool.notify()

    result = await play(hang_up, bare)
    assert (result.error, result.configure_ms, result.connect_ms) == (None, None, 250), "measured anew"
    assert result.first_job_ms is not None


async def test_a_pool_that_hangs_up_later_is_not_asked_again(autojump_clock: MockClock, play: Any) -> None:
    async def leave(pool: ManualPool) -> None:
        await pool.accept_subscribe()
        await pool.stream.aclose()

    result = await play(leave)
    assert result.error == "the pool closed the connection"
    assert (result.subscribe_ms, result.authorize_ms) == (0, None)


@pytest.mark.parametrize(("count", "step"), [(0, "configure"), (1, "subscribe"), (2, "authorize"), (3, "first job")])
async def test_the_step_that_takes_too_long_is_named(
    autojump_clock: MockClock, play: Any, count: int, step: str
) -> None:
    async def stop_there(pool: ManualPool) -> None:
        replies = (("mining.configure", GRANT), ("mining.subscribe", SUBSCRIBED), ("mining.authorize", True))
        for method, result in replies[:count]:
            await pool.reply(await pool.request(method), result)
        await trio.sleep_forever()

    result = await play(stop_there, seconds=20.0)
    assert result.error == f"{step}: not finished within 20 s"
    assert trio.current_time() == 20


@pytest.mark.parametrize(
    ("url", "proxy", "step"),
    [
        ("stratum+tcp://h:1", None, "resolve"),
        ("stratum+tcp://h:1", TunnelUrl("http", "127.0.0.1", 1), "connect"),
        ("stratum+ssl://h:1", TunnelUrl("http", "127.0.0.1", 1), "connect"),
    ],
)
async def test_a_step_that_is_not_needed_is_not_waited_for(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, url: str, proxy: TunnelUrl | None, step: str
) -> None:
    async def stall(*arguments: Any) -> Any:
        await trio.sleep_forever()

    monkeypatch.setattr(ping_module, "_open", stall)
    settings = PoolSettings(url=PoolUrl.parse(url), worker_name="w", proxy=proxy)
    assert (await ping(settings)).error == f"{step}: not finished within 90 s"


async def test_a_refused_worker_is_the_error(autojump_clock: MockClock, play: Any) -> None:
    async def refuse(pool: ManualPool) -> None:
        await pool.accept_subscribe()
        await pool.reply(await pool.request("mining.authorize"), None, [24, "not you", None])

    assert (await play(refuse)).error == "the pool refused the worker 'worker': 24: not you"


# ---- real sockets ---------------------------------------------------------------------------------------------------


@asynccontextmanager
async def pool() -> AsyncIterator[int]:
    async def serve(stream: trio.SocketStream) -> None:
        played = ManualPool(stream)
        await played.accept(xnsub=False)
        await played.notify()
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        [listener] = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        yield listener.socket.getsockname()[1]
        nursery.cancel_scope.cancel()


class Names(trio.abc.HostnameResolver):
    """Resolves ``pool.test`` to these addresses, and no other name."""

    def __init__(self, *addresses: str) -> None:
        self._addresses = addresses

    async def getaddrinfo(self, host: bytes | None, port: Any, *others: Any, **options: Any) -> Any:
        await trio.lowlevel.checkpoint()
        if host != b"pool.test":
            raise trio.socket.gaierror(-2, "Name or service not known")
        stream, tcp = trio.socket.SOCK_STREAM, trio.socket.IPPROTO_TCP
        return [(trio.socket.AF_INET, stream, tcp, "", (address, port)) for address in self._addresses]

    async def getnameinfo(self, sockaddr: Any, flags: int) -> Any:
        raise NotImplementedError


async def real(host: str, port: int, *addresses: str) -> PingResult:
    trio.socket.set_custom_hostname_resolver(Names(*addresses))
    return await ping(PoolSettings(url=PoolUrl(host, port), worker_name="w"))


async def test_the_name_is_resolved_and_the_address_that_answers_is_used() -> None:
    async with pool() as port:
        result = await real("pool.test", port, "127.0.0.2", "127.0.0.1")
    assert result.error is None
    measured = (result.resolve_ms, result.connect_ms, result.configure_ms, result.first_job_ms)
    assert all(value is not None and 0 <= value < 90_000 for value in measured)
    assert result.tls_ms is None


async def test_a_pool_that_cannot_be_reached_is_told_with_the_step_before() -> None:
    async with pool() as port:
        unknown = await real("nowhere.test", port)
        empty = await real("pool.test", port)
        refused = await real("pool.test", port, "127.0.0.2")
    assert unknown.error == f"stratum+tcp://nowhere.test:{port}: Name or service not known"
    assert unknown.resolve_ms is None
    assert empty.error == f"stratum+tcp://pool.test:{port}: the host name has no IP address"
    assert refused.error == f"stratum+tcp://pool.test:{port}: Connection refused"
    assert refused.resolve_ms is not None
    assert refused.connect_ms is None
