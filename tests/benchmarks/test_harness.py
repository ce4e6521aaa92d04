"""The harness: how turns become pairs, figures and verdicts, and what a worker that fails or skips does."""

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks import check, harness
from benchmarks.harness import QUICK, BenchmarkError, Effort, Side, SkippedError, compare, figures, turns
from benchmarks.reading import Reading
from benchmarks.table import NAMES, OTHERS, TABLE, Benchmark

ONE = Benchmark("one", "A benchmark.")


def reading(cost: float, figure: str = "a", against: str = "", guards: Sequence[str] = ("processor",)) -> Reading:
    return Reading(figure, "share", 2 * cost, cost, tuple(guards), against)


def pairs(base: Sequence[float], now: Sequence[float]) -> list[list[list[Reading]]]:
    return [[[reading(one)], [reading(other)]] for one, other in zip(base, now, strict=True)]


def test_the_ratio_is_now_to_base_pair_by_pair() -> None:
    """A drift of the computer's speed, common to both turns of a pair, cancels out."""
    [found] = compare(ONE, pairs([1.0, 10.0, 100.0], [1.5, 15.0, 150.0]))
    assert (found.verdict.ratio.low, found.verdict.ratio.median, found.verdict.ratio.high) == (1.5, 1.5, 1.5)
    assert (found.base_s, found.pairs, found.verdict.failed) == (10.0, 3, True)


def test_only_the_guarded_times_are_compared() -> None:
    both, none = reading(1, guards=("processor", "wall")), reading(1, "b", guards=())
    found = compare(ONE, [[[both, none], [both, none]]] * 3)
    assert [(each.figure, each.clock) for each in found] == [("a", "processor"), ("a", "wall")]


def test_a_figure_that_the_base_does_not_have_is_not_compared() -> None:
    found = compare(ONE, [[[reading(1)], [reading(1), reading(9, "new")]]] * 3)
    assert [each.figure for each in found] == ["a"]


def test_a_figure_is_compared_with_another_one_of_the_same_turn() -> None:
    first, second = figures([[reading(1), reading(3, "b", "a")], [reading(10), reading(30, "b", "a")]])
    assert first.ratio is None
    assert second.ratio is not None
    assert second.processor_s is not None
    assert (second.ratio.low, second.ratio.high, second.clock) == (3, 3, "processor")
    assert (second.processor_s.low, second.processor_s.high) == (3, 30)


WORKER = """
import json, sys
name, turns = sys.argv[1], 0
if name == "skips":
    print(json.dumps({"skipped": "it has no such path"}), flush=True)
elif name == "breaks":
    sys.exit("a broken benchmark")
else:
    print(json.dumps({"readings": []}), flush=True)
    for _ in sys.stdin:
        with open("../order", "a") as file:
            file.write(sys.executable[-1])
        reading = {"figure": "a", "unit": "x", "wall_s": 1, "processor_s": 1, "guards": ["wall"], "against": ""}
        print(json.dumps({"readings": [reading]}), flush=True)
"""


@pytest.fixture
def sides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Side]:
    worker = tmp_path / "worker.py"
    worker.write_text(WORKER)
    monkeypatch.setattr(harness, "WORKER", worker)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    found = []
    for name in "AB":
        python = tmp_path / f"python{name}"
        python.symlink_to(sys.executable)
        found.append(Side(name, python))
    return found


def test_the_sides_take_turns_and_each_is_first_in_every_second_pair(sides: list[Side], tmp_path: Path) -> None:
    found = turns("works", sides, Effort(0.0, 4, 2))
    assert len(found) == 4
    assert all(len(pair) == 2 and pair[0][0].guards == ("wall",) for pair in found)
    assert (tmp_path / "order").read_text() == "ABBAABBA"


def test_a_figure_without_another_one_is_compared_with_the_yardstick(sides: list[Side]) -> None:
    """Not one whose time nothing guards, such as that of a pool without the proxy."""
    found = harness.measured_alone("works", sides[0], Effort(0.0, 3, 1))
    assert [[each.figure for each in turn] for turn in found] == [["a", "yardstick"]] * 3
    figure, mark = figures(found)
    assert (figure.against, mark.against) == ("yardstick", "")
    assert figure.ratio is not None
    assert mark.wall_s is not None
    assert figure.ratio.median == pytest.approx(1 / mark.wall_s.median)


def test_ctrl_c_ends_with_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def pressed(name: str) -> tuple[Side, str]:
        raise KeyboardInterrupt

    monkeypatch.setattr(check, "base_side", pressed)
    assert check.main(["--base", "HEAD~1"]) == 130
    assert capsys.readouterr() == ("", "stopped\n")


def test_what_a_side_does_not_have_is_skipped_with_its_reason(sides: list[Side]) -> None:
    with pytest.raises(SkippedError, match="A: it has no such path"):
        turns("skips", sides, QUICK)


def test_a_worker_that_ends_is_a_failure_with_its_last_words(sides: list[Side]) -> None:
    with pytest.raises(BenchmarkError, match="breaks with the code of A ended: a broken benchmark"):
        turns("breaks", sides, QUICK)


class Runs:
    """Stands for ``turns``: returns the given pairs, one list after the other."""

    def __init__(self, *results: list[list[list[Reading]]] | Exception) -> None:
        self.results = list(results)

    def __call__(self, *arguments: object) -> list[list[list[Reading]]]:
        result = self.results.pop(0)
        if isinstance(result, Exception):
            raise result
        return result


EQUAL, SLOWER = pairs([1.0] * 6, [1.0] * 6), pairs([1.0] * 6, [1.5] * 6)


@pytest.mark.parametrize(
    ("results", "code", "says"),
    [
        ([EQUAL], 0, "none slower than at the base"),
        ([SLOWER, SLOWER], 1, "1 slower than at the base: kernels: a (processor)"),
        ([SLOWER, EQUAL], 0, "ok, measured twice"),
        ([SkippedError("1234abcd: no such kernel")], 0, "skipped: 1234abcd: no such kernel"),
        ([SkippedError("this checkout: no such kernel")], 3, "BROKEN: this checkout: no such kernel"),
        ([BenchmarkError("the worker ended")], 3, "BROKEN: the worker ended"),
    ],
)
def test_the_exit_code_says_whether_something_became_slower(
    results: list[list[list[list[Reading]]]],
    code: int,
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(check, "base_side", lambda name: (Side("1234abcd", Path("python")), "1234abcd0000"))
    monkeypatch.setattr(check, "own_side", lambda: Side("this checkout", Path("python")))
    monkeypatch.setattr(check, "turns", Runs(*results))
    assert check.main(["--base", "HEAD~1", "--only", "kernels"]) == code
    assert says in capsys.readouterr().out


def test_a_base_that_is_no_commit_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main(["--base", "no-such-commit"]) == 2
    assert capsys.readouterr().err == (
        "BASE: expected a commit of this repository, such as HEAD~1, got 'no-such-commit'\n"
    )


def test_each_line_of_the_table_has_its_module() -> None:
    folder = Path(harness.__file__).parent / "guarded"
    assert sorted(NAMES) == sorted(path.stem for path in folder.glob("[a-z]*.py"))
    assert all(each.what.endswith(".") for each in TABLE)
    assert all((folder.parent / f"{name}.py").is_file() for name in OTHERS)
