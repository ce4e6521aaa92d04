"""Reads the settings of ``mine`` from a file, the environment and the command line, combines them and checks them.

These functions read only files that the settings name. They open no connection or device, and start nothing, because a
reload calls ``load`` again while the miner mines.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stratum_miner import user_folders
from stratum_miner.app.config.document import Document, read
from stratum_miner.app.config.keys import keys_of
from stratum_miner.app.config.layers import Layer, Resolved, resolve, unknown_variables
from stratum_miner.app.config.problems import ConfigError, Problem
from stratum_miner.app.config.profiles import POOLS, TABLES, backend_profiles, pool_profiles
from stratum_miner.app.operation.hooks import Hook
from stratum_miner.app.operation.pauses import check_limit
from stratum_miner.app.operation.schedule import Schedule
from stratum_miner.app.options import goal
from stratum_miner.app.options.http_access import check_installed
from stratum_miner.app.options.mine import OTHER_VARIABLES, MineOptions
from stratum_miner.app.options.pools import PoolOptions
from stratum_miner.app.process import secrets
from stratum_miner.app.process.exit_codes import UsageError
from stratum_miner.app.settings import api_access
from stratum_miner.app.settings.assignments import assign
from stratum_miner.app.settings.backends import BackendPlan, plan_backends
from stratum_miner.app.settings.pools import check_waits, plan_pools
from stratum_miner.backends.base import BackendError
from stratum_miner.client import PoolSettings
from stratum_miner.client.settings import Strategy
from stratum_miner.economics.profit import earnings
from stratum_miner.economics.profit.terms import TermError
from stratum_miner.installation import MissingExtraError
from stratum_miner.miner import Goals

CONFIG_VARIABLE = "STRATUM_MINER_CONFIG"
READABLE_BY_OTHERS = 0o044


@dataclass(frozen=True, slots=True)
class Sources:
    """The sources of the settings. A reload reads the same sources again."""

    given: Mapping[str, Any]
    """The values on the command line, by the name of their field in ``MineOptions``."""
    file: Path | None = None
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))

    @property
    def misspelt(self) -> list[Problem]:
        """A problem for each environment variable that begins with STRATUM_MINER_ but is unknown."""
        return unknown_variables(self.environment, keys_of(MineOptions), OTHER_VARIABLES)

    @property
    def is_exposed(self) -> bool:
        """Whether the configuration file contains passwords and other users of this computer can read it."""
        try:
            mode = 0 if self.file is None else self.file.stat().st_mode
            return bool(mode & READABLE_BY_OTHERS) and self.file is not None and _has_secrets(read(self.file))
        except (OSError, ConfigError):
            return False


def _has_secrets(document: Document) -> bool:
    tables = [document.table, *(pool for pool in document.table.get(POOLS, {}).values() if isinstance(pool, dict))]
    return any(table.keys() & {"pass", "userpass", "proxy"} or "@" in str(table.get("url")) for table in tables)


@dataclass(frozen=True, slots=True, kw_only=True)
class MineSettings:
    """All settings of ``mine``, checked."""

    resolved: Resolved[MineOptions]
    document: Document | None
    pools: tuple[PoolSettings, ...]
    strategy: Strategy
    backends: tuple[BackendPlan, ...]
    bound: Mapping[str, PoolSettings]
    """Maps the name of each backend that mines on one fixed pool to this pool."""
    goals: Goals
    tariff: earnings.Tariff | None
    schedule: Schedule | None
    hooks: tuple[Hook, ...]

    @property
    def options(self) -> MineOptions:
        """The options with the values that result from all sources."""
        return self.resolved.values


def find_file(config: Path | None, no_config: bool, environment: Mapping[str, str]) -> Path | None:
    """Return the configuration file to read, or None if there is none.

    The file is the one that ``config`` names, or else the one that STRATUM_MINER_CONFIG names, or else the user's own
    file if it exists. With ``no_config``, the result is always None. Raises UsageError for ``config`` together with
    ``no_config``.
    """
    if config is not None and no_config:
        raise UsageError("--config, --no-config: expected at most one of the two, got both")
    if no_config:
        return None
    named = config or (Path(text) if (text := environment.get(CONFIG_VARIABLE)) else None)
    if named is not None:
        return named.expanduser()
    default = default_file()
    # os.path.exists also returns False if the directory cannot be read.
    return default if os.path.exists(default) else None


def default_file() -> Path:
    """Return the path of the user's own configuration file."""
    return user_folders.configuration() / "config.toml"


def load(sources: Sources) -> MineSettings:
    """Read and check all settings, and register the secrets. Raises ConfigError, which contains every error that was
    found."""
    return settings_of(sources, None if sources.file is None else read(sources.file))


def settings_of(sources: Sources, document: Document | None) -> MineSettings:
    """Check and return all settings, as ``load`` does. ``document`` is the configuration file after parsing, or None if
    there is no file."""
    problems: list[Problem] = []
    try:
        resolved = resolve(
            MineOptions, given=sources.given, environment=sources.environment, document=document, tables=TABLES
        )
    except ConfigError as error:
        # Also report the errors in the tables. Settings that are wrong are not compared with each other.
        problems += error.problems
        pool_profiles(document, problems)
        backend_profiles(document, problems)
        raise ConfigError(*problems) from None
    register_secrets(resolved.values)
    checked = resolved.values
    for option, address in (("--http", checked.http), ("--axeos-api", checked.axeos_api)):
        with collecting(problems, resolved):
            check_installed(address, option)
    pools, strategy = plan_pools(resolved, document, problems)
    backends = plan_backends(resolved, document, problems)
    assigned = assign(resolved, document, pools, backends, problems)
    goals, tariff, schedule = Goals(), None, None
    hooks: tuple[Hook, ...] = ()
    with collecting(problems, resolved):
        goals = goal.goals(shares=checked.until_shares, blocks=checked.until_blocks, time_limit=checked.time_limit)
    with collecting(problems, resolved):
        tariff = earnings.tariff(
            electricity=checked.electricity,
            power=checked.power,
            price=checked.price,
            pool_fee=checked.pool_fee,
            mainnet_difficulty=checked.mainnet_difficulty,
            may_measure=any(plan.kind == "asic" for plan in backends),
        )
    with collecting(problems, resolved):
        schedule = Schedule.parse(checked.sched_start, checked.sched_stop)
    with collecting(problems, resolved):
        check_limit(checked.pause_above)
    with collecting(problems, resolved):
        api_access.cgminer_access(checked)
    with collecting(problems, resolved):
        api_access.axeos_trusted(checked)
    with collecting(problems, resolved):
        hooks = tuple(map(Hook.parse, checked.on_event or ()))
    with collecting(problems, resolved):
        check_waits(checked)
    with collecting(problems, resolved):
        if checked.retries is not None and checked.retries >= 0:
            if len(pools) > 1:
                raise UsageError(
                    "--retries: expected one pool with a limit of attempts, got several. When one of several pools "
                    "fails, mining goes on at another one"
                )
            if not checked.retry and checked.retries:
                raise UsageError("--retries: expected this or --no-retry, got both")
    with collecting(problems, resolved):
        if not checked.retry and len(pools) > 1:
            raise UsageError(
                "--retry: expected one pool without retries, got several, and switching between pools is a retry. Give "
                "one pool, or allow retries"
            )
    if problems:
        raise ConfigError(*dict.fromkeys(problems))
    return MineSettings(
        resolved=resolved,
        document=document,
        pools=assigned.pools,
        bound=assigned.bound,
        strategy=strategy,
        backends=tuple(backends),
        goals=goals,
        tariff=tariff,
        schedule=schedule,
        hooks=hooks,
    )


@contextmanager
def collecting(problems: list[Problem], resolved: Resolved[Any]) -> Iterator[None]:
    """Add an error that is raised in the ``with`` block to ``problems``, and raise nothing.

    The problem names the line of the file, the variable or the option that the wrong value came from.
    """
    try:
        yield
    except (UsageError, TermError, BackendError, MissingExtraError) as error:
        flag, _, text = str(error).partition(": ")
        problems.append(Problem(source_of(resolved, flag), text) if text else Problem("mine", flag))


@contextmanager
def naming_source(resolved: Resolved[Any]) -> Iterator[None]:
    """If a UsageError that begins with ``--option`` is raised in the ``with`` block, replace this beginning by the
    source of the option's value."""
    try:
        yield
    except UsageError as error:
        flag, _, text = str(error).partition(": ")
        raise UsageError(f"{source_of(resolved, flag)}: {text}" if text else flag) from None


def source_of(resolved: Resolved[Any], flag: str) -> str:
    """Return where the value of the option ``flag`` came from: a line of the file, a variable, or an option. If the
    value is the default, return ``flag`` itself."""
    for key in keys_of(type(resolved.values)).values():
        if key.flag == flag and resolved.layer(key.field) is not Layer.DEFAULT:
            return resolved.origins[key.field].where
    return flag


def register_secrets(settings: PoolOptions) -> None:
    """Register the passwords in ``settings`` as secrets, so that they are never shown."""
    for text in settings.password or ():
        secrets.register(text)
    for text in settings.userpass or ():
        secrets.register(text.partition(":")[2])
    for text in settings.url or ():
        secrets.register_credentials(text)
