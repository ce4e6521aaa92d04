"""Declares the options of ``mine`` and ``proxy`` that say which pools to connect to, and how.

The docstring of ``mine.py`` in this package explains how an option is declared.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from stratum_miner.app.config.durations import duration_option
from stratum_miner.app.config.keys import LIVE, ONE_TEXT, SECRET
from stratum_miner.app.options import pool_access
from stratum_miner.bitcoin.header import GENERAL_PURPOSE_MASK
from stratum_miner.client.group.failover import DEFAULT_POLICY
from stratum_miner.client.settings import USER_AGENT

MAX_QUOTA = 1_000_000
MAX_USER_AGENT = 200
"""Largest number of characters of --user-agent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolOptions:
    """The settings of pools with their defaults."""

    url: Annotated[
        list[str] | None,
        Parameter(
            name=("--url", "-o"),
            help="Pool to connect to: stratum+tcp://HOST:PORT, or with TLS stratum+ssl://HOST:PORT. Worker name and "
            "password may stand in it, as in stratum+tcp://USER:PASS@HOST:PORT. Give the preferred pool first. "
            "Repeatable.",
            group="Pool",
        ),
        LIVE,
    ] = None
    user: Annotated[
        list[str] | None,
        Parameter(
            name=("--user", "-u"),
            help="Worker name at the pool, often a payout address. Give one for all pools, or one for each pool. "
            "Repeatable.",
            group="Pool",
        ),
        LIVE,
    ] = None
    password: Annotated[
        list[str] | None,
        Parameter(
            name=("--pass", "-p"),
            help="Password of the worker: one for all pools, or one for each pool. STRATUM_MINER_PASS and --pass-file "
            f"keep it out of the shell history. Repeatable. [default: {pool_access.DEFAULT_PASSWORD}]",
            group="Pool",
        ),
        LIVE,
        SECRET,
    ] = None
    userpass: Annotated[
        list[str] | None,
        Parameter(
            name=("--userpass", "-O"),
            help="USER:PASS: worker name and password in one value, to use instead of --user and --pass. Repeatable.",
            group="Pool",
        ),
        LIVE,
        SECRET,
    ] = None
    pass_file: Annotated[
        Path | None,
        Parameter(
            name="--pass-file",
            help="File whose first line is the password for all pools, to use instead of --pass.",
            group="Pool",
        ),
        LIVE,
    ] = None
    quota: Annotated[
        list[int] | None,
        Parameter(
            name="--quota",
            help="Use all pools in turn. Each pool gets time in proportion to its quota, an integer from 0 to "
            f"{MAX_QUOTA:,}. Give one --quota for each --url. Repeatable.",
            group="Pool",
        ),
        LIVE,
    ] = None
    strategy: Annotated[
        Literal["failover", "quota"] | None,
        Parameter(
            name="--strategy",
            help="How several pools are used. failover uses the first pool in the given order that is up. quota uses "
            "all pools "
            "in turn, each for a time in proportion to its --quota. [default: quota if a quota is given, otherwise "
            "failover]",
            group="Pool",
        ),
        LIVE,
    ] = None
    version_rolling: Annotated[
        bool,
        Parameter(
            name="--version-rolling",
            help="Ask the pool for version rolling (BIP 310): the miner may then change bits of the block version.",
            group="Pool",
        ),
        LIVE,
    ] = True
    version_mask: Annotated[
        str | None,
        Parameter(
            name="--version-mask",
            help="Version bits to ask for with --version-rolling, in hex. off asks for no bits. [default: "
            f"{GENERAL_PURPOSE_MASK:08x}]",
            group="Pool",
        ),
        LIVE,
    ] = None
    extranonce_subscribe: Annotated[
        bool,
        Parameter(
            name="--extranonce-subscribe",
            help="Send mining.extranonce.subscribe, so that the pool may change the extranonce during a session.",
            group="Pool",
        ),
        LIVE,
    ] = True
    pool_redirect: Annotated[
        bool,
        Parameter(
            name="--pool-redirect",
            help="Follow a pool that asks for a connection to another host of its domain (client.reconnect).",
            group="Pool",
        ),
        LIVE,
    ] = True
    fallback_time: Annotated[
        float,
        duration_option(
            "--fallback-time",
            "With several pools, time for which a better pool must have been up before mining returns to it, such as "
            "5m, or a number of seconds.",
            "Pool",
        ),
    ] = DEFAULT_POLICY.failback
    retry_pause: Annotated[
        float | None,
        duration_option(
            "--retry-pause",
            "Time to wait before the next attempt to connect to a pool, in seconds or with a unit, from 1s to 1h. "
            "[default: grows from 1s to 1m]",
            "Pool",
        ),
    ] = None
    suggest_difficulty: Annotated[
        str | None,
        Parameter(
            name="--suggest-difficulty",
            help="Share difficulty to suggest to the pool: a number, or auto for about one share every 10 s, or off. "
            "[default: off]",
            group="Pool",
        ),
        LIVE,
    ] = None
    user_agent: Annotated[
        str | None,
        Parameter(
            name="--user-agent",
            help=f"Name and version that the pool sees, 1 to {MAX_USER_AGENT} ASCII characters. [default: "
            f"{USER_AGENT}]",
            group="Pool",
        ),
        LIVE,
    ] = None
    tls_ca: Annotated[pool_access.TlsCa, LIVE] = None
    tls_fingerprint: Annotated[pool_access.TlsFingerprints, LIVE, ONE_TEXT] = None
    tls_cert: Annotated[pool_access.TlsCertificate, LIVE] = None
    tls_key: Annotated[pool_access.TlsKey, LIVE] = None
    proxy: Annotated[pool_access.ProxyOption, LIVE, SECRET] = None
    protocol_dump: Annotated[
        bool,
        Parameter(
            name=("--protocol-dump", "-P"),
            help="Log every line that is sent to a pool or received from it. `***` replaces passwords.",
            group="Output",
        ),
        LIVE,
    ] = False
