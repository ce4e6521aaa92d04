"""Runs the turns of a benchmark in worker processes, one for each side, and sums them up.

A *side* is an environment with the code to be measured: this checkout, or another commit (``sides``). A *pair* is one
turn of each side, directly one after the other. In every second pair the other side is first. The workers are started
anew several times in a run, because two processes with the same code differ a little in all their turns.
"""

import hashlib
import json
import os
import selectors
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.interval import Interval, Verdict, judge, median_interval
from benchmarks.reading import Reading
from benchmarks.table import Benchmark

WORKER = Path(__file__).with_name("worker.py")
CLOCKS = ("processor", "wall")
ANSWER_S = 120.0
"""Longest wait for the answer of a worker, in seconds."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How long a benchmark is measured."""

    seconds: float
    """Seconds of turns. Starting the workers comes on top."""
    least: int
    """Least number of pairs, also if they take longer."""
    starts: int
    """How often the workers are started."""


QUICK, THOROUGH = Effort(3.0, 8, 2), Effort(15.0, 24, 3)
MOST_PAIRS = 60
YARDSTICK = 2000
"""Number of repetitions in one measurement of the yardstick, some tens of milliseconds."""


class BenchmarkError(Exception):
    """A worker failed. The text says what it wrote."""


class SkippedError(Exception):
    """The measured code does not have what the benchmark needs. The text says what."""


@dataclass(frozen=True, slots=True)
class Side:
    """Code to be measured: the Python of an environment that imports it, and its name for people."""

    name: str
    python: Path


class Worker:
    """A process that runs turns of one benchmark."""

    def __init__(self, benchmark: str, side: Side, folder: str) -> None:
        self._side, self._benchmark = side, benchmark
        self._errors = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  closed by ``close``
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        self._process = subprocess.Popen(
            [str(side.python), "-P", str(WORKER), benchmark],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, cwd=folder,
            env=environment | {"PYTHONHASHSEED": "0"},
        )  # fmt: skip

    def ready(self) -> None:
        """Wait until the first turn, which is not measured, has ended."""
        self._answer()

    def turn(self) -> list[Reading]:
        """Run one turn."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(b"\n")
            self._process.stdin.flush()
        except OSError:
            raise self._failure("ended") from None
        return self._answer()

    def close(self) -> None:
        """End the process, which then ends its own processes."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.close()
            self._process.wait(10)
        except (OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._errors.close()

    def _answer(self) -> list[Reading]:
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if not selector.select(ANSWER_S):
                raise self._failure(f"did not answer within {ANSWER_S:g} s")
        line = self._process.stdout.readline()
        if not line:
            raise self._failure("ended")
        answer: dict[str, Any] = json.loads(line)
        if "skipped" in answer:
            raise SkippedError(f"{self._side.name}: {answer['skipped']}")
        return [Reading(**{**fields, "guards": tuple(fields["guards"])}) for fields in answer["readings"]]

    def _failure(self, how: str) -> BenchmarkError:
        self._errors.seek(0)
        words = self._errors.read().decode(errors="replace").strip().splitlines()
        return BenchmarkError(f"{self._benchmark} with the code of {self._side.name} {how}: {' | '.join(words[-3:])}")


@contextmanager
def workers(benchmark: str, sides: Sequence[Side]) -> Iterator[list[Worker]]:
    """Start one worker for each side, and wait until all are ready."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        started = []
        for side in sides:
            worker = Worker(benchmark, side, folder)
            stack.callback(worker.close)
            started.append(worker)
        for worker in started:
            worker.ready()
        yield started


def turns(
    benchmark: str, sides: Sequence[Side], effort: Effort, also: Callable[[], Reading] | None = None
) -> list[list[list[Reading]]]:
    """Run turns, and return for each pair the readings of each side.

    ``also``: measured in this process right after each pair. Its reading becomes the last one of each side.

    Raises SkippedError or BenchmarkError.
    """
    pairs: list[list[list[Reading]]] = []
    for start in range(effort.starts):
        with workers(benchmark, sides) as running:
            until = time.monotonic() + effort.seconds / effort.starts
            least, most = effort.least * (start + 1) / effort.starts, MOST_PAIRS * (start + 1) / effort.starts
            while len(pairs) < least or (time.monotonic() < until and len(pairs) < most):
                order = list(range(len(sides)))
                if len(pairs) % 2:
                    order.reverse()
                readings = {index: running[index].turn() for index in order}
                more = [] if also is None else [also()]
                pairs.append([[*readings[index], *more] for index in range(len(sides))])
    return pairs


def yardstick() -> Reading:
    """Return the cost of a fixed piece of work: JSON and SHA-256, as most of the measured code has them.

    A figure without another one in its turn is compared with it, so that a computer whose speed drifts, or another
    computer, changes the ratio less than the figure.
    """
    message = {"id": 1, "method": "mining.submit", "params": ["worker", "job", "00" * 8, "5f5e1000", "12345678"]}
    wall, used = time.perf_counter(), time.thread_time()
    for _ in range(YARDSTICK):
        hashlib.sha256(json.dumps(json.loads(json.dumps(message))).encode()).digest()
    wall, used = time.perf_counter() - wall, time.thread_time() - used
    return Reading("yardstick", "message", wall / YARDSTICK, used / YARDSTICK, guards=())


def measured_alone(benchmark: str, side: Side, effort: Effort) -> list[list[Reading]]:
    """Run turns of one side, each with the yardstick, and return the readings of each turn."""
    found = []
    for pair in turns(benchmark, [side], effort, also=yardstick):
        *readings, mark = pair[0]
        partner = [each if each.against or not each.guards else replace(each, against=mark.figure) for each in readings]
        found.append([*partner, mark])
    return found


def cost(reading: Reading, clock: str) -> float | None:
    """Return the seconds of one unit on one of the clocks."""
    return reading.processor_s if clock == "processor" else reading.wall_s


@dataclass(frozen=True, slots=True)
class Figure:
    """What all turns of one side say about one figure. Costs are in seconds for one unit."""

    name: str
    unit: str
    wall_s: Interval | None
    processor_s: Interval | None
    clock: str
    """The more telling one of the two times: "wall" if bench-check compares it, or if there is no other time."""
    against: str
    ratio: Interval | None = None
    """The median of the ratios of this figure to the figure ``against`` in the same turn."""


def figures(readings: Sequence[Sequence[Reading]]) -> list[Figure]:
    """Sum up the turns of one side. The order is that of the first turn."""
    found = []
    for first in readings[0]:
        mine = [each for turn in readings for each in turn if each.figure == first.figure]
        other = [each for turn in readings for each in turn if each.figure == first.against]
        costs = {clock: median_of([cost(each, clock) for each in mine]) for clock in CLOCKS}
        clock = "wall" if "wall" in first.guards or costs["processor"] is None else "processor"
        if other and other[0].wall_s is None:
            clock = "processor"
        ratio = median_of([divided(cost(a, clock), cost(b, clock)) for a, b in zip(mine, other, strict=False)])
        found.append(Figure(first.figure, first.unit, costs["wall"], costs["processor"], clock, first.against, ratio))
    return found


def median_of(values: Sequence[float | None]) -> Interval | None:
    """Return the median with its interval, of the values that were measured."""
    measured = [value for value in values if value is not None]
    return median_interval(measured) if measured else None


def divided(value: float | None, other: float | None) -> float | None:
    """Return the ratio, if both values were measured."""
    return None if value is None or other is None else value / other


@dataclass(frozen=True, slots=True)
class Compared:
    """The verdict on one clock of one figure: its cost now, divided by its cost at the base."""

    benchmark: str
    figure: str
    clock: str
    base_s: float
    verdict: Verdict
    pairs: int


def compare(benchmark: Benchmark, pairs: Sequence[Sequence[Sequence[Reading]]]) -> list[Compared]:
    """Judge all guarded figures of a benchmark. The first side of a pair is the base, the second is the code now.

    A figure that only one side has, such as a kernel that was added, is not compared.
    """
    found = []
    for reading in pairs[0][1]:
        for clock in reading.guards:
            both = [[each for each in side if each.figure == reading.figure] for pair in pairs for side in pair]
            costs = [cost(side[0], clock) if side else None for side in both]
            base, now = costs[::2], costs[1::2]
            ratios = [ratio for a, b in zip(now, base, strict=True) if (ratio := divided(a, b)) is not None]
            if ratios:
                middle = median_of(base)
                assert middle is not None
                verdict = judge(ratios, clock)
                found.append(Compared(benchmark.name, reading.figure, clock, middle.median, verdict, len(ratios)))
    return found
