"""``luck``: its output, and one line for each error."""

import json

import pytest

from stratum_miner.cli.main import run


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(["luck", *arguments]) == 0
    return " ".join(capsys.readouterr().out.split())


def test_luck_is_told_in_cases(capsys: pytest.CaptureFixture[str]) -> None:
    out = told(capsys, "--found", "3", "--expected", "7")
    assert out == (
        "3 where 7 were expected: as bad or worse in 8 of 100 cases. Chance alone explains this. With 95 % confidence, "
        "from 0.619 to 8.77 were to be expected. The luck is 0.429 (0.088 to 1.252)."
    )
    assert told(capsys, "--found", "10", "--expected", "5").startswith(
        "10 where 5 were expected: as good or better in 1 of 31 cases. Chance alone explains this."
    )
    rare = told(capsys, "--found", "0", "--expected", "30")
    assert "as bad or worse in 1 of 10.7 trillion cases. Chance alone hardly explains this." in rare
    assert told(capsys, "--found", "7", "--expected", "7") == "7 where 7 were expected: neither good nor bad luck."
    assert told(capsys, "--found", "1", "--expected", "1") == "1 where 1 was expected: neither good nor bad luck."
    assert told(capsys, "--found", "10") == "10 found. With 95 % confidence, from 4.8 to 18.4 were to be expected."
    narrow = told(capsys, "--found", "10", "--confidence", "50%")
    assert narrow == "10 found. With 50 % confidence, from 7.73 to 13 were to be expected."


def test_the_luck_of_a_pool(capsys: pytest.CaptureFixture[str]) -> None:
    out = told(capsys, "--blocks", "10", "--times", "1,5")
    assert out == "10 blocks need more than 1.5 times the expected work in 7 of 100 cases."
    assert told(capsys, "--blocks", "1", "--times", "2").startswith("1 block needs more than 2 times")


def test_the_best_share(capsys: pytest.CaptureFixture[str]) -> None:
    out = told(capsys, "--hash-rate", "20MH", "--difficulty", "1", "--found", "10")
    assert "20.0 MH/s for 1 day: in half of all cases, the best share is above difficulty 580." in out
    assert "A share of difficulty 1 is found every 3.58 minutes on average." in out
    assert "In 1 day, at least one is found in practically all cases." in out
    assert "10 such shares in 1 day are the work of 497 kH/s." in out
    assert "the probability" not in out


def test_without_a_difficulty_it_tells_the_odds_of_a_block(capsys: pytest.CaptureFixture[str]) -> None:
    out = told(capsys, "--hash-rate", "1,2 TH/s", "--days", "365.25")
    assert "(difficulty 144.4 T on 2026-02-20) is found in 1 of 16,400 cases, and every 16,400 years on average" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "for 1 day:"), (["--time", "172800"], "for 2 days:"), (["--seconds", "7d"], "for 7 days:"),
        (["--days", "1,5"], "for 1.5 days:"), (["--time", "90m"], "for 1.5 hours:"),
    ],
)  # fmt: skip
def test_the_time_of_mining(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert words in told(capsys, "--hash-rate", "1.2TH", *arguments)


def test_bad_luck_is_told_from_below(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["luck", "--found", "0", "--expected", "3", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["luck"]
    assert found["chance"] == pytest.approx(0.0498, abs=1e-4)
    assert (found["ratio"], found["low"]) == (0, 0)


@pytest.mark.parametrize(
    ("arguments", "needle"),
    [
        ([], "expected --found N, --blocks N --times X, or --hash-rate H"),
        (["--found=-1"], "--found: expected an integer from 0 to 1,000,000, got '-1'"),
        (["--found", "2", "--expected", "0"], "--expected: expected a number from 1e-12 to 1,000,000, got '0'"),
        (["--expected", "2"], "--expected needs --found"),
        (["--found", "2", "--confidence", "100%"], "--confidence: expected more than 0% and less than 100%"),
        (
            ["--found", "2", "--confidence", "0.95"],
            "--confidence: expected a percentage from 0% to 100%, such as 2%, got '0.95': write 95% or",
        ),
        (["--blocks", "2"], "--blocks, --times: expected both"),
        (["--blocks", "0", "--times", "1"], "--blocks: expected an integer from 1"),
        (["--found", "2", "--expected", "1e-320"], "--expected: expected a number from 1e-12 to 1,000,000"),
        (
            ["--blocks", "1", "--times", "1e400000000"],
            "--times: expected a number from 1e-12 to 1,000,000, got '1e400000000'",
        ),
        (["--blocks", "1", "--times", "nan"], "--times: expected a number from 1e-12 to 1,000,000, got 'nan'"),
        (["--seconds", "3"], "--time, --days and --difficulty need --hash-rate"),
        (["--hash-rate", "1TH", "--seconds", "0"], "--time: expected a time above 0s and up to 1000y, "),
        (["--hash-rate", "1TH", "--days", "0"], "--days: expected a number from 1e-12 to 365,250, got '0'"),
        (["--hash-rate", "1TH", "--days", "2", "--time", "1d"], "--time, --days: expected one of the two, got both"),
        (["--found", "3,000"], "--found: expected a number with one meaning, got '3,000', which may be 3000 or 3.000"),
        (["--hash-rate", "1TH", "--difficulty", "x"], "--difficulty: expected a number above 0"),
        (["--fond", "3"], "did you mean '--found'"),
    ],
)
def test_mistakes_are_told_in_one_line(arguments: list[str], needle: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["luck", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert needle in err
    assert err.count("\n") == 1
