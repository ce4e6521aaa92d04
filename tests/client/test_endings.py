"""Several things that end at the same moment."""

import socket

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from stratum_miner.client import ClientOptions, PoolClient, PoolSettings, PoolUrl
from stratum_miner.client.dialing.dialer import Connector
from stratum_miner.testing.manual_pool import ManualPool


def new_client(connect: Connector) -> PoolClient:
    return PoolClient(
        PoolSettings(url=PoolUrl("pool.example", 3333), worker_name="w", version_mask=0, extranonce_subscribe=False),
        lambda event: None,
        ClientOptions(clock=trio.current_time, connect=connect),
    )


@pytest.mark.parametrize("first", ["hang up", "cancel"])
async def test_cancelled_while_the_pool_hangs_up(first: str, autojump_clock: MockClock) -> None:
    """Only the cancellation is raised. Once, the error of the connection was raised too."""
    ours, theirs = trio.testing.memory_stream_pair()

    async def connect(url: PoolUrl, seconds: float) -> trio.abc.Stream:
        return ours

    client = new_client(connect)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.run)
        pool = ManualPool(theirs)
        await pool.accept(mask=None, xnsub=False, difficulty=1)
        await trio.testing.wait_all_tasks_blocked()
        if first == "cancel":
            nursery.cancel_scope.cancel()
        theirs.send_stream.close()
        nursery.cancel_scope.cancel()
    assert nursery.cancel_scope.cancelled_caught


async def test_a_pool_that_hangs_up_with_its_first_reply_has_not_refused_the_worker(
    autojump_clock: MockClock,
) -> None:
    """On a socket, the end comes before mining.authorize is sent. Once, that ended mining for good."""
    send, connections = trio.open_memory_channel[socket.socket](1)

    async def connect(url: PoolUrl, seconds: float) -> trio.abc.Stream:
        ours, theirs = socket.socketpair()
        await send.send(theirs)
        return trio.SocketStream(trio.socket.from_stdlib_socket(ours))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(new_client(connect).run)
        for _ in range(3):
            with await connections.receive() as pool:
                await trio.lowlevel.wait_readable(pool)
                assert b"mining.subscribe" in pool.recv(4096)
                pool.sendall(b'{"id":1,"result":[[],"a1b2c3d4",4],"error":null}\n')
        nursery.cancel_scope.cancel()


async def test_a_pool_that_is_silent_about_the_worker_is_tried_again(autojump_clock: MockClock) -> None:
    send, connections = trio.open_memory_channel[ManualPool](1)

    async def connect(url: PoolUrl, seconds: float) -> trio.abc.Stream:
        ours, theirs = trio.testing.memory_stream_pair()
        await send.send(ManualPool(theirs))
        return ours

    async with trio.open_nursery() as nursery:
        nursery.start_soon(new_client(connect).run)
        for _ in range(5):
            pool = await connections.receive()
            await pool.reply(await pool.request("mining.subscribe"), [[], "a1b2c3d4", 4])
            await pool.request("mining.authorize")
            autojump_clock.jump(40)  # the machine slept: two time limits are over at once
        nursery.cancel_scope.cancel()
