"""Reads the configuration again while the miner mines: on SIGHUP, when its file changes, or when an API requests it.

A setting that can change while mining gets its new value at once. For any other setting, the log says that the change
needs a restart. If there is an error in the configuration, no setting changes.
"""

import os
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import structlog
import trio

from stratum_miner.app.config.problems import ConfigError
from stratum_miner.app.operation.systemd import ServiceManager
from stratum_miner.app.process import secrets
from stratum_miner.app.settings.changes import SettingChange, changes
from stratum_miner.app.settings.mine import MineSettings, Sources, load
from stratum_miner.miner import Miner

log = structlog.get_logger("stratum_miner")

WATCH_INTERVAL_S = 1.0
"""With --watch-config, the seconds between two checks whether the configuration file has changed."""


@dataclass(frozen=True, slots=True)
class Reloaded:
    """The result of a reload."""

    applied: tuple[SettingChange, ...] = ()
    """Settings that were changed by this reload."""
    restart: tuple[SettingChange, ...] = ()
    """Settings that were changed in the configuration but need a restart before they take effect. Every reload reports
    them again until the restart."""
    refused: tuple[str, ...] = ()
    """The errors in the configuration, a line each. If there are any, nothing changed."""


class Reloadable(Protocol):
    """Applies the changed settings that do not concern the miner, such as the log level. ``Reloader`` applies the
    others."""

    def take(self, settings: MineSettings) -> None:
        """Use the new values of the settings that are marked LIVE. The other settings keep their present values until a
        restart."""
        ...


class Reloader:
    """Applies a changed configuration to a running miner. Call it from the trio thread."""

    def __init__(self, sources: Sources, settings: MineSettings, miner: Miner, rest: Reloadable) -> None:
        self._sources = sources
        self._started = self._settings = settings
        self._miner = miner
        self._rest = rest

    def reload(self) -> Reloaded:
        """Read the configuration again and apply it, and report this to the service manager.

        If the configuration has errors, change nothing and return the errors.
        """
        with ServiceManager(self._sources.environment).reloading():
            return self._reload()

    def _reload(self) -> Reloaded:
        try:
            settings = load(self._sources)
        except ConfigError as error:
            return _refuse([str(problem) for problem in error.problems])
        follows = self._miner.follows_strategy
        live = [item for item in changes(self._settings, settings, follows_strategy=follows) if item.live]
        rest = [item for item in changes(self._started, settings, follows_strategy=follows) if not item.live]
        try:
            self._change_pools(settings)
        except ValueError as error:
            return _refuse([str(error)])
        self._miner.set_goals(settings.goals)
        self._settings = settings
        result = Reloaded(tuple(live), tuple(rest))
        if settings.options.quiet:  # log the result before quiet takes effect
            self._log(result)
        self._rest.take(settings)
        if not settings.options.quiet:
            self._log(result)
        return result

    def _log(self, result: Reloaded) -> None:
        for item in result.applied:
            log.info("configuration_changed", what=item.what, before=item.before, after=item.after)
        for item in result.restart:
            log.warning("configuration_takes_a_restart", what=item.what, before=item.before, after=item.after)
        if not result.applied and not result.restart:
            log.info("configuration_unchanged", file=str(self._sources.file or "none"))

    def _change_pools(self, settings: MineSettings) -> None:
        before = self._settings
        if self._miner.follows_strategy and settings.pools != before.pools:
            control = self._miner.pool_control
            known = {(pool.url, pool.worker_name) for pool in (*before.pools, *settings.pools)}
            by_hand = [pool for pool in control.settings() if (pool.url, pool.worker_name) not in known]
            control.arrange([*settings.pools, *by_hand])
        if self._miner.follows_strategy and settings.strategy is not before.strategy:
            self._miner.pool_control.use(settings.strategy)
        for name, pool in settings.bound.items():
            bound = self._miner.bound_control(name)
            if bound is not None and name in before.bound and pool != before.bound[name]:
                bound.arrange([pool])

    async def on_hangup(self) -> None:
        """Reload on SIGHUP. If the signal came because the terminal was closed, stop the miner instead."""
        had_terminal = os.isatty(2)
        with trio.open_signal_receiver(signal.SIGHUP) as signals:
            async for _ in signals:
                if had_terminal and not os.isatty(2):
                    self._miner.stop()
                    return
                self.reload()

    async def on_change(self, file: Path) -> None:
        """Reload whenever the file has changed and then stayed the same for a second. A file that still changes may be
        half written."""
        async for _ in states(file):
            self.reload()


async def states(file: Path) -> AsyncIterator[None]:
    """Yield None each time that the file has changed and has then stayed the same for a second."""
    acted = seen = _stamp(file)
    while True:
        await trio.sleep(WATCH_INTERVAL_S)
        now = _stamp(file)
        if now == seen and now not in (acted, None):
            acted = now
            yield
        seen = now


def _stamp(file: Path) -> tuple[int, int, int] | None:
    """Return the time of the last change, the size and the inode of a file. Return None if there is no file."""
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _refuse(problems: list[str]) -> Reloaded:
    texts = tuple(str(secrets.redact(problem)) for problem in problems)
    for problem in texts:
        log.error("configuration_refused", problem=problem)
    return Reloaded(refused=texts)
