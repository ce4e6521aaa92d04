"""Every fault of every emulated device under its driver, in random order: what the driver said, and how it recovered.

    python -m tests.backends.asic.soak --seeds 5
    python -m tests.backends.asic.soak --kind bitaxe-gamma erupter --seed 7 --verbose

Runs on a mock clock: minutes of pauses and cooling take seconds. Recovery is from the end of a fault to the next valid
nonce, so the seconds of a restart that fell into the fault are not in it; those are the pauses of the restart policy.
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
    """One soak of one device."""

    async def soaked() -> list[Recovery]:
        return await soak(kind, seed=seed)

    return trio.run(soaked, clock=MockClock(autojump_threshold=0))


def table(rows: list[Recovery]) -> str:
    """Markdown, one line for each fault."""
    by_fault = defaultdict[str, list[Recovery]](list)
    for row in rows:
        by_fault[row.fault].append(row)
    lines = [
        "| fault | devices struck | damage done | told | counted as | recovery, median | worst |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in FAULTS:
        found = by_fault.get(name, [])
        if not found:
            continue
        told = sum(row.is_told for row in found)
        counters = sorted({counter for row in found for counter in row.told})
        seconds = [row.seconds for row in found]
        lines.append(
            f"| {name} | {len(found)} | {sum(row.injected for row in found)} | {told} of {len(found)} "
            f"| {', '.join(counters) or '-'} | {median(seconds):.1f} s | {max(seconds):.1f} s |"
        )
    return "\n".join(lines)


def detail(row: Recovery) -> str:
    """One line for people."""
    counters = ", ".join(f"{name} {count}" for name, count in row.told.items()) or "-"
    mark = "" if row.is_told else " NOT TOLD"
    figures = f"{row.injected:4} {row.seconds:6.1f} s {row.rate:4.0%}"
    return f"{row.kind:12} {row.fault:16} {figures} {counters} | {row.said}{mark}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", nargs="+", choices=sorted(KINDS), default=list(KINDS), metavar="KIND")
    parser.add_argument("--seed", type=int, default=0, help="the first one")
    parser.add_argument("--seeds", type=int, default=1, help="how many")
    parser.add_argument("--verbose", action="store_true", help="a line for each fault and device")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    rows = []
    for seed in range(arguments.seed, arguments.seed + arguments.seeds):
        for kind in arguments.kind:
            for row in run(kind, seed):
                rows.append(row)
                if arguments.verbose or not row.is_told or isinf(row.seconds):
                    print(detail(row), file=sys.stderr)
    print(table(rows))
    return 1 if any(isinf(row.seconds) for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
