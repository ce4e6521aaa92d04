"""What is said to a client: at once while it keeps up, through the queue while it does not, in order either way."""

import math
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest
import trio
import trio.testing
from structlog.testing import capture_logs

from stratum_miner.downstream.connections import Connection, Connections, ServerCallbacks
from stratum_miner.downstream.endings import DisconnectReason
from stratum_miner.downstream.limits import MinerLimits
from stratum_miner.downstream.send_queue import MAX_UNSENT, SendQueue
from stratum_miner.network.accepting import ListenerError
from stratum_miner.network.fair_bound import FairBound
from stratum_miner.pool import Pool, PoolConfig, PoolEvent, open_pool
from stratum_miner.testing.scripted_node import ScriptedNode
from tests.downstream.cost import steps
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
        return steps(lambda: [connections._refusal("10.9.9.9:4000") for _ in range(20)])

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


@asynccontextmanager
async def serving(
    limits: MinerLimits | None = None, **callbacks: Any
) -> AsyncIterator[tuple[Connections[Talker], MemoryListener]]:
    """Connections on memory streams, until the test ends."""
    listener = MemoryListener()
    connections = Connections[Talker](
        limits or MinerLimits(), 10, replace(SILENT, **callbacks), lambda: 1_700_000_000.5
    )
    async with trio.open_nursery() as nursery:
        await nursery.start(connections.serve, [listener], trio.Event())
        yield connections, listener
        nursery.cancel_scope.cancel()


async def test_a_miner_is_read_in_pieces_so_that_others_have_their_turn() -> None:
    pieces: list[int] = []

    async def note(_: Connection[Talker], data: bytes) -> None:
        pieces.append(len(data))

    async with serving(received=note) as (connections, listener):
        await listener.connect().stream.send_all(b"x" * 40_000)
        await trio.testing.wait_all_tasks_blocked()
        assert pieces == [16384, 16384, 7232]
        assert connections.bytes_received == 40_000


async def echo(client: Connection[Talker], data: bytes) -> None:
    say(client, data)


async def test_what_is_counted_of_a_connection_stays_counted_when_it_is_over() -> None:
    ended: list[Connection[Talker]] = []
    async with serving(received=echo, disconnected=ended.append) as (connections, listener):
        assert (connections.total, connections.refused, connections.bytes_received, connections.bytes_sent) == (0,) * 4
        first, second = listener.connect(), listener.connect()
        await first.stream.send_all(b'{"id":1}\n')
        await second.stream.send_all(b'{"id":22}\n')
        await trio.testing.wait_all_tasks_blocked()
        assert [(each.number, each.bytes_received, each.bytes_sent) for each in connections] == [(1, 9, 9), (2, 10, 10)]
        assert [each.connected_at for each in connections] == [1_700_000_000.5] * 2
        assert (len(connections), connections.bytes_received, connections.bytes_sent) == (2, 19, 19)
        await first.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert (len(connections), connections.bytes_received, connections.bytes_sent) == (1, 19, 19)
        await second.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert (connections.total, connections.bytes_received, connections.bytes_sent) == (2, 19, 19)
        assert connections.ended == {DisconnectReason.CLOSED: 2}
        assert [each.reason for each in ended] == ["the miner closed the connection"] * 2
        assert not connections._unauthorized
        assert not connections._per_host, "addresses would pile up"


async def test_the_last_lines_have_a_second_to_leave(autojump_clock: trio.testing.MockClock) -> None:
    async with serving(received=lambda client, _: farewell(client)) as (connections, listener):
        reader, deaf = listener.connect(), listener.connect(lockstep=True)
        for each in (reader, deaf):
            await each.stream.send_all(b"\n")
        await trio.testing.wait_all_tasks_blocked()
        assert [each.number for each in connections] == [2], "who reads is gone at once"
        assert await reader.stream.receive_some(100) == b'{"bye":1}\n'
        await trio.sleep(0.99)
        assert len(connections) == 1
        await trio.sleep(0.02)
        assert len(connections) == 0


async def farewell(client: Connection[Talker]) -> None:
    say(client, b'{"bye":1}\n')
    client.finish("enough", DisconnectReason.BY_SERVER)


@pytest.mark.parametrize(
    ("timeouts", "started", "seconds", "reason"),
    [
        ({}, False, 60, "not subscribed and authorized within 60 s"),
        ({}, True, 7200, "no request for 7200 s"),
        ({"authorize_timeout": 7.0}, False, 7, "not subscribed and authorized within 7 s"),
        ({"idle_timeout": 90.0}, True, 90, "no request for 90 s"),
    ],
)  # fmt: skip
async def test_silence_is_borne_for_as_long_as_is_said(
    autojump_clock: trio.testing.MockClock,
    monkeypatch: pytest.MonkeyPatch,
    timeouts: dict[str, float],
    started: bool,
    seconds: float,
    reason: str,
) -> None:
    ending = DisconnectReason.IDLE if started else DisconnectReason.NOT_AUTHORIZED
    monkeypatch.setattr(Talker, "started", started)
    ended: list[Connection[Talker]] = []
    async with serving(MinerLimits(**timeouts), disconnected=ended.append) as (_, listener):  # type: ignore[arg-type]  # only times
        client = listener.connect()
        await trio.sleep(seconds / 2)
        await client.stream.send_all(b"half a line")
        await client.read_to_end()
        assert trio.current_time() == seconds, "half a line is no request"
        assert [(each.reason, each.ending) for each in ended] == [(reason, ending)]


async def test_a_line_is_a_sign_of_life(autojump_clock: trio.testing.MockClock) -> None:
    async with serving(MinerLimits(idle_timeout=100.0)) as (_, listener):
        client = listener.connect()
        await trio.sleep(60)
        await client.stream.send_all(b"{}\n{")
        await client.read_to_end()
        assert trio.current_time() == 160


@pytest.mark.parametrize(("settings", "seconds"), [({}, 30), ({"send_timeout": 4.0}, 4)])
async def test_who_does_not_read_is_dropped_in_the_end(
    autojump_clock: trio.testing.MockClock, settings: dict[str, Any], seconds: int
) -> None:
    ended: list[Connection[Talker]] = []
    async with serving(MinerLimits(**settings), received=echo, disconnected=ended.append) as (connections, listener):
        client = listener.connect(lockstep=True)
        await client.stream.send_all(b"x\n")
        await trio.sleep(seconds - 0.01)
        assert len(connections) == 1
        await trio.sleep(0.02)
        assert len(connections) == 0
        assert ended[0].reason == f"slow reader: a write took more than {seconds} s"
        assert connections.ended == {DisconnectReason.SLOW_READER: 1}


async def test_a_miner_that_vanishes_while_it_is_written_to_is_lost() -> None:
    ended: list[Connection[Talker]] = []
    async with serving(received=echo, disconnected=ended.append) as (connections, listener):
        client = listener.connect(lockstep=True)
        await client.stream.send_all(b"x\n")
        await trio.testing.wait_all_tasks_blocked()
        assert isinstance(client.stream, trio.StapledStream)
        await client.stream.receive_stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert connections.ended == {DisconnectReason.LOST: 1}
        assert ended[0].reason == "connection lost"


@pytest.mark.parametrize("error", [trio.BrokenResourceError, trio.ClosedResourceError])
async def test_a_stream_that_breaks_is_lost(error: type[Exception]) -> None:
    async def fail() -> None:
        raise error

    async with serving() as (connections, listener):
        client = listener.connect()
        await trio.testing.wait_all_tasks_blocked()
        (served,) = connections
        assert isinstance(served.stream, trio.StapledStream)
        assert isinstance(served.stream.receive_stream, trio.testing.MemoryReceiveStream)
        served.stream.receive_stream.receive_some_hook = fail
        await client.stream.send_all(b"x")  # ends the read that has begun; the next one fails
        await trio.testing.wait_all_tasks_blocked()
        assert connections.ended == {DisconnectReason.LOST: 1}


async def test_the_first_reason_for_an_end_is_the_one_that_counts() -> None:
    stream, _ = trio.testing.memory_stream_pair()
    client = connection(stream)
    client.finish("the first", DisconnectReason.IDLE)
    client.drop("the second", DisconnectReason.LOST)
    assert (client.reason, client.ending) == ("the first", DisconnectReason.IDLE)
    assert client.read_scope.cancel_called
    assert client.scope.cancel_called


async def test_nothing_to_say_is_no_system_call(nursery: trio.Nursery) -> None:
    ours, _theirs = pair()
    client = connection(ours)
    nursery.start_soon(write, client)
    await trio.testing.wait_all_tasks_blocked()
    ours.socket.close()
    client.flush()
    assert client.reason == "", "a write would have found out"
    nursery.cancel_scope.cancel()


async def test_a_limit_for_one_address_is_for_one_host_and_exact() -> None:
    connections = Connections[Talker](MinerLimits(max_connections_per_address=2), 10, SILENT, lambda: 0.0)
    stream, _ = trio.testing.memory_stream_pair()
    first = connections._register(stream, "10.0.0.1:4000")
    assert connections._refusal("10.0.0.1:4001") is None
    connections._register(stream, "10.0.0.1:4001")
    assert connections._refusal("10.0.0.1:4002") == "more than 2 connections from one address"
    assert connections._refusal("10.0.0.2:4000") is None
    connections._unregister(first)
    assert connections._refusal("10.0.0.1:4002") is None
    assert connections._per_host == {"10.0.0.1": 1}


async def test_the_oldest_stranger_makes_room_but_no_miner_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Talker, "started", False)
    connections = Connections[Talker](MinerLimits(), 3, SILENT, lambda: 0.0)
    stream, _ = trio.testing.memory_stream_pair()
    miner, leaving, stranger = (connections._register(stream, f"10.0.0.{number}:1") for number in range(3))
    miner.session.started = True
    leaving.finish("it left", DisconnectReason.CLOSED)
    assert connections._refusal("10.0.0.9:1") is None
    assert (miner.reason, leaving.reason) == ("", "it left")
    assert stranger.reason == "not subscribed and authorized when another miner needed the connection"
    assert stranger.ending is DisconnectReason.NOT_AUTHORIZED
    assert connections._refusal("10.0.0.9:1") == "more than 3 connections"


async def test_an_end_from_outside_has_a_reason_too() -> None:
    ended: list[Connection[Talker]] = []
    async with serving(disconnected=ended.append) as (_, listener):
        listener.connect()
        await trio.testing.wait_all_tasks_blocked()
    assert [each.reason for each in ended] == ["cancelled"]


async def test_addresses_and_ports_are_those_of_the_sockets() -> None:
    connections = Connections[Talker](MinerLimits(), 3, SILENT, lambda: 0.0)
    assert (connections.addresses, connections.ports) == ((), ())
    listeners = await connections.listen(None, "127.0.0.1", 0, "Server")
    (port,) = connections.ports
    assert isinstance(listeners[0], trio.SocketListener)
    assert port == listeners[0].socket.getsockname()[1]
    assert connections.addresses == (f"127.0.0.1:{port}",)
    with pytest.raises(RuntimeError, match=r"^Server.serve: expected one call, got a second$"):
        await connections.listen([MemoryListener()], "127.0.0.1", 0, "Server")
    for listener in listeners:
        await listener.aclose()
    behind_a_tap = Connections[Talker](MinerLimits(), 3, SILENT, lambda: 0.0)
    await behind_a_tap.listen([MemoryListener()], "127.0.0.1", 0, "Server")
    assert behind_a_tap.addresses == ()


async def test_a_refusal_and_a_mistake_of_ours_are_logged() -> None:
    async def fail(client: Connection[Talker], _: bytes) -> None:
        raise ZeroDivisionError

    ended: list[Connection[Talker]] = []
    with capture_logs() as logs:
        limits = MinerLimits(max_connections_per_address=1)
        async with serving(limits, received=fail, disconnected=ended.append) as (connections, listener):
            first, second = listener.connect(), listener.connect()
            await second.read_to_end()
            assert (connections.total, connections.refused) == (1, 1)
            await first.stream.send_all(b"\n")
            await first.read_to_end()
            await trio.testing.wait_all_tasks_blocked()
            assert connections.ended == {DisconnectReason.FAILED: 1}
            assert (connections.total, len(connections)) == (1, 0)
    assert [each.reason for each in ended] == ["internal error"]
    refused, failed = logs
    assert (refused["event"], refused["log_level"]) == ("connection_refused", "warning")
    assert (refused["address"], refused["reason"]) == ("in memory", "more than 1 connections from one address")
    assert (failed["event"], failed["log_level"]) == ("client_failed", "error")
    assert (failed["session"], failed["address"]) == (1, "in memory")
