"""The time of one hash in a complete miner, compared with that of the kernel alone.

The wall-clock time of a hash is that of one search thread. It does not include the time in which the thread was ready
and waited for a processor, so a busy computer changes it little. It includes all time in which the thread had no work.
The search threads have the normal priority, so that other programs do not stop them for long.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import trio

from benchmarks.older import speed
from benchmarks.pools import notify
from benchmarks.processes import serving, waited_s
from benchmarks.reading import NotHereError, Reading, Turn
from stratum_miner.backends.cpu import processors
from stratum_miner.backends.cpu.backend import CpuBackend
from stratum_miner.backends.cpu.choice import choose
from stratum_miner.client import PoolSettings, PoolUrl
from stratum_miner.miner import Miner

JOB_INTERVAL_S = 0.5
SLICES = 8
"""Least number of measured slices of each thread in a turn. A slice takes about 30 ms."""
LIMIT_S = 20.0
"""Longest wait for these slices. On a busy computer, a search thread waits long for a processor."""
ALONE_S = 0.1
FIRST_SLICES = 3
"""Number of slices of each thread that are not measured, because their length is still adjusted."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What a search thread has done and used until the end of one of its slices."""

    hashes: int
    wall_s: float
    used_s: float
    """Seconds of processor time of the thread."""


class Watch:
    """Notes the first and the last measured moment of each search thread. The threads call it after each slice."""

    def __init__(self) -> None:
        self._seen: dict[str, list[Moment]] = {}
        self.backend: CpuBackend | None = None

    def note(self, generation: int, started: int) -> None:
        if self.backend is None:
            return
        name = threading.current_thread().name
        hashes = next(each.hashes for each in self.backend.statistics().devices if each.name == name)
        wall = time.perf_counter() - waited_s(threading.get_native_id())
        self._seen.setdefault(name, []).append(Moment(hashes, wall, time.thread_time()))

    def is_complete(self, threads: int) -> bool:
        """Whether so many threads have finished enough slices."""
        return sum(len(moments) > FIRST_SLICES + SLICES for moments in list(self._seen.values())) >= threads

    def per_hash(self) -> tuple[float, float, int]:
        """Return the seconds of a thread for one hash, its seconds of processor time for one hash, and the hashes."""
        ends = [(moments[FIRST_SLICES], moments[-1]) for moments in list(self._seen.values())]
        hashes = sum(last.hashes - first.hashes for first, last in ends)
        wall = sum(last.wall_s - first.wall_s for first, last in ends)
        return wall / hashes, sum(last.used_s - first.used_s for first, last in ends) / hashes, hashes


@contextmanager
def opened() -> Iterator[Turn]:
    kernel, width = choose().rolling.kernel, processors.default_threads()

    def alone() -> float:
        """Return the hashes per second of processor time of one thread, while as many threads as in mine search."""
        rates: list[float] = []
        workers = [
            threading.Thread(target=lambda: rates.append(speed(kernel, ALONE_S, rolling=True)[1])) for _ in range(width)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return sum(rates) / width

    async def mined(port: int) -> tuple[float, float]:
        settings = PoolSettings(url=PoolUrl("127.0.0.1", port), worker_name="bench", extranonce_subscribe=False)
        watch = Watch()
        backend = watch.backend = CpuBackend(threads=width, kernel=kernel.name, priority="normal", on_search=watch.note)
        miner = Miner(settings, [backend])
        with trio.move_on_after(LIMIT_S):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(miner.run)
                while not backend.statistics().hashes:  # noqa: ASYNC110  the statistics send no notification
                    await trio.sleep(0.005)
                before = time.thread_time()
                while not watch.is_complete(width):  # noqa: ASYNC110  the threads only note their slices
                    await trio.sleep(0.01)
                wall, used, hashes = watch.per_hash()
                rest = (time.thread_time() - before) / hashes
                miner.stop()
        if not watch.is_complete(width):
            raise NotHereError(f"the search threads did not finish {SLICES} slices each in {LIMIT_S:g} s")
        return wall, used + rest

    with serving(notify, 10_000, JOB_INTERVAL_S) as (_, pipe):
        port = pipe.recv()

        def turn() -> list[Reading]:
            rate = alone()
            wall, used = trio.run(mined, port)
            return [
                Reading("kernel", "hash", None, 1 / rate, guards=()),
                Reading("mine", "hash", wall, used, guards=("processor", "wall"), against="kernel"),
            ]

        yield turn
