"""``stratum-miner mine``: mine on a pool."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from stratum_miner.cli import mining, options, secrets, signals
from stratum_miner.cli.exit_codes import UsageError
from stratum_miner.client import PoolSettings, PoolUrl
from stratum_miner.miner import Ending, Goals, Miner
from stratum_miner.stratum.extensions.version_rolling import GENERAL_PURPOSE_MASK

DEFAULT_PASSWORD = "x"


def mine(
    *,
    url: Annotated[str, Parameter(name=("--url", "-o"), help="Pool: stratum+tcp://HOST:PORT.", group="Pool")],
    user: Annotated[
        str | None, Parameter(name=("--user", "-u"), help="Worker name, often an address.", group="Pool")
    ] = None,
    password: Annotated[
        str | None,
        Parameter(name=("--pass", "-p"), help="Password; also in STRATUM_MINER_PASS or --pass-file.", group="Pool"),
    ] = None,
    userpass: Annotated[
        str | None, Parameter(name=("--userpass", "-O"), help="USER:PASS in one.", group="Pool")
    ] = None,
    pass_file: Annotated[
        Path | None,
        Parameter(name="--pass-file", help="A file whose first line is the password.", negative=(), group="Pool"),
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
        float | None,
        Parameter(name="--suggest-difficulty", help="Ask the pool for this share difficulty.", group="Pool"),
    ] = None,
    threads: options.Threads = None,
    backend: options.BackendName = "cpu",
    kernel: options.KernelName = None,
    backend_option: options.BackendOptions = None,
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
    quiet: options.Quiet = False,
    log_format: options.LogFormat = "plain",
) -> int:
    """Mine on a pool until stopped or until a goal is reached."""
    options.set_up_logging(debug=debug, quiet=quiet and not protocol_dump, log_format=log_format)
    worker_name, secret = _credentials(user, password, userpass, pass_file)
    if suggest_difficulty is not None and not 0 < suggest_difficulty < float("inf"):
        raise UsageError(f"--suggest-difficulty: expected a number above zero, got {suggest_difficulty}")
    settings = PoolSettings(
        url=PoolUrl.parse(url),
        worker_name=worker_name,
        password=secret,
        version_mask=0 if no_version_rolling else GENERAL_PURPOSE_MASK,
        extranonce_subscribe=not no_extranonce_subscribe,
        suggest_difficulty=suggest_difficulty,
        trace=protocol_dump,
    )
    goals = options.goals(shares=until_shares, blocks=until_blocks, time_limit=time_limit)
    reporter = mining.Reporter(quiet=quiet)
    miner = Miner(
        settings,
        [options.backend(backend, threads=threads, kernel=kernel, options=backend_option)],
        goals=goals,
        retry=not no_retry,
        on_event=reporter,
    )
    return _run(miner, goals, reporter, quiet=quiet, as_json=json)


def _run(miner: Miner, goals: Goals, reporter: mining.Reporter, *, quiet: bool, as_json: bool) -> int:
    ending = Ending.STOPPED

    async def mine_and_tell(stop: signals.Stop) -> None:
        nonlocal ending
        try:
            ending = await mining.mine_until_done(miner, stop, quiet=quiet)
        finally:
            mining.print_summary(miner.snapshot(), reporter.blocks, as_json=as_json)

    signals.run(mine_and_tell)
    return mining.exit_code(ending, goals)


def _credentials(
    user: str | None, password: str | None, userpass: str | None, pass_file: Path | None
) -> tuple[str, str]:
    """Worker name and password from whichever way the user gave them. UsageError when unclear."""
    if userpass is not None:
        name, colon, secret = userpass.partition(":")
        if user is not None or password is not None:
            raise UsageError("--userpass: expected it instead of --user and --pass, got both")
        if not colon or not name:
            raise UsageError("--userpass: expected USER:PASS")
        return name, secrets.register(secret)
    if not user:
        raise UsageError("--user: expected a worker name, as in -u bcrt1q...; some pools want an address")
    if password is not None and pass_file is not None:
        raise UsageError("--pass-file: expected it instead of --pass, got both")
    if pass_file is not None:
        return user, secrets.read_secret_file(pass_file, "--pass-file")
    if password is not None:
        return user, secrets.register(password)
    return user, secrets.from_environment("STRATUM_MINER_PASS") or DEFAULT_PASSWORD
