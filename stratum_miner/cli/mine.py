"""``stratum-miner mine``: mine on a pool.

Its options are declared in ``mine_options``, once for the command line, the environment and the file; ``mine_settings``
makes settings of them, and this makes a miner of those.
"""

import os
import time
from functools import partial
from typing import Any

import structlog

from stratum_miner.capture import Recorder, record_connections
from stratum_miner.cli import capture_options, mining, options, signals
from stratum_miner.cli.command_line import takes_options_of
from stratum_miner.cli.configuration import Config, NoConfig
from stratum_miner.cli.mine_options import MineOptions
from stratum_miner.cli.mine_settings import MineSettings, Sources, find_file, load, telling
from stratum_miner.cli.watching import Watching, watch
from stratum_miner.miner import Assignment, Ending, EventListener, Journal, Miner, MinerEvent

log = structlog.get_logger("stratum_miner")


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
    listeners: list[EventListener] = [reporter]

    def tell(event: MinerEvent) -> None:
        for listener in listeners:
            listener(event)

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
        on_event=tell,
        wrap_connector=None if recorder is None else partial(record_connections, recorder=recorder),
    )
    watching = watch(miner, settings)
    listeners.append(watching.monitor.note)
    return _run(miner, settings, reporter, watching, written)


def _run(
    miner: Miner, settings: MineSettings, reporter: mining.Reporter, watching: Watching, journal: Journal | None
) -> int:
    ending, chosen = Ending.STOPPED, settings.options

    async def mine_and_tell(stop: signals.Stop) -> None:
        nonlocal ending
        try:
            ending = await mining.mine_until_done(
                miner, stop, quiet=chosen.quiet, tariff=settings.tariff, beside=watching.services
            )
        finally:
            if journal is not None:
                journal.close()
            mining.print_summary(miner.snapshot(), reporter.blocks, as_json=chosen.json, tariff=settings.tariff)

    signals.run(mine_and_tell)
    return mining.exit_code(ending, settings.goals)
