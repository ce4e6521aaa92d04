"""Every option of ``proxy`` that is not one of its pools'; how an option is declared is told in ``mine``."""

from dataclasses import dataclass
from typing import Annotated, Literal

from cyclopts import Parameter

from stratum_miner.app.options import common, goal, http_access
from stratum_miner.app.options.pools import PoolOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyOptions(PoolOptions):
    """The settings of ``proxy`` with their defaults."""

    listen: Annotated[str, Parameter(name="--listen", help="HOST:PORT that miners connect to.", group="Miners")] = (
        "127.0.0.1:3333"
    )
    max_miners: Annotated[
        int,
        Parameter(name="--max-miners", help="At a time; beyond 256 two bytes tell them apart.", group="Miners"),
    ] = 256
    worker_names: Annotated[
        Literal["ours", "suffix", "theirs"],
        Parameter(
            name="--worker-names",
            help="Shares go up under ours (-u), ours with the miner's name as suffix, or theirs.",
            group="Miners",
        ),
    ] = "ours"
    vardiff: Annotated[
        float | None,
        Parameter(
            name="--vardiff",
            help="A difficulty for each miner, for a share every S seconds, up to the pool's; shares below that stay.",
            group="Miners",
        ),
    ] = None
    time_limit: goal.TimeLimit = None
    json: common.Json = False
    debug: common.Debug = False
    http: http_access.FiguresAddress = None
    http_network: http_access.HttpNetwork = False
    http_host: http_access.HttpHost = None
    http_token_file: http_access.HttpTokenFile = None
    quiet: common.Quiet = False
    log_format: Annotated[
        Literal["plain", "json"], Parameter(name="--log-format", help="Log lines on stderr.", group="Output")
    ] = "plain"
