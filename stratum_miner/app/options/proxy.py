"""Declares every option of ``proxy``, except those of its pools, which ``PoolOptions`` declares.

The docstring of ``mine.py`` in this package explains how an option is declared.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from cyclopts import Parameter

from stratum_miner.app.config.durations import duration_option
from stratum_miner.app.options import common, goal, http_access
from stratum_miner.app.options.pools import PoolOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyOptions(PoolOptions):
    """The settings of ``proxy`` with their defaults."""

    listen: Annotated[
        str,
        Parameter(
            name="--listen",
            help="HOST:PORT at which the proxy accepts miners. A port alone accepts only miners on this computer.",
            group="Miners",
        ),
    ] = "127.0.0.1:3333"
    max_miners: Annotated[
        int,
        Parameter(
            name="--max-miners",
            help="Maximum number of miners connected at the same time. Above 256, each miner's extranonce prefix takes "
            "two bytes instead of one.",
            group="Miners",
        ),
    ] = 256
    worker_names: Annotated[
        Literal["ours", "suffix", "theirs"],
        Parameter(
            name="--worker-names",
            help="Worker name under which the proxy submits shares to the pool. ours is the worker name of --user. "
            "theirs is "
            "the worker name that the miner sent. suffix is --user, a dot, and the worker name that the miner sent.",
            group="Miners",
        ),
    ] = "ours"
    vardiff: Annotated[
        float | None,
        duration_option(
            "--vardiff",
            "Adjust each miner's difficulty so that the miner finds one share in this time, such as 10s, or a number "
            "of seconds. The miner's difficulty never exceeds the pool's. Shares below the pool's difficulty are "
            "counted, but not sent to the pool. Without this option, every miner has the pool's difficulty.",
            "Miners",
        ),
    ] = None
    time_limit: goal.TimeLimit = None
    json: common.SummaryJson = False
    debug: common.Debug = False
    http: http_access.StatisticsAddress = None
    http_network: http_access.HttpNetwork = False
    http_host: http_access.HttpHost = None
    http_token_file: http_access.StatisticsTokenFile = None
    quiet: common.Quiet = False
    log_format: Annotated[
        Literal["plain", "json"],
        Parameter(
            name="--log-format",
            help="Form of the log lines on stderr. plain writes an event name and fields, json writes one JSON object "
            "a line.",
            group="Output",
        ),
    ] = "plain"
