"""What each result says about its origin: commit, date, computer, and load."""

import argparse
import json
import os
import platform
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
FIGURES = ROOT / "docs" / "measured" / "figures"
"""The results from which the tables of the documents come, one file for each benchmark."""


def git(*words: str) -> str:
    """Return the output of a git command in this checkout; empty if it fails, as in an unpacked sdist."""
    ended = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=False)
    return ended.stdout.strip() if ended.returncode == 0 else ""


def processor() -> str:
    """Return the name of the processor with its family and model, because virtual machines shorten the name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    words = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    numbers = [f"{name} {words[key]}" for key, name in (("cpu family", "family"), ("model", "model")) if key in words]
    return " ".join([words.get("model name", platform.machine()), f"({', '.join(numbers)})" if numbers else ""]).strip()


def origin(command: str) -> dict[str, Any]:
    """Return the origin of a result. ``command``: the command that measures it."""
    return {
        "command": command,
        "commit": git("rev-parse", "--short=8", "HEAD"),
        "changed": bool(git("status", "--porcelain", "--", "stratum_miner", "native", "benchmarks")),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "processor": processor(),
        "processors": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "load": round(os.getloadavg()[0], 1),
    }


def save(name: str, result: dict[str, Any]) -> None:
    """Write a result to the folder from which the tables of the documents come."""
    FIGURES.mkdir(parents=True, exist_ok=True)
    text = json.dumps(rounded(result), indent=1, ensure_ascii=False)
    (FIGURES / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def rounded(value: Any) -> Any:
    """Return a JSON value with four significant digits in each fraction, which is more than any measurement has."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return [rounded(item) for item in value] if isinstance(value, list | tuple) else value


class Rows:
    """A result whose table has a form of its own. Each row is printed as soon as it is measured.

    ``name``: name of the file in docs/measured/figures.
    """

    def __init__(self, name: str, command: str, columns: Sequence[str]) -> None:
        self._name, self._columns = name, list(columns)
        self._origin = origin(command)
        self._rows: list[list[str]] = []
        self._print(columns)
        self._print(["---"] * len(columns))

    def add(self, *cells: str) -> None:
        """Add a row, and print it."""
        if len(cells) != len(self._columns):
            raise ValueError(f"expected {len(self._columns)} cells, got {len(cells)}")
        self._rows.append(list(cells))
        self._print(cells)

    def save(self) -> None:
        """Write the result to docs/measured/figures."""
        save(self._name, {**self._origin, "columns": self._columns, "rows": self._rows})

    @staticmethod
    def _print(cells: Sequence[str]) -> None:
        print("| " + " | ".join(cells) + " |", flush=True)


def add_save_option(parser: argparse.ArgumentParser) -> None:
    """Add the option that writes the result to the folder from which the tables of the documents come."""
    parser.add_argument(
        "--save", action="store_true", help="write the result to docs/measured/figures, from where the tables come"
    )
