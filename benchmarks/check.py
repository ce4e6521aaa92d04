"""Compares the speed of this checkout with that of another commit: ``make bench-check BASE=commit``.

Each benchmark of the table runs in interleaved pairs, one turn with the code of the base and one with the code of this
checkout. The benchmark itself is that of this checkout on both sides. A figure fails if the median of the ratios of its
pairs, now to base, is above 1 by more than three times half the length of the 95 % interval of that median, and by at
least 5 % (processor time) or 15 % (wall-clock time). A figure that fails is measured once more, and fails only if it
fails again. A figure that became faster never fails. What the base does not have is skipped.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict
from pathlib import Path

from benchmarks.harness import QUICK, THOROUGH, BenchmarkError, Compared, Effort, Side, SkippedError, compare, turns
from benchmarks.record import origin
from benchmarks.sides import BaseError, base_side, own_side
from benchmarks.table import NAMES, QUICK_NAMES, TABLE, Benchmark

QUICK_LIMIT_S = 90.0
"""Seconds after which a quick run begins no further benchmark, and says so."""
FAILED, BROKEN, USAGE = 1, 3, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command, and return its exit code: 0, 1 if a figure failed, 2 for wrong usage, 3 if a benchmark broke, or
    130 after Ctrl-C."""
    try:
        return checked(arguments)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130


def checked(arguments: Sequence[str] | None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.check",
        description="Compares the speed of this checkout with that of another commit. Exits with 1 if a figure fails.",
    )
    parser.add_argument("--base", required=True, help="the commit to compare with, such as HEAD~1")
    parser.add_argument("--only", nargs="+", choices=NAMES, metavar="NAME", help=f"only these: {', '.join(NAMES)}")
    parser.add_argument(
        "--quick",
        action="store_true",
        help=f"take fewer pairs; begin nothing after {QUICK_LIMIT_S:g} s",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the results to this file")
    options = parser.parse_args(arguments)
    begun = time.monotonic()
    try:
        base, commit = base_side(options.base)
        own = own_side()
    except (BaseError, BenchmarkError) as error:
        print(error, file=sys.stderr)
        return USAGE if isinstance(error, BaseError) else BROKEN
    chosen = [each for each in TABLE if each.name in (options.only or (QUICK_NAMES if options.quick else NAMES))]
    record = origin(f"make bench-check BASE={options.base}")
    print(f"base {base.name} -> {own.name} ({record['commit']}), {record['processor']}, load {record['load']}")
    print(f"{'benchmark':<12} {'figure':<27} {'time':<9} {'base':>9}  {'now / base':<24} {'limit':>5}")
    done: list[Compared] = []
    broken = 0
    effort = QUICK if options.quick else THOROUGH
    for benchmark in chosen:
        if options.quick and time.monotonic() - begun > QUICK_LIMIT_S:
            print(f"{benchmark.name:<12} not measured, because {QUICK_LIMIT_S:g} s have passed", flush=True)
            continue
        try:
            done += measured(benchmark, base, own, effort)
        except SkippedError as error:
            is_base = str(error).startswith(base.name)
            print(f"{benchmark.name:<12} {'skipped' if is_base else 'BROKEN'}: {error}", flush=True)
            broken += not is_base
        except BenchmarkError as error:
            print(f"{benchmark.name:<12} BROKEN: {error}", flush=True)
            broken += 1
    failed = [each for each in done if each.verdict.failed]
    names = ", ".join(f"{each.benchmark}: {each.figure} ({each.clock})" for each in failed)
    print(
        f"{len(done)} figures in {time.monotonic() - begun:.0f} s: "
        + (f"{len(failed)} slower than at the base: {names}" if failed else "none slower than at the base")
    )
    if options.json:
        results = [{**asdict(each), "failed": each.verdict.failed} for each in done]
        options.json.write_text(json.dumps({**record, "base": commit, "figures": results}, indent=1) + "\n")
    return BROKEN if broken else FAILED if failed else 0


def measured(benchmark: Benchmark, base: Side, own: Side, effort: Effort) -> list[Compared]:
    """Compare all figures of a benchmark, and print them. If one fails, all are measured once more."""
    first = compare(benchmark, turns(benchmark.name, (base, own), effort))
    suspects = {(each.figure, each.clock) for each in first if each.verdict.failed}
    if not suspects:
        show(first)
        return first
    second = compare(benchmark, turns(benchmark.name, (base, own), effort))
    again = {(each.figure, each.clock): each for each in second}
    result = [
        again.get((each.figure, each.clock), each) if (each.figure, each.clock) in suspects else each for each in first
    ]
    show(result, twice=suspects)
    return result


def show(results: Sequence[Compared], twice: AbstractSet[tuple[str, str]] = frozenset()) -> None:
    """Print one line for each result."""
    for each in results:
        ratio = each.verdict.ratio
        words = f"{ratio.median:.3f} ({ratio.low:.3f} to {ratio.high:.3f})"
        verdict = "SLOWER" if each.verdict.failed else ""
        if (each.figure, each.clock) in twice:
            verdict = f"{verdict or 'ok'}, measured twice"
        print(
            f"{each.benchmark:<12} {each.figure:<27} {each.clock:<9} {seconds_text(each.base_s):>9}  {words:<24} "
            f"{each.verdict.limit:>5.2f}  {verdict}".rstrip(),
            flush=True,
        )


def seconds_text(seconds: float) -> str:
    """Return a time with three digits and its unit."""
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


if __name__ == "__main__":
    sys.exit(main())
