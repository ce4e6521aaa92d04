"""Connections on real loopback sockets: what memory streams cannot show."""

import errno
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
import trio

from stratum_miner.pool.config import PoolConfig
from stratum_miner.pool.pool import open_pool
from stratum_miner.testing.scripted_node import ScriptedNode, make_template
from tests.downstream.wire_client import WireClient

CONFIG = PoolConfig(payout_script=b"\x51", difficulty=1e-8, port=0)
PATIENCE = 30.0
"""Seconds after which a test fails; nothing here takes a fraction of it."""


class Client(WireClient):
    stream: trio.SocketStream

    @classmethod
    async def connect(cls, port: int) -> "Client":
        return cls(await trio.open_tcp_stream("127.0.0.1", port))

    async def read_until(self, condition: Callable[[], Any]) -> None:
        with trio.fail_after(PATIENCE):
            await super().read_until(condition)

    async def said_to_the_end(self) -> bytes:
        data = b""
        with trio.fail_after(PATIENCE):
            with suppress(trio.BrokenResourceError):  # a reset: we were still sending when the pool closed
                while piece := await self.stream.receive_some(65536):
                    data += piece
        return data


async def test_a_share_over_tcp() -> None:
    async with open_pool(ScriptedNode(), CONFIG) as pool:
        assert pool.addresses == (f"127.0.0.1:{pool.port}",)
        client = await Client.connect(pool.port)
        await client.login()
        assert await client.submit(client.miner.solve()) == 0
        (session,) = pool.snapshot().sessions
        assert session.address.startswith("127.0.0.1:")
        await client.stream.aclose()
    assert len(pool.snapshot().addresses) == 1, "known after the end too"
    with pytest.raises(OSError, match="all attempts to connect"):
        await Client.connect(pool.port)


async def test_ipv6() -> None:
    try:
        listeners = await trio.open_tcp_listeners(0, host="::1")
    except OSError:
        pytest.skip("no IPv6 on this machine")
    async with open_pool(ScriptedNode(), CONFIG, listeners=listeners) as pool:
        assert pool.addresses == (f"[::1]:{pool.port}",)


async def test_vanished_peers_are_found_by_tcp_within_two_minutes_and_lines_leave_at_once() -> None:
    async with open_pool(ScriptedNode(), CONFIG) as pool:
        client = await Client.connect(pool.port)
        await client.login()
        (served,) = pool._miners
        assert isinstance(served.stream, trio.SocketStream)
        for flag in ((socket.SOL_SOCKET, socket.SO_KEEPALIVE), (socket.IPPROTO_TCP, socket.TCP_NODELAY)):
            assert served.stream.getsockopt(*flag)  # 1 on Linux; other systems report other numbers
        idle = getattr(socket, "TCP_KEEPIDLE", None) or vars(socket)["TCP_KEEPALIVE"]  # the name on macOS
        asked = {idle: 60, socket.TCP_KEEPINTVL: 15, socket.TCP_KEEPCNT: 4}
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # only Linux has it
            asked[socket.TCP_USER_TIMEOUT] = 120_000
        assert {option: served.stream.getsockopt(socket.IPPROTO_TCP, option) for option in asked} == asked
        buffer = served.stream.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
        assert buffer in (65536, 2 * 65536), "Linux doubles what it was asked for"
        await client.stream.aclose()


async def test_many_connections_have_their_own_extranonce1() -> None:
    async with open_pool(ScriptedNode(), CONFIG) as pool:
        clients: list[Client] = []

        async def join() -> None:
            client = await Client.connect(pool.port)
            await client.login()
            clients.append(client)

        async with trio.open_nursery() as nursery:
            for _ in range(200):
                nursery.start_soon(join)
        assert len({client.miner.extranonce1 for client in clients}) == 200
        for client in clients:
            await client.stream.aclose()


@pytest.mark.parametrize(
    "data", [b"\x16\x03\x01\x02\x00\x01\x00", b"GET / HTTP/1.1\r\n\r\n", b"x" * 1_000_000, b"\xff\xfe\n"]
)
async def test_foreign_bytes_are_answered_by_closing(data: bytes) -> None:
    async with open_pool(ScriptedNode(), CONFIG) as pool:
        good, bad = await Client.connect(pool.port), await Client.connect(pool.port)
        await good.login()
        with trio.fail_after(PATIENCE):
            with suppress(trio.BrokenResourceError):  # the pool may close before we have sent all of it
                await bad.stream.send_all(data)
        assert await bad.said_to_the_end() == b""
        assert await good.submit(good.miner.solve()) == 0
        await good.stream.aclose()


async def test_a_reset_in_the_middle_of_a_line() -> None:
    async with open_pool(ScriptedNode(), CONFIG) as pool:
        good, bad = await Client.connect(pool.port), await Client.connect(pool.port)
        await good.login()
        await bad.login()
        await bad.stream.send_all(b'{"id":1,"method":"mining.sub')
        bad.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await bad.stream.aclose()
        assert await good.submit(good.miner.solve()) == 0
        with trio.fail_after(PATIENCE):
            while len(pool.snapshot().sessions) > 1:
                await trio.lowlevel.checkpoint()
        await good.stream.aclose()


async def test_a_client_that_never_reads_is_dropped_without_delaying_others() -> None:
    node = ScriptedNode()
    async with open_pool(node, CONFIG) as pool:
        good, bad = await Client.connect(pool.port), await Client.connect(pool.port)
        await good.login()
        await bad.stream.send_all(bad.miner.login())
        height = 101
        with trio.fail_after(PATIENCE):
            while len(pool.snapshot().sessions) != 1 or height < 200:
                height += 1
                node.push(make_template(height))
                await good.read_jobs(height - 100)
        assert await good.submit(good.miner.solve()) == 0
        await good.stream.aclose()
        await bad.stream.aclose()


async def test_a_request_flood_does_not_starve_others() -> None:
    async with open_pool(ScriptedNode(), CONFIG) as pool:
        good, bad = await Client.connect(pool.port), await Client.connect(pool.port)
        await good.login()
        await bad.login()

        async def flood() -> None:
            line = b'{"id":4,"method":"mining.ping","params":[]}\n'
            while True:
                await bad.stream.send_all(line * 100)

        async def drain() -> None:
            while await bad.stream.receive_some(65536):
                pass

        async with trio.open_nursery() as nursery:
            nursery.start_soon(flood)
            nursery.start_soon(drain)
            for _ in range(20):
                assert await good.submit(good.miner.solve()) == 0
            nursery.cancel_scope.cancel()
        await good.stream.aclose()


async def test_one_share_from_two_sockets_at_once_counts_once() -> None:
    async with open_pool(ScriptedNode(), CONFIG) as pool:
        first, second = await Client.connect(pool.port), await Client.connect(pool.port)
        await first.login()
        await second.stream.send_all(second.miner.login("x", first.miner.session_id))
        await second.read_until(lambda: second.miner.jobs)
        assert first.miner.extranonce1 != second.miner.extranonce1
        share = first.miner.solve()
        line = first.miner.submit(share)
        await first.stream.send_all(line + line)
        await second.stream.send_all(second.miner.submit(share))
        await first.read_until(lambda: len(first.miner.replies()) == 2)
        await second.read_until(second.miner.replies)
        codes = [reply["error"] and reply["error"][0] for reply in first.miner.replies()]
        assert codes == [None, 22]
        _, _, extranonce2, ntime, nonce = share
        theirs = second.miner.jobs[-1].header(extranonce2, int(ntime, 16), int(nonce, 16))
        value = int.from_bytes(sha256(sha256(theirs).digest()).digest(), "little")
        assert second.miner.verdict() == (0 if value <= second.miner.jobs[-1].target else 23)
        await first.stream.aclose()
        await second.stream.aclose()


async def test_a_port_in_use_is_named() -> None:
    async with open_pool(ScriptedNode(), CONFIG) as first:
        with pytest.RaisesExc(
            OSError, match=f"cannot listen on 127.0.0.1:{first.port}: Address already in use"
        ) as caught:
            async with open_pool(ScriptedNode(), replace(CONFIG, port=first.port)):
                pass
    assert caught.value.errno == errno.EADDRINUSE


async def test_a_pool_without_a_listener_is_refused() -> None:
    with pytest.RaisesExc(ValueError, match="^listeners: expected at least one, got none$"):
        async with open_pool(ScriptedNode(), CONFIG, listeners=[]):
            pass
