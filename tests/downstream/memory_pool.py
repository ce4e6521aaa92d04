"""A pool on memory streams, whose clock is trio's."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import trio
import trio.testing

from stratum_miner.pool import PoolEvent
from stratum_miner.pool.config import PoolConfig
from stratum_miner.pool.pool import Pool, open_pool
from stratum_miner.testing.scripted_node import ScriptedNode
from tests.downstream.wire_client import MemoryListener

CONFIG = PoolConfig(payout_script=b"\x51", difficulty=1e-8)
START = 1_700_000_000
Clock = trio.testing.MockClock


@asynccontextmanager
async def pool_of(
    node: ScriptedNode, config: PoolConfig = CONFIG, on_event: Callable[[PoolEvent], None] | None = None
) -> AsyncIterator[tuple[Pool, MemoryListener]]:
    listener = MemoryListener()
    async with open_pool(
        node, config, listeners=[listener], on_event=on_event, unix_time=lambda: START + trio.current_time()
    ) as pool:
        await trio.testing.wait_all_tasks_blocked()
        yield pool, listener
