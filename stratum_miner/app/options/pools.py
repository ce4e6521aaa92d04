"""Every option that says which pools to be connected to, and how: the same for each command that keeps some.

How an option is declared is told in ``mine``.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from stratum_miner.app.config.keys import LIVE, SECRET
from stratum_miner.app.options import pool_access


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolOptions:
    """The settings of pools with their defaults."""

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
    tls_ca: Annotated[pool_access.TlsCa, LIVE] = None
    tls_fingerprint: Annotated[pool_access.TlsFingerprint, LIVE] = None
    tls_cert: Annotated[pool_access.TlsCertificate, LIVE] = None
    tls_key: Annotated[pool_access.TlsKey, LIVE] = None
    proxy: Annotated[pool_access.ProxyOption, LIVE, SECRET] = None
    protocol_dump: Annotated[
        bool,
        Parameter(name=("--protocol-dump", "-P"), help="Log every line of the protocol.", group="Output"),
        LIVE,
    ] = False
