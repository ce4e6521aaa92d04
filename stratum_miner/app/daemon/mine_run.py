"""Runs ``mine`` as a process: a miner, its services, and the reload of its settings."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import structlog

from stratum_miner.app.daemon import event_lines, run_summary, status_lines
from stratum_miner.app.daemon.reload import Reloader
from stratum_miner.app.daemon.services import Service, earnings_of, services_of
from stratum_miner.app.options import capture, common, pool_access
from stratum_miner.app.options.mine import MineOptions
from stratum_miner.app.process import logs, output_files, printing, signals
from stratum_miner.app.process.exit_codes import UsageError
from stratum_miner.app.settings import shown
from stratum_miner.app.settings.mine import MineSettings, Sources, naming_source
from stratum_miner.app.settings.pools import http_urls
from stratum_miner.capture.recorder import Recorder, record_connections
from stratum_miner.client import ClientOptions
from stratum_miner.economics.profit import earnings
from stratum_miner.miner import Assignment, EventListener, Journal, Miner, MinerEvent, StopReason
from stratum_miner.monitoring.control import ControlRefused
from stratum_miner.monitoring.screen import live
from stratum_miner.monitoring.view import Summary

log = structlog.get_logger("stratum_miner")


def mine(sources: Sources, settings: MineSettings) -> int:
    """Mine with these settings until stopped or until a goal is reached, and return the exit code."""
    chosen = settings.options
    _set_up_logging(chosen, log_format=chosen.log_format)
    with (
        naming_source(settings.resolved),
        logs.writing_to(chosen.log_file),
        capture.recording(chosen.record, "mine", secrets=chosen.record_secrets) as recorder,
        _journal(chosen) as journal,
    ):
        _log_sources(sources)
        pool_access.note_http(http_urls(settings.resolved, settings.document))
        return MineRun(sources, settings, recorder, journal).run()


class MineRun:
    """A miner, its present settings, and the services that run beside it, such as its APIs."""

    def __init__(
        self, sources: Sources, settings: MineSettings, recorder: Recorder | None, journal: Journal | None
    ) -> None:
        self._sources = sources
        self._settings = settings
        self._log_format = settings.options.log_format
        chosen = settings.options
        self.reporter = event_lines.EventLines(quiet=chosen.quiet)
        self._listeners: list[EventListener] = [self.reporter]
        self.journal = journal
        self.miner = Miner(
            settings.pools,
            [
                Assignment(backend=plan.create(), name=plan.name, pool=settings.bound.get(plan.name))
                for plan in settings.backends
            ],
            goals=settings.goals,
            journal=self.journal,
            strategy=settings.strategy,
            on_event=self._notify,
            options=ClientOptions(
                retry=chosen.retry,
                retries=None if chosen.retries is None or chosen.retries < 0 else chosen.retries,
                retry_pause=chosen.retry_pause,
                failback=chosen.fallback_time,
                wrap=None if recorder is None else partial(record_connections, recorder=recorder),
            ),
        )
        self.reloader = Reloader(sources, settings, self.miner, self)
        services = services_of(
            self.miner,
            settings,
            tariff=self.tariff,
            configuration=self.shown_settings,
            reload=None if sources.file is None else self._reload,
        )
        self._listeners.append(services.monitor.note)
        self._services = services
        self.services = (*services.services, *self._reloading())
        """The functions that run concurrently with the miner, from its start to its end."""

    def run(self) -> int:
        """Mine until stopped or until a goal is reached, and return the exit code."""
        ending = StopReason.STOPPED
        chosen, monitor = self._settings.options, self._services.monitor
        on_screen = chosen.display == "auto" and not chosen.quiet and live.usable(logs.console)
        display = self._services.display if on_screen else None

        async def mine_and_summarize(stop: signals.Stop) -> None:
            nonlocal ending
            try:
                ending = await status_lines.mine_until_done(
                    self.miner, stop, monitor.view,
                    quiet=chosen.quiet, costs=self.costs, beside=self.services, display=display,
                )  # fmt: skip
            finally:
                if self.journal is not None:
                    self.journal.close()
                if chosen.json:
                    printing.print_json(monitor.report())
                else:
                    view = monitor.view()
                    run_summary.print_summary(view, costs=self.costs(view.summary))

        signals.run(mine_and_summarize)
        return run_summary.exit_code(ending, self.miner, monitor)

    def take(self, settings: MineSettings) -> None:
        """Use the log level, the tariff (prices, power, fee) and ``quiet`` of ``settings`` from now on. Implements
        ``Reloadable``."""
        chosen = settings.options
        self._settings = settings
        self.reporter.quiet = chosen.quiet
        _set_up_logging(chosen, log_format=self._log_format)

    def tariff(self) -> earnings.Tariff | None:
        """Return the present tariff of mining (prices of electricity and bitcoin, power, fee), or None if no prices are
        configured."""
        return self._settings.tariff

    def costs(self, summary: Summary) -> str:
        """Return the costs and the income of mining in one line; empty if no prices are configured."""
        terms = self.tariff()
        return "" if terms is None else earnings_of(summary, terms).line()

    def shown_settings(self) -> dict[str, Any]:
        """Return the present settings without secrets, so that they can be shown to people."""
        return shown.as_object(self._settings, None if self._sources.file is None else str(self._sources.file))

    def _notify(self, event: MinerEvent) -> None:
        for listener in self._listeners:
            listener(event)

    def _reloading(self) -> list[Service]:
        file = self._sources.file
        if not self._settings.options.watch_config:
            return [self.reloader.on_hangup]
        if file is None:
            raise UsageError("--watch-config needs a configuration file, as in --config miner.toml --watch-config")
        return [self.reloader.on_hangup, partial(self.reloader.on_change, file)]

    def _reload(self) -> tuple[str, ...]:
        """Reload the settings. Returns a line for each setting that changed or will change at a restart."""
        result = self.reloader.reload()
        if result.refused:
            raise ControlRefused("; ".join(result.refused))
        return (*map(str, result.applied), *(f"{item} (at a restart)" for item in result.restart))


def _log_sources(sources: Sources) -> None:
    if sources.file is not None:
        log.info("configuration", file=str(sources.file))
    if sources.is_exposed:
        log.warning("configuration_exposed", file=str(sources.file))
    for problem in sources.misspelt:
        log.warning("configuration_problem", problem=str(problem))


@contextmanager
def _journal(chosen: MineOptions) -> Iterator[Journal | None]:
    """Yield the share journal, or None without --journal. At the end of the ``with`` block the journal is closed, even
    if mining never began."""
    if chosen.journal is None:
        yield None
        return
    output_files.check_writable(chosen.journal, "--journal")
    journal = Journal(chosen.journal)
    if journal.unclean:
        log.warning("journal_unclean", file=str(chosen.journal))
    if journal.damaged:
        log.warning("journal_damaged", file=str(chosen.journal), lines=journal.damaged)
    try:
        yield journal
    finally:
        journal.close()


def _set_up_logging(chosen: MineOptions, *, log_format: logs.LogFormat) -> None:
    quiet = chosen.quiet and not chosen.protocol_dump
    common.set_up_logging(debug=chosen.debug, quiet=quiet, log_format=log_format)
