"""Compares the kernels of stratum-miner with the binary of another miner, on one thread of the same processor.

    python -m benchmarks.against_miner /path/to/minerd [--kernel avx2] [--pairs 5] [--seconds 8] [--processor 0]

The binary is pooler's cpuminer (minerd) or JayDDee's cpuminer-opt, built from source on the same computer. It runs as
``BINARY -a sha256d --benchmark -t 1`` and prints its own speed. The median of the totals after the first one counts.
Each pair measures, within about 20 s: the other miner, the kernel with nonces in its lanes, and the kernel with
versions in its lanes. The output shows the ratios of the hash rates.
"""

import argparse
import os
import re
import signal
import subprocess
import tempfile
from pathlib import Path
from statistics import median

from benchmarks.interval import median_interval
from stratum_miner.backends.base import BackendOptionError
from stratum_miner.backends.cpu.choice import choose
from stratum_miner.backends.cpu.kernel_speed import measure
from stratum_miner.backends.cpu.kernels import kernel_named

RATE = re.compile(r"(?:Total|Benchmark): ([\d.]+) ?([kMG])?(?:hash|H)/s", re.IGNORECASE)
FACTORS = {"": 1e-6, "K": 1e-3, "M": 1.0, "G": 1e3}


def rate_of(binary: Path, processor: int, seconds: float) -> float:
    """Return the hash rate in MH/s that the other miner prints. Exits if the output contains fewer than two rates."""
    os.sched_setaffinity(0, {processor})  # the child process inherits it
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [str(binary), "-a", "sha256d", "--benchmark", "-t", "1"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(2)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        output.seek(0)
        text = output.read().decode(errors="replace")
    rates = [float(match[1]) * FACTORS[(match[2] or "").upper()] for match in RATE.finditer(text)]
    if len(rates) < 2:
        raise SystemExit(f"{binary}: expected lines such as 'Total: 12.3 MH/s', got: {text[-400:].strip()!r}")
    return median(rates[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("binary", type=Path, help="executable of the other miner")
    parser.add_argument("--kernel", help="kernel of stratum-miner [default: the one that mining would choose]")
    parser.add_argument("--pairs", type=int, default=5, help="number of pairs of measurements [default: 5]")
    parser.add_argument("--seconds", type=float, default=8.0, help="seconds for each miner in a pair [default: 8]")
    parser.add_argument(
        "--processor", type=int, default=min(os.sched_getaffinity(0)),
        help="number of the processor that runs both [default: the first usable one]",
    )  # fmt: skip
    arguments = parser.parse_args()
    if not os.access(arguments.binary, os.X_OK):
        parser.error(f"expected an executable miner, got {arguments.binary}")
    try:
        kernel = kernel_named(arguments.kernel) if arguments.kernel else choose().rolling.kernel
    except BackendOptionError as error:
        parser.error(str(error))
    plain, rolling = [], []
    print(f"{'other':>8} {'plain':>8} {'rolling':>8}  MH/s of {kernel.name}   {'plain':>6} {'rolling':>7}  ratios")
    for _ in range(arguments.pairs):
        other = rate_of(arguments.binary.resolve(), arguments.processor, arguments.seconds)
        own = [measure(kernel, arguments.seconds / 2, rolling=way) / 1e6 for way in (False, True)]
        plain.append(own[0] / other)
        rolling.append(own[1] / other)
        gap = " " * (len(kernel.name) + 11)
        print(f"{other:8.2f} {own[0]:8.2f} {own[1]:8.2f}{gap} {plain[-1]:6.2f} {rolling[-1]:7.2f}", flush=True)
    for name, ratios in (("plain", plain), ("rolling", rolling)):
        ratio = median_interval(ratios)
        print(f"median of {arguments.pairs} ratios, {name}: {ratio.median:.2f} ({ratio.low:.2f} to {ratio.high:.2f})")


if __name__ == "__main__":
    main()
