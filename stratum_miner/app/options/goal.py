"""Options that say when mining ends by itself."""

from typing import Annotated, TypeAlias

from cyclopts import Parameter

from stratum_miner.app.process.exit_codes import UsageError
from stratum_miner.miner import Goals

UntilShares: TypeAlias = Annotated[
    int | None, Parameter(name="--until-shares", help="Stop after N accepted shares.", group="Goal")
]
UntilBlocks: TypeAlias = Annotated[
    int | None,
    Parameter(
        name="--until-blocks",
        help="Stop after N blocks: shares that solve one and that the pool accepted; solo asks the node.",
        group="Goal",
    ),
]
TimeLimit: TypeAlias = Annotated[
    float | None, Parameter(name="--time-limit", help="Stop after S seconds.", group="Goal")
]


def goals(*, shares: int | None, blocks: int | None, time_limit: float | None) -> Goals:
    """Check the goals. UsageError names the option."""
    for name, value in (("--until-shares", shares), ("--until-blocks", blocks), ("--time-limit", time_limit)):
        if value is not None and not value > 0:
            raise UsageError(f"{name}: expected a number above zero, got {value}")
    return Goals(shares=shares, blocks=blocks, time_limit=time_limit)
