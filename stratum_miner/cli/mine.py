"""``stratum-miner mine``: mine on a pool.

Its options are declared in ``mine_options``, once for the command line, the environment and the file; ``mine_settings``
makes settings of them, and this makes a miner of those.
"""

import os
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import structlog

from stratum_miner.capture import Recorder, record_connections
from stratum_miner.cli import capture_options, earnings, figures, mining, options, signals
from stratum_miner.cli.command_line import takes_options_of
from stratum_miner.cli.configuration import Config, NoConfig
from stratum_miner.cli.mine_options import MineOptions
from stratum_miner.cli.mine_settings import MineSettings, Sources, find_file, load, telling
from stratum_miner.miner import Assignment, Ending, Goals, Journal, Miner

log = structlog.get_logger("stratum_miner")

NEWEST_BLOCKS = 20
"""Shown by the API; their number is there too."""


@takes_options_of(MineOptions)
def mine(
    *,
    config: Config = None,
    no_config: NoConfig = False,
    **given: Any,
) -> int:
    """Mine on a pool until stopped or until a goal is reached.

    Each option may also stand in a TOML file or, as STRATUM_MINER_NAME, in the environment. The command line comes
    first, then the environment, then the file.
    """
    sources = Sources(given, find_file(config, no_config, os.environ))
    settings = load(sources)
    options.set_up_logging(
        debug=settings.options.debug,
        quiet=settings.options.quiet and not settings.options.protocol_dump,
        log_format=settings.options.log_format,
    )
    _tell_sources(sources)
    chosen = settings.options
    with (
        telling(settings.resolved),
        capture_options.recording(chosen.record, "mine", secrets=chosen.record_secrets) as recorder,
    ):
        return _mine(settings, recorder)


def _tell_sources(sources: Sources) -> None:
    if sources.file is not None:
        log.info("configuration", file=str(sources.file))
    for problem in sources.misspelt:
        log.warning("configuration", problem=str(problem))


def _mine(settings: MineSettings, recorder: Recorder | None) -> int:
    chosen = settings.options
    reporter = mining.Reporter(quiet=chosen.quiet)
    written = None if chosen.journal is None else Journal(chosen.journal, wall_clock=time.time, clock=time.monotonic)
    if written is not None and written.damaged:
        log.warning("journal_damaged", file=str(chosen.journal), lines=written.damaged)
    miner = Miner(
        settings.pools,
        [
            Assignment(backend=plan.create(), name=plan.name, pool=settings.bound.get(plan.name))
            for plan in settings.backends
        ],
        goals=settings.goals,
        retry=chosen.retry,
        journal=written,
        strategy=settings.strategy,
        on_event=reporter,
        wrap_connector=None if recorder is None else partial(record_connections, recorder=recorder),
    )
    tariff = settings.tariff
    beside = figures.api(chosen.http, lambda: _told(miner, reporter, tariff)) if chosen.http is not None else None
    return _run(
        miner,
        settings.goals,
        reporter,
        quiet=chosen.quiet,
        as_json=chosen.json,
        tariff=tariff,
        beside=beside,
        journal=written,
    )


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
