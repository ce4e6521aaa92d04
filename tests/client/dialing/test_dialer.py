"""Connections on real sockets: the choice of the address, and keepalive."""

import errno
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from stratum_miner.client.dialing.dialer import Dialer, reason_of
from stratum_miner.client.dialing.tunnel import TunnelUrl
from stratum_miner.client.dialing.url import PoolLogin, PoolUnreachable, PoolUrl, PoolUrlError, is_host

NAME = "pool.test"
ELSEWHERE = "127.0.0.2"
"""An address of this machine like 127.0.0.1, and not listening where the pool is."""


class Addresses(trio.abc.HostnameResolver):
    """Resolves one name to several addresses."""

    def __init__(self, *addresses: str) -> None:
        self._addresses = addresses

    async def getaddrinfo(
        self, host: bytes | None, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> Any:
        await trio.lowlevel.checkpoint()
        assert host == NAME.encode()
        return [
            (
                socket.AF_INET6 if ":" in address else socket.AF_INET,
                socket.SOCK_STREAM,
                socket.IPPROTO_TCP,
                "",
                (address, port, 0, 0) if ":" in address else (address, port),
            )
            for address in self._addresses
        ]

    async def getnameinfo(self, sockaddr: Any, flags: int) -> Any:
        raise NotImplementedError


@asynccontextmanager
async def listening(host: str = "127.0.0.1") -> AsyncIterator[int]:
    async def serve(stream: trio.SocketStream) -> None:
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, serve, 0, host=host))
        yield listeners[0].socket.getsockname()[1]
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("first", ["::1", ELSEWHERE])
async def test_an_address_that_does_not_answer_is_passed_over(first: str) -> None:
    trio.socket.set_custom_hostname_resolver(Addresses(first, "127.0.0.1"))
    async with listening() as port:
        stream = await Dialer()(PoolUrl(NAME, port), 30.0)
        assert isinstance(stream, trio.SocketStream)
        assert stream.socket.getpeername()[0] == "127.0.0.1"
        await stream.aclose()


async def test_an_address_that_stalls_is_not_waited_for() -> None:
    trio.socket.set_custom_hostname_resolver(Addresses(ELSEWHERE, "127.0.0.1"))
    async with listening() as port:
        with ExitStack() as sockets:
            full = sockets.enter_context(socket.socket())
            full.bind((ELSEWHERE, port))
            full.listen(0)
            for _ in range(4):  # more than it takes: the system leaves further ones without an answer
                waiting = sockets.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex((ELSEWHERE, port))
            stream = await Dialer()(PoolUrl(NAME, port), 60.0)
            assert isinstance(stream, trio.SocketStream)
            assert stream.socket.getpeername()[0] == "127.0.0.1"
            await stream.aclose()


async def test_no_address_answers() -> None:
    trio.socket.set_custom_hostname_resolver(Addresses("127.0.0.1", ELSEWHERE))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        port = taken.getsockname()[1]
        with pytest.raises(PoolUnreachable, match=rf"^stratum\+tcp://pool\.test:{port}: Connection refused$"):
            await Dialer()(PoolUrl(NAME, port), 30.0)


async def test_ipv6_alone_will_do() -> None:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("no IPv6 on this machine")
    async with listening("::1") as port:
        stream = await Dialer()(PoolUrl("::1", port), 30.0)
        await stream.aclose()


async def test_a_connection_is_kept_alive_and_does_not_wait_to_fill_packets() -> None:
    async with listening() as port:
        stream = await Dialer()(PoolUrl("127.0.0.1", port), 30.0)
        assert isinstance(stream, trio.SocketStream)
        for flag in ((socket.SOL_SOCKET, socket.SO_KEEPALIVE), (socket.IPPROTO_TCP, socket.TCP_NODELAY)):
            assert stream.getsockopt(*flag)  # 1 on Linux; other systems report other numbers
        idle = getattr(socket, "TCP_KEEPIDLE", None) or vars(socket)["TCP_KEEPALIVE"]  # the name on macOS
        wanted = {idle: 60, socket.TCP_KEEPINTVL: 10, socket.TCP_KEEPCNT: 3}
        assert {option: stream.getsockopt(socket.IPPROTO_TCP, option) for option in wanted} == wanted
        await stream.aclose()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("h", "expected a port, as in stratum+tcp://h:3333, got none"),
        ("[::1]", "expected a port, as in stratum+tcp://[::1]:3333, got none"),
        ("h:0", "expected a port from 1 to 65535, got '0'"),
        ("h:99999", "expected a port from 1 to 65535, got '99999'"),
        ("h:x", "expected a port from 1 to 65535, got 'x'"),
        ("::1:3333", "expected an IPv6 address in brackets, [::1]:3333, got '::1:3333'"),
        ("fe80::1%eth0:3333", "expected an IPv6 address in brackets, [::1]:3333, got 'fe80::1%eth0:3333'"),
        ("pool.example:3333:4444", "expected one port after the host, got 'pool.example:3333:4444'"),
        ("192.168.1.5:3333:4444", "expected one port after the host, got '192.168.1.5:3333:4444'"),
        ("a:3335 b:80", "expected one address, without spaces and commas, got 'a:3335 b:80'; give each pool by itself"),
        (
            "stratum+ssl://a:3335,b:80",
            "expected one address, without spaces and commas, got 'a:3335,b:80'; give each pool by itself",
        ),
        (":3333", "expected stratum+tcp://HOST:PORT, got no host in 'stratum+tcp://:3333'"),
        ("stratum+tpc://h:1", "expected stratum+tcp or stratum+ssl, got 'stratum+tpc': did you mean stratum+tcp?"),
        ("h:1/x", "expected nothing after the port, got '/x'"),
        ("a..b:1", "expected a host name of 1 to 63 characters between dots and at most 255 in all, got 'a..b'"),
        ("u:hunter2@h:1", "expected no user name or password in it; give them separately"),
        ("u:hunter2@h:99999", "expected no user name or password in it; give them separately"),
        (
            "https://h:1",
            "expected stratum+ssl://HOST:PORT for a pool with TLS, else stratum+tcp://HOST:PORT, got https://, which "
            "begins the address of a web page",
        ),
        ("http://h", "expected a port, as in stratum+tcp://h:3333, got none"),
        ("http://h:1/x", "expected nothing after the port, got '/x'"),
        ("h:", "expected a port, as in stratum+tcp://h:3333, got none"),
        ("h:1:2", "expected one port after the host, got 'h:1:2'"),
        ("stratum+tcp:h:1", "expected :// after the scheme stratum+tcp, got ':'"),
        ("stratum+ssl:/h:1", "expected :// after the scheme stratum+ssl, got ':/'"),
        ("Stratum+TCP//h:1", "expected :// after the scheme Stratum+TCP, got '//'"),
    ],
)
def test_what_is_wrong_with_a_url_is_said(text: str, told: str) -> None:
    with pytest.raises(PoolUrlError) as error:
        PoolUrl.parse(text)
    assert str(error.value) == f"pool URL: {told}"


@pytest.mark.parametrize(
    ("text", "url", "user", "password", "is_http"),
    [
        ("h:1", "stratum+tcp://h:1", None, None, False),
        ("  u:p@h:1 ", "stratum+tcp://h:1", "u", "p", False),
        ("stratums.example:1", "stratum+tcp://stratums.example:1", None, None, False),
        ("stratum+tcp://u:p@h:1", "stratum+tcp://h:1", "u", "p", False),
        ("u:p@h:1", "stratum+tcp://h:1", "u", "p", False),
        ("ssl://u@h:1/", "stratum+ssl://h:1", "u", None, False),
        ("u.w:@[::1]:1", "stratum+tcp://[::1]:1", "u.w", "", False),
        (":p@h:1", "stratum+tcp://h:1", None, "p", False),
        ("tcp://u%2Ew:a%40b%3Ac%25@h:1", "stratum+tcp://h:1", "u.w", "a@b:c%", False),
        ("tcp://a@mail.test:p/?#:x@y@h:1", "stratum+tcp://h:1", "a@mail.test", "p/?#:x@y", False),
        ("http://h:1", "stratum+tcp://h:1", None, None, True),
        ("HTTP://u:p@h:1/", "stratum+tcp://h:1", "u", "p", True),
    ],
)
def test_a_url_may_contain_a_worker_name_and_a_password(
    text: str, url: str, user: str | None, password: str | None, is_http: bool
) -> None:
    login = PoolLogin.parse(text)
    assert (str(login.url), login.worker_name, login.password, login.is_http) == (url, user, password, is_http)
    assert "password" not in repr(login)


@pytest.mark.parametrize("text", ["u:hunter2@h", "u:hunter2@h:x", "u:hunter2@", "tpc://u:hunter2@h:1", "u:hunter2@:1"])
def test_an_error_of_a_url_shows_no_password(text: str) -> None:
    with pytest.raises(PoolUrlError) as error:
        PoolLogin.parse(text)
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize("host", ["a" * 64 + ".pool.test", "a..pool.test", ".pool.test", "ü" * 80, "ü." * 120, ""])
@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("proxy", [None, "socks5://127.0.0.1:1", "socks5h://127.0.0.1:1", "http://127.0.0.1:1"])
async def test_a_name_that_no_host_can_have_is_a_pool_that_cannot_be_reached(
    host: str, tls: bool, proxy: str | None
) -> None:
    dialer = Dialer(proxy=None if proxy is None else TunnelUrl.parse(proxy))
    with pytest.raises(PoolUnreachable, match="expected a host name of 1 to 63 characters between dots"):
        await dialer(PoolUrl(host, 3333, tls), 30.0)


def test_spellings_of_a_url() -> None:
    assert PoolUrl.parse("[2001:db8::1]:3333") == PoolUrl("2001:db8::1", 3333)
    assert str(PoolUrl.parse("stratums://[2001:db8::1]:3333")) == "stratum+ssl://[2001:db8::1]:3333"


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_pool_url_has_a_port(port: int) -> None:
    with pytest.raises(PoolUrlError, match=f"expected a port from 1 to 65535, got {port}"):
        PoolUrl("127.0.0.1", port)


@pytest.mark.parametrize("port", [1, 65535])
def test_every_port_but_0_may_be_used(port: int) -> None:
    assert str(PoolUrl.parse(f"h:{port}")) == f"stratum+tcp://h:{port}"


@pytest.mark.parametrize(("length", "is_possible"), [(0, False), (1, True), (255, True), (256, False)])
def test_a_host_name_has_1_to_255_characters(length: int, is_possible: bool) -> None:
    assert is_host(("a." * 128)[:length].removesuffix(".") + "a" * (length > 0 and length % 2 == 0)) is is_possible


async def stall(host: str, port: int) -> Any:
    await trio.sleep_forever()


@pytest.mark.parametrize(
    ("seconds", "proxy", "limit"),
    [(10.0, None, 10), (10.0, "socks5h://127.0.0.1:1", 60), (90.0, "socks5h://127.0.0.1:1", 90)],
)
async def test_connecting_is_given_up_at_its_limit_which_is_a_minute_or_more_through_a_proxy(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, seconds: float, proxy: str | None, limit: int
) -> None:
    monkeypatch.setattr(trio, "open_tcp_stream", stall)
    monkeypatch.setattr(TunnelUrl, "connect", lambda tunnel, host, port: stall(host, port))
    dialer = Dialer(proxy=None if proxy is None else TunnelUrl.parse(proxy))
    with pytest.raises(PoolUnreachable, match=rf"^stratum\+tcp://h:1: no connection within {limit} s$"):
        await dialer(PoolUrl("h", 1), seconds)
    assert trio.current_time() == limit


def test_the_innermost_cause_of_an_error_is_told() -> None:
    refused = OSError(errno.ECONNREFUSED, "whatever the library says")
    unknown = socket.gaierror(-2, "Name or service not known")
    outer = OSError("all attempts failed")
    outer.__cause__ = ExceptionGroup("several", [refused, OSError(errno.EHOSTUNREACH, "no")])
    for error, reason in (
        (refused, "Connection refused"),
        (unknown, "Name or service not known"),
        (outer, "Connection refused"),
        (OSError("no number"), "no number"),
        (ValueError("no system's error"), "no system's error"),
        (OSError(0, "number 0"), "number 0"),
    ):
        assert reason_of(error) == reason
