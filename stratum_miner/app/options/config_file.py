"""Options that name the configuration file."""

from pathlib import Path
from typing import Annotated, TypeAlias

from cyclopts import Parameter

Config: TypeAlias = Annotated[
    Path | None,
    Parameter(
        name="--config",
        help="Read options from this TOML file. [default: the file that STRATUM_MINER_CONFIG names, otherwise "
        "~/.config/stratum-miner/config.toml if it exists]",
        group="Configuration",
        negative=(),
    ),
]
NoConfig: TypeAlias = Annotated[
    bool,
    Parameter(
        name="--no-config",
        help="Do not read a configuration file, not even ~/.config/stratum-miner/config.toml.",
        group="Configuration",
        negative=(),
        show_default=False,
    ),
]
