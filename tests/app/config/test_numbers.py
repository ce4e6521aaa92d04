"""Options that take a number read it with a decimal comma, and refuse what has two meanings."""

from pathlib import Path
from typing import get_args

import pytest

from stratum_miner.app.config import durations, numbers
from stratum_miner.app.config.keys import from_file, from_text, keys_of
from stratum_miner.app.config.problems import InvalidValue
from stratum_miner.app.options.mine import MineOptions
from stratum_miner.app.process.exit_codes import ExitCode
from stratum_miner.cli.main import run
from stratum_miner.cli.parser.program import command_line


def test_every_number_of_a_table_of_options_has_a_converter() -> None:
    """The function of such a command declares its options itself, so the default of the program does not reach them."""
    app = command_line()["mine"]
    converters = {
        argument.name: argument.parameter.converter
        for argument in app.assemble_argument_collection()
        if {int, float} & {argument.hint, *get_args(argument.hint)}
    }
    assert len(converters) >= 5
    assert set(converters.values()) == {durations.convert, numbers.convert}, converters


@pytest.mark.parametrize(
    ("typed", "needle"),
    [
        ("0,", "--difficulty: expected a number, got '0,'"),
        ("x", "--difficulty: expected a number, got 'x'"),
        ("1,000", "expected a number with one meaning, got '1,000', which may be 1000 or 1.000: write 1000 or 1.000"),
        ("0,0000000001", "--difficulty: expected a number from 1e-9 to 1e6, got 1e-10"),
    ],
)
def test_a_number_on_the_command_line(typed: str, needle: str, capsys: pytest.CaptureFixture[str]) -> None:
    check(["demo", "--difficulty", typed], needle, capsys)


@pytest.mark.parametrize(
    ("typed", "needle"),
    [
        ("x", "expected an integer, got 'x'"),
        ("1.5", "expected an integer, got '1.5'"),
        ("1e400000000", "expected an integer, got '1e400000000'"),
        ("1,000", "expected a number with one meaning, got '1,000', which may be 1000 or 1.000: write 1000 or 1"),
        ("1.000", "expected a number with one meaning, got '1.000', which may be 1000 or 1.000: write 1000 or 1"),
        ("-1,5", "expected an integer, got '-1,5'"),
        ("0x0", "--blocks: expected a number above zero, got 0"),
        ("-1'000", "--blocks: expected a number above zero, got -1000"),
    ],
)
def test_an_integer_on_the_command_line(typed: str, needle: str, capsys: pytest.CaptureFixture[str]) -> None:
    check(["demo", f"--blocks={typed}"], needle, capsys)


def test_the_options_of_mine_are_read_in_the_same_way(capsys: pytest.CaptureFixture[str]) -> None:
    mine = ["mine", "-o", "h:1", "-u", "x"]
    check([*mine, "-t", "1,000"], "got '1,000', which may be 1000 or 1.000: write 1000 or 1", capsys)
    check(
        [*mine, "--pause-above", "120,5"], "--pause-above: expected a temperature from 30 to 120 °C, got 120.5", capsys
    )


def test_a_variable_is_read_like_an_option() -> None:
    keys = keys_of(MineOptions)
    assert from_text(keys["pause_above"], "80,5") == 80.5
    assert from_text(keys["threads"], "2") == 2
    with pytest.raises(InvalidValue, match=r"expected an integer, got '1.5'"):
        from_text(keys["threads"], "1.5")
    with pytest.raises(InvalidValue, match=r"got '1,000', which may be 1000 or 1.000: write 1000 or 1"):
        from_text(keys["threads"], "1,000")


def test_the_point_of_a_number_in_a_file_is_a_decimal_point() -> None:
    keys = keys_of(MineOptions)
    assert [from_file(keys[name], 12.125, Path()) for name in ("electricity", "price")] == ["12.1250"] * 2
    assert from_file(keys["electricity"], 0.3, Path()) == "0.3"
    assert from_file(keys["price"], 90000, Path()) == "90000"
    assert from_file(keys["user_agent"], 1.125, Path()) == "1.125"  # this key is not a number


def check(arguments: list[str], needle: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == ExitCode.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert needle in err
    assert err.count("\n") == 1
