"""Measures how many shares per second the client and the pool of stratum-miner can handle over loopback.

    python benchmarks/share_throughput.py [--seconds 10] [--threads 1]

The pool runs in a process of its own on a scripted node, whose network difficulty is too high for any block. At
difficulty 1e-9 nearly every hash is a share. Only accepted shares count. Each was found in C, hashed again in Python,
sent, checked and accepted by the pool, and its result recorded by the client.
"""

import argparse
import multiprocessing
from multiprocessing.connection import Connection

import trio

from stratum_miner.app.process import logs
from stratum_miner.backends.cpu.backend import CpuBackend
from stratum_miner.client import PoolSettings, PoolUrl
from stratum_miner.miner import Goals, Miner
from stratum_miner.pool import PoolConfig, open_pool
from stratum_miner.testing.scripted_node import ScriptedNode

DIFFICULTY = 1e-9


async def serve(ready: Connection) -> None:
    config = PoolConfig(payout_script=b"\x51", port=0, difficulty=DIFFICULTY)
    async with open_pool(ScriptedNode(), config) as pool:
        ready.send(pool.port)
        await trio.sleep_forever()


def run_pool(ready: Connection) -> None:
    logs.configure(level="warning")
    trio.run(serve, ready)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=10.0, help="seconds of mining [default: 10]")
    parser.add_argument("--threads", type=int, default=1, help="number of search threads [default: 1]")
    arguments = parser.parse_args()
    receiver, sender = multiprocessing.Pipe()
    pool = multiprocessing.Process(target=run_pool, args=(sender,), daemon=True)
    pool.start()
    logs.configure(level="warning")
    port: int = receiver.recv()
    miner = Miner(
        PoolSettings(url=PoolUrl("127.0.0.1", port), worker_name="bench"),
        [CpuBackend(threads=arguments.threads)],
        goals=Goals(time_limit=arguments.seconds),
    )
    trio.run(miner.run)
    pool.terminate()
    snapshot = miner.snapshot()
    shares = snapshot.shares
    print(
        f"{shares.accepted / snapshot.elapsed:.0f} shares/s accepted over {snapshot.elapsed:.1f} s "
        f"({shares.accepted} accepted, {shares.rejected} rejected, {shares.stale} stale, {shares.lost} lost)"
    )


if __name__ == "__main__":
    main()
