"""The checks work over TLS, and failed TLS handshakes end cleanly."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial

import trio
import trustme

from stratum_miner.conformance import ALL, Hasher, PoolUnderTest, Verdict, select, tcp_dialer, verify
from stratum_miner.pool.config import PoolConfig
from tests.conformance.changed_pool import MessageChanger, memory_chain, open_changed_pool

CONFIG = PoolConfig(payout_script=b"\x51", difficulty=3e-10, minimum_difficulty=2.4e-10)
CHECKS = ["FRM-0[1-3]", "FRM-17", "HS-01", "HS-05", "SH-01", "LD-13", "LD-17"]


@asynccontextmanager
async def terminator(changer: MessageChanger, context: ssl.SSLContext) -> AsyncIterator[int]:
    """Run a TLS terminator in front of a pool in memory, and yield its port."""

    async def serve(secured: trio.SSLStream[trio.SocketStream]) -> None:
        plain = await changer.dial()
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(pump, secured, plain, nursery.cancel_scope)
                await pump(plain, secured, nursery.cancel_scope)
        await trio.aclose_forcefully(plain)
        await trio.aclose_forcefully(secured)

    async def pump(source: trio.abc.Stream, sink: trio.abc.Stream, scope: trio.CancelScope) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            while data := await source.receive_some(65536):
                await sink.send_all(data)
        scope.cancel()

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(
            partial(trio.serve_ssl_over_tcp, serve, 0, context, host="127.0.0.1", https_compatible=True)
        )
        yield listeners[0].transport_listener.socket.getsockname()[1]
        nursery.cancel_scope.cancel()


async def test_over_tls() -> None:
    authority = trustme.CA()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    async with open_changed_pool(memory_chain(), CONFIG) as (_, changer), terminator(changer, server) as port:
        raw = tcp_dialer("127.0.0.1", port)

        async def dial() -> trio.abc.Stream:
            secured = trio.SSLStream(await raw(), client, server_hostname="127.0.0.1", https_compatible=True)
            await secured.do_handshake()
            return secured

        target = PoolUnderTest(name="tls", dial=dial, dial_raw=raw, tls=True, worker="alice", owned=True)
        with trio.fail_after(100):
            results = await verify(target, select(ALL, CHECKS), Hasher.fastest(), seed=1)
    verdicts = {each.case.id: each for each in results}
    assert verdicts.pop("FRM-17").verdict is Verdict.SKIPPED
    assert {each.verdict for each in verdicts.values()} == {Verdict.PASSED}, verdicts
    shown = verdicts["LD-17"].outcome.actual
    assert "ClientHello of TLS 1.0, the pool closed the connection" in shown
    assert "ClientHello of garbage, the pool closed the connection" in shown
