"""Measures how the pool of stratum-miner handles many simulated miners, and what the limiting factor is.

    python -m benchmarks.load_pool [--miners 10000] [--duration 60] [--share-rate 0.1] [--block-every 10] [--workers 3]

The pool and the load generator run in one process each. The pool has a scripted node, whose network difficulty is too
high for any miner to find a block. The node reports a new block every ``--block-every`` seconds, and the pool then
sends mining.notify to all miners. Beside the report of the generator, the output shows figures of the pool: memory per
session, and the processor time of both processes. With ``--workers`` the same miners run a
second time on that many Dask workers on this computer, and the two runs are compared.
"""

import argparse
import multiprocessing
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.connection import Connection

import psutil
import trio
from rich.console import Console

from benchmarks.record import Rows, add_save_option
from stratum_miner.app.process import logs
from stratum_miner.app.process.garbage_collection import keep_old_objects
from stratum_miner.loadtest.cluster import ClusterRun
from stratum_miner.loadtest.generator import LoadGenerator
from stratum_miner.loadtest.limits import raise_file_limit
from stratum_miner.loadtest.plan import LoadPlan
from stratum_miner.loadtest.report import LoadReport, Shard
from stratum_miner.pool import Pool, PoolConfig, open_pool
from stratum_miner.reports import load_text
from stratum_miner.testing.scripted_node import ScriptedNode, make_template

SETTINGS = ("miners", "duration", "ramp", "share-rate", "block-every", "workers")
"""The options that decide what is measured."""
DIFFICULTY = 1e-7
"""About 430 hashes per share, which a kernel computes in about ten microseconds."""


def figures(pool: Pool, baseline: int) -> dict[str, float]:
    snapshot = pool.snapshot()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "sessions": len(snapshot.sessions),
        "accepted": snapshot.shares.accepted,
        "rejected": snapshot.shares.rejected.total(),
        "processor_s": usage.ru_utime + usage.ru_stime,
        "bytes": resident() - baseline,
    }


def resident() -> int:
    return int(psutil.Process().memory_info().rss)


def run_pool(pipe: Connection, block_every: float, connections: int) -> None:
    logs.configure(level="warning")
    raise_file_limit(connections)

    async def serve() -> None:
        node = ScriptedNode(make_template(curtime=int(time.time())))
        config = PoolConfig(payout_script=b"\x51", port=0, difficulty=DIFFICULTY, max_connections=connections)
        async with open_pool(node, config) as pool, trio.open_nursery() as nursery:
            baseline = resident()
            nursery.start_soon(find_blocks, node, block_every)
            pipe.send(pool.port)
            while True:
                await trio.lowlevel.wait_readable(pipe.fileno())
                if pipe.recv() == "stop":
                    nursery.cancel_scope.cancel()
                    return
                pipe.send(figures(pool, baseline))

    with keep_old_objects():
        trio.run(serve)


async def find_blocks(node: ScriptedNode, every: float) -> None:
    height = 101
    while True:
        await trio.sleep(every)
        height += 1
        node.push(make_template(height, curtime=int(time.time())))


def run_here(plan: LoadPlan) -> LoadReport:
    generator = LoadGenerator(plan)
    metrics = generator.run()
    shard = Shard(
        worker="", miners=plan.miners, duration=generator.elapsed, memory_per_miner=generator.memory_per_miner
    )
    return LoadReport(plan=plan, metrics=metrics, shards=(shard,))


def run_on_workers(plan: LoadPlan, workers: int) -> LoadReport:
    import distributed  # noqa: PLC0415  belongs to an extra, so it may not be installed

    with distributed.LocalCluster(
        n_workers=workers, processes=True, threads_per_worker=1, dashboard_address=None, silence_logs=50
    ) as cluster:
        return ClusterRun(plan, cluster.scheduler_address).execute()


@dataclass(frozen=True, slots=True)
class Measured:
    """One run: the report of the generator, the memory of the pool in bytes, and the fractions of a processor."""

    report: LoadReport
    pool_bytes: float
    pool_use: float
    generator_use: float

    def cells(self) -> dict[str, str]:
        report, metrics = self.report, self.report.metrics
        spreads = [spread.seconds for spread in metrics.notifies.values() if spread.seconds is not None]
        memory = report.memory_per_miner
        return {
            "miners with a job": f"{metrics.most_mining:,}",
            "accepted shares per second": f"{report.shares_per_second:,.0f}",
            "lost, unanswered, errors": f"{metrics.lost}, {metrics.unanswered}, {sum(metrics.errors.values())}",
            "memory of the generator per miner": "" if memory is None else f"{memory / 1024:.1f} KiB",
            "memory of the pool per session": f"{self.pool_bytes / max(1, metrics.most_mining) / 1024:.1f} KiB",
            "longest spread of a job over all miners": f"{1000 * max(spreads, default=0):.0f} ms",
            "processor use of the pool": f"{self.pool_use:.0%} of one",
            "processor use of the generator's main process": f"{self.generator_use:.0%} of one",
        }


def measured(plan: LoadPlan, block_every: float, run: Callable[[LoadPlan], LoadReport]) -> Measured:
    """Run the plan against a new pool, and print the report of the generator."""
    pipe, other_end = multiprocessing.Pipe()
    pool = multiprocessing.Process(target=run_pool, args=(other_end, block_every, plan.miners + 100), daemon=True)
    pool.start()
    port: int = pipe.recv()
    began, spent = time.perf_counter(), time.process_time()
    report = run(replace(plan, port=port))
    elapsed, spent = time.perf_counter() - began, time.process_time() - spent
    pipe.send("figures")
    found = pipe.recv()
    pipe.send("stop")
    pool.join()
    load_text.show(report, Console(highlight=False, width=80))
    return Measured(report, found["bytes"], found["processor_s"] / elapsed, spent / elapsed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--miners", type=int, default=10_000, help="number of simulated miners [default: 10000]")
    parser.add_argument("--duration", type=float, default=60.0, help="seconds of each run [default: 60]")
    parser.add_argument(
        "--ramp",
        type=float,
        default=20.0,
        help="seconds within which all miners connect, at most half of --duration [default: 20]",
    )
    parser.add_argument("--share-rate", type=float, default=0.1, help="shares per second of each miner [default: 0.1]")
    parser.add_argument("--block-every", type=float, default=10.0, help="seconds between two blocks [default: 10]")
    parser.add_argument(
        "--workers", type=int, default=0, help="Dask workers of a second run; 0: no second run [default: 0]"
    )
    add_save_option(parser)
    arguments = parser.parse_args()
    plan = LoadPlan(
        host="127.0.0.1",
        port=1,
        miners=arguments.miners,
        duration=arguments.duration,
        ramp=min(arguments.ramp, arguments.duration / 2),
        share_rate=arguments.share_rate,
    )
    given = vars(arguments)
    words = ["python -m benchmarks.load_pool", *(f"--{name} {given[name.replace('-', '_')]:g}" for name in SETTINGS)]
    runs = {"one process": measured(plan, arguments.block_every, run_here)}
    if arguments.workers:
        run = partial(run_on_workers, workers=arguments.workers)
        runs[f"{arguments.workers} workers"] = measured(plan, arguments.block_every, run)
    heads, _ = load_text.latencies(next(iter(runs.values())).report.metrics)
    phases = Rows("load-phases", " ".join(words), ("run", *heads[:-1], "overhead p99", heads[-1]))
    for name, each in runs.items():
        rows = [list(row) for row in load_text.latencies(each.report.metrics)[1]]
        for row, following in zip(rows, [*rows[1:], None], strict=True):
            if row[0] != load_text.OVERHEAD:
                of_generator = following if following is not None and following[0] == load_text.OVERHEAD else None
                phases.add(name, *row[:-1], "" if of_generator is None else of_generator[heads.index("p99")], row[-1])
    figures = Rows("load", " ".join(words), ("figure", *runs))
    columns = [each.cells() for each in runs.values()]
    for name in columns[0]:
        figures.add(name, *(column[name] for column in columns))
    if arguments.save:
        phases.save()
        figures.save()


if __name__ == "__main__":
    main()
