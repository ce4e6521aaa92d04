"""A proxy on memory streams and a mock clock."""

import random
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Literal

import pytest
import trio
import trio.testing

from stratum_miner.client import PoolSettings, PoolUrl
from stratum_miner.client.settings import Strategy
from stratum_miner.proxy import Proxy, ProxyConfig, open_proxy
from stratum_miner.testing.played_pool import PlayedPool
from tests.downstream.wire_client import MemoryListener
from tests.proxy.proxy_lab import NOW, ProxyLab

LabFactory = Callable[..., AbstractAsyncContextManager[ProxyLab]]


@pytest.fixture
def proxy_lab() -> LabFactory:
    """``async with proxy_lab(max_miners=2) as lab``; the options are those of ``ProxyConfig``."""

    @asynccontextmanager
    async def start(
        *,
        pools: int = 1,
        strategy: Strategy = Strategy.FAILOVER,
        suggest: Literal["auto"] | None = None,
        **options: Any,
    ) -> AsyncIterator[ProxyLab]:
        send, receive = trio.open_memory_channel[PlayedPool](100)

        async def connect(url: PoolUrl, seconds: float) -> trio.abc.Stream:
            ours, theirs = trio.testing.memory_stream_pair()
            await send.send(PlayedPool(theirs))
            return ours

        settings = [
            PoolSettings(url=PoolUrl(f"pool{number}.example", 3333), worker_name="farm", suggest_difficulty=suggest)
            for number in range(pools)
        ]
        proxy = Proxy(
            settings,
            ProxyConfig(**options),
            strategy=strategy,
            unix_time=lambda: NOW + trio.current_time(),
            clock=trio.current_time,
            rng=random.Random(1),
            connect=connect,
        )
        listener = MemoryListener()
        async with open_proxy(proxy, [listener]):
            yield ProxyLab(proxy, listener, receive)

    return start
