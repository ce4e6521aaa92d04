"""Injects every fault into every emulated device under its driver, in random order, and shows how the drivers recover.

    python -m tests.backends.asic.soak --seeds 5
    python -m tests.backends.asic.soak --kind bitaxe-gamma erupter --seed 7 --verbose

It runs on a mock clock, so that minutes of pauses and cooling take seconds. Recovery is the time from the end of a
fault to the next valid nonce. The seconds of a restart during the fault are not part of it; what remains are the pauses
of the restart policy.
"""

import argparse
import logging
import sys
from collections import defaultdict
from math import isinf
from statistics import median

import structlog
import trio
from trio.testing import MockClock

from stratum_miner.emulators import FAULTS, KINDS
from tests.backends.asic.device_soak import Recovery, soak


def run(kind: str, seed: int) -> list[Recovery]:
    """Run one test of one device."""

    async def soaked() -> list[Recovery]:
        return await soak(kind, seed=seed)

    return trio.run(soaked, clock=MockClock(autojump_threshold=0))


def table(rows: list[Recovery]) -> str:
    """Return a Markdown table with one line for each fault."""
    by_fault = defaultdict[str, list[Recovery]](list)
    for row in rows:
        by_fault[row.fault].append(row)
    lines = [
        "| fault | devices | damage done | noticed | counters that rose | recovery, median | worst |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in FAULTS:
        found = by_fault.get(name, [])
        if not found:
            continue
        noticed = sum(row.is_noticed for row in found)
        counters = sorted({counter for row in found for counter in row.counted})
        seconds = [row.seconds for row in found]
        lines.append(
            f"| {name} | {len(found)} | {sum(row.injected for row in found)} | {noticed} of {len(found)} "
            f"| {', '.join(counters) or '-'} | {median(seconds):.1f} s | {max(seconds):.1f} s |"
        )
    return "\n".join(lines)


def detail(row: Recovery) -> str:
    """Return one line about one fault of one device."""
    counters = ", ".join(f"{name} {count}" for name, count in row.counted.items()) or "-"
    mark = "" if row.is_noticed else " NOT NOTICED"
    figures = f"{row.injected:4} {row.seconds:6.1f} s {row.rate:4.0%}"
    return f"{row.kind:12} {row.fault:16} {figures} {counters} | {row.last_error}{mark}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", nargs="+", choices=sorted(KINDS), default=list(KINDS), metavar="KIND")
    parser.add_argument("--seed", type=int, default=0, help="first seed")
    parser.add_argument("--seeds", type=int, default=1, help="number of seeds")
    parser.add_argument("--verbose", action="store_true", help="print a line for each fault and device")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    rows = []
    for seed in range(arguments.seed, arguments.seed + arguments.seeds):
        for kind in arguments.kind:
            for row in run(kind, seed):
                rows.append(row)
                if arguments.verbose or not row.is_noticed or isinf(row.seconds):
                    print(detail(row), file=sys.stderr)
    print(table(rows))
    return 1 if any(isinf(row.seconds) for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
