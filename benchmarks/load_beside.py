"""Measures the processor time of the load generator and of a pool beside it, for each share.

    python -m benchmarks.load_beside NAME=PORT/PID ... [--rates 1,4] [--miners 1000] [--duration 20]

Each pool is a running pool of another program on this computer: its name in the table, its port, and the id of its
process, whose children count, too. Start it with an easy share difficulty, such as 1e-7, so that the table shows the
work of sending, and not of searching. Processor time counts from the first connection to the end of the run, for the
process of the generator and for the pool alike. It is not the time that passed, so a busy computer disturbs it less.
"""

import argparse
from dataclasses import dataclass

import psutil

from benchmarks.load_pool import run_here
from benchmarks.record import Rows, add_save_option
from stratum_miner.loadtest.plan import LoadPlan
from stratum_miner.loadtest.report import LoadReport, phase_json

COLUMNS = (
    "pool",
    "shares asked for per second",
    "answered per second",
    "submit p50",
    "p99",
    "generator's part of p50",
    "of p99",
    "pool, µs per share",
    "generator, µs per share",
    "generator / pool",
)


@dataclass(frozen=True, slots=True)
class OtherPool:
    """A pool of another program on this computer."""

    name: str
    port: int
    pid: int

    @classmethod
    def parse(cls, text: str) -> "OtherPool":
        name, _, rest = text.partition("=")
        port, _, pid = rest.partition("/")
        return cls(name, int(port), int(pid))

    def processor_seconds(self) -> float:
        """Return the processor time that the process and its children have used so far."""
        process = psutil.Process(self.pid)
        times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
        return float(sum(each.user + each.system for each in times))


def row(pool: OtherPool, report: LoadReport, pool_seconds: float) -> list[str]:
    metrics = report.metrics
    answered = metrics.accepted + metrics.refused.total()
    submit = phase_json(metrics.phases["submit"])
    of_pool, of_generator = pool_seconds / answered, metrics.processor_s / answered
    asked = report.plan.miners * (report.plan.share_rate or 0.0)
    return [
        pool.name,
        f"{asked:,.0f}",
        f"{answered / report.duration:,.0f}",
        *(f"{submit[name]:.3g} ms" for name in ("p50_ms", "p99_ms", "own_p50_ms", "own_p99_ms")),
        f"{of_pool * 1e6:.0f}",
        f"{of_generator * 1e6:.0f}",
        f"{of_generator / of_pool:.2f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("pools", nargs="+", type=OtherPool.parse, metavar="NAME=PORT/PID")
    parser.add_argument(
        "--rates", default="1,4", help="shares per second of each miner, one run for each [default: 1,4]"
    )
    parser.add_argument("--miners", type=int, default=1000, help="number of simulated miners [default: 1000]")
    parser.add_argument("--duration", type=float, default=20.0, help="seconds of each run [default: 20]")
    parser.add_argument("--user", default="load.{n}", help="worker name of the miners [default: load.{n}]")
    add_save_option(parser)
    arguments = parser.parse_args()
    names = " ".join(f"{each.name}=PORT/PID" for each in arguments.pools)
    command = (
        f"python -m benchmarks.load_beside {names} --rates {arguments.rates} --miners {arguments.miners} "
        f"--duration {arguments.duration:g}"
    )
    rows = Rows("load-beside", command, COLUMNS)
    for pool in arguments.pools:
        for rate in arguments.rates.split(","):
            plan = LoadPlan(
                host="127.0.0.1",
                port=pool.port,
                miners=arguments.miners,
                duration=arguments.duration,
                ramp=2.0,
                share_rate=float(rate),
                worker_name=arguments.user,
            )
            before = pool.processor_seconds()
            report = run_here(plan)
            rows.add(*row(pool, report, pool.processor_seconds() - before))
    if arguments.save:
        rows.save()


if __name__ == "__main__":
    main()
