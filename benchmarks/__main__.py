"""Measures this checkout: ``python -m benchmarks NAME ...``; without names, everything that runs in turns."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.harness import THOROUGH, BenchmarkError, Side, SkippedError, figures, measured_alone
from benchmarks.record import add_save_option, origin, save
from benchmarks.table import NAMES, OTHERS, TABLE
from benchmarks.tables import text_of


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command, and return its exit code: 0, or 3 if a benchmark could not be run."""
    names = "\n".join(f"  {each.name:<12} {each.what}" for each in TABLE)
    others = "\n".join(f"  {name:<14} {what}" for name, what in OTHERS.items())
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measures this checkout in turns, and prints medians with their 95 % intervals, which come from "
        "the bootstrap of the median.",
        epilog=f"benchmarks in turns:\n{names}\n\nothers; python -m benchmarks.NAME --help says more:\n{others}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="what to measure [default: all]")
    parser.add_argument(
        "--seconds",
        type=float,
        default=THOROUGH.seconds,
        help=f"seconds of turns of each benchmark [default: {THOROUGH.seconds:g}]",
    )
    add_save_option(parser)
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.names if name not in NAMES]:
        parser.error(f"NAME: expected one of {', '.join(NAMES)}, got {unknown[0]!r}")
    side = Side("this checkout", Path(sys.executable))
    code = 0
    for benchmark in TABLE:
        if options.names and benchmark.name not in options.names:
            continue
        source = origin(f"python -m benchmarks {benchmark.name}")
        try:
            readings = measured_alone(benchmark.name, side, replace(THOROUGH, seconds=options.seconds))
        except (BenchmarkError, SkippedError) as error:
            print(f"{benchmark.name}: {error}", file=sys.stderr)
            code = 3
            continue
        found = figures(readings)
        result: dict[str, Any] = {
            **source, "what": benchmark.what, "turns": len(readings), "figures": msgspec.to_builtins(found),
        }  # fmt: skip
        print(f"{benchmark.name}: {benchmark.what}\n{text_of(result)}\n", flush=True)
        if options.save:
            save(benchmark.name, result)
    return code


if __name__ == "__main__":
    sys.exit(main())
