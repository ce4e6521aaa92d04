"""Options of the HTTP server: its address, and who may read its figures."""

from pathlib import Path
from typing import Annotated, TypeAlias

from cyclopts import Parameter

FiguresAddress: TypeAlias = Annotated[
    str | None,
    Parameter(
        name="--http",
        help="Tell figures and metrics at HOST:PORT of this machine: /api/v1/summary and /metrics.",
        group="Watching",
    ),
]
HttpNetwork: TypeAlias = Annotated[
    bool,
    Parameter(
        name="--http-network",
        help="Let --http be an address of the network; reading needs the token then too.",
        group="Watching",
    ),
]
HttpHost: TypeAlias = Annotated[
    list[str] | None,
    Parameter(name="--http-host", help="A name that this machine is asked by; repeatable.", group="Watching"),
]
HttpTokenFile: TypeAlias = Annotated[
    Path | None,
    Parameter(
        name="--http-token-file",
        help="Whose first line is the token for changes, and on the network for reading; default one that is made and "
        "kept.",
        group="Watching",
    ),
]
