"""Command-line options that several commands share: one spelling, one meaning, one check."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, TypeAlias

from cyclopts import Parameter

from stratum_miner.app.process import logs
from stratum_miner.app.process.exit_codes import UsageError
from stratum_miner.backends.base import Backend
from stratum_miner.backends.registry import create
from stratum_miner.miner import Goals

Threads: TypeAlias = Annotated[
    int | None,
    Parameter(
        name=("--threads", "-t"),
        help="Search threads, at most 8 for each usable processor; default one for each.",
        group="Backend",
    ),
]
BackendName: TypeAlias = Annotated[
    str, Parameter(name="--backend", help="cpu, simulated, reference, or an installed one.", group="Backend")
]
BackendOptions: TypeAlias = Annotated[
    list[str] | None,
    Parameter(name="--backend-option", help="KEY=VALUE for the backend, repeatable.", group="Backend", negative=()),
]
KernelName: TypeAlias = Annotated[
    str | None, Parameter(name="--kernel", help="Force a kernel; default the fastest measured.", group="Backend")
]
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
LogFormat: TypeAlias = Annotated[
    logs.LogFormat,
    Parameter(
        name="--log-format", help="Log lines on stderr; auto: sentences on a terminal, else plain.", group="Output"
    ),
]
NodeSpec: TypeAlias = Annotated[
    str,
    Parameter(
        name="--node",
        env_var="STRATUM_MINER_NODE",
        help="kernel (embedded regtest chain) or http://user:pass@host:port of a node's JSON-RPC.",
    ),
]
NodeCookie: TypeAlias = Annotated[
    Path | None, Parameter(name="--node-cookie", help="The node's cookie file, instead of user:pass.", negative=())
]
NodePasswordFile: TypeAlias = Annotated[
    Path | None,
    Parameter(name="--node-password-file", help="A file whose first line is the node's password.", negative=()),
]
DataDirectory: TypeAlias = Annotated[
    Path | None, Parameter(name="--data-dir", help="Keep the embedded chain here; default temporary.", negative=())
]
PayoutAddress: TypeAlias = Annotated[
    str, Parameter(name="--address", help="Where blocks pay to, an address of the node's network.")
]


def set_up_logging(*, debug: bool = False, quiet: bool = False, log_format: logs.LogFormat = "auto") -> None:
    """Apply -D, -q and --log-format."""
    logs.configure(level="debug" if debug else "warning" if quiet else "info", log_format=log_format)


def goals(*, shares: int | None, blocks: int | None, time_limit: float | None) -> Goals:
    """Check the goals. UsageError names the option."""
    for name, value in (("--until-shares", shares), ("--until-blocks", blocks), ("--time-limit", time_limit)):
        if value is not None and not value > 0:
            raise UsageError(f"{name}: expected a number above zero, got {value}")
    return Goals(shares=shares, blocks=blocks, time_limit=time_limit)


def backend(name: str, *, threads: int | None, kernel: str | None, options: list[str] | None) -> Backend:
    """Create the chosen backend. UsageError or BackendOptionError names what is wrong."""
    settings = dict(_key_value(option) for option in options or [])
    for key, value in (("threads", threads), ("kernel", kernel)):
        if value is not None:
            settings[key] = str(value)
    checked: Mapping[str, str] = settings
    return create(name, checked)


def _key_value(option: str) -> tuple[str, str]:
    key, equals, value = option.partition("=")
    if not equals or not key:
        raise UsageError(f"--backend-option: expected KEY=VALUE, got {option!r}")
    return key.strip(), value.strip()
