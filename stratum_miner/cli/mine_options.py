"""Every option of ``mine``, each declared once.

To add one, add a field: its ``Parameter`` makes it an option, and the option's long name makes it a key of the
configuration file (``until_shares``) and an environment variable (``STRATUM_MINER_UNTIL_SHARES``). Its type is checked
in all three places alike; what else there is to check raises ``UsageError("--until-shares: expected ...")``, which
``mine_settings.telling`` rewords to the place that the value came from. A flag is a positive ``bool`` with its default;
the parser adds ``--no-...``. ``SECRET`` keeps a value out of everything that is shown, ``LIVE`` says that it can change
while mining. ``docs/configuration.md`` is checked against this table by a test. The command finds the value in
``settings.options``.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from stratum_miner.cli import options, pool_options
from stratum_miner.config.keys import LIVE, SECRET

OTHER_VARIABLES = frozenset({"STRATUM_MINER_CONFIG", "STRATUM_MINER_NODE", "STRATUM_MINER_CPU_DISABLE"})
"""Of other commands and of tests; any further one is probably misspelt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MineOptions:
    """The settings of ``mine`` with their defaults."""

    url: Annotated[
        list[str] | None,
        Parameter(
            name=("--url", "-o"),
            help="Pool: stratum+tcp:// or stratum+ssl://, HOST:PORT; repeatable, the best first.",
            group="Pool",
        ),
        LIVE,
    ] = None
    user: Annotated[
        list[str] | None,
        Parameter(
            name=("--user", "-u"),
            help="Worker name, often an address; one for all pools or one for each.",
            group="Pool",
        ),
        LIVE,
    ] = None
    password: Annotated[
        list[str] | None,
        Parameter(name=("--pass", "-p"), help="Password; better in STRATUM_MINER_PASS or --pass-file.", group="Pool"),
        LIVE,
        SECRET,
    ] = None
    userpass: Annotated[
        list[str] | None,
        Parameter(name=("--userpass", "-O"), help="USER:PASS in one.", group="Pool"),
        LIVE,
        SECRET,
    ] = None
    pass_file: Annotated[
        Path | None,
        Parameter(name="--pass-file", help="A file whose first line is the password.", group="Pool"),
        LIVE,
    ] = None
    quota: Annotated[
        list[int] | None,
        Parameter(
            name="--quota",
            help="Mine on all pools in turns, this much of the time each; once for each -o.",
            group="Pool",
        ),
        LIVE,
    ] = None
    strategy: Annotated[
        Literal["failover", "quota"] | None,
        Parameter(
            name="--strategy",
            help="failover: the best pool that is up; quota: all in turns. Default quota where one is given.",
            group="Pool",
        ),
        LIVE,
    ] = None
    retry: Annotated[bool, Parameter(name="--retry", help="Try again when the connection fails.", group="Pool")] = True
    version_rolling: Annotated[
        bool, Parameter(name="--version-rolling", help="Ask to roll version bits.", group="Pool"), LIVE
    ] = True
    version_mask: Annotated[
        str | None,
        Parameter(name="--version-mask", help="Version bits to ask for, in hex, or off.", group="Pool"),
        LIVE,
    ] = None
    extranonce_subscribe: Annotated[
        bool,
        Parameter(name="--extranonce-subscribe", help="Ask to be told of a new extranonce.", group="Pool"),
        LIVE,
    ] = True
    suggest_difficulty: Annotated[
        str | None,
        Parameter(
            name="--suggest-difficulty",
            help="Ask the pool for this share difficulty; auto: for a share in ten seconds; off.",
            group="Pool",
        ),
        LIVE,
    ] = None
    user_agent: Annotated[
        str | None, Parameter(name="--user-agent", help="What we call ourselves.", group="Pool"), LIVE
    ] = None
    tls_ca: Annotated[pool_options.TlsCa, LIVE] = None
    tls_fingerprint: Annotated[pool_options.TlsFingerprint, LIVE] = None
    tls_cert: Annotated[pool_options.TlsCertificate, LIVE] = None
    tls_key: Annotated[pool_options.TlsKey, LIVE] = None
    proxy: Annotated[pool_options.Proxy, LIVE, SECRET] = None
    threads: options.Threads = None
    backend: Annotated[
        list[str] | None,
        Parameter(
            name="--backend",
            help="cpu, simulated, reference, or an installed one; repeatable. Default cpu.",
            group="Backend",
        ),
    ] = None
    kernel: options.KernelName = None
    backend_option: Annotated[
        list[str] | None,
        Parameter(
            name="--backend-option",
            help="KEY=VALUE for the backend, BACKEND.KEY=VALUE for one of several; repeatable.",
            group="Backend",
        ),
    ] = None
    electricity: Annotated[
        str | None,
        Parameter(name="--electricity", help="Price of a kWh, to tell cost and luck.", group="Economics"),
        LIVE,
    ] = None
    power: Annotated[
        str | None, Parameter(name="--power", help="Used by this mining, at the wall: 65W.", group="Economics"), LIVE
    ] = None
    price: Annotated[
        str | None, Parameter(name="--price", help="Of a bitcoin, in the money of the kWh.", group="Economics"), LIVE
    ] = None
    pool_fee: Annotated[str | None, Parameter(name="--pool-fee", help="Such as 2%.", group="Economics"), LIVE] = None
    mainnet_difficulty: Annotated[
        str | None,
        Parameter(
            name="--mainnet-difficulty",
            help="To compare a test chain with; 144.40e12 of early 2026 unless given.",
            group="Economics",
        ),
        LIVE,
    ] = None
    until_shares: Annotated[options.UntilShares, LIVE] = None
    until_blocks: Annotated[options.UntilBlocks, LIVE] = None
    time_limit: Annotated[options.TimeLimit, LIVE] = None
    json: options.Json = False
    debug: Annotated[options.Debug, LIVE] = False
    protocol_dump: Annotated[
        bool,
        Parameter(name=("--protocol-dump", "-P"), help="Log every line of the protocol.", group="Output"),
        LIVE,
    ] = False
    journal: Annotated[
        Path | None,
        Parameter(name="--journal", help="Append every share and its fate to this file.", group="Output"),
    ] = None
    http: Annotated[
        str | None,
        Parameter(name="--http", help="Tell figures at HOST:PORT, loopback: /api/v1/summary.", group="Output"),
    ] = None
    quiet: Annotated[options.Quiet, LIVE] = False
    log_format: Annotated[
        Literal["plain", "json"], Parameter(name="--log-format", help="Log lines on stderr.", group="Output")
    ] = "plain"
