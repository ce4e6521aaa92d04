"""Tests connections on memory streams with a mock clock: each limit applies to a request or an answer, and holds."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Never

import pytest
import trio
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.testing import capture_logs
from trio.testing import MockClock, lockstep_stream_pair, memory_stream_pair

from stratum_miner.monitoring.http import server
from stratum_miner.monitoring.http.server import MAX_HEAD, PIECE, REQUEST_S, SEND_S, answer

WEEK_S = 7 * 86400.0
Stream = trio.abc.HalfCloseableStream


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the method, path, query and body of the request."""
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message["body"], message["more_body"]
    said = b"%s %s %s %s" % (scope["method"].encode(), scope["path"].encode(), scope["query_string"], body)
    headers = [(b"content-length", str(len(said)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": said})


def endless(pieces: list[int], size: int = 1, pause_s: float = 1.0) -> ASGIApp:
    """An application that sends a piece every second and counts the pieces in ``pieces``."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            await send({"type": "http.response.body", "body": b"x" * size, "more_body": True})
            pieces.append(size)
            await trio.sleep(pause_s)

    return app


@asynccontextmanager
async def connected(
    app: ASGIApp = echo, pair: Callable[[], tuple[Stream, Stream]] = memory_stream_pair
) -> AsyncIterator[Stream]:
    """Yields the client's end of a served connection, which must end when the client closes it."""
    ours, theirs = pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer, theirs, app)
        yield ours
        await ours.aclose()


async def everything(stream: Stream) -> bytes:
    """Return all bytes until the server closes the connection."""
    found = b""
    while data := await stream.receive_some():
        found += data
    return found


def head(size: int) -> bytes:
    """Return the head of a request with exactly this many bytes."""
    start, end = b"GET /path?x=1 HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX-Long: ", b"\r\n\r\n"
    return start + b"l" * (size - len(start) - len(end)) + end


# ---- a connection lasts ---------------------------------------------------------------------------------------------


async def test_an_answer_may_last_for_a_week_to_a_client_that_says_nothing(autojump_clock: MockClock) -> None:
    pieces: list[int] = []
    async with connected(endless(pieces, pause_s=60.0)) as client:
        await client.send_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        while trio.current_time() < WEEK_S:
            assert await client.receive_some()
    assert len(pieces) >= WEEK_S / 60


async def test_requests_follow_each_other_on_one_connection(autojump_clock: MockClock) -> None:
    async with connected() as client:
        await client.send_all(b"GET /one HTTP/1.1\r\nHost: h\r\n\r\nGET /two HTTP/1.1\r\nHost: h\r\n\r\n")
        await trio.sleep(REQUEST_S - 1)
        await client.send_all(b"POST /three%20b?q HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
        await client.send_all(b"3\r\nabc\r\n0\r\n\r\n")
        await client.send_all(b"HEAD /four HTTP/1.1\r\nHost: h\r\n\r\n")
        await client.send_all(b"GET /five HTTP/1.0\r\n\r\n")
        found = await everything(client)
    assert found.count(b"HTTP/1.1 200") == 5
    assert [found.count(b"GET /%s  " % word) for word in (b"one", b"two", b"five")] == [1, 1, 1]
    assert b"POST /three b q abc" in found
    assert b"HEAD /four" not in found
    assert found.lower().count(b"\r\ndate: ") == 5


async def test_a_client_that_waits_for_100_continue_gets_it(autojump_clock: MockClock) -> None:
    async with connected() as client:
        await client.send_all(b"POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert (await client.receive_some()).startswith(b"HTTP/1.1 100 ")
        await client.send_all(b"hi")
        await client.send_eof()
        assert (await everything(client)).endswith(b"POST /  hi")


# ---- what comes too slowly, or is too much --------------------------------------------------------------------------


async def test_a_silent_connection_is_closed_without_a_word(autojump_clock: MockClock) -> None:
    async with connected() as client:
        assert await everything(client) == b""
        assert trio.current_time() == pytest.approx(REQUEST_S)


async def test_a_connection_rests_for_so_long_and_no_longer(autojump_clock: MockClock) -> None:
    async with connected() as client:
        await trio.sleep(REQUEST_S - 1)
        await client.send_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        await trio.sleep(REQUEST_S - 1)
        await client.send_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        found = await everything(client)
    assert found.count(b"HTTP/1.1 ") == found.count(b"HTTP/1.1 200 ") == 2
    assert trio.current_time() == pytest.approx(3 * REQUEST_S - 2)


@pytest.mark.parametrize(
    ("at_once", "drip", "needle"),
    [
        (b"", b"GET /" + b"x" * 1000, b"head: expected the request line and all headers within 10 s"),
        (b"GET / HTTP/1.1\r\n", b"a: b\r\n" * 1000, b"head: expected the request line and all headers within 10 s"),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 999\r\n\r\n", b"x" * 999, b"body: expected all of it within"),
    ],
)
async def test_a_request_that_drips_is_ended(
    at_once: bytes, drip: bytes, needle: bytes, autojump_clock: MockClock
) -> None:
    async with connected() as client, trio.open_nursery() as nursery:

        async def send() -> None:
            await client.send_all(at_once)
            for index in range(len(drip)):
                await client.send_all(drip[index : index + 1])
                await trio.sleep(1)

        nursery.start_soon(send)
        found = await everything(client)
        assert trio.current_time() <= REQUEST_S + 1
        assert found.startswith(b"HTTP/1.1 408 ")
        assert needle in found
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("piece", [1, 1000, 100_000])
@pytest.mark.parametrize("size", [MAX_HEAD, MAX_HEAD + 1, 20_000])
async def test_a_head_has_a_size_however_it_comes(size: int, piece: int, autojump_clock: MockClock) -> None:
    sent = head(size)
    async with connected() as client:
        with trio.move_on_after(1):
            for start in range(0, size, piece):
                await client.send_all(sent[start : start + piece])
        found = await everything(client)
    status, _, text = found.partition(b"\r\n")
    if size <= MAX_HEAD:
        assert status == b"HTTP/1.1 200 "
    else:
        assert status == b"HTTP/1.1 431 "
        assert b'{"error":"head: expected at most 8192 bytes of request line and headers"}' in text


async def test_a_head_without_an_end_is_refused_when_it_is_too_large(autojump_clock: MockClock) -> None:
    async with connected() as client:
        await client.send_all(head(5 * MAX_HEAD)[:-4])
        assert (await everything(client)).startswith(b"HTTP/1.1 431 ")
        assert trio.current_time() < REQUEST_S


async def test_the_second_head_on_a_connection_has_a_size_too(autojump_clock: MockClock) -> None:
    async with connected() as client:
        await client.send_all(b"GET /one HTTP/1.1\r\nHost: h\r\n\r\n" + head(MAX_HEAD))
        found = await everything(client)
        assert found.count(b"HTTP/1.1 200 ") == 2
    async with connected() as client:
        await client.send_all(b"GET /one HTTP/1.1\r\nHost: h\r\n\r\n" + head(MAX_HEAD + 1))
        found = await everything(client)
        assert [found.count(b"HTTP/1.1 %d " % status) for status in (200, 431)] == [1, 1]


@pytest.mark.parametrize(
    ("line", "status"), [("/ HTTP/2.0", 400), ("* HTTP/1.1", 400), (f"/{'l' * MAX_HEAD} HTTP/1.1", 414)]
)
async def test_a_head_request_is_refused_without_a_body(line: str, status: int, autojump_clock: MockClock) -> None:
    async with connected() as client:
        await client.send_all(f"HEAD {line}\r\nHost: h\r\n\r\n".encode())
        head, _, body = (await everything(client)).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 %d " % status)
        assert body == b""


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 3 + b"\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
async def test_what_is_no_request_is_refused_and_closed(sent: bytes, autojump_clock: MockClock) -> None:
    async with connected() as client:
        await client.send_all(sent)
        found = await everything(client)
        assert found.startswith(b"HTTP/1.1 400 ")
        assert b'{"error":"request: expected HTTP/1.1' in found
        assert b"connection: close" in found.lower()
        assert b"\r\ndate: " in found.lower()


async def test_a_request_may_end_at_every_byte(autojump_clock: MockClock) -> None:
    whole = b"POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
    for end in range(len(whole) + 1):
        async with connected() as client:
            await client.send_all(whole[:end])
            await client.send_eof()
            found = await everything(client)
        assert found.startswith(b"HTTP/1.1 200 ") == (end == len(whole))
    assert trio.current_time() < 1


# ---- who does not read, and who leaves ------------------------------------------------------------------------------


async def test_a_client_that_does_not_read_is_dropped_with_one_piece_in_memory(autojump_clock: MockClock) -> None:
    pieces: list[int] = []
    ours, theirs = lockstep_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ours.send_all, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        await answer(theirs, endless(pieces, PIECE, pause_s=0.0))
    assert trio.current_time() <= SEND_S + 2
    assert len(pieces) <= 1


async def test_a_client_that_reads_slowly_is_not_dropped(autojump_clock: MockClock) -> None:
    pieces: list[int] = []
    async with connected(endless(pieces, 4 * PIECE), lockstep_stream_pair) as client:
        await client.send_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        for _ in range(100):
            await trio.sleep(SEND_S - 1)
            assert await client.receive_some()
            await client.receive_some()
    assert len(pieces) > 10


async def test_who_leaves_ends_the_answer_with_the_next_piece(autojump_clock: MockClock) -> None:
    pieces: list[int] = []
    ours, theirs = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer, theirs, endless(pieces))
        await ours.send_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        await trio.sleep(5)
        await ours.aclose()
    assert trio.current_time() <= 7


# ---- internal errors ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("begun", [False, True])
async def test_a_defect_costs_one_answer_and_is_logged(begun: bool, autojump_clock: MockClock) -> None:
    async def defective(scope: Scope, receive: Receive, send: Callable[[Message], Awaitable[None]]) -> None:
        if begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"some", "more_body": True})
        raise ValueError("oops")

    with capture_logs() as logs:
        async with connected(defective) as client:
            await client.send_all(b"GET /where HTTP/1.1\r\nHost: h\r\n\r\n")
            found = await everything(client)
    assert found.startswith(b"HTTP/1.1 200 " if begun else b"HTTP/1.1 500 ")
    assert not found.endswith(b"0\r\n\r\n")  # what is cut does not look whole
    assert [entry["request"] for entry in logs if entry["event"] == "http_failed"] == ["GET /where"]


async def test_a_defect_outside_of_any_answer_costs_one_connection(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    def defective(request: object) -> Never:
        raise ValueError("oops")

    monkeypatch.setattr(server, "_checked", defective)
    with capture_logs() as logs:
        async with connected() as client:
            await client.send_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            assert await everything(client) == b""
    assert [(entry["event"], entry["error"]) for entry in logs] == [("http_failed", "ValueError('oops')")]


# ---- exact limits ---------------------------------------------------------------------------------------------------


async def test_an_answer_of_no_announced_length_has_an_end(autojump_clock: MockClock) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"some", "more_body": True})
        await send({"type": "http.response.body"})

    async with connected(app) as client:
        await client.send_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        found = await everything(client)
    assert found.endswith(b"\r\n\r\n4\r\nsome\r\n0\r\n\r\n")


async def test_a_head_request_ends_an_answer_without_end(autojump_clock: MockClock) -> None:
    pieces: list[int] = []
    with capture_logs() as logs:
        async with connected(endless(pieces)) as client:
            await client.send_all(b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n" * 2)
            found = await everything(client)
    assert (found.count(b"HTTP/1.1 200 "), pieces, logs) == (1, [], [])


async def test_a_client_has_twenty_seconds_for_sixteen_kilobytes(autojump_clock: MockClock) -> None:
    taken: list[int] = []

    class Slow(trio.abc.HalfCloseableStream):
        """A stream that takes 19.9 s for each of three pieces, and too long for the fourth."""

        def __init__(self) -> None:
            self.request = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"

        async def receive_some(self, max_bytes: int | None = None) -> bytes:
            assert max_bytes == 16384
            data, self.request = self.request, b""
            return data

        async def send_all(self, data: bytes | bytearray | memoryview) -> None:
            taken.append(len(data))
            await trio.sleep(19.9 if len(taken) < 4 else 20.1)

        async def wait_send_all_might_not_block(self) -> None: ...

        async def send_eof(self) -> None: ...

        async def aclose(self) -> None: ...

    await answer(Slow(), endless([], 5 * 16384, pause_s=0.0))
    assert taken == [16384] * 4
    assert trio.current_time() == pytest.approx(3 * 19.9 + 20)


async def test_a_line_that_is_too_long_is_told_apart_from_a_head_that_is(autojump_clock: MockClock) -> None:
    for size, status in ((9000, b"414"), (8000, b"431")):
        line = b"GET /" + b"l" * (size - 5) + b" HTTP/1.1\r\nHost: h\r\nX: " + b"x" * 9000
        async with connected() as client:
            with trio.move_on_after(1):
                for start in range(0, len(line), 1000):
                    await client.send_all(line[start : start + 1000])
            assert (await everything(client)).split()[1] == status


async def test_the_log_shows_eighty_characters_of_a_request(autojump_clock: MockClock) -> None:
    async def defective(scope: Scope, receive: Receive, send: Send) -> None:
        raise ValueError("oops")

    with capture_logs() as logs:
        async with connected(defective) as client:
            await client.send_all(b"GET /" + b"p" * 200 + b" HTTP/1.1\r\nHost: h\r\n\r\n")
            assert b" 500 " in await everything(client)
    assert [entry["request"] for entry in logs] == [f"GET /{'p' * 75}…"]


async def test_a_body_that_nobody_reads_is_passed_over(autojump_clock: MockClock) -> None:
    async def hasty(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})

    body = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
    async with connected(hasty) as client:
        await client.send_all(body * 3)
        assert (await everything(client)).count(b" 200 ") == 3
    async with connected(hasty) as client:
        await client.send_all(body[:-1])
        assert (await everything(client)).count(b" 200 ") == 1, "the rest of the body is not waited for"
        assert trio.current_time() == pytest.approx(REQUEST_S)
