"""Tests requests of strangers on raw sockets: each gets a suitable 4xx or the right answer, never a 5xx, and no log
line."""

import hmac
import json
import re
from collections import Counter
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.core import GaugeMetricFamily
from starlette.types import ASGIApp
from structlog.testing import capture_logs
from trio.testing import MockClock, memory_stream_pair

from stratum_miner.monitoring import axeos
from stratum_miner.monitoring.http import Access, Source, serve_stats
from stratum_miner.monitoring.http.application import application
from stratum_miner.monitoring.http.server import MAX_HEAD, answer
from stratum_miner.monitoring.listening import listening_socket
from tests.monitoring.screen.test_layout import view

from ..served import PlayedMonitor
from .conftest import TOKEN, ApiFactory, NotedControl

HOST = b"Host: localhost\r\n"
AUTHORIZED = HOST + b"Authorization: Bearer " + TOKEN.encode() + b"\r\n"
SUMMARY = b"GET /api/v1/summary HTTP/1.1\r\n"
PAUSE = b"POST /api/v1/pause HTTP/1.1\r\n"
POOLS = b"POST /api/v1/pools HTTP/1.1\r\n" + AUTHORIZED
POOL = b'{"url":"127.0.0.1:1","user":"w"}'


def get(target: bytes, headers: bytes = HOST) -> bytes:
    return b"GET " + target + b" HTTP/1.1\r\n" + headers + b"\r\n"


def host(value: bytes) -> bytes:
    return SUMMARY + b"Host: " + value + b"\r\n\r\n"


def origin(value: bytes, request: bytes = PAUSE + AUTHORIZED) -> bytes:
    return request + b"Origin: " + value + b"\r\n\r\n"


def with_body(body: bytes, request: bytes = POOLS) -> bytes:
    return request + b"Content-Length: %d\r\n\r\n" % len(body) + body


def chunked(*chunks: bytes, request: bytes = POOLS) -> bytes:
    return request + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(chunks)


HOSTS: list[tuple[bytes, set[int]]] = [
    *(
        (host(value), {200})
        for value in (
            b"localhost", b"LOCALHOST:7780", b"localhost:", b"miner.lan", b"Miner.LAN:80", b"127.0.0.1",
            b"127.0.0.1:7780", b"8.8.8.8", b"0.0.0.0", b"[::1]", b"[::1]:7780", b"[::FFFF:127.0.0.1]", b"localhost ",
        )
    ),
    *(
        (host(value), {400})
        for value in (
            b"", b"evil.example", b"evil.example:7780", b"localhost.evil.example", b"127.0.0.1.nip.io", b"xlocalhost",
            b"localhost.", b"evil.example.", b"[", b"]", b"[]", b"[:]", b"[::", b"[::1", b"::1", b"[::1]x",
            b"[evil.example]", b"[127.0.0.1]", b"[v1.x]", b"[fe80::1%25lo]", b"[fe80::1%lo]", b"localhost:99999",
            b"localhost:-1", b"localhost:abc", b"localhost:1:2", b"localhost:7780x", b"127.0.0.1:065536",
            b"a@127.0.0.1", b"evil.example@127.0.0.1", b"127.0.0.1@evil.example", b"127.0.0.1#evil.example",
            b"127.0.0.1/evil", b"127.0.0.1?", b"127.0.0.1\\evil", b"127.1", b"2130706433", b"0x7f.0.0.1",
            b"0177.0.0.1", b"127.0.0.1, evil.example", b"localhost localhost",
            b"\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1", b"\xff", b"localhost\x00", b"http://localhost",
        )
    ),
    (SUMMARY + b"\r\n", {400}),
    (b"GET /api/v1/summary HTTP/1.0\r\n\r\n", {400}),
    (SUMMARY + HOST + b"Host: evil.example\r\n\r\n", {400}),
    (SUMMARY + HOST + HOST + b"\r\n", {400}),
    (SUMMARY + b"Host : localhost\r\n\r\n", {400}),
    (get(b"http://localhost/api/v1/summary", b"Host: evil.example\r\n"), {200}),
    (get(b"HTTP://127.0.0.1:7780/api/v1/summary"), {200}),
    (get(b"http://evil.example/api/v1/summary"), {400}),
    (get(b"http://[/api/v1/summary"), {400}),
    (get(b"http:///api/v1/summary"), {400}),
]  # fmt: skip
ORIGINS: list[tuple[bytes, set[int]]] = [
    (origin(b"http://localhost"), {200}),
    (origin(b"HTTP://LocalHost"), {200}),
    (origin(b"https://miner.lan", PAUSE + AUTHORIZED.replace(b"localhost", b"miner.lan")), {200}),
    (origin(b"http://localhost", SUMMARY + HOST), {200}),
    *(
        (origin(value, request), {403})
        for request in (PAUSE + AUTHORIZED, SUMMARY + HOST, b"GET / HTTP/1.1\r\n" + HOST)
        for value in (
            b"", b"null", b"http://evil.example", b"https://localhost", b"evil://localhost", b"localhost",
            b"//localhost", b"http://localhost:7780", b"http://localhost.", b"http://[", b"http://[::1", b"file://",
            b"file://localhost", b"http://localhost@evil.example", b"http://evil.example#localhost",
            b"http://localhost/", b"http://localhost, x", b"\xff\xfe", b"http://localhost\xc2\xa0",
        )
    ),
    (origin(b"http://localhost\r\nOrigin: http://evil.example"), {403}),
    (origin(b"http://evil.example\r\nOrigin: http://localhost"), {403}),
]  # fmt: skip
TARGETS: list[tuple[bytes, set[int]]] = [
    *(
        (get(target), {404})
        for target in (
            b"//", b"//evil.example/", b"//api/v1/summary", b"/api/v1//summary", b"/web/../guard.py",
            b"/web/%2e%2e/guard.py", b"/web/..%2f..%2fhttp/guard.py", b"/web/..\\..\\guard.py", b"/web/app.js%00.txt",
            b"/%00", b"/%ff%fe", b"/%e2%80%ae", b"/%1b[31m", b"/%0d%0aX:%20y", b"/[", b"/[::1",
            b"/api/v1/%2e%2e/v1/summary", b"/#", b"/;x", b"/" + b"a/" * 2000, b"/" + b"%41" * 1000, b"/%", b"/%zz",
            b"/web/", b"/web", b"/*",
        )
    ),
    (get(b"/%61pi/v1/summary"), {200}),
    (get(b"/api/v1/summary?"), {200}),
    (get(b"/api/v1/summary/"), {307}),
    (get(b"/api/v1/summary%2f"), {307}),
    *(
        (get(b"/api/v1/" + rest), {400})
        for rest in (
        b"summary?x=1", b"shares?limit=-1", b"shares?limit=" + b"9" * 5000, b"shares?limit=1e3",
        b"shares?limit=%D9%A3", b"shares?limit=%00", b"shares?limit", b"events?after=99999999999999999999",
        b"shares?%ff=1",
        )
    ),
    *(
        (get(target), {400})
        for target in (
        b"*", b"api/v1/summary", b"localhost:80", b"[::1]:80", b"[", b"?", b"#", b"https://localhost/",
        b"ftp://localhost/", b"http:/localhost", b"file:///etc/passwd", b"%2f", b"%e2%84%80", b"/a b",
        b"/caf\xc3\xa9", b"/\xff", b"/\x00", b"/\x7f", b"",
        )
    ),
    (get(b"/" + b"a" * 100_000), {414}),
    (get(b"/" + b"a" * MAX_HEAD), {414}),
    (get(b"/", HOST + b"X: " + b"a" * 100_000 + b"\r\n"), {431}),
    (get(b"/", HOST + b"X: y\r\n" * 20_000), {431}),
    (get(b"/", HOST + b"X:\r\n" * 1500), {200}),
]  # fmt: skip
METHODS: list[tuple[bytes, set[int]]] = [
    *(
        (method + b" /api/v1/summary HTTP/1.1\r\n" + AUTHORIZED + b"\r\n", {405})
        for method in (
            b"TRACE", b"CONNECT", b"OPTIONS", b"POST", b"PUT", b"DELETE", b"PATCH", b"get", b"QUERY", b"G" * 3000
        )
    ),
    *(
        (method + b" /api/v1/summary HTTP/1.1\r\n" + HOST + b"\r\n", {401})
        for method in (b"TRACE", b"CONNECT", b"POST", b"PUT", b"DELETE", b"get")
    ),
    (b"HEAD /api/v1/summary HTTP/1.1\r\n" + HOST + b"\r\n", {200}),
    (b"HEAD /nothing HTTP/1.1\r\n" + HOST + b"\r\n", {404}),
    (b"HEAD /nothing HTTP/2.0\r\n" + HOST + b"\r\n", {400}),
    (b"HEAD * HTTP/1.1\r\n" + HOST + b"\r\n", {400}),
    (b"HEAD / HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 9000 + b"\r\n\r\n", {431}),
    (b"HEAD /" + b"a" * 9000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", {414}),
    (b"HEAD /api/v1/summary HTTP/1.1\r\n" + HOST + b"Content-Length: 99999\r\n\r\n", {413}),
    (b"HEAD / HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", {400}),
    (b"OPTIONS /api/v1/pause HTTP/1.1\r\n" + HOST + b"\r\n", {405}),
    (b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", {400}),
    (b"CONNECT localhost:80 HTTP/1.1\r\n" + HOST + b"\r\n", {400}),
    (b"GET /api/v1/pause HTTP/1.1\r\n" + AUTHORIZED + b"X-HTTP-Method-Override: POST\r\n\r\n", {405}),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0", {400}),
    (SUMMARY + HOST + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n\r\n", {200}),
    (get(b"/api/v1/summary", HOST + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"),
    {200}),
    (b"GET /\r\n\r\n", {400}),
    (b"GET / HTTP/3.0\r\n" + HOST + b"\r\n", {400}),
    (b"GET / HTTP/1.1 x\r\n" + HOST + b"\r\n", {400}),
    (b"GET / HTTP/1.1\r\n" + HOST + b"no colon\r\n\r\n", {400}),
    (b"GET / HTTP/1.1\r\n" + HOST + b"X: \x00\r\n\r\n", {400}),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 30, {400}),
    (b"\r\n\r\n\r\n", {400}),
    (b"{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}\n", {400}),
]  # fmt: skip
TOKENS: list[tuple[bytes, set[int]]] = [
    *(
        (PAUSE + HOST + b"Authorization: " + value + b"\r\n\r\n", {401})
        for value in (
            b"", b"Bearer", b"Bearer ", b"Bearer x", b"Basic " + TOKEN.encode(), b"Bearer " + TOKEN.encode()[:-1],
            b"Bearer " + TOKEN.encode() + b"x", b"Bearer " + TOKEN.encode() + b", x", b"Bearer \xe9\xff",
            TOKEN.encode(), b"Bearer\t" + TOKEN.encode(), b"Bearer " + b"x" * 7000,
            b"Bearer x\r\nAuthorization: Bearer " + TOKEN.encode(),
        )
    ),
    (PAUSE + HOST + b"\r\n", {401}),
    (b"POST /api/v1/pause?token=" + TOKEN.encode() + b" HTTP/1.1\r\n" + HOST + b"\r\n", {401}),
    (PAUSE + HOST + b"Authorization: bearer  " + TOKEN.encode() + b"\r\n\r\n", {200}),
]  # fmt: skip
FRAMES: list[tuple[bytes, set[int]]] = [
    *(
        (PAUSE + AUTHORIZED + headers + b"\r\n0\r\n\r\n", {400})
        for headers in (
            b"Content-Length: 5\r\nContent-Length: 6\r\n", b"Content-Length: -1\r\n", b"Content-Length: +5\r\n",
            b"Content-Length: abc\r\n", b"Content-Length: 5, 6\r\n", b"Content-Length: 0x5\r\n",
            b"Content-Length: \xd9\xa5\r\n", b"Content-Length: " + b"9" * 5000 + b"\r\n", b"Content-Length:\r\n",
            b"Content-Length: 1 \x0b\r\n", b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", b"Transfer-Encoding: xchunked\r\n",
            b"Transfer-Encoding: identity\r\n", b"Transfer-Encoding: gzip, chunked\r\n",
            b"Transfer-Encoding: chunked, chunked\r\n",
            b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", b"Transfer-Encoding: chunked\x0b\r\n",
            b"Transfer-Encoding:\r\n", b"Transfer-Encoding : chunked\r\n",
        )
    ),
    (b"POST /api/v1/pause HTTP/1.0\r\n" + AUTHORIZED + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {400}),
    (POOLS + b"Content-Length: 16385\r\n\r\n", {413}),
    (POOLS + b"Content-Length: 9999999999999999999\r\n\r\n", {413}),
    (POOLS + b"Expect: 100-continue\r\nContent-Length: 99999\r\n\r\n", {413}),
    (PAUSE + AUTHORIZED + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n", {200}),
    (POOLS + b"Expect: something-else\r\nContent-Length: %d\r\n\r\n" % len(POOL) + POOL, {200}),
    (chunked(b"2000\r\n" + b"x" * 8192 + b"\r\n", *[b"2000\r\n" + b"x" * 8192 + b"\r\n"] * 9, b"0\r\n\r\n"), {413}),
    (chunked(*[b"1\r\nx\r\n"] * 17_000, b"0\r\n\r\n"), {413}),
    (chunked(b"ffffffffffffffff\r\n" + b"x" * 20_000), {413}),
    (chunked(b"%x;a=b\r\n" % len(POOL) + POOL + b"\r\n0\r\nX: y\r\n\r\n"), {200}),
    (chunked(b"1;" + b"x" * 20_000), {431}),
    (chunked(b"0\r\n" + b"X: y\r\n" * 5_000 + b"\r\n"), {400, 431}),
    *(
        (chunked(line), {400})
        for line in (
            b"zz\r\n", b"-1\r\nx\r\n0\r\n\r\n", b"\r\n", b"f" * 30 + b"\r\n", b"1\r\nxy\r\n0\r\n\r\n",
            b"0x1\r\nx\r\n",
        )
    ),
    (with_body(b"x" * 5000, PAUSE + AUTHORIZED), {200}),
    (with_body(b"x" * 5000, SUMMARY + HOST), {200}),
]  # fmt: skip
BODIES: list[tuple[bytes, set[int]]] = [
    (with_body(POOL), {200}),
    *(
        (with_body(body), {400})
        for body in (
            b"", b"null", b"[]", b"1", b'"x"', b"{", b"\xff", b"\xef\xbb\xbf" + POOL, POOL.decode().encode("utf-16"),
            POOL + b"x", b"[" * 16_000, b'{"a":' * 3000, b"[" * 8000 + b"]" * 8000, b'{"url":NaN,"user":"w"}',
            b'{"url":1,"user":"w"}', b'{"url":"a:1","url":"b:2","user":"w"}',
            b'{"url":"a:1","user":"w","x":{"b":1,"b":2}}', b'{"url":"a:1","user":"w","zz":1}',
            b'{"url":"a:1","user":"\\ud800"}', b'{"url":"a:1","user":"w","priority":' + b"9" * 5000 + b"}",
            b'{"url":"a:1","user":"w","priority":1e400}', b'{"url":"a:1","user":"w","priority":1e300}',
            b'{"url":"a:1","user":"w","priority":-1}', b'{"url":"a:1","user":"w","priority":1.5}',
            b'{"url":"a:1","user":"w","priority":true}', b'{"url":"' + b"a" * 501 + b'","user":"w"}',
        )
    ),
    *(
        (with_body(b'{"quota":%s}' % value, b"PATCH /api/v1/pools/0 HTTP/1.1\r\n" + AUTHORIZED), {400})
        for value in (b"1e999", b"-1", b"1" * 4000, b'"1"', b"[1]", b"0.5")
    ),
    *(
        (with_body(b'{"quota":1}', b"PATCH /api/v1/pools/" + number + b" HTTP/1.1\r\n" + AUTHORIZED), {400})
        for number in (b"-1", b"x", b"99999999999", b"1" * 5000, b"%D9%A3", b"1%00", b"%", b"1e0")
    ),
]  # fmt: skip


@dataclass
class Answer:
    """The first answer on a connection."""

    sent: bytes
    status: int = 0
    headers: bytes = b""
    body: bytes = b""
    interim: bool = False

    def __str__(self) -> str:
        return f"{self.sent[:160]!r}... -> {self.status} {self.body[:100]!r}"

    def is_told(self) -> bool:
        """Return whether an error is one line of text in JSON."""
        if self.status < 400 or self.sent.startswith(b"HEAD"):
            return True
        error = json.loads(self.body)["error"]
        return bool(re.fullmatch(r"[^\n]{5,400}", error)) and error.isprintable()


async def ask(port: int, sent: bytes) -> Answer:
    """Send the bytes, close the sending side, and read to the end."""
    answer = Answer(sent)
    with trio.fail_after(60):
        stream = await trio.open_tcp_stream("127.0.0.1", port)
        received = bytearray()
        async with stream, trio.open_nursery() as nursery:

            async def send() -> None:
                try:
                    await stream.send_all(sent)
                    await stream.send_eof()
                except trio.BrokenResourceError:  # it was refused before its end
                    pass

            nursery.start_soon(send)
            try:
                async for piece in stream:
                    received += piece
            except trio.BrokenResourceError:
                pass
    if received.startswith(b"HTTP/1.1 100 "):
        answer.interim = True
        received = received.partition(b"\r\n\r\n")[2]
    head, _, answer.body = bytes(received).partition(b"\r\n\r\n")
    status, _, answer.headers = head.partition(b"\r\n")
    found = re.fullmatch(rb"HTTP/1\.1 ([0-9]{3}) .*", status)
    answer.status = int(found[1]) if found else 0
    return answer


async def wrong(port: int, cases: list[tuple[bytes, set[int]]]) -> list[str]:
    """Return the requests that did not get an expected status."""
    answers = [(await ask(port, sent), statuses) for sent, statuses in cases]
    return [str(answer) for answer, statuses in answers if answer.status not in statuses or not answer.is_told()]


@pytest.mark.parametrize(
    "cases",
    [HOSTS, ORIGINS, TARGETS, METHODS, TOKENS, FRAMES, BODIES],
    ids=["hosts", "origins", "targets", "methods", "tokens", "frames", "bodies"],
)
async def test_what_strangers_send_is_answered_fittingly(
    cases: list[tuple[bytes, set[int]]], served: ApiFactory
) -> None:
    with capture_logs() as logs:
        async with served(names=("localhost", "miner.lan")) as api:
            port = int(api.url.rpartition(":")[2])
            assert await wrong(port, cases) == []
            assert await wrong(port, [(SUMMARY + HOST + b"\r\n", {200})]) == []
    assert [line for line in logs if line["log_level"] not in ("debug", "info")] == []
    changed = [call[0] for call in api.control.calls]
    assert len(changed) == sum(sent.startswith(b"POST") and statuses == {200} for sent, statuses in cases)
    assert set(changed) <= {"add_pool", "pause"}


async def test_the_figures_of_a_pool_are_guarded_as_well() -> None:
    bound = listening_socket("127.0.0.1:0")
    port = bound.getsockname()[1]
    family = GaugeMetricFamily("miners", "Miners", value=3)
    access = Access("", names=("localhost", "miner.lan"))
    with capture_logs() as logs:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve_stats, bound, lambda: {"miners": 3}, lambda: [family], access)
            assert await wrong(port, HOSTS) == []
            assert await wrong(port, [(sent, statuses | {401}) for sent, statuses in FRAMES if statuses == {400}]) == []
            assert await wrong(port, [(PAUSE + AUTHORIZED + b"\r\n", {401})]) == []
            nursery.cancel_scope.cancel()
    assert logs == []


async def test_so_is_what_looks_like_axeos() -> None:
    bound = listening_socket("127.0.0.1:0")
    port = bound.getsockname()[1]
    control = NotedControl()
    served = partial(axeos.serve, bound, view, control, Access(TOKEN, names=("localhost", "miner.lan")))
    cases = [
        (sent.replace(b"/api/v1/summary", b"/api/system/info").replace(b"/api/v1/", b"/api/system/"), statuses)
        for sent, statuses in (*HOSTS, *ORIGINS, *METHODS, *TOKENS)
    ]
    with capture_logs() as logs:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(served)
            assert await wrong(port, cases) == []
            assert (await ask(port, get(b"/%1b[31m%e2%80%ae"))).is_told()
            nursery.cancel_scope.cancel()
    assert [line for line in logs if line["log_level"] not in ("debug", "info")] == []
    assert {call[0] for call in control.calls} == {"pause"}


# ---- one connection, several requests -------------------------------------------------------------------------------


async def answers(port: int, sent: bytes) -> list[bytes]:
    """Return the statuses of all answers on one connection."""
    answer = await ask(port, sent)
    return [b"%d" % answer.status, *re.findall(rb"HTTP/1\.1 ([0-9]{3}) ", answer.headers + answer.body)]


async def test_a_second_request_hides_in_no_first_one(served: ApiFactory) -> None:
    hidden = SUMMARY + HOST + b"\r\n"
    async with served() as api:
        port = int(api.url.rpartition(":")[2])
        assert await answers(port, hidden * 200) == [b"200"] * 200
        assert await answers(port, with_body(hidden, PAUSE + AUTHORIZED) + hidden) == [b"200", b"200"]
        assert await answers(port, with_body(hidden, PAUSE + HOST) + hidden) == [b"401", b"200"]
        for framing in (b"Content-Length: 4\r\nTransfer-Encoding: chunked", b"Content-Length: 4\r\nContent-Length: 0"):
            assert await answers(port, PAUSE + AUTHORIZED + framing + b"\r\n\r\n0\r\n\r\n" + hidden) == [b"400"]
        for sent in (b"nonsense\r\n\r\n", get(b"/" + b"a" * MAX_HEAD), get(b"nowhere")):
            assert len(await answers(port, sent + hidden)) == 1
        assert await answers(port, get(b"/health", b"Host: evil.example\r\n") + hidden) == [b"400", b"200"]


async def test_a_body_is_asked_for_only_where_it_will_be_read(served: ApiFactory) -> None:
    waiting = b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello"
    async with served() as api:
        port = int(api.url.rpartition(":")[2])
        refused = POOLS.replace(b"Bearer", b"Basic")
        for request, interim in ((POOLS, True), (refused, False), (PAUSE + AUTHORIZED, False)):
            assert (await ask(port, request + waiting)).interim == interim


async def test_sixteen_listen_however_many_come_at_once(served: ApiFactory) -> None:
    listen = get(b"/api/v1/stream")
    statuses: list[bytes] = []
    all_answered = trio.Event()

    async def one(sent: bytes) -> None:
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            await stream.send_all(sent)
            statuses.append((await stream.receive_some())[9:12])
            if len(statuses) == 40:
                all_answered.set()
            await trio.sleep_forever()

    async with served() as api, trio.open_nursery() as nursery:
        port = int(api.url.rpartition(":")[2])
        for _ in range(40):
            nursery.start_soon(one, listen * 3)
        with trio.fail_after(60):
            await all_answered.wait()
        nursery.cancel_scope.cancel()
    assert Counter(statuses) == {b"200": 16, b"503": 24}


async def test_no_token_opens_what_has_none() -> None:
    assert not any(Access("").has_token(given) for given in ("", "Bearer", "Bearer ", "Bearer x"))


async def test_a_token_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []
    monkeypatch.setattr(hmac, "compare_digest", lambda *both: compared.append(both))
    assert not Access(TOKEN).has_token(f"Bearer {TOKEN}")
    assert compared == [(TOKEN.encode(), TOKEN.encode())]


# ---- whatever else ---------------------------------------------------------------------------------------------------

CASES = [sent for cases in (HOSTS, ORIGINS, TARGETS, METHODS, TOKENS, FRAMES, BODIES) for sent, _ in cases]
NAMES = [b"GET ", b"HEAD ", b"POST ", b"PATCH ", b"CONNECT ", b"OPTIONS "]
PIECES = [
    b"\r\n",
    b"\n",
    b"\r\n\r\n",
    b" ",
    b"\t",
    b"\0",
    b"[",
    b"]",
    b":",
    b"/",
    b"//",
    b"%",
    b"?",
    b"@",
    b"\xff",
    b"Host: ",
    b"HTTP/1.1",
]


@st.composite
def mutants(draw: st.DrawFn) -> bytes:
    """Generate a request with a few bytes changed, removed or inserted."""
    sent = bytearray(draw(st.sampled_from(CASES))[:20_000])
    if draw(st.booleans()):
        sent[: sent.find(b" ") + 1] = draw(st.sampled_from(NAMES))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(sent)))
        sent[at : at + draw(st.sampled_from((0, 0, 1, 2, 30)))] = draw(st.sampled_from(PIECES) | st.binary(max_size=3))
    return bytes(sent)


@cache
def everything() -> ASGIApp:
    """Return the application for a miner that does not change."""
    source: Any = Source(monitor=PlayedMonitor(view()), control=NotedControl())  # type: ignore[arg-type]  # it is enough
    return application(source, Access(TOKEN))


@settings(max_examples=150, deadline=None)
@given(mutants() | st.binary(max_size=300))
def test_any_bytes_are_answered_or_not_at_all(sent: bytes) -> None:
    async def main() -> bytes:
        ours, theirs = memory_stream_pair()
        received = bytearray()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(answer, theirs, everything())
            await ours.send_all(sent)
            await ours.send_eof()
            with trio.move_on_after(3):  # a stream does not end
                async for piece in ours:
                    received += piece
            await ours.aclose()
        return bytes(received)

    with capture_logs() as logs:
        received = trio.run(main, clock=MockClock(autojump_threshold=0))
    assert [line for line in logs if line["log_level"] not in ("debug", "info")] == []
    for status in re.findall(rb"(?:^|\r\n\r\n[^\r]*)HTTP/1\.1 ([0-9]{3}) ", received):
        assert status[:1] in b"1234" or (status == b"503" and b"ready" in sent)
