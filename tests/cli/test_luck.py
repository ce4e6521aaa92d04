"""``luck``: its output, and one line for each error."""

import json

import pytest

from stratum_miner.cli.main import run


def test_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["luck", "--found", "10", "--expected", "5", "--blocks", "10", "--times", "1.5", "--hash-rate", "20MH",
                "--difficulty", "1"]) == 0  # fmt: skip
    out = " ".join(capsys.readouterr().out.split())
    assert "10 found: the expected number lies between 4.795 and 18.39 (95 % confidence)" in out
    assert "Luck 2.000 (0.959 to 3.678). The probability of 10 or more is 0.0318" in out
    assert "10 blocks take more than 1.5 times the expected work with a probability of 0.06985" in out
    assert "A share of difficulty 1 is found every 3.58 minutes on average" in out
    assert "10 such shares in that time correspond to 497 kH/s" in out


def test_one_day_is_singular(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["luck", "--hash-rate", "1.2TH"]) == 0
    assert "1.20 TH/s for 1 day: with a probability of 50 %" in " ".join(capsys.readouterr().out.split())
    assert run(["luck", "--hash-rate", "1.2TH", "--seconds", "172800"]) == 0
    assert "for 2 days:" in capsys.readouterr().out


def test_bad_luck_is_told_from_below(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["luck", "--found", "0", "--expected", "3", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["luck"]
    assert found["chance"] == pytest.approx(0.0498, abs=1e-4)
    assert (found["ratio"], found["low"]) == (0, 0)


@pytest.mark.parametrize(
    ("arguments", "needle"),
    [
        ([], "expected --found N, --blocks N --times X, or --hash-rate H"),
        (["--found=-1"], "--found: expected a count from 0"),
        (["--found", "2", "--expected", "0"], "--expected: expected a number from 1e-12 to 1000000, got 0"),
        (["--expected", "2"], "--expected needs --found"),
        (["--found", "2", "--confidence", "100%"], "--confidence: expected more than 0% and less than 100%"),
        (["--found", "2", "--confidence", "0.95"], "--confidence: expected a percentage"),
        (["--blocks", "2"], "--blocks, --times: expected both"),
        (["--blocks", "0", "--times", "1"], "--blocks: expected a count from 1"),
        (["--found", "2", "--expected", "1e-320"], "--expected: expected a number from 1e-12 to 1000000"),
        (["--blocks", "1", "--times", "1e400000000"], "--times: expected a number from 1e-12 to 1000000, got inf"),
        (["--blocks", "1", "--times", "nan"], "--times: expected a number from 1e-12 to 1000000, got nan"),
        (["--seconds", "3"], "--seconds and --difficulty need --hash-rate"),
        (["--hash-rate", "1TH", "--seconds", "0"], "--seconds: expected a time from 1e-12s to 1000y, got 0s"),
        (["--hash-rate", "1TH", "--difficulty", "x"], "--difficulty: expected a number above 0"),
        (["--fond", "3"], "Did you mean --found"),
    ],
)
def test_mistakes_are_told_in_one_line(arguments: list[str], needle: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["luck", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert needle in err
    assert err.count("\n") == 1
