"""What is said to a client: at once while it keeps up, through the queue while it does not, in order either way."""

import math
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
import trio
import trio.testing

from stratum_miner.downstream.connections import Connection, Connections, ServerCallbacks
from stratum_miner.downstream.limits import MinerLimits
from stratum_miner.downstream.send_queue import MAX_UNSENT, SendQueue
from stratum_miner.network.accepting import ListenerError
from stratum_miner.network.fair_bound import FairBound
from stratum_miner.pool import Pool, PoolConfig, PoolEvent, open_pool
from stratum_miner.testing.scripted_node import ScriptedNode
from tests.downstream.cost import bytecodes
from tests.downstream.wire_client import MemoryListener
from tests.network.wrapped_listener import Wrapped


class Talker:
    """A session that says what it is told to."""

    started = True

    def __init__(self) -> None:
        self.waiting = b""

    def data_to_send(self) -> bytes:
        data, self.waiting = self.waiting, b""
        return data


def connection(stream: trio.abc.Stream, max_bytes: int = 1 << 20) -> Connection[Talker]:
    return Connection(1, "", stream, Talker(), SendQueue(max_bytes, FairBound(MAX_UNSENT)), 0.0, 0.0, 0.0)


def say(client: Connection[Talker], data: bytes) -> None:
    client.session.waiting = data
    client.flush()


async def write(client: Connection[Talker]) -> None:
    while (data := await client.queue.get()) is not None:
        await client.stream.send_all(data)


def pair() -> tuple[trio.SocketStream, trio.SocketStream]:
    ours, theirs = trio.socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    return trio.SocketStream(ours), trio.SocketStream(theirs)


async def test_a_client_that_keeps_up_is_told_without_its_writer(nursery: trio.Nursery) -> None:
    ours, theirs = pair()
    client = connection(ours)
    nursery.start_soon(write, client)
    await trio.testing.wait_all_tasks_blocked()
    say(client, b"one\n")
    assert client.bytes_sent == 4  # before any other task ran
    assert await theirs.receive_some(100) == b"one\n"
    client.queue.close()


async def test_what_a_full_socket_does_not_take_waits_and_stays_in_order(nursery: trio.Nursery) -> None:
    ours, theirs = pair()
    client = connection(ours)
    nursery.start_soon(write, client)
    await trio.testing.wait_all_tasks_blocked()
    said = b""
    for number in range(400):
        line = b"%04d" % number * 50 + b"\n"
        said += line
        say(client, line)
        if number % 50 == 0:
            await trio.lowlevel.checkpoint()  # the writer takes some of it into its hands
    assert client.queue.size > 0
    client.queue.close()
    heard = b""
    while len(heard) < len(said):
        heard += await theirs.receive_some(65536)
    assert heard == said


async def test_who_never_reads_is_dropped_at_the_limit(nursery: trio.Nursery) -> None:
    ours, _theirs = pair()
    client = connection(ours, max_bytes=5000)
    nursery.start_soon(write, client)
    await trio.testing.wait_all_tasks_blocked()
    while not client.reason:
        say(client, b"x" * 1000)
    assert client.reason.startswith("slow reader: ")
    assert client.scope.cancel_called
    nursery.cancel_scope.cancel()


async def test_a_client_that_is_gone_is_dropped(nursery: trio.Nursery) -> None:
    ours, theirs = pair()
    client = connection(ours)
    nursery.start_soon(write, client)
    await trio.testing.wait_all_tasks_blocked()
    await theirs.aclose()
    say(client, b"x")
    assert client.reason == "connection lost"
    nursery.cancel_scope.cancel()


async def test_a_stream_that_is_no_socket_is_written_by_its_writer(nursery: trio.Nursery) -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    client = connection(ours)
    nursery.start_soon(write, client)
    await trio.testing.wait_all_tasks_blocked()
    say(client, b"one\n")
    assert await theirs.receive_some(100) == b"one\n"
    client.queue.close()


CONFIG = PoolConfig(payout_script=b"\x51", port=0)


async def served(pool: Pool, count: int, events: trio.MemoryReceiveChannel[PoolEvent]) -> None:
    """Wait until the pool has accepted this many connections."""
    while pool.snapshot().connections_total < count:
        await events.receive()


KINDS = pytest.mark.parametrize("wrap", [lambda listener: listener, Wrapped], ids=["plain", "wrapped"])


@KINDS
async def test_a_broken_listener_ends_the_pool_with_an_error(wrap: Callable[[trio.SocketListener], Any]) -> None:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    place = f"127.0.0.1:{listener.socket.getsockname()[1]}"
    with (
        trio.fail_after(30),
        pytest.RaisesExc(ListenerError, match=f"^{place}: cannot accept connections: .*Invalid argument"),
    ):
        send, receive = trio.open_memory_channel[PoolEvent](math.inf)
        async with open_pool(ScriptedNode(), CONFIG, listeners=[wrap(listener)], on_event=send.send_nowait) as pool:
            with socket.create_connection(("127.0.0.1", pool.port)):
                await served(pool, 1, receive)
                listener.socket.shutdown(socket.SHUT_RDWR)
                await trio.sleep_forever()


async def test_a_listener_that_is_closed_ends_the_pool_with_an_error() -> None:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    with trio.fail_after(30), pytest.RaisesExc(ListenerError):
        async with open_pool(ScriptedNode(), CONFIG, listeners=[Wrapped(listener)]):
            await trio.testing.wait_all_tasks_blocked()
            await listener.aclose()
            await trio.sleep_forever()


async def silence(*_: object) -> None: ...


SILENT: ServerCallbacks[Talker] = ServerCallbacks(
    open_session=lambda _: Talker(),
    connected=lambda _: None,
    received=silence,
    disconnected=lambda _: None,
    stopping=silence,
)


async def test_a_limit_for_one_address_costs_the_same_however_many_are_connected() -> None:
    def cost(connected: int) -> int:
        limits = MinerLimits(max_connections_per_address=2)
        connections = Connections[Talker](limits, 20_000, SILENT, lambda: 0.0)
        stream, _ = trio.testing.memory_stream_pair()
        for number in range(connected):
            connections._register(stream, f"10.0.{number >> 8}.{number & 255}:4000")
        return bytecodes(lambda: [connections._refusal("10.9.9.9:4000") for _ in range(20)])

    assert cost(2000) == cost(20)


async def test_who_left_makes_room_for_another_of_that_address() -> None:
    send, receive = trio.open_memory_channel[PoolEvent](math.inf)
    config = replace(CONFIG, max_connections_per_address=1)
    async with open_pool(ScriptedNode(), config, on_event=send.send_nowait) as pool:
        for number in range(1, 4):
            with socket.create_connection(("127.0.0.1", pool.port)):
                await served(pool, number, receive)
                refused = await trio.open_tcp_stream("127.0.0.1", pool.port)
                with suppress(trio.BrokenResourceError):
                    assert not await refused.receive_some(1)
            while pool.snapshot().sessions:
                await receive.receive()
        assert pool.snapshot().connections_refused == 3


async def flood(client: Connection[Talker], _: bytes) -> None:
    """Answer each line with more than anybody reads."""
    say(client, b"x" * 1000)


async def test_what_waited_for_a_client_that_is_gone_counts_no_more(nursery: trio.Nursery) -> None:
    listener, stopping = MemoryListener(), trio.Event()
    connections = Connections[Talker](MinerLimits(max_queue=5000), 10, replace(SILENT, received=flood), lambda: 0.0)
    await nursery.start(connections.serve, [listener], stopping)
    client = listener.connect(lockstep=True)  # whose other end waits until somebody reads
    with suppress(trio.BrokenResourceError):
        while True:
            await client.stream.send_all(b"\n")
    await trio.testing.wait_all_tasks_blocked()
    assert len(connections) == 0
    assert connections._unsent.used == 0
    stopping.set()
