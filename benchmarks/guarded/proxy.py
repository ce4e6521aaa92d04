"""The proxy's processor time for a share, and the time from submit to reply through the proxy and without it.

Pool and proxy run in processes of their own. The times to a reply are medians, measured in turns on the two ways.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from statistics import median

import trio

from benchmarks.older import opened_proxy
from benchmarks.pools import BATCH, Rig, serve_pool
from benchmarks.processes import processor_s, serving
from benchmarks.reading import Reading, Turn
from stratum_miner.client import PoolSettings, PoolUrl

BATCHES = 25
SHARES = BATCHES * BATCH
ANSWERS = 50


def serve_proxy(pipe: Connection, upstream: int) -> None:
    async def serve() -> None:
        settings = PoolSettings(url=PoolUrl("127.0.0.1", upstream), worker_name="bench")
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        async with opened_proxy(settings, listeners) as proxy:
            pipe.send(proxy.port)
            await trio.sleep_forever()

    trio.run(serve)


def until_reply_s(rig: Rig) -> float:
    begun = time.perf_counter()
    rig.submit()
    rig.wait_for_reply()
    return time.perf_counter() - begun


@contextmanager
def opened() -> Iterator[Turn]:
    with (
        serving(serve_pool) as (_, to_pool),
        serving(serve_proxy, pool_port := to_pool.recv()) as (proxy, to_proxy),
    ):
        direct, through = Rig(pool_port), Rig(to_proxy.recv())

        def turn() -> list[Reading]:
            waits = [(until_reply_s(direct), until_reply_s(through)) for _ in range(ANSWERS)]
            begun = time.perf_counter()
            direct.submit_many(BATCHES)
            pool_only = (time.perf_counter() - begun) / SHARES
            used, begun = processor_s(proxy), time.perf_counter()
            through.submit_many(BATCHES)
            wall, used = time.perf_counter() - begun, processor_s(proxy) - used
            return [
                Reading("direct, 64 at once", "share", pool_only, None, guards=()),
                Reading("proxy, 64 at once", "share", wall / SHARES, used / SHARES, against="direct, 64 at once"),
                Reading("direct, one at a time", "share", median(wait for wait, _ in waits), None, guards=()),
                Reading(
                    "proxy, one at a time", "share", median(wait for _, wait in waits), None,
                    guards=("wall",), against="direct, one at a time",
                ),
            ]  # fmt: skip

        yield turn
