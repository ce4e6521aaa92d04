"""Compares two checked configurations and lists the differences in words, without secrets."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from stratum_miner.app.config.keys import keys_of
from stratum_miner.app.config.writing import hidden, toml_value
from stratum_miner.app.options.mine import MineOptions
from stratum_miner.app.options.pools import PoolOptions
from stratum_miner.app.settings.mine import MineSettings
from stratum_miner.client import PoolSettings
from stratum_miner.secret_words import HIDDEN

NOT_SET = "not set"
COMPARED_AS_BACKENDS = frozenset({"threads", "backend", "kernel", "backend_option", "device", "backend_worker", "bind"})
"""Options that are not compared themselves. The backends and worker names that result from them are compared
instead."""
COMPARED_AS_POOLS = frozenset(keys_of(PoolOptions)) - {"fallback_time", "retry_pause"}
_POOL_KEYS = {
    "worker_name": "user",
    "password": "pass",
    "addresses": "further addresses",
    "tls": "TLS settings",
}
"""Maps a field of ``PoolSettings`` to the name by which a ``SettingChange`` calls this field. For a field that is not
listed, the ``SettingChange`` uses the name of the field."""
_NOT_COMPARED = frozenset({"name", "trace", "timeouts"})


@dataclass(frozen=True, slots=True)
class SettingChange:
    """One setting that differs. ``live`` says whether a reload changes it while mining; otherwise, the change needs a
    restart."""

    what: str
    """The key, such as ``until_shares`` or ``pools.home.quota``."""
    before: str
    after: str
    live: bool

    def __str__(self) -> str:
        return f"{self.what}: {self.before} -> {self.after}"


def changes(before: MineSettings, after: MineSettings, *, follows_strategy: bool = True) -> list[SettingChange]:
    """Return all differences between two configurations.

    ``follows_strategy`` is false if the strategy chooses no pool, because each backend is bound to a pool of its own.
    In that case, a change to the pools of the strategy needs a restart.
    """
    return [
        *_of_options(before, after),
        *_of_strategy(before, after, follows_strategy),
        *_of_pools(before.pools, after.pools, follows_strategy),
        *_of_backends(before, after),
    ]


def pool_name(pool: PoolSettings) -> str:
    """Return the name of a pool, or its URL if it has no name."""
    return pool.name or str(pool.url)


def _of_options(before: MineSettings, after: MineSettings) -> Iterator[SettingChange]:
    for key in keys_of(MineOptions).values():
        old, new = (getattr(settings.options, key.field) for settings in (before, after))
        if old != new and key.name not in COMPARED_AS_POOLS | COMPARED_AS_BACKENDS:
            yield SettingChange(key.name, _text(hidden(key, old)), _text(hidden(key, new)), key.live)


def _of_strategy(before: MineSettings, after: MineSettings, follows_strategy: bool) -> Iterator[SettingChange]:
    if before.strategy is not after.strategy:
        yield SettingChange("strategy", before.strategy.value, after.strategy.value, follows_strategy)


def _of_pools(before: Sequence[PoolSettings], after: Sequence[PoolSettings], live: bool) -> Iterator[SettingChange]:
    old, new = ({pool_name(pool): pool for pool in pools} for pools in (before, after))
    for name in old.keys() - new.keys():
        yield SettingChange(f"pools.{name}", "present", "removed", live)
    for name in new:
        if name not in old:
            yield SettingChange(f"pools.{name}", NOT_SET, "added", live)
        else:
            yield from _of_pool(f"pools.{name}", old[name], new[name], live)
    kept, keeps = [name for name in old if name in new], [name for name in new if name in old]
    if kept != keeps:
        yield SettingChange("order of pools", ", ".join(kept), ", ".join(keeps), live)


def _of_pool(what: str, before: PoolSettings, after: PoolSettings, live: bool) -> Iterator[SettingChange]:
    for item in fields(PoolSettings):
        old, new = getattr(before, item.name), getattr(after, item.name)
        if old != new and item.name not in _NOT_COMPARED:
            key = _POOL_KEYS.get(item.name, item.name)
            texts = (HIDDEN, f"another {HIDDEN}") if item.name == "password" else (_text(old), _text(new))
            yield SettingChange(f"{what}.{key}", *texts, live)


def _of_backends(before: MineSettings, after: MineSettings) -> Iterator[SettingChange]:
    old, new = ({plan.name: plan for plan in settings.backends} for settings in (before, after))
    for name in old.keys() - new.keys():
        yield SettingChange(f"backends.{name}", "present", "removed", False)
    for name, plan in new.items():
        if name not in old:
            yield SettingChange(f"backends.{name}", NOT_SET, "added", False)
            continue
        was = old[name]
        if (was.kind, dict(was.options)) != (plan.kind, dict(plan.options)):
            yield SettingChange(
                f"backends.{name}", _options(was.kind, was.options), _options(plan.kind, plan.options), False
            )
        if was.pool != plan.pool:
            yield SettingChange(f"backends.{name}.pool", was.pool or NOT_SET, plan.pool or NOT_SET, False)
        elif name in before.bound and name in after.bound:
            # This backend mines on one fixed pool. A quota then has no effect, so a change of it is not
            # reported.
            was_bound = replace(before.bound[name], quota=after.bound[name].quota)
            yield from _of_pool(f"backends.{name}.pool", was_bound, after.bound[name], True)


def _options(kind: str, options: Mapping[str, str]) -> str:
    return " ".join([kind, *(f"{key}={value}" for key, value in sorted(options.items()))])


def _text(value: Any) -> str:
    if value is None or value == ():
        return NOT_SET
    if isinstance(value, str | int | float | list | dict):
        return toml_value(value)
    if isinstance(value, tuple):
        return ", ".join("=".join(map(str, item)) if isinstance(item, tuple) else str(item) for item in value)
    return str(value)
