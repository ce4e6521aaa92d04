"""Tests the list of several miners: the worst first, all problems in full, and sums of the miners that answer."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.monitoring.screen.layout import ScreenState
from stratum_miner.monitoring.screen.overview import WatchedMiner, draw, draw_one
from stratum_miner.monitoring.view import View
from tests.monitoring.screen.test_layout import WORDS, joined, problem, troubled, view

DOWN = "cannot connect: does a miner run there, with --http?"


def seen(number: int, it: View | None, error: str = "", age_s: float = 0.0) -> WatchedMiner:
    return WatchedMiner(number, f"http://10.0.0.{number}:7780", it, error, age_s)


def shown(miners: Sequence[WatchedMiner], width: int = 80, height: int = 24, **screen: Any) -> list[str]:
    return [line.plain for line in draw(miners, ScreenState(width, height, **screen))]


def some() -> list[WatchedMiner]:
    paused = view(state="paused", detail="paused by the schedule: until 22:00", devices_mining=0)
    return [
        seen(0, view()), seen(1, troubled((7,))), seen(2, paused), seen(3, None, DOWN),
        seen(4, view(), "no whole answer within 5 s", 32.0),
    ]  # fmt: skip


def test_the_worst_come_first_and_each_says_what_is_wrong() -> None:
    lines = shown(some())
    rows = [line for line in lines if re.match(r"\d 10\.", line)]
    assert [row.split()[0] for row in rows] == ["3", "4", "2", "1", "0"]
    assert [re.split(r" {2,}", row)[1] for row in rows] == ["no answer", "no answer", "paused", "degraded", "mining"]
    notes = [line.strip() for line in lines if line.startswith("    ")]
    assert notes[:3] == [
        DOWN, "no whole answer within 5 s (its figures are 32.0s old)", "paused by the schedule: until 22:00",
    ]  # fmt: skip
    assert troubled((7,)).summary.problems[0].text in joined(notes)
    assert re.search(r"degraded +158 MH/s +11/12 +65 W +120 +5", rows[3])
    assert re.search(r"no answer +- +- +- +- +-$", rows[1])  # what it said is old


def test_only_what_is_known_is_summed_and_the_rest_is_said() -> None:
    lines = shown(some())
    assert lines[0] == "474 MH/s · 195 W · 13 of 16 devices mine"
    assert lines[1] == "5 miners: 2 no answer, 1 paused, 1 degraded, 1 mining"
    unmeasured = shown([seen(0, view()), seen(1, view(power_w=None))])
    assert "at least 65 W" in unmeasured[0]
    assert re.search(r"1 10.0.0.1:7780 +mining +158 MH/s +2/2 +- ", "\n".join(unmeasured))
    assert " W" not in shown([seen(0, None, DOWN), seen(1, None, DOWN)])[0]


def test_a_miner_with_a_problem_comes_before_one_that_is_well() -> None:
    hot = view(problems=(problem(1, "cpu1 is hot: 91 C.", severity="warning"),))
    rows = [line for line in shown([seen(0, view()), seen(1, hot)]) if re.match(r"\d 10\.", line)]
    assert rows[0].startswith("1 ")


def test_what_does_not_fit_is_said_truly() -> None:
    many = [*some(), *(seen(number, view()) for number in range(5, 40))]
    lines = shown(many)
    assert DOWN in joined(lines)
    rows = sum(bool(re.match(r"\d+ 10\.", line)) for line in lines)
    assert f"  {40 - rows} more, all mining" in lines
    small = shown(many, 40, 9)
    shown_there = sum(bool(re.match(r"\d+ 10\.", line)) for line in small)
    assert 0 < shown_there < 4
    assert f"  {40 - shown_there} more, {4 - shown_there} of them not mining well" in small


def test_miners_of_one_address_are_told_apart() -> None:
    miners = [replace(seen(0, view()), url=f"http://farm.example/{name}") for name in ("a", "b")]
    assert sum("http://farm.example/" in line for line in shown(miners, 120)) == 2


def test_one_that_does_not_answer_is_told_in_full() -> None:
    error = "it answers 401: authorization: expected the token, as in Authorization: Bearer TOKEN"
    lines = [line.plain for line in draw_one(seen(0, None, error), ScreenState(40, 10))]
    assert error in joined(lines)
    old = [line.plain for line in draw_one(seen(0, view(), error, 32.0), ScreenState(80, 24))]
    assert old[0].startswith("no answer · ")
    assert f"{error} (its figures are 32.0s old)" in joined(line.removeprefix("old figures") for line in old)


@given(st.integers(1, 200), st.integers(1, 60), st.integers(0, 30), st.booleans())
def test_it_fits_every_screen(width: int, height: int, well: int, ascii_only: bool) -> None:
    wordy = view(detail=WORDS, state=WORDS)
    miners = [*some(), *(seen(number, wordy) for number in range(5, 5 + well))]
    lines = shown(miners, width, height, ascii_only=ascii_only, foot=("0-9 one miner", "q quit"))
    assert len(lines) == height
    assert all(len(line) <= width and line.isprintable() for line in lines)
    if ascii_only:
        assert "".join(lines).isascii()


@pytest.mark.parametrize("state", ["no_device", "no_pool"])
def test_a_state_without_a_problem_says_why(state: str) -> None:
    it = view(state=state, detail="pool X: next try in 5 s: Connection refused")
    assert "    pool X: next try in 5 s: Connection refused" in shown([seen(0, it), seen(1, view())])


def test_a_miner_that_mines_with_a_problem_says_it_also_on_a_small_screen() -> None:
    hot = view(problems=(problem(1, "cpu1 is hot: 91 C.", severity="warning"),))
    lines = shown([*(seen(number, view()) for number in range(5)), seen(5, hot)], 80, 8)
    assert [line.split("  ")[0].strip() or line.strip() for line in lines[2:]] == [
        "miner", "5 10.0.0.5:7780", "cpu1 is hot: 91 C.", "0 10.0.0.0:7780", "1 10.0.0.1:7780", "3 more, all mining",
    ]  # fmt: skip
