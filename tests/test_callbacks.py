"""A coroutine function as ``on_event`` is refused at once, because nothing would await it."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from stratum_miner.client import PoolSettings, PoolUrl
from stratum_miner.miner import Miner, open_miner
from stratum_miner.pool import Pool, PoolConfig, open_pool
from stratum_miner.proxy import Proxy, ProxyConfig, open_proxy
from stratum_miner.testing import ScriptedNode

POOL = PoolSettings(url=PoolUrl("127.0.0.1", 1), worker_name="worker")
NODE = ScriptedNode()
POOL_CONFIG = PoolConfig(payout_script=b"\x51", port=0)
TEXT = "^on_event: expected a function, got a coroutine function; use send_channel.send_nowait of a trio channel$"


async def on_event(event: object) -> None:
    """Do nothing."""


@pytest.mark.parametrize("function", [on_event, partial(on_event)])
@pytest.mark.parametrize(
    "make", [partial(Pool, NODE, POOL_CONFIG), partial(Proxy, POOL, ProxyConfig(port=0)), partial(Miner, POOL, [])]
)
def test_a_coroutine_function_is_refused(make: Callable[..., object], function: Any) -> None:
    with pytest.raises(TypeError, match=TEXT):
        make(on_event=function)


@pytest.mark.parametrize(
    "opening",
    [
        partial(open_pool, NODE, POOL_CONFIG),
        partial(open_proxy, POOL, ProxyConfig(port=0)),
        partial(open_miner, POOL, []),
    ],
)
async def test_a_coroutine_function_is_refused_before_the_block(opening: Callable[..., Any]) -> None:
    with pytest.RaisesExc(TypeError, match=TEXT):
        async with opening(on_event=on_event):
            pytest.fail("the block ran")
