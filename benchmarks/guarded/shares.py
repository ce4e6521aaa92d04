"""The time of an accepted share, with miner and pool in two processes over loopback.

At difficulty 1e-9 nearly every hash is a share. Only accepted shares count. Each was found in C, hashed again in
Python, sent, checked and accepted by the pool, and its result recorded by the client.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import trio

from benchmarks.pools import serve_pool
from benchmarks.processes import processor_s, serving
from benchmarks.reading import Reading, Turn
from stratum_miner.backends.cpu.backend import CpuBackend
from stratum_miner.backends.cpu.choice import choose
from stratum_miner.client import PoolSettings, PoolUrl
from stratum_miner.miner import Miner

DIFFICULTY = 1e-9
FIRST, MEASURED = 100, 500
"""Number of accepted shares before the measurement, and of the measured ones."""


@contextmanager
def opened() -> Iterator[Turn]:
    kernel = choose().rolling.kernel.name
    with serving(serve_pool, DIFFICULTY) as (pool, pipe):
        port = pipe.recv()

        async def measure() -> tuple[float, float, float]:
            settings = PoolSettings(url=PoolUrl("127.0.0.1", port), worker_name="bench")
            miner = Miner(settings, [CpuBackend(threads=1, kernel=kernel, priority="normal")])

            def accepted() -> int:
                return miner.snapshot().shares.accepted

            async def until(count: int) -> None:
                while accepted() < count:  # noqa: ASYNC110  snapshots send no notification
                    await trio.sleep(0.005)

            async with trio.open_nursery() as nursery:
                nursery.start_soon(miner.run)
                await until(FIRST)
                count, wall, own, pools = accepted(), time.perf_counter(), time.process_time(), processor_s(pool)
                await until(count + MEASURED)
                count = accepted() - count
                wall, own, pools = time.perf_counter() - wall, time.process_time() - own, processor_s(pool) - pools
                miner.stop()
            return wall / count, own / count, pools / count

        def turn() -> list[Reading]:
            wall, own, pools = trio.run(measure)
            return [
                Reading("miner", "share", wall, own, guards=("processor", "wall")),
                Reading("pool", "share", None, pools),
            ]

        yield turn
