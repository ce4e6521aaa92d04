"""The settings of ``proxy``, checked.

``proxy`` can use the configuration file of ``mine``, for the pools in it. Keys of the file that only ``mine`` knows are
ignored.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stratum_miner.app.config.document import Document, read
from stratum_miner.app.config.keys import keys_of
from stratum_miner.app.config.layers import Resolved, resolve, unknown_variables
from stratum_miner.app.config.problems import ConfigError, Problem
from stratum_miner.app.config.profiles import POOLS, TABLES
from stratum_miner.app.options import goal
from stratum_miner.app.options.http_access import check_installed
from stratum_miner.app.options.mine import OTHER_VARIABLES, MineOptions
from stratum_miner.app.options.proxy import ProxyOptions
from stratum_miner.app.process.exit_codes import UsageError
from stratum_miner.app.settings.mine import collecting, register_secrets
from stratum_miner.app.settings.pools import check_waits, plan_pools
from stratum_miner.client import PoolSettings
from stratum_miner.client.settings import Strategy
from stratum_miner.downstream.vardiff import VardiffConfig
from stratum_miner.pool.config import USUAL_MINIMUM
from stratum_miner.proxy import ProxyConfig, WorkerNames


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxySettings:
    """All settings of ``proxy``, checked."""

    resolved: Resolved[ProxyOptions]
    document: Document | None
    pools: tuple[PoolSettings, ...]
    strategy: Strategy
    proxy: ProxyConfig


def load(given: Mapping[str, Any], file: Path | None, environment: Mapping[str, str]) -> ProxySettings:
    """Read and check all settings, and register the secrets. Raises ConfigError or UsageError if a setting is wrong."""
    document = None if file is None else _without_mining(read(file))
    resolved = resolve(ProxyOptions, given=given, environment=environment, document=document, tables=TABLES)
    register_secrets(resolved.values)
    problems: list[Problem] = []
    with collecting(problems, resolved):
        check_installed(resolved.values.http)
    check_waits(resolved.values)
    pools, strategy = plan_pools(resolved, document, problems)
    if problems:
        raise ConfigError(*problems)
    return ProxySettings(
        resolved=resolved,
        document=document,
        pools=tuple(pools),
        strategy=strategy,
        proxy=_proxy_config(resolved.values),
    )


def misspelt(environment: Mapping[str, str]) -> list[Problem]:
    """Return a problem for each environment variable that begins with STRATUM_MINER_ but is unknown."""
    of_mine = frozenset(key.variable for key in keys_of(MineOptions).values())
    return unknown_variables(environment, keys_of(ProxyOptions), OTHER_VARIABLES | of_mine)


def _without_mining(document: Document) -> Document:
    """Return a copy of the file without the keys and tables that only ``mine`` knows."""
    foreign = set(keys_of(MineOptions)) - set(keys_of(ProxyOptions)) | (TABLES - {POOLS})
    table = {name: value for name, value in document.table.items() if name not in foreign}
    return Document(document.path, table, document.lines)


def _proxy_config(chosen: ProxyOptions) -> ProxyConfig:
    goal.check_time_limit(chosen.time_limit)
    try:
        vardiff = VardiffConfig(target_seconds=chosen.vardiff, minimum=USUAL_MINIMUM) if chosen.vardiff else None
    except ValueError:
        raise UsageError(f"--vardiff: expected a time above 0s, got {chosen.vardiff}") from None
    try:
        return ProxyConfig(max_miners=chosen.max_miners, worker_names=WorkerNames(chosen.worker_names), vardiff=vardiff)
    except ValueError as error:
        raise UsageError(f"--max-miners: {str(error).removeprefix('max_miners: ')}") from None
