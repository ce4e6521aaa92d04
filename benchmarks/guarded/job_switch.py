"""The time from the arrival of a mining.notify to the first hash of its job, while all search threads are busy.

The measured time begins when the client's socket has returned the bytes (CLOCK_MONOTONIC). It ends when the C search of
a unit of that job begins, which C reads from the same clock. A turn gives the median of its switches. The processor
time is that of the thread that runs trio, which does all but the search.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

import trio

from benchmarks.older import dialer, miner_with
from benchmarks.pools import notify
from benchmarks.processes import serving
from benchmarks.reading import Reading, Turn
from stratum_miner.backends.cpu import processors
from stratum_miner.backends.cpu.backend import CpuBackend
from stratum_miner.backends.cpu.choice import choose
from stratum_miner.client import PoolSettings, PoolUrl

INTERVAL_S = 0.012
FIRST = 12
"""Number of switches that are not measured, because search threads are still starting."""
SWITCHES = 25


class TimedStream(trio.abc.Stream):
    """A stream that remembers when bytes last arrived."""

    def __init__(self, inner: trio.abc.Stream) -> None:
        self.inner = inner
        self.arrived_ns = 0

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        data = await self.inner.receive_some(max_bytes)
        self.arrived_ns = time.monotonic_ns()
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self.inner.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self.inner.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self.inner.aclose()


async def measure(port: int, kernel: str, width: int) -> tuple[float, float, float]:
    """Return the medians of the seconds until the first and until the last thread searches the new job, and the seconds
    of processor time of this thread for one switch."""
    dial, streams = dialer(), list[TimedStream]()
    entered: list[tuple[int, int]] = []
    arrivals: list[int] = []
    used: list[float] = []

    async def connect(url: PoolUrl, seconds: float) -> trio.abc.Stream:
        streams.append(TimedStream(await dial(url, seconds)))
        return streams[-1]

    backend = CpuBackend(
        threads=width,
        kernel=kernel,
        priority="normal",
        on_search=lambda generation, started: entered.append((generation, started)),
    )
    settings = PoolSettings(url=PoolUrl("127.0.0.1", port), worker_name="bench", extranonce_subscribe=False)
    miner = miner_with(settings, [backend], connect)

    def note_change(void: bool) -> None:
        arrivals.append(streams[-1].arrived_ns)
        used.append(time.thread_time())
        if len(arrivals) == FIRST + SWITCHES + 1:
            miner.stop()

    miner.scheduler.on_change(note_change)
    await miner.run()
    first, last = [], []
    for index in range(FIRST, FIRST + SWITCHES):
        started = sorted(stamp for _, stamp in entered if arrivals[index] <= stamp < arrivals[index + 1])
        # a thread that does not begin before the next job, as on a busy computer, has taken that long at least
        started += [arrivals[index + 1]] * width
        first.append(started[0] - arrivals[index])
        last.append(started[width - 1] - arrivals[index])
    return median(first) / 1e9, median(last) / 1e9, (used[FIRST + SWITCHES] - used[FIRST]) / SWITCHES


@contextmanager
def opened() -> Iterator[Turn]:
    kernel, width = choose().rolling.kernel.name, processors.default_threads()
    with serving(notify, 10_000, INTERVAL_S) as (_, pipe):
        port = pipe.recv()

        def turn() -> list[Reading]:
            first, last, used = trio.run(measure, port, kernel, width)
            return [
                Reading("first hash", "job", first, used, guards=("processor", "wall")),
                Reading("all threads", "job", last, None, guards=("wall",)),
            ]

        yield turn
