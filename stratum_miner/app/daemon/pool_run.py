"""Runs the built-in pool: checks its configuration, opens its listeners, and runs it until the process is to stop."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import structlog
import trio

from stratum_miner.app.daemon.pool_status import log_status
from stratum_miner.app.options import listen_address, node_access
from stratum_miner.app.options.listen_address import failing_with_listeners
from stratum_miner.app.process import signals
from stratum_miner.app.process.exit_codes import UsageError
from stratum_miner.app.process.garbage_collection import keep_old_objects
from stratum_miner.bitcoin.address import Network
from stratum_miner.bitcoin.target import difficulty_from_target, target_from_bits
from stratum_miner.capture.recorder import RecordedListener, Recorder
from stratum_miner.downstream.vardiff import VardiffConfig
from stratum_miner.faults.fault_filter import ChosenFault
from stratum_miner.faults.faulty_server import behind_faults
from stratum_miner.pool import Pool, PoolConfig, PoolEvent, open_pool
from stratum_miner.pool.nodes.base import Node
from stratum_miner.pool.nodes.memory import CHECKED, NOT_CHECKED, MemoryNode

log = structlog.get_logger("stratum_miner")


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
    """Return the configuration of the pool. Raises UsageError if PoolConfig does not accept it."""
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


async def log_chain(node: Node, config: PoolConfig, faults: Sequence[ChosenFault] = ()) -> None:
    """Log what a user must know about the chain of ``node`` to interpret the results of a test: what the node does not
    check, and whether every share of the pool is a block. For each of ``faults`` that then acts in another way, log how
    it acts. On other chains than regtest, log nothing.

    Raises NodeError if the node gives no template.
    """
    if node.network is not Network.REGTEST:
        return
    network = difficulty_from_target(target_from_bits((await node.get_template()).nbits))
    shown = float(f"{network:.6g}")
    if isinstance(node, MemoryNode):
        log.info("chain_in_memory", network_difficulty=shown, checked=CHECKED, not_checked=NOT_CHECKED)
    if network > config.difficulty:
        return
    log.info(
        "every_share_is_a_block",
        network_difficulty=shown,
        difficulty=config.difficulty,
        advice="for shares that are no blocks, use --network-difficulty with a value above --difficulty",
    )
    for chosen in faults:
        if chosen.fault.if_blocks:
            log.warning("fault_limited", fault=str(chosen), reason=chosen.fault.if_blocks)


@asynccontextmanager
async def running_pool(
    node: Node,
    config: PoolConfig,
    *,
    recorder: Recorder | None = None,
    faults: Sequence[ChosenFault] = (),
    seed: int = 0,
    on_event: Callable[[PoolEvent], None] | None = None,
) -> AsyncIterator[tuple[Pool, str]]:
    """Yield a running pool and its URL. Raises CommandFailed if it cannot listen."""
    sockets = await listen_address.open_listeners(config.host, config.port)
    url = listen_address.listening(sockets)
    with keep_old_objects(), failing_with_listeners():
        if faults:
            opening = behind_faults(
                lambda inner: open_pool(node, config, listeners=inner, on_event=on_event),
                faults,
                listeners=sockets,
                seed=seed,
                recorder=recorder,
            )
        else:
            listeners = [each if recorder is None else RecordedListener(each, recorder) for each in sockets]
            opening = open_pool(node, config, listeners=listeners, on_event=on_event)
        async with opening as pool:
            yield pool, url


async def until_stopped(pool: Pool, stop: signals.Stop, url: str, beside: Callable[[], Awaitable[None]] | None) -> None:
    """Log the state of the pool until the first signal to stop. If ``beside`` is not None, run this service at the same
    time."""
    stopped = trio.Event()
    with stop.calling(stopped.set):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(log_status, pool)
            nursery.start_soon(_log_ready, pool, url)
            if beside is not None:
                nursery.start_soon(beside)
            await stopped.wait()
            nursery.cancel_scope.cancel()


async def _log_ready(pool: Pool, url: str) -> None:
    await pool.wait_job()
    log.info("ready", url=url)
