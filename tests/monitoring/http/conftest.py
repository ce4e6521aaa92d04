"""Fixtures: the served API of a miner that does not change, and a control that records its calls."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
import trio

from stratum_miner.client import PoolSettings, PoolUrl
from stratum_miner.miner import Miner
from stratum_miner.monitoring.control import ControlRefused
from stratum_miner.monitoring.events import EventLog
from stratum_miner.monitoring.http import Access, Source, serve
from stratum_miner.monitoring.listening import listening_socket
from stratum_miner.monitoring.monitor import Monitor

TOKEN = "a-token-that-nobody-guesses"


class NotedControl:
    """Records its calls, and refuses them if the test says so."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.refusing = ""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*values: Any) -> Any:
            if self.refusing:
                raise ControlRefused(self.refusing)
            self.calls.append((name, *values))
            return ("quota changed",) if name == "reload" else None

        return call


@dataclass
class Api:
    url: str
    monitor: Monitor
    control: NotedControl = field(default_factory=NotedControl)

    async def ask(self, method: str, path: str, *, token: str | None = None, **options: Any) -> httpx2.Response:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        headers |= options.pop("headers", {})
        async with httpx2.AsyncClient(trust_env=False) as client:
            return await client.request(method, self.url + path, headers=headers, **options)

    async def get(self, path: str, **options: Any) -> httpx2.Response:
        return await self.ask("GET", path, **options)


ApiFactory = Callable[..., AbstractAsyncContextManager[Api]]


@pytest.fixture
def served() -> ApiFactory:
    @asynccontextmanager
    async def make(
        address: str = "127.0.0.1:0", *, open_reading: bool = True, names: tuple[str, ...] = ("localhost",)
    ) -> AsyncIterator[Api]:
        bound = listening_socket(address)
        host, port = bound.getsockname()[:2]
        settings = PoolSettings(url=PoolUrl.parse("pool.example:3333"), worker_name="worker", password="s3cret")
        monitor = Monitor(Miner(settings, []).snapshot, EventLog())
        api = Api(f"http://{f'[{host}]' if ':' in host else host}:{port}", monitor)
        source = Source(monitor=monitor, control=api.control, configuration=lambda: {"url": "pool.example"})
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve, bound, source, Access(TOKEN, open_reading=open_reading, names=names))
            yield api
            nursery.cancel_scope.cancel()

    return make
