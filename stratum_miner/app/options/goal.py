"""Options that say when mining stops by itself."""

from typing import Annotated, TypeAlias

from cyclopts import Parameter

from stratum_miner.app.config.durations import duration_option
from stratum_miner.app.options import common
from stratum_miner.app.process.exit_codes import UsageError
from stratum_miner.miner import Goals

UntilShares: TypeAlias = Annotated[
    int | None, Parameter(name="--until-shares", help="Stop after this number of accepted shares.", group="Goal")
]
UntilBlocks: TypeAlias = Annotated[
    int | None,
    Parameter(
        name="--until-blocks",
        help="Stop after this number of blocks: accepted shares that also solve a block. The command solo counts a "
        "block only if the node accepts it.",
        group="Goal",
    ),
]
TimeLimit: TypeAlias = Annotated[
    float | None,
    duration_option("--time-limit", "Stop after this time, such as 90s or 8h, or a number of seconds.", "Goal"),
]

LONGEST_TIME_LIMIT = 100 * 365.25 * 86400
"""Longest --time-limit in seconds: 100 years. No run is longer, so a larger number was probably given by mistake."""


def goals(*, shares: int | None, blocks: int | None, time_limit: float | None) -> Goals:
    """Return the goals at which mining stops. Raises UsageError for a value that is not above zero."""
    for name, value in (("--until-shares", shares), ("--until-blocks", blocks)):
        if value is not None and not value > 0:
            raise UsageError(f"{name}: expected a number above zero, got {value}")
    check_time_limit(time_limit)
    return Goals(shares=shares, blocks=blocks, time_limit=time_limit)


def check_time_limit(seconds: float | None) -> None:
    """Raise UsageError for a --time-limit that is 0 or longer than ``LONGEST_TIME_LIMIT``."""
    common.check_time("--time-limit", seconds, 0, LONGEST_TIME_LIMIT, above=True)
