"""Tests the stream with a mock clock: a listener computes the API's view from it, it does not end, and it is small."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import h11
import msgspec
import pytest
import trio
import trio.testing
from trio.testing import MockClock, memory_stream_pair

from stratum_miner.monitoring.changes import STEPS_KEPT
from stratum_miner.monitoring.events import EventLog
from stratum_miner.monitoring.http import Access, Source
from stratum_miner.monitoring.http.application import application
from stratum_miner.monitoring.http.server import answer
from stratum_miner.monitoring.http.stream import MAX_LISTENERS, Streams

from ..listening import Listener
from ..served import PlayedMonitor, full_view
from .busy import DEVICES, BusyMiner
from .conftest import NotedControl

BYTES_A_SECOND = 5000
Take = Callable[[bytes], Awaitable[None]]


@asynccontextmanager
async def listening(streams: Streams, listener: Listener, take: Take | None = None) -> AsyncIterator[Listener]:
    """Run a listener, which has its first view when the block begins."""

    async def at_once(data: bytes) -> None:
        listener.take(data)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(streams.listen, listener.last_id, take or at_once)
        await trio.testing.wait_all_tasks_blocked()
        yield listener
        nursery.cancel_scope.cancel()


async def seconds(miner: BusyMiner, count: int) -> None:
    for _ in range(count):
        miner.second()
        await trio.sleep(1)


def as_told(view: Any) -> Any:
    """Return a view of the API in the form of the stream: without events and history, and with objects instead of
    lists."""
    told = json.loads(msgspec.json.encode(view))
    for name in ("pools", "devices"):
        told[name] = {str(item["id"]): item for item in told[name]}
    for name in ("shares", "blocks"):
        told[name] = {str(number): item for number, item in enumerate(told[name])}
    del told["events"], told["history"]
    return told


def assert_close(found: Any, told: Any, where: str = "view") -> None:
    """Assert that two views are equal up to the digits of the stream."""
    if isinstance(told, dict) and isinstance(found, dict):
        assert found.keys() == told.keys(), where
        for key, value in told.items():
            assert_close(found[key], value, f"{where}.{key}")
    elif isinstance(told, float):
        assert found == pytest.approx(told, rel=5e-4, abs=0.0), where
    else:
        assert found == told, where


async def test_what_a_listener_makes_of_it_is_the_view_of_the_api(autojump_clock: MockClock) -> None:
    miner = BusyMiner()
    async with listening(Streams(miner.monitor, "v1"), Listener()) as listener:
        assert listener.page == "v1"
        for _ in range(90):
            miner.second()
            await trio.sleep(1)
            await trio.testing.wait_all_tasks_blocked()
            assert_close(listener.view, as_told(miner.monitor.view()))
    assert listener.views == 1
    assert [point["at"] for point in listener.points] == [point.at for point in miner.monitor.history()[1:]]
    assert [event["number"] for event in listener.events] == [event.number for event in miner.monitor.events.newest()]
    assert set(listener.kinds) == {"view", "change", "point", "event"}


async def test_a_busy_miner_of_twelve_devices_costs_less_than_5_kilobytes_a_second(autojump_clock: MockClock) -> None:
    miner = BusyMiner()
    sizes: list[int] = []

    async def take(data: bytes) -> None:
        sizes.append(len(data))

    async with listening(Streams(miner.monitor, ""), Listener(), take):
        await seconds(miner, 200)
    assert len(miner.monitor.view().devices) == DEVICES == 12
    first, *steps = sizes
    assert sum(steps) / len(steps) <= BYTES_A_SECOND
    assert len(steps) == pytest.approx(200, abs=2)
    assert first < 200_000


async def test_numbers_have_the_digits_that_people_are_shown_and_dates_have_all(autojump_clock: MockClock) -> None:
    def check(name: str, value: Any) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                check(key, inner)
        elif isinstance(value, list):
            for inner in value:
                check(name, inner)
        elif isinstance(value, float) and not (name == "at" or name.endswith("_at")):
            assert value == float(f"{value:.4g}"), name

    miner = BusyMiner()
    look, date = miner.monitor.view, 1_700_000_000.123456

    def with_a_list() -> Any:
        view = look()
        return replace(view, at=date, summary=replace(view.summary, economics={"each": [1.23456, {"of": 7.654321}]}))

    miner.monitor.view = with_a_list  # type: ignore[method-assign]
    async with listening(Streams(miner.monitor, ""), Listener()) as listener:
        await seconds(miner, 10)
        check("view", listener.view)
        check("point", listener.points)
        assert listener.view["summary"]["economics"] == {"each": [1.235, {"of": 7.654}]}
        assert listener.view["at"] == date


async def test_what_does_not_change_costs_nothing(autojump_clock: MockClock) -> None:
    sizes: list[int] = []

    async def take(data: bytes) -> None:
        sizes.append(len(data))

    async with listening(Streams(PlayedMonitor(full_view()), ""), Listener(), take):  # type: ignore[arg-type]
        await trio.sleep(100)
    assert max(sizes[1:]) < 100
    assert len(sizes) >= 100  # so that silence means that something is wrong


async def test_who_comes_back_gets_the_events_that_it_missed_and_no_other(autojump_clock: MockClock) -> None:
    miner = BusyMiner()
    streams = Streams(miner.monitor, "")
    async with listening(streams, Listener()) as listener:
        await seconds(miner, 60)
    before = [event["number"] for event in listener.events]
    await seconds(miner, 60)
    async with listening(streams, listener):
        await seconds(miner, 60)
    numbers = [event["number"] for event in listener.events]
    assert numbers == list(range(1, numbers[-1] + 1))
    assert numbers[-1] > before[-1] + 30
    assert listener.views == 2


@pytest.mark.parametrize("last_id", ["", "17", "1-3", "other-3", "-", "1" * 99, "é-1", "{run}-x", "{run}-" + "9" * 99])
async def test_who_was_not_here_gets_the_newest_events(last_id: str, autojump_clock: MockClock) -> None:
    """Event numbers of another run are ignored."""
    monitor = PlayedMonitor(full_view())
    monitor.events = EventLog()
    for index in range(150):
        monitor.events.take("paused", "info", {"reason": str(index)}, 0.0)
    listener = Listener()
    listener.last_id = last_id.format(run=f"{monitor.shown.summary.started_at * 1000:.0f}")
    async with listening(Streams(monitor, ""), listener):  # type: ignore[arg-type]
        await trio.sleep(3)
    assert [event["number"] for event in listener.events] == list(range(51, 151))


@pytest.mark.parametrize(("digits", "first"), [(1, 148), (15, 148), (16, 51)])
async def test_a_number_has_at_most_fifteen_digits(digits: int, first: int, autojump_clock: MockClock) -> None:
    monitor = PlayedMonitor(full_view())
    for index in range(150):
        monitor.events.take("paused", "info", {"reason": str(index)}, 0.0)
    listener = Listener()
    listener.last_id = f"{monitor.shown.summary.started_at * 1000:.0f}-{'147'.zfill(digits)}"
    async with listening(Streams(monitor, ""), listener):  # type: ignore[arg-type]
        await trio.sleep(1)
    assert [event["number"] for event in listener.events] == list(range(first, 151))


async def test_who_is_behind_for_a_moment_misses_nothing(autojump_clock: MockClock) -> None:
    miner = BusyMiner()
    slow = Listener()

    async def take(data: bytes) -> None:
        slow.take(data)
        await trio.sleep(slow.number % 10)

    async with listening(Streams(miner.monitor, ""), slow, take):
        await seconds(miner, 200)
    assert slow.views == 1
    numbers = [event["number"] for event in slow.events]
    assert numbers == list(range(1, numbers[-1] + 1))


async def test_who_is_far_behind_gets_a_whole_view(autojump_clock: MockClock) -> None:
    miner = BusyMiner()
    slow = Listener()

    async def take(data: bytes) -> None:
        slow.take(data)
        await trio.sleep(STEPS_KEPT + 5)

    streams = Streams(miner.monitor, "")
    async with listening(streams, Listener()), listening(streams, slow, take):
        await seconds(miner, 3 * STEPS_KEPT)
    assert slow.views >= 2
    assert slow.number > 2 * STEPS_KEPT


async def test_all_who_listen_get_the_same_and_the_miner_is_looked_at_once(autojump_clock: MockClock) -> None:
    miner = BusyMiner()
    looks = 0
    look = miner.monitor.view

    def counting() -> Any:
        nonlocal looks
        looks += 1
        return look()

    miner.monitor.view = counting  # type: ignore[method-assign]
    streams = Streams(miner.monitor, "")
    async with listening(streams, Listener()) as first, listening(streams, Listener()) as second:
        await trio.sleep(0.5)
        miner.monitor.events.take("paused", "info", {}, 0.0)
        async with listening(streams, Listener()) as third:
            await seconds(miner, 100)
            await trio.sleep(0.1)
            assert first.view == second.view == third.view
            assert first.number == second.number == third.number
            assert first.events == second.events == third.events
    assert looks <= 103
    assert streams.listeners == 0


async def test_pools_and_devices_come_and_go_by_their_ids(autojump_clock: MockClock) -> None:
    whole = full_view()
    monitor = PlayedMonitor(whole)
    async with listening(Streams(monitor, ""), Listener()) as listener:  # type: ignore[arg-type]
        ids = set(listener.view["devices"])
        for part in (whole.devices[1:], whole.devices[:1], ()):
            monitor.shown = replace(whole, devices=part)
            await trio.sleep(1.1)
            assert set(listener.view["devices"]) == {str(device.id) for device in part} < ids
        monitor.shown = replace(whole, pools=whole.pools[::-1])
        await trio.sleep(1.1)
        assert_close(listener.view, as_told(monitor.view()))


# ---- over HTTP ------------------------------------------------------------------------------------------------------


async def test_a_listener_over_http_stays_for_ten_minutes(autojump_clock: MockClock) -> None:
    """The longest time limit of the server, for a client that reads, is that of one request or of sending one part."""
    async with api() as connect:
        client = await connect()
        read = Http()
        until = trio.current_time() + 600
        while trio.current_time() < until:
            read.take(await client.receive_some())
    assert read.listener.views == 1
    assert read.listener.number > 590


async def test_sixteen_may_listen_and_a_place_is_free_again(autojump_clock: MockClock) -> None:
    assert MAX_LISTENERS == 16
    async with api() as connect:
        clients = [await connect() for _ in range(MAX_LISTENERS)]
        for client in clients:
            assert (await client.receive_some()).startswith(b"HTTP/1.1 200 ")
        refused = await (await connect()).receive_some()
        assert refused.startswith(b"HTTP/1.1 503 ")
        assert b"stream: expected at most 16 listeners" in refused
        await clients[3].aclose()
        await trio.sleep(3)
        assert (await (await connect()).receive_some()).startswith(b"HTTP/1.1 200 ")


async def test_head_says_what_the_stream_is_and_takes_no_place(autojump_clock: MockClock) -> None:
    async with api() as connect:
        for _ in range(MAX_LISTENERS + 1):
            client = await connect("HEAD")
            head = await client.receive_some()
            assert head.startswith(b"HTTP/1.1 200 ")
            assert b"content-type: text/event-stream" in head.lower()
            assert b"cache-control: no-store" in head.lower()
            assert await client.receive_some() == b""


@asynccontextmanager
async def api() -> AsyncIterator[Callable[..., Awaitable[trio.abc.HalfCloseableStream]]]:
    """Yields a function that requests the stream on a new connection."""
    source: Any = Source(monitor=PlayedMonitor(full_view()), control=NotedControl())  # type: ignore[arg-type]
    app = application(source, Access("token"))
    async with trio.open_nursery() as nursery:

        async def connect(method: str = "GET") -> trio.abc.HalfCloseableStream:
            ours, theirs = memory_stream_pair()
            nursery.start_soon(answer, theirs, app)
            await ours.send_all(f"{method} /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            return ours

        yield connect
        nursery.cancel_scope.cancel()


class Http:
    """A client that receives an answer in chunks."""

    def __init__(self) -> None:
        self._http = h11.Connection(h11.CLIENT)
        self._http.send(h11.Request(method="GET", target="/", headers=[("host", "h")]))
        self._http.send(h11.EndOfMessage())
        self.listener = Listener()

    def take(self, data: bytes | bytearray) -> None:
        self._http.receive_data(bytes(data))
        while (event := self._http.next_event()) is not h11.NEED_DATA:
            if isinstance(event, h11.Data):
                self.listener.take(bytes(event.data))
            assert not isinstance(event, h11.EndOfMessage | h11.ConnectionClosed), "the stream ended"
