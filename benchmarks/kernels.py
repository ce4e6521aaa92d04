"""Measures the hash rate of each kernel on one thread, with and without version rolling.

    python benchmarks/kernels.py [--rounds 7] [--seconds 0.5]

The output shows the median, the minimum and the maximum of several rounds in MH/s. The kernels alternate within each
round, so that the ratios remain valid on a computer whose speed drifts.
"""

import argparse
from statistics import median

from stratum_miner.backends.cpu import kernels
from stratum_miner.backends.cpu.kernel_speed import measure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=7, help="number of rounds [default: 7]")
    parser.add_argument("--seconds", type=float, default=0.5, help="seconds for each measurement [default: 0.5]")
    arguments = parser.parse_args()
    available = kernels.available_kernels()
    rates: dict[tuple[str, bool], list[float]] = {
        (kernel.name, way): [] for kernel in available for way in (False, True)
    }
    for _ in range(arguments.rounds):
        for kernel in available:
            for rolling in (False, True):
                rates[kernel.name, rolling].append(measure(kernel, arguments.seconds, rolling=rolling) / 1e6)
    scalar = median(rates[available[0].name, False])
    print(f"{'kernel':<16} {'median':>8} {'min':>8} {'max':>8}  MH/s, {arguments.rounds} rounds   ratio")
    for (name, rolling), values in rates.items():
        middle = median(values)
        print(
            f"{name + (' rolling' if rolling else ''):<16} {middle:>8.2f} {min(values):>8.2f} {max(values):>8.2f}"
            f"{'':<19} {middle / scalar:>5.2f}"
        )


if __name__ == "__main__":
    main()
