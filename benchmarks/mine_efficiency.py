"""Measures the hash rate of the miner, divided by the hash rate of the kernels alone on as many threads.

    python benchmarks/mine_efficiency.py [--pairs 5] [--seconds 10] [--threads N]

Two runs alternate: the kernel alone on N Python threads, and a complete miner with N search threads on a pool that
sends a job every 5 s. Each pair of runs gives one ratio. Quote the median of the ratios.
"""

import argparse
import multiprocessing
import socket
import threading
from statistics import median

import trio
from notifier import serve

from stratum_miner.app.process import logs
from stratum_miner.backends.cpu import kernels, processors
from stratum_miner.backends.cpu.backend import CpuBackend
from stratum_miner.backends.cpu.choice import choose
from stratum_miner.backends.cpu.kernel_speed import measure
from stratum_miner.client import PoolSettings, PoolUrl
from stratum_miner.miner import Goals, Miner

JOB_INTERVAL_S = 5.0


def bare(kernel: kernels.Kernel, threads: int, seconds: float) -> float:
    rates: list[float] = []
    workers = [
        threading.Thread(target=lambda: rates.append(measure(kernel, seconds, rolling=True))) for _ in range(threads)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(rates)


def mined(threads: int, seconds: float, kernel: str) -> float:
    listener = socket.create_server(("127.0.0.1", 0))
    pool = multiprocessing.Process(target=serve, args=(listener, 10_000, JOB_INTERVAL_S), daemon=True)
    pool.start()
    settings = PoolSettings(
        url=PoolUrl("127.0.0.1", listener.getsockname()[1]),
        worker_name="bench",
        extranonce_subscribe=False,
    )
    backend = CpuBackend(threads=threads, kernel=kernel)
    miner = Miner(settings, [backend], goals=Goals(time_limit=seconds))
    trio.run(miner.run)
    pool.terminate()
    listener.close()
    return miner.snapshot().hash_rate_15m


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pairs", type=int, default=5, help="number of pairs of runs [default: 5]")
    parser.add_argument("--seconds", type=float, default=10.0, help="seconds of each run [default: 10]")
    parser.add_argument(
        "--threads", type=int, default=processors.default_threads(), help="number of threads [default: as mine]"
    )
    arguments = parser.parse_args()
    logs.configure(level="warning")
    kernel = choose().rolling.kernel
    ratios = []
    for _ in range(arguments.pairs):
        alone = bare(kernel, arguments.threads, arguments.seconds)
        whole = mined(arguments.threads, arguments.seconds, kernel.name)
        ratios.append(whole / alone)
        print(f"kernels {alone / 1e6:7.2f} MH/s   mining {whole / 1e6:7.2f} MH/s   ratio {ratios[-1]:.3f}", flush=True)
    print(f"{kernel.name}, {arguments.threads} threads: median ratio {median(ratios):.3f}")


if __name__ == "__main__":
    main()
