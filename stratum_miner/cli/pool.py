"""``stratum-miner pool``: a Stratum pool on an embedded or a real Bitcoin node."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated

import structlog
from cyclopts import Parameter

from stratum_miner.app.daemon import stats_api
from stratum_miner.app.daemon.pool_run import log_chain, pool_config, running_pool, until_stopped
from stratum_miner.app.daemon.pool_status import summary
from stratum_miner.app.options import capture, common, http_access, listen_address, node_access
from stratum_miner.app.options.listen_address import parse_listen
from stratum_miner.app.options.pool import (
    REGTEST_DIFFICULTY,
    Difficulty,
    MaximumDifficulty,
    MinimumDifficultyOption,
    VardiffOption,
)
from stratum_miner.app.process import printing, signals
from stratum_miner.app.process.exit_codes import ExitCode, UsageError
from stratum_miner.faults.fault_filter import ChosenFault
from stratum_miner.faults.fault_filter import parse as parse_pool_fault
from stratum_miner.faults.pool_faults import POOL_FAULTS
from stratum_miner.pool.snapshot import PoolSnapshot

if TYPE_CHECKING:
    from prometheus_client import Metric

log = structlog.get_logger("stratum_miner")


def pool(
    *,
    address: node_access.PayoutAddress,
    listen: Annotated[
        str,
        Parameter(
            name="--listen",
            help="HOST:PORT at which the pool accepts miners. A port alone accepts only miners on this computer.",
        ),
    ] = "127.0.0.1:3333",
    node: node_access.NodeSpec = "kernel",
    node_cookie: node_access.NodeCookie = None,
    node_password_file: node_access.NodePasswordFile = None,
    data_dir: node_access.DataDirectory = None,
    network_difficulty: node_access.NetworkDifficulty = None,
    difficulty: Difficulty = REGTEST_DIFFICULTY,
    vardiff: VardiffOption = None,
    min_difficulty: MinimumDifficultyOption = None,
    max_difficulty: MaximumDifficulty = None,
    fault: Annotated[
        list[str] | None,
        Parameter(
            name="--fault",
            help="NAME or NAME=PARAMETER: let the pool commit this fault, to test miners. Faults are "
            f"{', '.join(POOL_FAULTS)}. Repeatable.",
            group="Faults",
            negative=(),
        ),
    ] = None,
    seed: capture.Seed = 0,
    record: capture.RecordOption = None,
    record_secrets: capture.RecordSecrets = False,
    http: http_access.StatisticsAddress = None,
    http_network: http_access.HttpNetwork = False,
    http_host: http_access.HttpHost = None,
    http_token_file: http_access.StatisticsTokenFile = None,
    json: common.Json = False,
    debug: common.Debug = False,
    quiet: common.Quiet = False,
    log_format: common.LogFormatOption = "auto",
) -> int:
    """Run a Stratum pool on a Bitcoin node until it is stopped.

    A miner chooses its own share difficulty with d=N or diff=N in its password, as in -p d=64.

    Exit code 1: the node refuses the requests of the pool, or the pool can no longer listen or record.
    """
    common.set_up_logging(debug=debug, quiet=quiet, log_format=log_format)
    http_access.check_installed(http)
    host, port = parse_listen(listen)
    faults = _faults(fault or [])
    capture.check(record, secrets=record_secrets)

    snapshot: Callable[[], PoolSnapshot]
    beside = None
    if http is not None:  # open the address now, to report early if another program uses it

        def metrics() -> "Iterator[Metric]":
            from stratum_miner.monitoring.http import pool_metrics  # noqa: PLC0415  needs an extra

            return pool_metrics.families(snapshot())

        beside = stats_api.api(
            http,
            summary=lambda: summary(snapshot()),
            metrics=metrics,
            network=http_network,
            names=http_host,
            token_file=http_token_file,
        )

    async def serve(stop: signals.Stop) -> None:
        nonlocal snapshot
        # Open the address and close it again, to report early if another program uses it. The pool opens it for miners
        # only later, when there is work.
        for listener in await listen_address.open_listeners(host, port):
            await listener.aclose()
        async with node_access.ready(
            node,
            stop,
            address=address,
            data_dir=data_dir,
            cookie=node_cookie,
            password_file=node_password_file,
            network_difficulty=network_difficulty,
        ) as opened:
            if opened is None:
                return
            config = pool_config(
                opened,
                address,
                host=host,
                port=port,
                difficulty=difficulty,
                vardiff=vardiff,
                low=min_difficulty,
                high=max_difficulty,
            )
            await log_chain(opened, config, faults)
            with capture.recording(record, "pool", secrets=record_secrets) as recorder:
                async with running_pool(opened, config, recorder=recorder, faults=faults, seed=seed) as (running, url):
                    snapshot = running.snapshot
                    if faults:
                        log.warning("misbehaving", faults=faults)
                    await until_stopped(running, stop, url, beside)
            if json:  # now the numbers are final, because the pool has sent its last replies
                printing.print_json(summary(running.snapshot()))

    signals.run(serve)
    return ExitCode.OK


def _faults(texts: list[str]) -> list[ChosenFault]:
    """Return the faults that the user wants the pool to commit. Raises UsageError for an unknown name; its text
    suggests the most similar known fault."""
    try:
        return [parse_pool_fault(text) for text in texts]
    except ValueError as error:
        raise UsageError(f"--fault: {error}") from None
