"""Options that several commands share. Each has the same spelling, meaning and check in all of them."""

from collections.abc import Iterable
from typing import Annotated, TypeAlias

from cyclopts import Parameter

from stratum_miner.app.process import logs
from stratum_miner.app.process.exit_codes import UsageError
from stratum_miner.quantities import check_duration

Json: TypeAlias = Annotated[
    bool,
    Parameter(
        name="--json",
        help="Print the result as JSON on stdout.",
        negative=(),
        show_default=False,
        group="Output",
    ),
]
SummaryJson: TypeAlias = Annotated[
    bool,
    Parameter(
        name="--json",
        help="Print the summary at the end as JSON on stdout.",
        negative=(),
        show_default=False,
        group="Output",
    ),
]
"""The option --json of a command whose result is the summary of its run. Only the help text differs from ``Json``."""
Debug: TypeAlias = Annotated[
    bool,
    Parameter(
        name=("--debug", "-D"),
        help="Also log the decisions of the program (log level debug).",
        negative=(),
        show_default=False,
        group="Output",
    ),
]
Quiet: TypeAlias = Annotated[
    bool,
    Parameter(
        name=("--quiet", "-q"),
        help="Log only warnings and errors.",
        negative=(),
        show_default=False,
        group="Output",
    ),
]
LogFormatOption: TypeAlias = Annotated[
    logs.LogFormat,
    Parameter(
        name="--log-format",
        help="Form of the log lines on stderr. plain writes an event name and fields, json writes one JSON object a "
        "line, and sentences writes a sentence for people. auto chooses sentences on a terminal, otherwise plain.",
        group="Output",
    ),
]


def set_up_logging(*, debug: bool = False, quiet: bool = False, log_format: logs.LogFormat = "auto") -> None:
    """Set up the log as the options --debug, --quiet and --log-format demand."""
    logs.configure(level="debug" if debug else "warning" if quiet else "info", log_format=log_format)


def listed(words: Iterable[str]) -> list[str]:
    """Return all names in ``words``, the values of an option that may be repeated. Each value is one name, or several
    names with commas between them."""
    return [name.strip() for word in words for name in word.split(",")]


def check_time(option: str, seconds: float | None, low: float, high: float, *, above: bool = False) -> None:
    """Raise UsageError if the time that an option gave is not from ``low`` to ``high`` seconds.

    With ``above``, ``low`` itself is not allowed. None stands for an option that was not given, and is allowed.
    """
    try:
        if seconds is not None:
            check_duration(seconds, low, high, above=above)
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from None
