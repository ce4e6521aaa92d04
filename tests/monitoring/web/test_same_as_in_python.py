"""Tests that the page formats numbers like the terminal, and axes like the reports."""

import json
import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stratum_miner import quantities
from stratum_miner.plots.figure import ticks

WEB = Path(quantities.__file__).parent / "monitoring" / "web"
WRITERS: dict[str, tuple[Callable[[float], str], float]] = {
    "scaled": (quantities.scaled, 1e25),
    "hashRate": (quantities.hash_rate_text, 1e25),
    "efficiency": (quantities.efficiency_text, 1e25),
    "difficulty": (quantities.scaled_difficulty_text, 1e25),
    "duration": (quantities.duration_text, 1e15),  # JavaScript's numbers are whole up to 2**53
    "milliseconds": (quantities.latency_text, 1e15),
    "span": (quantities.span_text, 1e25),
}
"""Functions of format.js, their counterparts in Python, and the highest value that is compared."""
PROGRAM = """
import { readFileSync } from "node:fs";
const module = await import(process.argv[1]);
const answer = ([name, calls]) => [name, calls.map((values) => module[name](...values))];
console.log(JSON.stringify(Object.fromEntries(Object.entries(JSON.parse(readFileSync(0))).map(answer))));
"""
pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")


def answers(module: str, calls: dict[str, list[list[float]]]) -> dict[str, list[Any]]:
    """Return the results of the functions of a module, by name, for each list of arguments."""
    command = ["node", "--input-type=module", "--eval", PROGRAM, (WEB / module).as_uri()]
    ended = subprocess.run(command, input=json.dumps(calls), capture_output=True, check=True, text=True, timeout=60)
    found: dict[str, list[Any]] = json.loads(ended.stdout)
    return found


def test_the_page_writes_numbers_as_the_terminal_does() -> None:
    chance = random.Random(1)
    values = [0.0, 1.0, 59.96, 99.96, 999.4, 999.6, 9_999.0, 10_000.0, 86_400.0, 31_557_600.0, 9.994e20, 9.996e23]
    values += [chance.uniform(1, 10) * 10.0 ** chance.randint(-10, 23) for _ in range(2000)]
    asked = {name: [value for value in values if value < most] for name, (_, most) in WRITERS.items()}
    told = answers("format.js", {name: [[value] for value in chosen] for name, chosen in asked.items()})
    assert told == {name: [WRITERS[name][0](value) for value in chosen] for name, chosen in asked.items()}


def test_the_page_marks_its_axes_as_reports_do() -> None:
    chance = random.Random(2)
    axes = [[0.0, 10.0, 5.0], [-3.0, 7.3, 5.0], [0.0, 1.0, 10.0]]
    for _ in range(500):
        low = chance.uniform(-1, 1) * 10.0 ** chance.randint(-3, 9)
        axes.append([low, low + chance.uniform(1, 10) * 10.0 ** chance.randint(-3, 9), chance.randint(1, 9)])
    told = answers("chart.js", {"ticks": axes})["ticks"]
    for (low, high, count), marks in zip(axes, told, strict=True):
        assert marks == pytest.approx(list(ticks(low, high, int(count))))
