"""The page's numbers and the terminal's are the same texts."""

import json
import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from stratum_miner import quantities

FORMAT = Path(quantities.__file__).parent / "monitoring" / "web" / "format.js"
WRITERS: dict[str, tuple[Callable[[float], str], float]] = {
    "scaled": (quantities.scaled, 1e25),
    "hashRate": (quantities.hash_rate_text, 1e25),
    "efficiency": (quantities.efficiency_text, 1e25),
    "difficulty": (quantities.scaled_difficulty_text, 1e25),
    "duration": (quantities.duration_text, 1e15),  # JavaScript's numbers are whole up to 2**53
    "milliseconds": (quantities.latency_text, 1e15),
    "span": (quantities.span_text, 1e25),
}
"""What format.js exports, its counterpart, and up to what they are compared."""
PROGRAM = """
import { readFileSync } from "node:fs";
const format = await import(process.argv[1]);
const write = ([name, values]) => [name, values.map((value) => format[name](value))];
console.log(JSON.stringify(Object.fromEntries(Object.entries(JSON.parse(readFileSync(0))).map(write))));
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")
def test_the_page_writes_numbers_as_the_terminal_does() -> None:
    chance = random.Random(1)
    values = [0.0, 1.0, 59.96, 99.96, 999.4, 999.6, 9_999.0, 10_000.0, 86_400.0, 31_557_600.0, 9.994e20, 9.996e23]
    values += [chance.uniform(1, 10) * 10.0 ** chance.randint(-10, 23) for _ in range(2000)]
    asked = {name: [value for value in values if value < most] for name, (_, most) in WRITERS.items()}
    command = ["node", "--input-type=module", "--eval", PROGRAM, FORMAT.as_uri()]
    ended = subprocess.run(command, input=json.dumps(asked), capture_output=True, check=True, text=True, timeout=60)
    assert json.loads(ended.stdout) == {
        name: [WRITERS[name][0](value) for value in values] for name, values in asked.items()
    }
