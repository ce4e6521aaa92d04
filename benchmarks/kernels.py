"""MH/s of each kernel on one thread: median, minimum and maximum of several rounds, kernels taken in turn.

    python benchmarks/kernels.py [--rounds 7] [--seconds 0.5]

The kernels alternate within each round, so that the ratios hold on a machine whose speed drifts.
"""

import argparse
from statistics import median

from stratum_miner.backends.cpu import kernels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.5)
    arguments = parser.parse_args()
    available = kernels.available_kernels()
    rates: dict[str, list[float]] = {kernel.name: [] for kernel in available}
    for _ in range(arguments.rounds):
        for kernel in available:
            rates[kernel.name].append(kernels.measure(kernel, arguments.seconds) / 1e6)
    scalar = median(rates[available[0].name])
    print(f"{'kernel':<8} {'lanes':>5} {'median':>8} {'min':>8} {'max':>8}  MH/s, {arguments.rounds} rounds   ratio")
    for kernel in available:
        values = rates[kernel.name]
        middle = median(values)
        print(
            f"{kernel.name:<8} {kernel.lanes:>5} {middle:>8.2f} {min(values):>8.2f} {max(values):>8.2f}"
            f"{'':<19} {middle / scalar:>5.2f}"
        )


if __name__ == "__main__":
    main()
