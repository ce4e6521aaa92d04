"""A proxy for tests, between pools whose messages the test sends, and miners that share no code with the program."""

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Literal
from unittest.mock import patch

import trio
import trio.testing

from stratum_miner.client import PoolSettings, PoolUrl
from stratum_miner.client.settings import Strategy
from stratum_miner.proxy import Proxy, ProxyConfig, ProxyEvent, open_proxy
from stratum_miner.testing.manual_pool import REGTEST_JOB, ManualPool
from tests.downstream.wire_client import MemoryListener, WireClient
from tests.downstream.wire_miner import WireJob

HARD = "1d00ffff"
"""Bits of difficulty 1: no share of a test is a block."""
NOW = 0x6B0424DC
"""Unix time of the test job."""


def job(job_id: str = "1", *, nbits: str = HARD, clean: bool = True, **changes: Any) -> list[Any]:
    """Parameters of a mining.notify; ``changes`` are coinb1, previous, version, ntime."""
    params: list[Any] = [*REGTEST_JOB]
    params[0], params[6], params[8] = job_id, nbits, clean
    for name, place in (("previous", 1), ("coinb1", 2), ("version", 5), ("ntime", 7)):
        params[place] = changes.get(name, params[place])
    return params


class SeededSecrets:
    """Stands for the module ``secrets`` in a proxy, so that a test can be repeated."""

    def __init__(self, seed: int) -> None:
        self.asked: list[int] = []
        """How many bits were asked for."""
        self._random = random.Random(seed)

    def randbits(self, bits: int) -> int:
        """Return an integer of so many random bits."""
        self.asked.append(bits)
        return self._random.getrandbits(bits)

    def token_hex(self, size: int) -> str:
        """Return random hex digits for so many bytes."""
        return self._random.randbytes(size).hex()


class ProxyLab:
    """The proxy, the connections that it opens, and miners that connect to it."""

    def __init__(
        self,
        proxy: Proxy,
        listener: MemoryListener,
        connections: trio.MemoryReceiveChannel[ManualPool],
        secrets: SeededSecrets,
    ) -> None:
        self.proxy = proxy
        self.secrets = secrets
        self._listener = listener
        self._connections = connections

    async def connection(self) -> ManualPool:
        """Wait for the proxy's next connection to a pool. No message has been sent on it yet."""
        with trio.fail_after(86400):
            return await self._connections.receive()

    async def upstream(self, **options: Any) -> ManualPool:
        """Wait for the proxy's next connection to a pool, and answer its handshake."""
        pool = await self.connection()
        with trio.fail_after(86400):
            await pool.accept(**{"difficulty": 1e-7} | options)
        return pool

    async def working(self, **options: Any) -> ManualPool:
        """Do the same, and announce a job, so that the proxy has work."""
        pool = await self.upstream(**options)
        await pool.send_call("mining.notify", *job())
        await trio.testing.wait_all_tasks_blocked()
        return pool

    def connect(self, name: str = "alice.rig") -> WireClient:
        """Connect a miner that has sent no message yet."""
        return self._listener.connect(name)

    async def miner(self, name: str = "alice.rig") -> WireClient:
        """Connect a miner, and wait until it has a job."""
        client = self.connect(name)
        with trio.fail_after(86400):
            await client.login()
        return client


async def submit(client: WireClient, share: list[Any]) -> int:
    """Send a share without waiting for its verdict; returns the id of the request."""
    await client.stream.send_all(client.miner.submit(share))
    return client.miner.last_id


async def verdict(client: WireClient, request_id: int | None = None) -> int:
    """Wait for the verdict of a share: 0, or the error code."""
    await client.read_until(lambda: client.miner.replies(request_id))
    return client.miner.verdict(request_id)


def upstream_header(params: list[Any], extranonce1: str, submitted: list[str]) -> bytes:
    """Return the header that a pool rebuilds from a share and the job that it announced."""
    _, _, extranonce2, ntime, nonce, *version_bits = submitted
    bits = int(version_bits[0], 16) if version_bits else 0
    return WireJob(params, extranonce1, 1.0).header(extranonce2, int(ntime, 16), int(nonce, 16), bits)


@asynccontextmanager
async def proxy_lab(
    *,
    pools: int = 1,
    strategy: Strategy = Strategy.FAILOVER,
    suggest: Literal["auto"] | None = None,
    on_event: Callable[[ProxyEvent], None] | None = None,
    seed: int = 1,
    **options: Any,
) -> AsyncIterator[ProxyLab]:
    """``async with proxy_lab(max_miners=2) as lab``; the options are those of ``ProxyConfig``."""
    send, receive = trio.open_memory_channel[ManualPool](100)

    async def connect(url: PoolUrl, seconds: float) -> trio.abc.Stream:
        ours, theirs = trio.testing.memory_stream_pair()
        await send.send(ManualPool(theirs))
        return ours

    settings = [
        PoolSettings(url=PoolUrl(f"pool{number}.example", 3333), worker_name="farm", suggest_difficulty=suggest)
        for number in range(pools)
    ]
    listener, seeded = MemoryListener(), SeededSecrets(seed)
    with patch("stratum_miner.proxy.upstream.secrets", seeded):
        async with open_proxy(
            settings,
            ProxyConfig(**options),
            listeners=[listener],
            strategy=strategy,
            on_event=on_event,
            unix_time=lambda: NOW + trio.current_time(),
            clock=trio.current_time,
            rng=random.Random(seed),
            connect=connect,
        ) as proxy:
            yield ProxyLab(proxy, listener, receive, seeded)
