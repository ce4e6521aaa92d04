"""Measures how long the search stops when the active pool fails and when the miner switches back to it.

    python -m benchmarks.failover --times 2

Two pools of stratum-miner run on loopback. While the miner mines on the first pool, the listener and the connections of
that pool are closed. Then the pool starts again, and the miner switches back to it once it has been up for a minute. A
pool that was lost three times within 20 minutes is flapping and must be up for 10 minutes. So more than two failovers
take long. The output shows the time without work, and the number of hashes that were not computed.
"""

import argparse
import time
from collections.abc import Callable
from statistics import median

import structlog
import trio

from benchmarks.record import Rows, add_save_option
from stratum_miner.backends.cpu.backend import CpuBackend
from stratum_miner.client import PoolSettings, PoolUrl
from stratum_miner.miner import Miner
from stratum_miner.pool import PoolConfig
from stratum_miner.pool.pool import open_pool
from stratum_miner.testing.scripted_node import ScriptedNode, make_template

SCRIPT = bytes.fromhex("0014751e76e8199196d454941c45d1b3a323f1433bd6")


class Pools:
    """Two pools, each of which can be stopped and started again on its port."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self._scopes: dict[int, trio.CancelScope] = {}
        self.ports = [0, 0]

    async def start(self, index: int) -> None:
        await self._nursery.start(self._serve, index)

    def cut(self, index: int) -> None:
        self._scopes[index].cancel()

    async def _serve(self, index: int, task_status: trio.TaskStatus[None]) -> None:
        with trio.CancelScope() as self._scopes[index]:
            node = ScriptedNode(make_template())
            config = PoolConfig(
                payout_script=SCRIPT, port=self.ports[index], difficulty=1.0, notify_interval=5.0, stop_grace=0.0
            )
            async with open_pool(node, config) as pool:
                self.ports[index] = pool.port
                task_status.started()
                await trio.sleep_forever()


async def measure(times: int) -> tuple[list[float], list[float], float]:
    """Return the milliseconds without work at each failover and at each switch back, and the hash rate in H/s."""
    away: list[float] = []
    back: list[float] = []
    async with trio.open_nursery() as nursery:
        pools = Pools(nursery)
        for index in (0, 1):
            await pools.start(index)
        changes: list[tuple[float, bool]] = []
        settings = [PoolSettings(url=PoolUrl("127.0.0.1", port), worker_name="bench") for port in pools.ports]
        miner = Miner(settings, [CpuBackend()])
        miner.scheduler.on_change(lambda void: changes.append((time.perf_counter(), miner.scheduler.job is not None)))
        nursery.start_soon(miner.run)
        await _until(lambda: _active(miner) == 0)
        for _ in range(times):
            await trio.sleep(3)
            changes.clear()
            cut = time.perf_counter()
            pools.cut(0)
            await _until(lambda: _active(miner) == 1)
            away.append(1000 * (next(stamp for stamp, has in changes if has) - cut))
            await pools.start(0)
            changes.clear()
            await _until(lambda: _active(miner) == 0)
            gone = [stamp for stamp, has in changes if not has]
            back.append(1000 * (changes[-1][0] - gone[0]) if gone else 0.0)
        rate = miner.snapshot().hash_rate_15m
        nursery.cancel_scope.cancel()
    return away, back, rate


def _active(miner: Miner) -> int | None:
    return next((index for index, pool in enumerate(miner.snapshot().pools) if pool.active), None)


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110  the conditions read snapshots, which send no notification
        await trio.sleep(0.0005)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--times", type=int, default=2, help="number of failovers [default: 2]")
    add_save_option(parser)
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    rows = Rows("failover", "python -m benchmarks.failover", ("", "without work", "hashes not made"))
    away, back, rate = trio.run(measure, arguments.times)
    for name, values in (
        ("failover: disconnected, and no connection to the backup pool yet", away),
        ("switching back to the better pool", back),
    ):
        lost = median(values) / 1000 * rate / 1e6
        waited = f"{median(values):.1f} ms ({min(values):.1f} to {max(values):.1f})"
        rows.add(name, waited, f"{lost:.1f} million at {rate / 1e6:.0f} MH/s")
    if arguments.save:
        rows.save()


if __name__ == "__main__":
    main()
