"""Measures the time from the arrival of a mining.notify to the first hash of its job, over many job switches.

    python benchmarks/job_switch.py [--switches 1000] [--threads N]

A pool in another process sends mining.notify lines over TCP on loopback while all search threads are busy. The
measured time begins when the client's socket has returned the bytes (CLOCK_MONOTONIC). It ends when the C search of a
unit of that job begins, which C reads from the same clock. The second line of the output is the time until every thread
searches the new job.
"""

import argparse
import multiprocessing
import socket
import time
from statistics import median

import trio
from notifier import serve

from stratum_miner.app.process import logs
from stratum_miner.backends.cpu.backend import CpuBackend
from stratum_miner.client import ClientOptions, PoolSettings, PoolUrl
from stratum_miner.client.dialing.dialer import Dialer
from stratum_miner.miner import Miner

INTERVAL_S = 0.02


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


async def measure(port: int, switches: int, threads: int | None) -> tuple[list[float], list[float]]:
    """Return, for each switch, the microseconds until the first and until the last thread searches the new job."""
    streams: list[TimedStream] = []
    entered: list[tuple[int, int]] = []

    async def connect(url: PoolUrl, seconds: float) -> trio.abc.Stream:
        streams.append(TimedStream(await Dialer()(url, seconds)))
        return streams[-1]

    backend = CpuBackend(threads=threads, on_search=lambda generation, started: entered.append((generation, started)))
    settings = PoolSettings(url=PoolUrl("127.0.0.1", port), worker_name="bench", extranonce_subscribe=False)
    miner = Miner(settings, [backend], options=ClientOptions(connect=connect))
    arrivals: list[int] = []

    def note_change(void: bool) -> None:
        arrivals.append(streams[-1].arrived_ns)
        if len(arrivals) == switches + 40:
            miner.stop()

    miner.scheduler.on_change(note_change)
    await miner.run()
    width = len(backend.statistics().devices)
    first, last = [], []
    for index in range(20, 20 + switches):  # during the first switches, threads are still starting
        started = sorted(stamp for _, stamp in entered if arrivals[index] <= stamp < arrivals[index + 1])
        if len(started) >= width:
            first.append((started[0] - arrivals[index]) / 1000)
            last.append((started[width - 1] - arrivals[index]) / 1000)
    return first, last


def percentile(values: list[float], fraction: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * fraction))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--switches", type=int, default=1000, help="number of job switches [default: 1000]")
    parser.add_argument("--threads", type=int, help="number of search threads [default: as mine]")
    arguments = parser.parse_args()
    listener = socket.create_server(("127.0.0.1", 0))
    pool = multiprocessing.Process(target=serve, args=(listener, arguments.switches + 50, INTERVAL_S), daemon=True)
    pool.start()
    logs.configure(level="warning")
    first, last = trio.run(measure, listener.getsockname()[1], arguments.switches, arguments.threads)
    pool.terminate()
    print(f"{'':<22} {'median':>8} {'p90':>8} {'p99':>8} {'max':>8}  µs over {len(first)} switches")
    for name, values in (("first hash of a job", first), ("all threads switched", last)):
        print(
            f"{name:<22} {median(values):>8.0f} {percentile(values, 0.9):>8.0f} "
            f"{percentile(values, 0.99):>8.0f} {max(values):>8.0f}"
        )


if __name__ == "__main__":
    main()
