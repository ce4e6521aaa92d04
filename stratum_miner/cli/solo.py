"""``stratum-miner solo``: mines on the user's own Bitcoin node, with a private pool and a miner in one process."""

from dataclasses import replace
from functools import partial

import trio

from stratum_miner.app.daemon import chain_notes, event_lines, run_summary, status_lines
from stratum_miner.app.daemon.pool_run import pool_config, running_pool
from stratum_miner.app.daemon.pool_status import blocks
from stratum_miner.app.options import backend_choice, common, goal, node_access
from stratum_miner.app.options.pool import REGTEST_DIFFICULTY, Difficulty
from stratum_miner.app.process import logs, printing, signals
from stratum_miner.app.process.exit_codes import ExitCode
from stratum_miner.client import PoolSettings, PoolUrl
from stratum_miner.miner import Miner, MinerEvent
from stratum_miner.monitoring.monitor import Monitor
from stratum_miner.monitoring.view import Summary
from stratum_miner.pool import BlockFound, PoolEvent


def solo(
    *,
    address: node_access.PayoutAddress,
    node: node_access.NodeSpec,
    node_cookie: node_access.NodeCookie = None,
    node_password_file: node_access.NodePasswordFile = None,
    data_dir: node_access.DataDirectory = None,
    difficulty: Difficulty = REGTEST_DIFFICULTY,
    threads: backend_choice.Threads = None,
    backend: backend_choice.BackendName = "cpu",
    kernel: backend_choice.KernelName = None,
    backend_option: backend_choice.BackendOptions = None,
    until_shares: goal.UntilShares = None,
    until_blocks: goal.UntilBlocks = None,
    time_limit: goal.TimeLimit = None,
    json: common.Json = False,
    debug: common.Debug = False,
    quiet: common.Quiet = False,
    log_format: common.LogFormatOption = "auto",
) -> int:
    """Mine on your own Bitcoin node, without a pool.

    Exit code 1: a goal was not reached before --time-limit, no device mined, or the node refuses requests for work. 4:
    the node gave no work before --time-limit. 5: a kernel failed its self-test.
    """
    common.set_up_logging(debug=debug, quiet=quiet, log_format=log_format)
    goals = goal.goals(shares=until_shares, blocks=until_blocks, time_limit=time_limit)
    searcher = backend_choice.backend(backend, threads=threads, kernel=kernel, options=backend_option)
    code = ExitCode.OK

    async def mine_and_tell(stop: signals.Stop) -> None:
        nonlocal code
        started = trio.current_time()
        async with node_access.ready(
            node,
            stop,
            address=address,
            data_dir=data_dir,
            cookie=node_cookie,
            password_file=node_password_file,
            time_limit=time_limit,
        ) as opened:
            if opened is None:
                return
            left = time_limit and max(time_limit - (trio.current_time() - started), 0.001)
            config = pool_config(opened, address, difficulty=difficulty)

            def note_block(event: PoolEvent) -> None:
                if isinstance(event, BlockFound):
                    miner.block_judged(event.hash, accepted=event.accepted)

            async with running_pool(opened, config, on_event=note_block) as (pool, _):
                reporter = event_lines.EventLines(quiet=quiet, node_judges=True)
                settings = PoolSettings(url=PoolUrl("127.0.0.1", pool.port), worker_name=address)
                remaining = replace(goals, time_limit=left)

                def tell(event: MinerEvent) -> None:
                    reporter(event)
                    monitor.note(event)

                def summary() -> Summary:
                    return monitor.view().summary

                miner = Miner(settings, [searcher], goals=remaining, node_judges=True, on_event=tell)
                monitor = Monitor(miner.snapshot, logs.events)
                try:
                    ending = await status_lines.mine_until_done(
                        miner,
                        stop,
                        monitor.view,
                        quiet=quiet,
                        beside=[monitor.run, partial(chain_notes.run, summary)],
                    )
                    code = run_summary.exit_code(ending, miner, monitor)
                finally:
                    judged = blocks(pool.snapshot())
                    if json:
                        printing.print_json(monitor.report() | judged)
                    else:
                        run_summary.print_summary(monitor.view(), blocks_refused=len(judged["blocks_refused"]))

    signals.run(mine_and_tell)
    return code
