"""SOCKS5 and HTTP CONNECT through small proxies on real sockets; the test plays the pool behind them."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from stratum_miner.client.dialing.dialer import Dialer
from stratum_miner.client.dialing.tunnel import TunnelUrl, TunnelUrlError
from stratum_miner.client.dialing.url import PoolUnreachable, PoolUrl
from stratum_miner.client.ping import ping
from stratum_miner.client.settings import PoolSettings
from stratum_miner.testing.manual_pool import ManualPool


class TestProxy:
    """A SOCKS5 (RFC 1928, 1929) and CONNECT proxy that connects everything to ``pool_port``, one connection at a
    time."""

    __test__ = False

    def __init__(self, pool_port: int, *, user: bytes = b"", password: bytes = b"", refuse: int = 0) -> None:
        self.pool_port = pool_port
        self.user, self.password, self.refuse = user, password, refuse
        self.asked: list[tuple[int, bytes, int]] = []
        """The address type (1 IPv4, 3 name, 0 CONNECT), host and port of each request."""

    async def serve(self, stream: trio.SocketStream) -> None:
        first = await stream.receive_some(1)
        granted = await (self._socks(stream) if first == b"\x05" else self._connect(stream, bytes(first)))
        if not granted:
            await stream.aclose()
            return
        pool = await trio.open_tcp_stream("127.0.0.1", self.pool_port)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._pump, stream, pool)
            nursery.start_soon(self._pump, pool, stream)

    async def _pump(self, source: trio.SocketStream, target: trio.SocketStream) -> None:
        try:
            async for data in source:
                await target.send_all(data)
            await target.send_eof()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass

    async def _exactly(self, stream: trio.SocketStream, count: int) -> bytes:
        data = b""
        while len(data) < count:
            part = await stream.receive_some(count - len(data))
            if not part:
                raise trio.BrokenResourceError
            data += part
        return data

    async def _socks(self, stream: trio.SocketStream) -> bool:
        methods = await self._exactly(stream, (await self._exactly(stream, 1))[0])
        if self.user:
            if 2 not in methods:
                await stream.send_all(b"\x05\xff")
                return False
            await stream.send_all(b"\x05\x02")
            _, length = await self._exactly(stream, 2)
            user = await self._exactly(stream, length)
            password = await self._exactly(stream, (await self._exactly(stream, 1))[0])
            good = (user, password) == (self.user, self.password)
            await stream.send_all(b"\x01" + (b"\x00" if good else b"\x01"))
            if not good:
                return False
        else:
            await stream.send_all(b"\x05\x00")
        _, _, _, kind = await self._exactly(stream, 4)
        length = 4 if kind == 1 else (await self._exactly(stream, 1))[0]
        host = await self._exactly(stream, length)
        port = int.from_bytes(await self._exactly(stream, 2), "big")
        self.asked.append((kind, host, port))
        await stream.send_all(b"\x05" + bytes([self.refuse]) + b"\x00\x01" + bytes(6))
        return not self.refuse

    async def _connect(self, stream: trio.SocketStream, first: bytes) -> bool:
        head = first
        while not head.endswith(b"\r\n\r\n"):
            head += await self._exactly(stream, 1)
        host, _, port = head.split(b" ")[1].partition(b":")
        self.asked.append((0, host, int(port)))
        authorized = not self.user or b"proxy-authorization: basic" in head.lower()
        if not authorized or self.refuse:
            await stream.send_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
            return False
        await stream.send_all(b"HTTP/1.1 200 OK\r\n\r\n")
        return True


async def _say_nothing(_stream: trio.SocketStream) -> None:
    await trio.sleep_forever()


async def play(stream: trio.SocketStream) -> None:
    try:
        played = ManualPool(stream)
        await played.accept(xnsub=False)
        await played.notify()
        await trio.sleep_forever()
    except (AssertionError, trio.BrokenResourceError):
        await stream.aclose()


@asynccontextmanager
async def proxied(**options: object) -> AsyncIterator[tuple[TestProxy, int]]:
    async with trio.open_nursery() as nursery:
        pools = await nursery.start(trio.serve_tcp, play, 0)
        proxy = TestProxy(pools[0].socket.getsockname()[1], **options)  # type: ignore[arg-type]
        listeners = await nursery.start(trio.serve_tcp, proxy.serve, 0)
        yield proxy, listeners[0].socket.getsockname()[1]
        nursery.cancel_scope.cancel()


async def through(url: str, host: str = "127.0.0.1") -> str:
    settings = PoolSettings(url=PoolUrl(host, 3333), worker_name="w", proxy=TunnelUrl.parse(url))
    result = await ping(settings)
    assert result.resolve_ms is None
    return result.error or ""


@pytest.mark.parametrize(
    ("scheme", "host", "asked"),
    [
        ("socks5", "127.0.0.1", (1, socket.inet_aton("127.0.0.1"), 3333)),
        ("socks5h", "pool.onion", (3, b"pool.onion", 3333)),
        ("http", "pool.example", (0, b"pool.example", 3333)),
    ],
)
async def test_a_job_comes_through(scheme: str, host: str, asked: tuple[int, bytes, int]) -> None:
    async with proxied() as (proxy, port):
        assert await through(f"{scheme}://127.0.0.1:{port}", host) == ""
    assert proxy.asked == [asked]


@pytest.mark.parametrize("scheme", ["socks5h", "http"])
async def test_credentials_open_the_way_and_never_show(scheme: str) -> None:
    async with proxied(user=b"me", password=b"p@ss:word") as (_, port):
        assert await through(f"{scheme}://me:p%40ss%3Aword@127.0.0.1:{port}", "pool.example") == ""
        for wrong in (
            f"{scheme}://127.0.0.1:{port}",
            *([f"{scheme}://me:hunter2@127.0.0.1:{port}"] if scheme == "socks5h" else []),
        ):
            error = await through(wrong, "pool.example")
            assert f"the proxy {scheme}://127.0.0.1:{port} refused" in error
            assert "hunter2" not in error


async def test_a_refusal_and_an_absent_proxy_are_told() -> None:
    async with proxied(refuse=5) as (_, port):
        assert "refused: Connection refused by destination host" in await through(
            f"socks5h://127.0.0.1:{port}", "x.example"
        )
    assert "no connection to the proxy socks5://127.0.0.1:1: " in await through("socks5://127.0.0.1:1")


async def test_a_proxy_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stratum_miner.client.dialing.dialer.PROXY_SECONDS", 0.2)
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, _say_nothing, 0)
        proxy = TunnelUrl("socks5h", "127.0.0.1", listeners[0].socket.getsockname()[1])
        with pytest.raises(PoolUnreachable, match=r"no connection within 0\.2 s"):
            await Dialer(proxy=proxy)(PoolUrl("pool.example", 3333), 0.1)
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("text", "needle"),
    [
        ("socks4://h:1", "got the scheme 'socks4'"),
        ("h:1080", "as in socks5h://127.0.0.1:9050, got no scheme"),
        ("127.0.0.1:9050", "as in socks5h://127.0.0.1:9050, got no scheme"),
        ("socks5://h", "got no port"),
        ("socks5://:1080", "got no host"),
        ("socks5://u:secret@h:99999", "write special characters as %xx"),
        ("socks5://h:1080/path", "got something after the port"),
        ("socks5://u:secret@h..example:1080", "with a host name of 1 to 63 characters between dots"),
    ],
)
def test_proxies_that_are_none(text: str, needle: str) -> None:
    with pytest.raises(TunnelUrlError, match=needle) as info:
        TunnelUrl.parse(text)
    assert "secret" not in str(info.value)


def test_credentials_are_in_no_representation() -> None:
    proxy = TunnelUrl.parse("socks5h://me:secret@[::1]:1080")
    assert (proxy.user, proxy.password) == ("me", "secret")
    assert "secret" not in f"{proxy} {proxy!r}"
    assert str(proxy) == "socks5h://[::1]:1080"
