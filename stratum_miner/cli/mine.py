"""``stratum-miner mine``: mine on a pool."""

import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import structlog
from cyclopts import Parameter

from stratum_miner.cli import earnings, mining, options, pool_options, secrets, signals
from stratum_miner.cli.exit_codes import UsageError
from stratum_miner.client import PoolSettings, PoolUrl
from stratum_miner.client.pools import Strategy
from stratum_miner.miner import Ending, Goals, Journal, Miner
from stratum_miner.monitoring import http as http_api
from stratum_miner.stratum.extensions.version_rolling import GENERAL_PURPOSE_MASK

log = structlog.get_logger("stratum_miner")

DEFAULT_PASSWORD = "x"
NEWEST_BLOCKS = 20
"""Shown by the API; their number is there too."""


def mine(
    *,
    url: Annotated[
        list[str],
        Parameter(
            name=("--url", "-o"),
            help="Pool: stratum+tcp:// or stratum+ssl://, HOST:PORT; repeatable, the best first.",
            group="Pool",
            negative=(),
        ),
    ],
    user: Annotated[
        list[str] | None,
        Parameter(
            name=("--user", "-u"),
            help="Worker name, often an address; one for all pools or one for each.",
            group="Pool",
            negative=(),
        ),
    ] = None,
    password: Annotated[
        list[str] | None,
        Parameter(
            name=("--pass", "-p"),
            help="Password; also in STRATUM_MINER_PASS or --pass-file.",
            group="Pool",
            negative=(),
        ),
    ] = None,
    userpass: Annotated[
        list[str] | None,
        Parameter(name=("--userpass", "-O"), help="USER:PASS in one.", group="Pool", negative=()),
    ] = None,
    pass_file: Annotated[
        Path | None,
        Parameter(name="--pass-file", help="A file whose first line is the password.", negative=(), group="Pool"),
    ] = None,
    quota: Annotated[
        list[int] | None,
        Parameter(
            name="--quota",
            help="Mine on all pools in turns, this much of the time each; once for each -o.",
            group="Pool",
            negative=(),
        ),
    ] = None,
    no_retry: Annotated[
        bool,
        Parameter(
            name="--no-retry", help="Give up when the connection fails.", negative=(), show_default=False, group="Pool"
        ),
    ] = False,
    no_version_rolling: Annotated[
        bool,
        Parameter(
            name="--no-version-rolling", help="Do not ask for it.", negative=(), show_default=False, group="Pool"
        ),
    ] = False,
    no_extranonce_subscribe: Annotated[
        bool,
        Parameter(
            name="--no-extranonce-subscribe", help="Do not ask for it.", negative=(), show_default=False, group="Pool"
        ),
    ] = False,
    suggest_difficulty: Annotated[
        str | None,
        Parameter(
            name="--suggest-difficulty",
            help="Ask the pool for this share difficulty; auto: for a share in ten seconds.",
            group="Pool",
        ),
    ] = None,
    tls_ca: pool_options.TlsCa = None,
    tls_fingerprint: pool_options.TlsFingerprint = None,
    tls_cert: pool_options.TlsCertificate = None,
    tls_key: pool_options.TlsKey = None,
    proxy: pool_options.Proxy = None,
    threads: options.Threads = None,
    backend: options.BackendName = "cpu",
    kernel: options.KernelName = None,
    backend_option: options.BackendOptions = None,
    electricity: Annotated[
        str | None, Parameter(name="--electricity", help="Price of a kWh, to tell cost and luck.", group="Economics")
    ] = None,
    power: Annotated[
        str | None, Parameter(name="--power", help="Used by this mining, at the wall: 65W.", group="Economics")
    ] = None,
    price: Annotated[
        str | None, Parameter(name="--price", help="Of a bitcoin, in the money of the kWh.", group="Economics")
    ] = None,
    pool_fee: Annotated[str | None, Parameter(name="--pool-fee", help="Such as 2%.", group="Economics")] = None,
    mainnet_difficulty: Annotated[
        str | None,
        Parameter(
            name="--mainnet-difficulty",
            help="To compare a test chain with; 144.40e12 of early 2026 unless given.",
            group="Economics",
        ),
    ] = None,
    until_shares: options.UntilShares = None,
    until_blocks: options.UntilBlocks = None,
    time_limit: options.TimeLimit = None,
    json: options.Json = False,
    debug: options.Debug = False,
    protocol_dump: Annotated[
        bool,
        Parameter(
            name=("--protocol-dump", "-P"),
            help="Log every line of the protocol.",
            negative=(),
            show_default=False,
            group="Output",
        ),
    ] = False,
    journal: Annotated[
        Path | None,
        Parameter(name="--journal", help="Append every share and its fate to this file.", group="Output", negative=()),
    ] = None,
    http: Annotated[
        str | None,
        Parameter(name="--http", help="Tell figures at HOST:PORT, loopback: /api/v1/summary.", group="Output"),
    ] = None,
    quiet: options.Quiet = False,
    log_format: options.LogFormat = "plain",
) -> int:
    """Mine on a pool until stopped or until a goal is reached."""
    options.set_up_logging(debug=debug, quiet=quiet and not protocol_dump, log_format=log_format)
    if no_retry and len(url) > 1:
        raise UsageError("--no-retry: expected one pool, got several: failing over is trying again")
    suggestion = _suggestion(suggest_difficulty)
    tls = pool_options.tls_settings(tls_ca, tls_fingerprint, tls_cert, tls_key)
    through = pool_options.proxy_url(proxy)
    credentials = _credentials(len(url), user, password, userpass, pass_file)
    settings = [
        PoolSettings(
            url=PoolUrl.parse(text),
            worker_name=worker_name,
            password=secret,
            version_mask=0 if no_version_rolling else GENERAL_PURPOSE_MASK,
            extranonce_subscribe=not no_extranonce_subscribe,
            suggest_difficulty=suggestion,
            quota=part,
            tls=tls,
            proxy=through,
            trace=protocol_dump,
        )
        for text, (worker_name, secret), part in zip(url, credentials, _quotas(len(url), quota), strict=True)
    ]
    tariff = earnings.tariff(
        electricity=electricity,
        power=power,
        price=price,
        pool_fee=pool_fee,
        mainnet_difficulty=mainnet_difficulty,
    )
    goals = options.goals(shares=until_shares, blocks=until_blocks, time_limit=time_limit)
    reporter = mining.Reporter(quiet=quiet)
    written = None if journal is None else Journal(journal, wall_clock=time.time, clock=time.monotonic)
    if written is not None and written.damaged:
        log.warning("journal_damaged", file=str(journal), lines=written.damaged)
    miner = Miner(
        settings,
        [options.backend(backend, threads=threads, kernel=kernel, options=backend_option)],
        goals=goals,
        retry=not no_retry,
        journal=written,
        strategy=Strategy.FAILOVER if quota is None else Strategy.QUOTA,
        on_event=reporter,
    )
    beside = _api(http, lambda: _told(miner, reporter, tariff)) if http is not None else None
    return _run(miner, goals, reporter, quiet=quiet, as_json=json, tariff=tariff, beside=beside, journal=written)


def _api(address: str, summary: Callable[[], dict[str, Any]]) -> Callable[[], Awaitable[None]]:
    """The server, its address taken already. UsageError when it cannot be."""
    try:
        bound = http_api.listening_socket(address)
    except http_api.ListenError as error:
        raise UsageError(f"--http: {error}") from None
    host, port = bound.getsockname()[:2]
    log.info("http", address=f"http://{f'[{host}]' if ':' in host else host}:{port}")
    return partial(http_api.run, bound, summary)


def _told(miner: Miner, reporter: mining.Reporter, tariff: earnings.Tariff | None) -> dict[str, Any]:
    """The summary of the moment, with what only a running miner has."""
    snapshot = miner.snapshot()
    return mining.summary(snapshot, reporter.blocks[-NEWEST_BLOCKS:], tariff) | {
        "blocks_accepted": snapshot.blocks_accepted,
        "hash_rate_5s": snapshot.hash_rate_5s,
        "hash_rate_1m": snapshot.hash_rate_1m,
        "hash_rate_15m": snapshot.hash_rate_15m,
        "power_w": None if tariff is None else float(tariff.power),
    }


def _run(
    miner: Miner,
    goals: Goals,
    reporter: mining.Reporter,
    *,
    quiet: bool,
    as_json: bool,
    tariff: earnings.Tariff | None,
    beside: Callable[[], Awaitable[None]] | None,
    journal: Journal | None,
) -> int:
    ending = Ending.STOPPED

    async def mine_and_tell(stop: signals.Stop) -> None:
        nonlocal ending
        try:
            ending = await mining.mine_until_done(miner, stop, quiet=quiet, tariff=tariff, beside=beside)
        finally:
            if journal is not None:
                journal.close()
            mining.print_summary(miner.snapshot(), reporter.blocks, as_json=as_json, tariff=tariff)

    signals.run(mine_and_tell)
    return mining.exit_code(ending, goals)


def _quotas(pools: int, quota: list[int] | None) -> list[int]:
    if quota is None:
        return [1] * pools
    if pools < 2 or len(quota) != pools:
        raise UsageError(f"--quota: expected it once for each of several pools, got {len(quota)} for {pools}")
    if any(not 0 <= part <= 1_000_000 for part in quota) or not any(quota):
        raise UsageError(f"--quota: expected whole numbers from 0 to 1000000, not all 0, got {quota}")
    return quota


def _suggestion(text: str | None) -> float | Literal["auto"] | None:
    if text is None or text == "off":
        return None
    if text == "auto":
        return "auto"
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise UsageError(f"--suggest-difficulty: expected a number above zero, auto or off, got {text!r}")
    return value


def _credentials(
    pools: int,
    user: list[str] | None,
    password: list[str] | None,
    userpass: list[str] | None,
    pass_file: Path | None,
) -> list[tuple[str, str]]:
    """Worker name and password of each pool, from whichever way the user gave them. UsageError when unclear."""
    if userpass is not None:
        if user is not None or password is not None:
            raise UsageError("--userpass: expected it instead of --user and --pass, got both")
        return [_split(text) for text in _for_each(pools, userpass, "--userpass")]
    if not user or not all(user):
        raise UsageError("--user: expected a worker name, as in -u bcrt1q...; some pools want an address")
    if password is not None and pass_file is not None:
        raise UsageError("--pass-file: expected it instead of --pass, got both")
    if pass_file is not None:
        password = [secrets.read_secret_file(pass_file, "--pass-file")]
    elif password is None:
        password = [secrets.from_environment("STRATUM_MINER_PASS") or DEFAULT_PASSWORD]
    for secret in password:
        secrets.register(secret)
    return list(zip(_for_each(pools, user, "--user"), _for_each(pools, password, "--pass"), strict=True))


def _for_each(pools: int, values: list[str], option: str) -> list[str]:
    """One for all, or one for each."""
    if len(values) not in (1, pools):
        raise UsageError(f"{option}: expected it once for all pools or once for each of the {pools}, got {len(values)}")
    return values * pools if len(values) == 1 else values


def _split(text: str) -> tuple[str, str]:
    name, colon, secret = text.partition(":")
    if not colon or not name:
        raise UsageError("--userpass: expected USER:PASS")
    return name, secrets.register(secret)
