"""Writes the tables of docs/measured from the results in docs/measured/figures: ``python -m benchmarks.tables``.

A document has a place for each table, between two comments: ``<!-- figures: NAME -->`` and ``<!-- end of figures -->``.
NAME is the name of the file with the results. ``make bench-tables`` and tests/test_measured.py compare both.
"""

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.record import FIGURES, ROOT

PLACE = re.compile(r"(?P<head><!-- figures: (?P<name>[\w-]+) -->\n).*?(?P<foot><!-- end of figures -->)", re.DOTALL)
UNITS = (("s", 1.0), ("ms", 1e3), ("µs", 1e6), ("ns", 1e9))
MOST_ROWS, HIGHEST = 20, 12
"""Number of rows from which a table is shortened, and the number of compared figures that it then has."""
COLUMNS = ("figure", "wall-clock time", "processor time", "per second", "compared with")


def digits(value: float) -> str:
    """Return a number with three significant digits, and commas between thousands."""
    return f"{value:,.0f}" if value >= 99.95 else f"{value:.3g}" if value else "0"


def duration(interval: dict[str, float] | None, unit: str) -> str:
    """Return a time for one unit, with its interval: "29.1 µs per share (28.8 to 29.4)"."""
    if interval is None:
        return ""
    name, factor = next((each for each in UNITS if interval["median"] * each[1] >= 1), UNITS[-1])
    low, middle, high = (digits(interval[key] * factor) for key in ("low", "median", "high"))
    return f"{middle} {name} per {unit} ({low} to {high})"


def rate(figure: dict[str, Any]) -> str:
    """Return how many units fit into a second of the more telling time."""
    value = 1 / figure[f"{figure['clock']}_s"]["median"]
    return f"{digits(value / 1e6)} million" if value >= 1e6 else digits(value)


def ratio(figure: dict[str, Any]) -> str:
    """Return the ratio to the other figure of the same turn. That to the yardstick is only in the saved result."""
    if not has_partner(figure):
        return ""
    low, middle, high = (digits(figure["ratio"][key]) for key in ("low", "median", "high"))
    return f"{middle} ({low} to {high}) times {figure['against']}"


def has_partner(figure: dict[str, Any]) -> bool:
    """Whether the figure is compared with another one than the yardstick."""
    return figure["ratio"] is not None and figure["against"] != "yardstick"


def shown(figures: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the figures of a table. Of many figures, only those with the highest ratios to another one are shown."""
    kept = [figure for figure in figures if figure["name"] != "yardstick"]
    if len(kept) <= MOST_ROWS:
        return kept
    highest = sorted(filter(has_partner, kept), key=lambda figure: -float(figure["ratio"]["median"]))[:HIGHEST]
    return [figure for figure in kept if figure in highest or not has_partner(figure)]


def rows(result: dict[str, Any]) -> tuple[Sequence[str], list[Sequence[str]]]:
    """Return the columns and the rows of the table of a result. A column without any entry is left out."""
    if "rows" in result:
        return result["columns"], result["rows"]
    full = [
        (
            figure["name"],
            duration(figure["wall_s"], figure["unit"]),
            duration(figure["processor_s"], figure["unit"]),
            rate(figure),
            ratio(figure),
        )
        for figure in shown(result["figures"])
    ]
    kept = [index for index in range(len(COLUMNS)) if any(row[index] for row in full)]
    return [COLUMNS[index] for index in kept], [[row[index] for index in kept] for row in full]


def text_of(result: dict[str, Any]) -> str:
    """Return the table of a result for a terminal, with its origin above it."""
    columns, lines = rows(result)
    table = [columns, *lines]
    widths = [max(len(str(row[index])) for row in table) for index in range(len(columns))]
    shown = ["  ".join(f"{cell!s:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]
    return "\n".join([origin_text(result), *shown])


def origin_text(result: dict[str, Any]) -> str:
    """Return the sentence about the origin of a result."""
    changed = " with changes" if result.get("changed") else ""
    turns = f", {result['turns']} turns" if "turns" in result else ""
    load = "" if result.get("load") is None else f", load {result['load']:g}"
    return f"`{result['command']}`, commit {result['commit']}{changed}, {result['date']}{load}{turns}"


def markdown(result: dict[str, Any]) -> str:
    """Return the table of a result for a document, with its origin above it."""
    columns, lines = rows(result)
    table = [columns, ["---"] * len(columns), *lines]
    shown = ["| " + " | ".join(str(cell) for cell in row) + " |" for row in table]
    return "\n".join([f"{origin_text(result)}:\n", *(line.replace("|  |", "| |") for line in shown)])


def load(name: str) -> dict[str, Any]:
    """Return the saved result of a benchmark."""
    result: dict[str, Any] = json.loads((FIGURES / f"{name}.json").read_text(encoding="utf-8"))
    return result


def filled(text: str) -> str:
    """Return the text of a document with each place filled from its result."""
    return PLACE.sub(lambda found: f"{found['head']}\n{markdown(load(found['name']))}\n\n{found['foot']}", text)


def documents() -> list[Path]:
    """Return the documents that have places for tables."""
    return [path for path in sorted((ROOT / "docs").rglob("*.md")) if PLACE.search(path.read_text(encoding="utf-8"))]


def main() -> int:
    """Fill all documents."""
    for path in documents():
        before = path.read_text(encoding="utf-8")
        if (after := filled(before)) != before:
            path.write_text(after, encoding="utf-8")
            print(path.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
