"""Fuzz targets for a while each: ``python -m tests.fuzz.run --seconds 120 [TARGET ...]``; ``make fuzz`` runs all.

Each target runs in a process of its own, under atheris where that is installed, which steers towards code that was not
reached yet. Without it the same mutator runs blindly. A fault is printed, its input is kept in ``build/fuzz/TARGET``,
and the run goes on, so that one fault does not hide the next. The exit code is 1 when there was any.
"""

import argparse
import gc
import os
import random
import re
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FunctionType

from tests.fuzz.judge import CORPORA, HERE, NAMES, judge, load, mutants
from tests.fuzz.mutation import MAX_INPUT, mutate

ROOT = HERE.parent.parent
KEPT = ROOT / "build" / "fuzz"
MOST_BYTES = 4 << 30
"""Memory of one process, above which libFuzzer ends it."""
HINT = "atheris is not installed: inputs are mutated blindly. make fuzz installs it (Linux, x86-64)."


def main() -> int:
    """Run the targets that are named, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.run", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"one of {', '.join(NAMES)} (default: all)")
    parser.add_argument("--seconds", type=float, default=120.0, help="for each target (default: 120)")
    parser.add_argument("--jobs", type=int, default=1, help="targets that run at the same time (default: 1)")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    unknown = set(options.targets) - set(NAMES)
    if unknown:
        parser.error(f"expected targets out of {', '.join(NAMES)}, got {', '.join(sorted(unknown))}")
    if options.inside:
        fuzz(options.targets[0], options.seconds)
        return 0
    if not _has_atheris():
        print(HINT)
    print(f"{'target':<24}{'runs':>12}{'edges':>8}{'faults':>8}", flush=True)
    with ThreadPoolExecutor(options.jobs) as workers:
        faults = sum(workers.map(lambda name: outside(name, options.seconds), options.targets or NAMES))
    return 1 if faults else 0


def outside(name: str, seconds: float) -> int:
    """Run one target in a process of its own and print its row; returns the number of its faults."""
    command = [sys.executable, "-m", "tests.fuzz.run", "--inside", "--seconds", f"{seconds:g}", name]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace", check=False)
    said = done.stdout + done.stderr
    runs = re.findall(r"Done (\d+) runs", said)
    edges = re.findall(r" cov: (\d+)", said)
    faults = re.findall(r"^FAULT .*", said, re.M)
    if done.returncode or not runs:  # libFuzzer ended it: out of memory, out of time, a crash of the interpreter
        faults.append(f"the process ended with {done.returncode}:\n{said[-3000:]}")
    print(f"{name:<24}{runs[-1] if runs else '?':>12}{edges[-1] if edges else '-':>8}{len(faults):>8}", flush=True)
    for fault in faults:
        print(f"  {fault}", flush=True)
    return len(faults)


def fuzz(name: str, seconds: float) -> None:
    """Run one target in this process."""
    if not _has_atheris():
        _blindly(name, seconds)
        return
    import atheris

    target = load(name)
    for function in _own_functions():
        atheris.instrument_func(function)
    grown = KEPT / name / "corpus"
    grown.mkdir(parents=True, exist_ok=True)
    flags = [
        f"-max_total_time={seconds:.0f}",
        f"-max_len={MAX_INPUT}",
        f"-rss_limit_mb={MOST_BYTES >> 20}",
        "-timeout=120",
        f"-artifact_prefix={KEPT / name}/",
    ]

    def mutated(data: bytes, limit: int, seed: int) -> bytes:
        rng = random.Random(seed)
        return mutate(data, rng, limit) if rng.random() < 0.5 else atheris.Mutate(data, limit)

    one = _keeping(name, lambda data: judge(target, data))
    atheris.Setup([sys.argv[0], *flags, str(grown), str(CORPORA / name)], one, custom_mutator=mutated)
    atheris.Fuzz()


def _own_functions() -> list[FunctionType]:
    """All functions of ours. atheris can instrument modules while they are imported, but not those of an editable
    installation, which have a loader of their own.
    """
    functions = (found for found in gc.get_objects() if isinstance(found, FunctionType))
    return [function for function in functions if (function.__module__ or "").startswith("stratum_miner.")]


def _blindly(name: str, seconds: float) -> None:
    target = load(name)
    one = _keeping(name, lambda data: judge(target, data))
    until, runs = time.monotonic() + seconds, 0
    for data in mutants(name, random.Random()):
        one(data)
        runs += 1
        if time.monotonic() >= until:
            break
    print(f"Done {runs} runs")


def _keeping(name: str, run: Callable[[bytes], None]) -> Callable[[bytes], None]:
    """``run`` that raises nothing: the first input of each kind of fault is kept and told."""
    known: set[tuple[str, str, int]] = set()

    def one(data: bytes) -> None:
        try:
            run(data)
        except Exception as error:
            frames = traceback.extract_tb(error.__traceback__)
            own = [frame for frame in frames if "stratum_miner/" in frame.filename] or frames
            kind = (type(error).__name__, Path(own[-1].filename).name, own[-1].lineno or 0)
            if kind not in known:
                known.add(kind)
                kept = KEPT / name / f"{kind[0]}-{kind[1]}-{kind[2]}"
                kept.parent.mkdir(parents=True, exist_ok=True)
                kept.write_bytes(data)
                print("FAULT", *kind, ascii(str(error))[:300], f"input: {kept}", flush=True)

    return one


def _has_atheris() -> bool:
    from importlib.util import find_spec

    return find_spec("atheris") is not None


if __name__ == "__main__":
    os.environ.setdefault("PYTHONHASHSEED", "0")
    sys.exit(main())
