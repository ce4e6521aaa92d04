"""Options that name the configuration file."""

from pathlib import Path
from typing import Annotated, TypeAlias

from cyclopts import Parameter

Config: TypeAlias = Annotated[
    Path | None,
    Parameter(
        name="--config",
        help="Read options from this TOML file; also in STRATUM_MINER_CONFIG.",
        group="Configuration",
        negative=(),
    ),
]
NoConfig: TypeAlias = Annotated[
    bool,
    Parameter(
        name="--no-config",
        help="Read none, not even the user's own.",
        group="Configuration",
        negative=(),
        show_default=False,
    ),
]
