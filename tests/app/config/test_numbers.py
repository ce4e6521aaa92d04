"""Options that take a number read it with a decimal comma, and refuse what has two meanings."""

from collections.abc import Iterator
from typing import get_args

import cyclopts
import pytest

from stratum_miner.app.config import durations, numbers
from stratum_miner.app.process.exit_codes import ExitCode
from stratum_miner.cli.main import command_line, run


def _commands(app: cyclopts.App) -> Iterator[cyclopts.App]:
    if app.default_command is not None:
        yield app
    for name in app:
        if not name.startswith("-"):
            yield from _commands(app[name])


def _number_options() -> list[tuple[str, object]]:
    """The names of all options whose type is ``float``, and the converter of each."""
    return [
        (argument.name, argument.parameter.converter)
        for app in _commands(command_line())
        for argument in app.assemble_argument_collection()
        if argument.hint is float or float in get_args(argument.hint)
    ]


def test_every_option_that_takes_a_number_has_a_converter() -> None:
    options = _number_options()
    assert len(options) > 10
    assert {converter for _, converter in options} == {durations.convert, numbers.convert}, options


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
    assert run(["demo", "--difficulty", typed]) == ExitCode.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert needle in err
    assert err.count("\n") == 1
