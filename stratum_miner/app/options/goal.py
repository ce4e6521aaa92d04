"""Options that say when mining stops by itself."""

from typing import Annotated, TypeAlias

from cyclopts import Parameter

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
    float | None, Parameter(name="--time-limit", help="Stop after this number of seconds.", group="Goal")
]


def goals(*, shares: int | None, blocks: int | None, time_limit: float | None) -> Goals:
    """Return the goals at which mining stops. Raises UsageError for a value that is not above zero."""
    for name, value in (("--until-shares", shares), ("--until-blocks", blocks), ("--time-limit", time_limit)):
        if value is not None and not value > 0:
            raise UsageError(f"{name}: expected a number above zero, got {value}")
    return Goals(shares=shares, blocks=blocks, time_limit=time_limit)
