"""The nearest name, and that it is guessed in one module only."""

import re
from pathlib import Path

import pytest

from stratum_miner.spelling import did_you_mean, nearest

PACKAGE = Path(__file__).parents[1] / "stratum_miner"


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("qouta", "quota"),
        ("QUOTA", "quota"),
        ("until-shares", "until_shares"),
        ("vd-07", "VD-07"),
        ("elephant", None),
        ("", None),
        ("uota", "quota"),
        ("quotaa", "quota"),
        ("quite", None),
        ("until", "until_shares"),
        ("shares", None),
    ],
)
def test_the_nearest_name_is_told_as_it_is_written(word: str, expected: str | None) -> None:
    assert nearest(word, ("quota", "until_shares", "VD-07")) == expected


@pytest.mark.parametrize(
    ("word", "known"),
    [
        ("help", "health"),
        ("--host", "--http-host"),
        ("--usb", "--user"),
        ("--usb", "--url"),
        ("--donate-level", "--on-event"),
        ("--coin", "--config"),
        ("--api-bind", "--bind"),
        ("--api-port", "--api-allow"),
        ("--bogus", "--user"),
        ("gpu", "cpu"),
        ("quite", "quiet-"),
        ("antminer-s9", "antminer-s21"),
        ("stratum2+tcp", "stratum+tcp"),
        ("bitcoin-3", "bitcoin-2"),
    ],
)
def test_a_name_that_means_something_else_is_not_suggested(word: str, known: str) -> None:
    """difflib alone finds most of these similar."""
    assert nearest(word, [known]) is None


def test_the_name_with_fewest_slips_is_suggested() -> None:
    assert nearest("pauze-abave", ["pause-about", "pause-above"]) == "pause-above"
    assert nearest("too", ["step", "to"]) == "to"


def test_how_alike_it_must_be_is_asked() -> None:
    assert nearest("mining.notfy", ["mining.notify"], 0.85) == "mining.notify"
    assert nearest("notify", ["mining.notify"], 0.85) is None


def test_a_complaint_ends_with_it() -> None:
    assert did_you_mean("qouta", ["quota"]) == ": did you mean 'quota'?"
    assert did_you_mean("elephant", ["quota"]) == ""
    assert did_you_mean("elephant", ["quota"], "; known are quota") == "; known are quota"


def test_nobody_else_guesses() -> None:
    found = [
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if re.search(r"^ *(?:from|import) difflib\b", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert found == ["spelling.py"]
