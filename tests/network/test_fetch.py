"""The bounded fetch against real servers that drip, never end, redirect, compress, hang up and talk nonsense.

The limits are small, so that no test waits long; where a limit must not be reached, it is a minute.
"""

import gzip
import math
import ssl
from pathlib import Path

import pytest
import trio
import trio.testing
import trustme

from stratum_miner.network import fetch
from stratum_miner.network.fetch import (
    BrokenFetchError,
    ConnectFetchError,
    Fetcher,
    FetchError,
    HttpResponse,
    HttpTarget,
    LargeFetchError,
    SlowFetchError,
    TlsFetchError,
)

from .web_server import Talk, answer, request, saying, serving

LONG = 60.0
SHORT = 0.3


async def ask(
    url: str, seconds: float = LONG, max_bytes: int = 10_000, tls: ssl.SSLContext | None = None
) -> HttpResponse:
    async with Fetcher(tls=tls) as fetcher:
        return await fetcher.fetch(HttpTarget.parse(f"{url}/key"), seconds=seconds, max_bytes=max_bytes)


def dripping(*first: bytes) -> Talk:
    """Says so much, and then a byte ten times a second: each read is short, and the answer never whole."""

    async def talk(stream: trio.abc.Stream) -> None:
        await saying(*first)(stream)
        await drip(stream)

    return talk


async def drip(stream: trio.abc.Stream) -> None:
    while True:
        await stream.send_all(b"9")
        await trio.sleep(0.1)


HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 9000\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "talk",
    [
        saying(b"", stays=True),
        saying(HEAD + b"12", stays=True),
        dripping(),
        dripping(b"HTTP/1.1 200 O"),
        dripping(HEAD),
        dripping(CHUNKED),
    ],
    ids=["silent", "stops", "dripping status", "dripping head", "dripping body", "dripping chunks"],
)
async def test_the_time_is_for_the_whole_answer(talk: Talk) -> None:
    async with serving(talk) as url:
        began = trio.current_time()
        with pytest.raises(SlowFetchError, match=r"^http://127.0.0.1:\d+: expected a whole answer within 0.3 s$"):
            await ask(url, seconds=SHORT)
        assert trio.current_time() - began < LONG / 2


async def test_a_server_that_does_not_read_holds_nobody() -> None:
    async def deaf(stream: trio.abc.Stream) -> None:
        await trio.sleep_forever()

    async with serving(deaf) as url, Fetcher() as fetcher:
        with pytest.raises(SlowFetchError):
            await fetcher.fetch(
                HttpTarget.parse(url), seconds=SHORT, max_bytes=1000, method="POST", content=b"0" * 50_000_000
            )


@pytest.mark.parametrize(
    "talk",
    [
        saying(b"HTTP/1.1 200 OK\r\n\r\n", b"0" * 5000, again=True),
        saying(b"HTTP/1.1 200 OK\r\n", b"x: y\r\n", again=True),
        saying(b"HTTP/1.1 100 Continue\r\n\r\n", again=True),
        saying(CHUNKED, b"1;" + b"x" * 4000 + b"\r\n0\r\n", again=True),
        saying(b"HTTP/1.1 200 OK\r\ncontent-length: 10001\r\n\r\n", stays=True),
        saying(answer(gzip.compress(b"0" * 1_000_000), "content-encoding: gzip")),
    ],
    ids=["body", "head", "provisional", "chunk extensions", "announced", "compressed"],
)
async def test_an_answer_has_a_size(talk: Talk) -> None:
    async with serving(talk) as url:
        with pytest.raises(LargeFetchError, match=r"^http://127.0.0.1:\d+: expected an answer "):
            await ask(url)


@pytest.mark.parametrize(
    "data", [b"", b"HTTP/1.1 2", HEAD + b"12", b"SSH-2.0-x\r\n", b"\x1b]0;x\x07" * 50, CHUNKED + b"zz\r\n"]
)
async def test_a_server_that_hangs_up_or_talks_nonsense(data: bytes) -> None:
    async with serving(saying(data)) as url:
        with pytest.raises(
            BrokenFetchError,
            match=r"expected (an|the rest of an) HTTP answer, (got something else|the connection ended)",
        ) as told:
            await ask(url)
    assert str(told.value).isprintable()


async def test_nobody_follows_a_redirection() -> None:
    asked = []

    async def elsewhere(stream: trio.abc.Stream) -> None:
        asked.append(await request(stream))

    async with serving(elsewhere) as other, serving(saying(answer(b"", f"location: {other}/", status=302))) as url:
        assert await ask(url) == HttpResponse(302, b"")
    assert asked == []


async def test_the_environment_has_no_say(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[bytes] = []

    async def proxy(stream: trio.abc.Stream) -> None:
        asked.append(await request(stream))

    async def server(stream: trio.abc.Stream) -> None:
        asked.append(await request(stream))
        await stream.send_all(answer(b"direct"))

    (tmp_path / ".netrc").write_text("default login me password hunter2hunter2\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    async with serving(proxy) as wrong, serving(server) as url:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, wrong)
            monkeypatch.setenv(name.lower(), wrong)
        assert await ask(url) == HttpResponse(200, b"direct")
    assert len(asked) == 1
    assert b"authorization" not in asked[0].lower()


async def test_nobody_there() -> None:
    async with serving(saying(b"")) as url:
        pass
    with pytest.raises(ConnectFetchError, match="cannot connect: Connection refused"):
        await ask(url)
    with pytest.raises(ConnectFetchError, match=r"http://no.such.host.invalid: cannot connect: "):
        await ask("http://no.such.host.invalid")


# ---- connections that are kept -------------------------------------------------------------------------------------


class Counted:
    """Answers every request with its number on the connection; counts connections that brought one."""

    def __init__(self, *fields: str, extra: bytes = b"", closes_after: float = math.inf) -> None:
        self.connections = 0
        self.fields, self.extra, self.closes_after = fields, extra, closes_after

    async def __call__(self, stream: trio.abc.Stream) -> None:
        number = 0
        while number < self.closes_after and await request(stream):
            number += 1
            self.connections += number == 1  # others may try a port that was somebody else's before
            await stream.send_all(answer(str(number).encode(), *self.fields) + self.extra)


async def twice(server: Counted) -> tuple[list[bytes], int]:
    async with serving(server) as url, Fetcher() as fetcher:
        found = []
        for _ in range(2):
            found.append((await fetcher.fetch(HttpTarget.parse(url), seconds=LONG, max_bytes=1000)).body)
            await trio.testing.wait_all_tasks_blocked(0.05)  # what the server does after its answer has arrived here
    return found, server.connections


async def test_a_connection_is_kept() -> None:
    assert await twice(Counted()) == ([b"1", b"2"], 1)


@pytest.mark.parametrize(
    "server", [Counted("connection: close"), Counted(extra=answer(b"forged")), Counted(closes_after=1)],
    ids=["closed by its word", "more than was asked for", "closed without a word"],
)  # fmt: skip
async def test_a_connection_that_cannot_be_used_again_is_not(server: Counted) -> None:
    assert await twice(server) == ([b"1", b"1"], 2)


async def test_a_connection_is_not_kept_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "IDLE_SECONDS", 0.0)
    assert await twice(Counted()) == ([b"1", b"1"], 2)


async def test_a_kept_connection_is_closed_with_the_fetcher() -> None:
    ended = trio.Event()

    async def talk(stream: trio.abc.Stream) -> None:
        await saying(answer(b""))(stream)
        assert await stream.receive_some() == b""
        ended.set()

    async with serving(talk) as url:
        await ask(url)
        with trio.fail_after(LONG):
            await ended.wait()


async def test_the_bound_of_bytes_begins_anew_with_each_answer() -> None:
    async with serving(Counted()) as url, Fetcher() as fetcher:
        for _ in range(5):
            await fetcher.fetch(HttpTarget.parse(url), seconds=LONG, max_bytes=len(answer(b"1")))


# ---- answers that may begin at any time ----------------------------------------------------------------------------


async def test_an_answer_that_may_begin_late_must_still_end_in_time() -> None:
    begin = trio.Event()

    async def late(stream: trio.abc.Stream) -> None:
        await request(stream)
        await begin.wait()
        await drip(stream)

    async with serving(late) as url, Fetcher() as fetcher, trio.open_nursery() as nursery:

        async def wait() -> None:
            with pytest.raises(SlowFetchError):
                await fetcher.fetch(HttpTarget.parse(url), seconds=SHORT, max_bytes=1000, waits=True)
            nursery.cancel_scope.cancel()

        nursery.start_soon(wait)
        await trio.sleep(3 * SHORT)  # longer than an answer may take
        begin.set()
        await trio.sleep(LONG)
        raise AssertionError("it still waits")


async def test_a_server_that_cannot_be_reached_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: object) -> None:
        await trio.sleep_forever()

    monkeypatch.setattr(trio, "open_tcp_stream", never)
    async with Fetcher() as fetcher:
        with pytest.raises(SlowFetchError, match=r"^http://h: expected a connection within 0.1 s$"):
            await fetcher.fetch(
                HttpTarget.parse("http://h/"), seconds=LONG, max_bytes=1, connect_seconds=0.1, waits=True
            )


# ---- TLS -----------------------------------------------------------------------------------------------------------

CA = trustme.CA()


def secured(stream: trio.SocketStream) -> trio.abc.Stream:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    CA.issue_cert("127.0.0.1").configure_cert(context)
    return trio.SSLStream(stream, context, server_side=True, https_compatible=True)


async def test_tls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    CA.configure_trust(trust)
    server = Counted()
    async with serving(server, secured) as plain:
        url = plain.replace("http", "https")
        async with Fetcher(tls=trust) as fetcher:
            for number in (b"1", b"2"):
                found = await fetcher.fetch(HttpTarget.parse(url), seconds=LONG, max_bytes=1000)
                assert found == HttpResponse(200, number)
        CA.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        with pytest.raises(TlsFetchError, match="cannot connect with TLS: its certificate cannot be trusted: "):
            await ask(url)
        with pytest.raises(FetchError):
            await ask(plain)
    async with serving(saying(b"HTTP/1.1 400 X\r\n\r\n")) as plain:
        with pytest.raises((TlsFetchError, SlowFetchError)):
            await ask(plain.replace("http", "https"), seconds=1.0)
