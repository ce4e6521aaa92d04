"""Command-line options that several commands share: one spelling, one meaning, one check."""

from typing import Annotated, TypeAlias

from cyclopts import Parameter

from stratum_miner.app.process import logs

Json: TypeAlias = Annotated[
    bool,
    Parameter(
        name="--json",
        help="Print the result as one JSON object on stdout.",
        negative=(),
        show_default=False,
        group="Output",
    ),
]
Debug: TypeAlias = Annotated[
    bool, Parameter(name=("--debug", "-D"), help="Log decisions too.", negative=(), show_default=False, group="Output")
]
Quiet: TypeAlias = Annotated[
    bool, Parameter(name=("--quiet", "-q"), help="Log problems only.", negative=(), show_default=False, group="Output")
]
LogFormatOption: TypeAlias = Annotated[
    logs.LogFormat,
    Parameter(
        name="--log-format", help="Log lines on stderr; auto: sentences on a terminal, else plain.", group="Output"
    ),
]


def set_up_logging(*, debug: bool = False, quiet: bool = False, log_format: logs.LogFormat = "auto") -> None:
    """Apply -D, -q and --log-format."""
    logs.configure(level="debug" if debug else "warning" if quiet else "info", log_format=log_format)
