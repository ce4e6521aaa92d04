"""Options of the HTTP server: its address, and the clients that may use it."""

from pathlib import Path
from typing import Annotated, TypeAlias

from cyclopts import Parameter

from stratum_miner.installation import require

StatisticsAddress: TypeAlias = Annotated[
    str | None,
    Parameter(
        name="--http",
        help="Serve statistics over HTTP at HOST:PORT of this computer: /api/v1/summary as JSON, /metrics for "
        "Prometheus.",
        group="Watching",
    ),
]
HttpNetwork: TypeAlias = Annotated[
    bool,
    Parameter(
        name="--http-network",
        help="Allow an --http address that other computers can reach. Then even reading data requires the API token.",
        group="Watching",
        show_default=False,
    ),
]
HttpHost: TypeAlias = Annotated[
    list[str] | None,
    Parameter(
        name="--http-host",
        help="Host name that requests to --http may use, besides IP addresses and localhost. Repeatable.",
        group="Watching",
        negative=(),
    ),
]
_TOKEN_DEFAULT = (
    "[default: the token in STRATUM_MINER_HTTP_TOKEN, otherwise one that is made once and kept in "
    "~/.local/state/stratum-miner/http-token]"
)
HttpTokenFile: TypeAlias = Annotated[
    Path | None,
    Parameter(
        name="--http-token-file",
        help="File whose first line is the API token, at least 16 characters. Changes over HTTP require this token; "
        f"with --http-network, reading requires it, too. {_TOKEN_DEFAULT}",
        group="Watching",
    ),
]
StatisticsTokenFile: TypeAlias = Annotated[
    Path | None,
    Parameter(
        name="--http-token-file",
        help="File whose first line is the API token, at least 16 characters. The token is required only with "
        f"--http-network. {_TOKEN_DEFAULT}",
        group="Watching",
    ),
]


def check_installed(address: str | None, option: str = "--http") -> None:
    """Raise MissingExtraError if an HTTP server is wanted at ``address`` and its library is not installed."""
    if address is not None:
        require("page", option)
