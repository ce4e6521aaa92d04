"""Connections are accepted through every shortage, and what is broken is told."""

import errno
import gc
import os
import socket
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest
import structlog
import trio
import trio.testing

from stratum_miner.network import accepting, files
from stratum_miner.network.accepting import ACCEPTED_AT_ONCE, ListenerError
from tests.network.wrapped_listener import Wrapped


class Guests:
    """Whoever was accepted stays, and is counted."""

    def __init__(self) -> None:
        self.streams: list[trio.SocketStream] = []
        self._came = trio.Event()

    async def serve(self, stream: trio.SocketStream) -> None:
        self.streams.append(stream)
        self._came.set()

    async def count(self, wanted: int) -> None:
        with trio.fail_after(60):
            while len(self.streams) < wanted:
                self._came = trio.Event()
                await self._came.wait()

    async def leave(self) -> None:
        for stream in self.streams:
            await stream.aclose()


class Exhausted(trio.abc.Listener[trio.abc.Stream]):
    """The system has nothing to give."""

    def __init__(self, number: int) -> None:
        self.number = number

    async def accept(self) -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        raise OSError(self.number, "")

    async def aclose(self) -> None: ...


KINDS = pytest.mark.parametrize("wrap", [lambda listener: listener, Wrapped], ids=["plain", "wrapped"])
WANTING = pytest.mark.parametrize("wanting", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])


async def listening() -> tuple[trio.SocketListener, tuple[str, int]]:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    return listener, listener.socket.getsockname()


def failed(logs: list[Any]) -> list[Any]:
    return [line for line in logs if line["event"] == "accept_failed"]


@KINDS
async def test_all_who_come_at_once_are_served(wrap: Callable[[trio.SocketListener], Any]) -> None:
    listener, address = await listening()
    guests = Guests()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(accepting.serve, guests.serve, [wrap(listener)])
        with ExitStack() as stack:
            for _ in range(3 * ACCEPTED_AT_ONCE):
                stack.enter_context(socket.create_connection(address))
            await guests.count(3 * ACCEPTED_AT_ONCE)
        nursery.cancel_scope.cancel()
    await guests.leave()


@WANTING
async def test_a_shortage_is_outlived_and_told_once(monkeypatch: pytest.MonkeyPatch, wanting: int) -> None:
    failures = [wanting, wanting, errno.ECONNABORTED, wanting]

    class ScarceSocket(socket.socket):
        def accept(self) -> Any:
            if failures:
                raise OSError(failures.pop(), "")
            return super().accept()

    monkeypatch.setattr(socket, "socket", ScarceSocket)
    listener, address = await listening()
    guests = Guests()
    with structlog.testing.capture_logs() as logs:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(accepting.serve, guests.serve, [listener])
            with socket.create_connection(address):
                await guests.count(1)
            nursery.cancel_scope.cancel()
    assert not failures
    assert [line["error"] for line in failed(logs)] == [os.strerror(wanting)]
    assert failed(logs)[0]["address"] == f"127.0.0.1:{address[1]}"


async def test_a_listener_that_is_no_plain_socket_outlives_it_too() -> None:
    failures = [errno.EMFILE, errno.ECONNABORTED, errno.ENOMEM]

    class Scarce(Wrapped):
        async def accept(self) -> trio.abc.Stream:
            if failures:
                raise OSError(failures.pop(), "")
            return await super().accept()

    listener, address = await listening()
    guests = Guests()
    with structlog.testing.capture_logs() as logs:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(accepting.serve, guests.serve, [Scarce(listener)])
            with socket.create_connection(address):
                await guests.count(1)
            nursery.cancel_scope.cancel()
    assert len(failed(logs)) == 1


async def test_a_shortage_that_lasts_is_told_once_a_minute(autojump_clock: trio.testing.MockClock) -> None:
    with structlog.testing.capture_logs() as logs, trio.move_on_after(4.5 * 60):
        await accepting.serve(Guests().serve, [Exhausted(errno.EMFILE)])
    assert len(failed(logs)) == 5


@KINDS
async def test_the_last_files_are_not_for_who_connects(
    wrap: Callable[[trio.SocketListener], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    listener, address = await listening()
    guests = Guests()
    with ExitStack() as stack, structlog.testing.capture_logs() as logs:
        for _ in range(40):
            stack.enter_context(socket.create_connection(address))
        gc.collect()  # files that nobody has any more make no room later
        lowest = os.dup(0)
        os.close(lowest)
        ceiling = lowest + 20
        monkeypatch.setattr(files, "SPARE", 2)
        monkeypatch.setattr(files, "limit", lambda: ceiling + 2)
        async with trio.open_nursery() as nursery:
            await nursery.start(accepting.serve, guests.serve, [wrap(listener)])
            await guests.count(1)
            with trio.move_on_after(3 * accepting.PAUSE_S):
                await guests.count(40)
            first = len(guests.streams)
            assert first < 40
            assert max(stream.socket.fileno() for stream in guests.streams) < ceiling
            await guests.leave()
            await guests.count(first + 1)  # there is room again
            monkeypatch.setattr(files, "limit", lambda: -1)
            await guests.count(40)
            nursery.cancel_scope.cancel()
    await guests.leave()
    assert [line["error"] for line in failed(logs)] == [os.strerror(errno.EMFILE)]


@KINDS
async def test_a_broken_listener_is_told(wrap: Callable[[trio.SocketListener], Any]) -> None:
    listener, address = await listening()
    listener.socket.shutdown(socket.SHUT_RDWR)
    expected = f"^127.0.0.1:{address[1]}: cannot accept connections: .*Invalid argument"
    with trio.fail_after(60), pytest.RaisesGroup(pytest.RaisesExc(ListenerError, match=expected)):
        await accepting.serve(Guests().serve, [wrap(listener)])
    assert listener.socket.fileno() == -1


async def test_what_stands_beside_the_work_ends_alone() -> None:
    listener, address = await listening()
    listener.socket.shutdown(socket.SHUT_RDWR)
    with trio.fail_after(60), structlog.testing.capture_logs() as logs:
        await accepting.serve_beside(Guests().serve, [listener])
    assert [line["event"] for line in logs] == ["listener_failed"]
    assert f"127.0.0.1:{address[1]}: cannot accept connections" in logs[0]["error"]


async def test_tasks_end_with_the_accepting_or_live_where_they_are_told_to() -> None:
    listener, address = await listening()
    ended: list[trio.SocketStream] = []

    async def stay(stream: trio.SocketStream) -> None:
        try:
            async with stream:
                came.set()
                await trio.sleep_forever()
        finally:
            ended.append(stream)

    for outlives in (False, True):
        came = trio.Event()
        listener, address = await listening()
        async with trio.open_nursery() as handlers:
            async with trio.open_nursery() as nursery:
                where = handlers if outlives else None
                nursery.start_soon(lambda: accepting.serve(stay, [listener], handlers=where))  # noqa: B023  runs now
                with socket.create_connection(address):
                    await came.wait()
                nursery.cancel_scope.cancel()
            assert len(ended) == 1
            handlers.cancel_scope.cancel()
    assert len(ended) == 2
