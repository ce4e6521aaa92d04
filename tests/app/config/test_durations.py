"""Options that take a time, on a command line of their own."""

import io
from typing import Annotated

import cyclopts
import pytest
from rich.console import Console

from stratum_miner.app.config.durations import duration_option

app = cyclopts.App(name="wait")


@app.default
def wait(
    *,
    plain: Annotated[float | None, duration_option("--plain", "How long.")] = None,
    grouped: Annotated[float, duration_option("--grouped", "How long.", "Times")] = 90.0,
    several: Annotated[list[float] | None, duration_option("--several", "How long.")] = None,
) -> tuple[float | None, float, list[float] | None]:
    """Wait."""
    return plain, grouped, several


def test_a_time_is_read_with_and_without_a_unit() -> None:
    words = ["--plain", "1h30m", "--grouped", "250ms", "--several", "5", "--several", "1m"]
    assert app(words, result_action="return_value") == (5400, 0.25, [5, 60])
    assert app([], result_action="return_value") == (None, 90, None)


def test_what_is_no_time_is_refused() -> None:
    with pytest.raises(cyclopts.CycloptsError, match="expected a time such as 90s or 1h30m, got 'soon'"):
        app(["--plain", "soon"], exit_on_error=False, print_error=False)


def test_the_help_shows_each_option_and_its_default() -> None:
    page = io.StringIO()
    app.help_print([], console=Console(file=page, width=80))
    for shown in ("--plain TIME", "--grouped TIME", "--several TIME", "Times", "[default: 90s]"):
        assert shown in page.getvalue()
