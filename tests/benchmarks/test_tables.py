"""The tables of the documents: how a saved result is shown, and where it is put."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import record, tables

ORIGIN = {"command": "python -m benchmarks pool", "commit": "1234abcd", "changed": False, "date": "2026-11-30"}


def interval(low: float, median: float, high: float) -> dict[str, float]:
    return {"low": low, "median": median, "high": high}


def figure(**changes: Any) -> dict[str, Any]:
    usual = {"name": "share", "unit": "share", "wall_s": None, "clock": "processor", "against": "", "ratio": None}
    return {**usual, "processor_s": interval(28e-6, 29.14e-6, 30e-6), **changes}


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (2.0, "2 s per share (1 to 4)"),
        (0.5, "500 ms per share (250 to 1,000)"),
        (1.5e-3, "1.5 ms per share (0.75 to 3)"),
        (29.14e-6, "29.1 µs per share (14.6 to 58.3)"),
        (1e-9, "1 ns per share (0.5 to 2)"),
        (2e-10, "0.2 ns per share (0.1 to 0.4)"),
    ],
)
def test_a_time_has_a_fitting_unit_and_three_digits(seconds: float, shown: str) -> None:
    assert tables.duration(interval(seconds / 2, seconds, seconds * 2), "share") == shown


def test_a_rate_is_of_the_more_telling_time() -> None:
    both = figure(wall_s=interval(1e-3, 1e-3, 1e-3))
    assert tables.rate(both) == "34,317"
    assert tables.rate(both | {"clock": "wall"}) == "1,000"
    assert tables.rate(figure(processor_s=interval(1e-8, 1e-8, 1e-8))) == "100 million"


def test_a_table_says_where_its_figures_come_from_and_leaves_out_empty_columns() -> None:
    result = {**ORIGIN, "load": 0.5, "turns": 30, "figures": [figure()]}
    assert tables.markdown(result) == (
        "`python -m benchmarks pool`, commit 1234abcd, 2026-11-30, load 0.5, 30 turns:\n\n"
        "| figure | processor time | per second |\n"
        "| --- | --- | --- |\n"
        "| share | 29.1 µs per share (28 to 30) | 34,317 |"
    )


def test_of_many_figures_those_with_the_highest_ratios_are_shown() -> None:
    many = [figure(name=str(n), against="first", ratio=interval(n, n, n)) for n in range(1, 40)]
    names = [each["name"] for each in tables.shown([figure(name="first"), *many, figure(name="yardstick")])]
    assert names == ["first", *(str(n) for n in range(28, 40))]
    few = [figure(name="first"), *many[: tables.MOST_ROWS - 1]]
    assert tables.shown(few) == few


def test_a_figure_is_shown_with_the_one_that_it_is_compared_with() -> None:
    compared = figure(name="job", against="share", ratio=interval(1.9, 2, 2.1))
    last = tables.markdown({**ORIGIN, "figures": [figure(), compared]}).splitlines()[-1]
    assert last.endswith("| 2 (1.9 to 2.1) times share |")


def test_a_place_is_filled_with_the_saved_result_and_nothing_else_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "FIGURES", tmp_path)
    monkeypatch.setattr(tables, "FIGURES", tmp_path)
    record.save("rows", {**ORIGIN, "columns": ["a", "b"], "rows": [["1", ""]]})
    text = "before\n\n<!-- figures: rows -->\nold\n<!-- end of figures -->\n\nafter <!-- end of figures -->\n"
    found = tables.filled(text)
    assert found == (
        "before\n\n<!-- figures: rows -->\n\n`python -m benchmarks pool`, commit 1234abcd, 2026-11-30:\n\n"
        "| a | b |\n| --- | --- |\n| 1 | |\n\n<!-- end of figures -->\n\nafter <!-- end of figures -->\n"
    )
    assert tables.filled(found) == found


def test_a_saved_result_has_four_digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "FIGURES", tmp_path)
    record.save("one", {"a": [1.23456789e-7, {"b": 2}], "c": True})
    assert json.loads((tmp_path / "one.json").read_text()) == {"a": [1.235e-7, {"b": 2}], "c": True}


def test_an_origin_has_commit_computer_and_load() -> None:
    found = record.origin("python -m benchmarks pool")
    assert found["command"] == "python -m benchmarks pool"
    assert found["processors"] >= 1
    assert found["load"] >= 0
    assert {"commit", "changed", "date", "processor", "system"} <= set(found)
