"""The tap between real sockets."""

import errno
import socket
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from random import Random

import pytest
import trio
import trio.lowlevel
import trio.testing
from structlog.testing import capture_logs

from stratum_miner.capture import record, rules
from stratum_miner.capture.filter import Filter, FilterAction, FilterSequence
from stratum_miner.capture.record import Side
from stratum_miner.capture.recorder import Recorder
from stratum_miner.capture.relay import MAX_WAITING, RECEIVE_SIZE, relay
from stratum_miner.capture.rules import RuleFilter
from stratum_miner.capture.tap import Tap


class Unreachable(Exception):  # noqa: N818  told as an answer
    pass


@asynccontextmanager
async def tapped(
    *texts: str,
    recorder: Recorder | None = None,
    reachable: bool = True,
    number: int = errno.ECONNREFUSED,
    make_filter: Callable[[int], Filter] | None = None,
) -> AsyncIterator[tuple[Tap, int]]:
    """A tap in front of a pool that echoes; yields the tap and its port."""

    async def echo(stream: trio.SocketStream) -> None:
        async for data in stream:
            await stream.send_all(data)

    async with trio.open_nursery() as nursery:
        [upstream] = await nursery.start(partial(trio.serve_tcp, host="127.0.0.1"), echo, 0)

        async def connect() -> trio.abc.Stream:
            if not reachable:
                try:
                    raise ExceptionGroup("all attempts", [OSError(number, "the system's reason")])
                except ExceptionGroup:
                    raise Unreachable("the pool cannot be reached") from None
            return await trio.open_tcp_stream(*upstream.socket.getsockname()[:2])

        chosen = [rules.parse(text) for text in texts]
        make_filter = make_filter or (lambda number: RuleFilter(chosen, Random(number)))
        tap = Tap(connect, make_filter, unreachable=Unreachable, recorder=recorder)
        [listener] = await nursery.start(tap.serve, await trio.open_tcp_listeners(0, host="127.0.0.1"))
        with trio.fail_after(60):
            yield tap, listener.socket.getsockname()[1]
        nursery.cancel_scope.cancel()


async def test_every_connection_has_its_own_filter_and_record(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "c.jsonl", where="tap")
    async with tapped("replace=dropped from=miner nth=2", recorder=recorder) as (tap, port):
        for _ in range(2):
            miner = await trio.open_tcp_stream("127.0.0.1", port)
            await miner.send_all(b"one\ntwo\n")
            await miner.send_eof()
            assert b"".join([bytes(data) async for data in miner]) == b"one\ndropped\n"
            await miner.aclose()
        assert tap.connections == 2
        while tap.open:
            await trio.lowlevel.checkpoint()
    assert len(record.read(tmp_path / "c.jsonl").connections()) == 2


async def test_a_pool_that_is_away_costs_the_miner_its_connection_only() -> None:
    async with tapped(reachable=False) as (_, port):
        for _ in range(2):
            miner = await trio.open_tcp_stream("127.0.0.1", port)
            assert await miner.receive_some() == b""
            await miner.aclose()


@pytest.mark.parametrize(
    ("number", "told"),
    [(errno.ECONNREFUSED, ["pool_unreachable"] * 5), (errno.EMFILE, ["miners_turned_away"])],
    ids=["refused", "no files"],
)
async def test_a_shortage_of_files_is_told_once_and_a_pool_that_refuses_each_time(number: int, told: list[str]) -> None:
    with capture_logs() as lines:
        async with tapped(reachable=False, number=number) as (_, port):
            for _ in range(5):
                miner = await trio.open_tcp_stream("127.0.0.1", port)
                assert await miner.receive_some() == b""
                await miner.aclose()
    assert [line["event"] for line in lines if line["log_level"] == "warning"] == told


async def test_a_pool_that_never_reads_makes_the_tap_keep_little() -> None:
    """Three miners send as much as they can: what waits in the tap is bounded, and they are held up."""

    async def never_read(stream: trio.SocketStream) -> None:
        async with stream:
            await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        upstream = await nursery.start(partial(trio.serve_tcp, host="127.0.0.1"), never_read, 0)
        connect = partial(trio.open_tcp_stream, *upstream[0].socket.getsockname()[:2])
        tap = Tap(connect, lambda number: RuleFilter([], Random(number)), unreachable=Unreachable)
        [listener] = await nursery.start(tap.serve, await trio.open_tcp_listeners(0, host="127.0.0.1"))
        stopped = 0

        async def flood() -> None:
            nonlocal stopped
            miner = await trio.open_tcp_stream(*listener.socket.getsockname()[:2])
            while True:
                with trio.move_on_after(1) as scope:  # a second in which nothing is taken
                    await miner.send_all(b"x" * 1000 + b"\n")
                if scope.cancelled_caught:
                    break
            stopped += 1

        for _ in range(3):
            nursery.start_soon(flood)
        most = 0
        with trio.fail_after(120):
            while stopped < 3:
                await trio.sleep(0.01)
                most = max(most, tap.held)
        assert MAX_WAITING < most < 3 * 1.5 * MAX_WAITING
        nursery.cancel_scope.cancel()


async def test_what_was_said_before_a_close_arrives_though_the_miner_talks_on() -> None:
    """A system takes back what it has not sent yet when a socket is closed on unread lines."""
    async with tapped("close from=pool nth=1") as (tap, port):
        miner = await trio.open_tcp_stream("127.0.0.1", port)
        line = b"x" * 500_000 + b"\n"

        async def talk() -> None:
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                await miner.send_all(line)
                while True:
                    await miner.send_all(b"talk\n" * 1000)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(talk)
            heard = b"".join([bytes(data) async for data in miner])
            await miner.aclose()
        assert heard == line
        while tap.open:
            await trio.lowlevel.checkpoint()


async def test_the_last_words_of_a_pool_that_closes_arrive_though_the_miner_talks() -> None:
    """A system drops what a closed socket has not sent yet as soon as a line arrives at it."""
    listener = socket.create_server(("127.0.0.1", 0))
    pool_end = await trio.open_tcp_stream(*listener.getsockname())
    pool, _ = listener.accept()
    pool.setblocking(False)
    words = b""
    with suppress(BlockingIOError):  # as much as the system keeps, which is more than can be read at once
        while True:
            words += b"x" * pool.send(b"x" * 1000)
    pool.close()
    listener.close()
    miner, miner_end = trio.testing.memory_stream_pair()
    await miner.send_all(b"submit\n" * 3)
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(relay, miner_end, pool_end, FilterSequence([]))
            heard = b"".join([bytes(data) async for data in miner])
            await miner.aclose()
    assert len(words) > RECEIVE_SIZE
    assert len(heard) == len(words)


class Defective(FilterSequence):
    """A filter with a mistake in it."""

    def line(self, sender: Side, line: bytes) -> Iterable[FilterAction]:
        if b"stumble" in line:
            raise KeyError("oops")
        return super().line(sender, line)


def defective(number: int) -> Filter:
    if number == 1:
        raise IndexError("oops")
    return Defective([])


async def test_a_defect_ends_the_connection_that_met_it_and_no_other(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "c.jsonl", where="tap")
    async with tapped(recorder=recorder, make_filter=defective) as (tap, port):
        with capture_logs() as lines:
            assert await (await trio.open_tcp_stream("127.0.0.1", port)).receive_some() == b""
            bystander = await trio.open_tcp_stream("127.0.0.1", port)
            await bystander.send_all(b"{}\n")
            assert await bystander.receive_some() == b"{}\n"
            unlucky = await trio.open_tcp_stream("127.0.0.1", port)
            await unlucky.send_all(b"stumble\n")
            with suppress(trio.BrokenResourceError):
                assert await unlucky.receive_some() == b""
            await bystander.send_all(b"[]\n")
            assert await bystander.receive_some() == b"[]\n"
        failures = [line["connection"] for line in lines if line["event"] == "connection_failed"]
        assert failures == [1, 3]
        assert (tap.open, tap.connections) == (1, 3)
    recorder.close()
    assert len(record.read(tmp_path / "c.jsonl").connections()) == 3
