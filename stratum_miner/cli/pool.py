"""``stratum-miner pool``: a Stratum pool over an embedded or a real node."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any

import structlog
import trio
from cyclopts import Parameter

from stratum_miner.app.options import capture, common, http_access, listen_address, node_access
from stratum_miner.app.options.listen_address import parse_listen, telling_of_listeners
from stratum_miner.app.options.pool import REGTEST_DIFFICULTY, Difficulty, MaximumDifficulty, MinimumDifficulty, Vardiff
from stratum_miner.app.process import printing, signals
from stratum_miner.app.process.exit_codes import ExitCode, UsageError
from stratum_miner.app.process.garbage_collection import keep_old_objects
from stratum_miner.capture import RecordedListener, Recorder
from stratum_miner.cli import figures
from stratum_miner.downstream.vardiff import VardiffConfig
from stratum_miner.faults.fault_filter import ChosenFault
from stratum_miner.faults.fault_filter import parse as parse_pool_fault
from stratum_miner.faults.faulty_server import behind_faults
from stratum_miner.foreign_text import sanitize
from stratum_miner.pool import Pool, PoolConfig, open_pool
from stratum_miner.pool.events import BlockFound
from stratum_miner.pool.nodes.base import Node
from stratum_miner.pool.snapshot import PoolSnapshot
from stratum_miner.quantities import hash_rate_text

log = structlog.get_logger("stratum_miner")

STATUS_INTERVAL_S = 30.0


def pool(
    *,
    address: node_access.PayoutAddress,
    listen: Annotated[str, Parameter(name="--listen", help="HOST:PORT to listen on.")] = "127.0.0.1:3333",
    node: node_access.NodeSpec = "kernel",
    node_cookie: node_access.NodeCookie = None,
    node_password_file: node_access.NodePasswordFile = None,
    data_dir: node_access.DataDirectory = None,
    difficulty: Difficulty = REGTEST_DIFFICULTY,
    vardiff: Vardiff = None,
    min_difficulty: MinimumDifficulty = None,
    max_difficulty: MaximumDifficulty = None,
    fault: Annotated[
        list[str] | None,
        Parameter(
            name="--fault",
            help="Misbehave, to test miners: NAME or NAME=PARAMETER of docs/testing-your-miner.md; repeatable.",
            group="Faults",
            negative=(),
        ),
    ] = None,
    seed: capture.Seed = 0,
    record: capture.Record = None,
    record_secrets: capture.RecordSecrets = False,
    http: http_access.FiguresAddress = None,
    http_network: http_access.HttpNetwork = False,
    http_host: http_access.HttpHost = None,
    http_token_file: http_access.HttpTokenFile = None,
    json: common.Json = False,
    debug: common.Debug = False,
    quiet: common.Quiet = False,
    log_format: common.LogFormat = "auto",
) -> int:
    """Run a Stratum pool until stopped."""
    common.set_up_logging(debug=debug, quiet=quiet, log_format=log_format)
    host, port = parse_listen(listen)
    faults = _faults(fault or [])

    snapshot: Callable[[], PoolSnapshot]
    beside = None
    if http is not None:  # taken by somebody else is said now; it is answered when there is a pool
        from stratum_miner.monitoring.http import pool_metrics  # noqa: PLC0415  starlette loads slowly

        beside = figures.api(
            http,
            summary=lambda: summary(snapshot()),
            metrics=lambda: pool_metrics.families(snapshot()),
            network=http_network,
            names=http_host,
            token_file=http_token_file,
        )

    async def serve(stop: signals.Stop) -> None:
        nonlocal snapshot
        for listener in await listen_address.open_listeners(host, port):
            await listener.aclose()  # taken by somebody else is said now; miners are let in when there is work
        async with node_access.ready(
            node, stop, address=address, data_dir=data_dir, cookie=node_cookie, password_file=node_password_file
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
            async with running_pool(opened, config, recorder, faults, seed) as (running, url):
                snapshot = running.snapshot
                if faults:
                    log.warning("misbehaving", faults=faults)
                await _until_stopped(running, stop, url, beside)
            if json:  # after the last answers
                printing.print_json(summary(running.snapshot()))

    with capture.recording(record, "pool", secrets=record_secrets) as recorder:
        signals.run(serve)
    return ExitCode.OK


def _faults(texts: list[str]) -> list[ChosenFault]:
    """Faults by name. UsageError names the nearest."""
    try:
        return [parse_pool_fault(text) for text in texts]
    except ValueError as error:
        raise UsageError(f"--fault: {error}") from None


def pool_config(
    node: Node,
    address: str,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    difficulty: float,
    vardiff: float | None = None,
    low: float | None = None,
    high: float | None = None,
) -> PoolConfig:
    """A checked configuration. UsageError repeats what PoolConfig objects to."""
    script = node_access.payout_script(address, node)
    optional: dict[str, Any] = {} if high is None else {"maximum_difficulty": high}
    try:
        if vardiff:
            optional["vardiff"] = VardiffConfig(target_seconds=vardiff)
        return PoolConfig(
            payout_script=script, host=host, port=port, difficulty=difficulty, minimum_difficulty=low, **optional
        )
    except ValueError as error:
        raise UsageError(str(error)) from None


@asynccontextmanager
async def running_pool(
    node: Node,
    config: PoolConfig,
    recorder: Recorder | None = None,
    faults: Sequence[ChosenFault] = (),
    seed: int = 0,
) -> AsyncIterator[tuple[Pool, str]]:
    """A pool that serves while the block runs, and its URL. CommandFailed when it cannot listen."""
    sockets = await listen_address.open_listeners(config.host, config.port)
    url = listen_address.listening(sockets)
    with keep_old_objects(), telling_of_listeners():
        if faults:
            opening = behind_faults(
                lambda inner: open_pool(node, config, listeners=inner),
                faults,
                listeners=sockets,
                seed=seed,
                recorder=recorder,
            )
        else:
            listeners = [each if recorder is None else RecordedListener(each, recorder) for each in sockets]
            opening = open_pool(node, config, listeners=listeners)
        async with opening as pool:
            yield pool, url


def summary(snapshot: PoolSnapshot) -> dict[str, Any]:
    """The object that --json prints at the end; ``difficulty`` is the sum that accepted shares were credited with."""
    return {
        "elapsed_s": round(time.time() - snapshot.started_at, 3),
        "listen": list(snapshot.addresses),
        "height": snapshot.height,
        "network_difficulty": snapshot.network_difficulty,
        "node_error": snapshot.node_error,
        "template_age_s": snapshot.template_age,
        "jobs": snapshot.jobs_published,
        "miners": sum(session.started for session in snapshot.sessions),
        "hash_rate": snapshot.hash_rate,
        "shares": {
            "accepted": snapshot.accepted,
            "rejected": {reason.value: count for reason, count in snapshot.rejected.items()},
            "difficulty": snapshot.accepted_difficulty,
            "best": snapshot.best_difficulty,
        },
        "connections": {
            "open": len(snapshot.sessions),
            "total": snapshot.connections_total,
            "refused": snapshot.connections_refused,
            "ended": {ending.value: count for ending, count in snapshot.connections_ended.items()},
        },
        "bytes_received": snapshot.bytes_received,
        "bytes_sent": snapshot.bytes_sent,
        "blocks_found": snapshot.blocks_found,
        **blocks(snapshot),
    }


def blocks(snapshot: PoolSnapshot) -> dict[str, list[dict[str, Any]]]:
    """``blocks`` has those that the node took. ``blocks_refused`` has the others with the node's reason: they count for
    nothing.
    """
    taken = [_block(block) for block in snapshot.blocks if block.accepted]
    refused = [_block(block) | {"reason": sanitize(block.result)} for block in snapshot.blocks if not block.accepted]
    return {"blocks": taken, "blocks_refused": refused}


def _block(block: BlockFound) -> dict[str, Any]:
    return {"height": block.height, "hash": block.hash, "worker": sanitize(block.worker_name)}


async def _until_stopped(
    pool: Pool, stop: signals.Stop, url: str, beside: Callable[[], Awaitable[None]] | None
) -> None:
    stopped = trio.Event()
    with stop.calling(stopped.set):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_log_status, pool)
            nursery.start_soon(_tell_ready, pool, url)
            if beside is not None:
                nursery.start_soon(beside)
            await stopped.wait()
            nursery.cancel_scope.cancel()


async def _tell_ready(pool: Pool, url: str) -> None:
    await pool.wait_job()
    log.info("ready", url=url)


async def _log_status(pool: Pool) -> None:
    while True:
        await trio.sleep(STATUS_INTERVAL_S)
        snapshot = pool.snapshot()
        log.info(
            "status",
            height=snapshot.height,
            miners=sum(session.started for session in snapshot.sessions),
            rate=hash_rate_text(snapshot.hash_rate),
            accepted=snapshot.accepted,
            blocks=snapshot.blocks_accepted,
            **({} if snapshot.node_error is None else {"waiting_for": snapshot.node_error}),
        )
