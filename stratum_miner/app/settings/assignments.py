"""Which backend mines where, and under which worker name.

A backend's worker name at a pool is its own ``worker``; else, where the pool lists ``workers``, the one at the
backend's place in that list, which starts over when it is shorter; else the pool's user. A name that begins with a dot
is put behind the user.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from stratum_miner.app.config.document import Document
from stratum_miner.app.config.layers import Layer, Resolved
from stratum_miner.app.config.problems import Problem
from stratum_miner.app.settings.backends import BackendPlan
from stratum_miner.app.settings.pools import listed_workers, named_pool
from stratum_miner.client import PoolSettings
from stratum_miner.foreign_text import is_plain
from stratum_miner.spelling import did_you_mean

PLAIN_NAMES = "expected worker names of printable characters in UTF-8"


@dataclass(frozen=True, slots=True)
class Assigned:
    """The pools of the strategy with the workers of the free backends, and those of the bound ones by their names."""

    pools: tuple[PoolSettings, ...]
    bound: dict[str, PoolSettings]


def assign(
    resolved: Resolved[Any],
    document: Document | None,
    pools: Sequence[PoolSettings],
    plans: Sequence[BackendPlan],
    problems: list[Problem],
) -> Assigned:
    """Join pools and backends; mistakes are added to ``problems``."""
    listed = listed_workers(document)
    for names, where in listed.values():
        if len(names) > len(plans) and resolved.layer("backend") < Layer.ENVIRONMENT:
            problems.append(Problem(where, f"expected at most one for each backend, {len(plans)}, got {len(names)}"))
        if not all(map(is_plain, names)):
            problems.append(Problem(where, PLAIN_NAMES))
    problems += [Problem(plan.where, PLAIN_NAMES) for plan in plans if plan.worker and not is_plain(plan.worker)]
    places = {plan.name: place for place, plan in enumerate(plans)}

    def with_workers(pool: PoolSettings, these: Sequence[BackendPlan]) -> PoolSettings:
        names = listed.get(pool.name, ([], ""))[0]
        workers = [(plan.name, _worker(pool, plan, names, places[plan.name])) for plan in these]
        return replace(pool, workers=tuple(pair for pair in workers if pair[1] != pool.worker_name))

    free = [plan for plan in plans if plan.pool is None]
    at: dict[PoolSettings, list[BackendPlan]] = {}
    for plan in plans:
        pool = None if plan.pool is None else _find(resolved, document, pools, plan, problems)
        if pool is not None:
            at.setdefault(pool, []).append(plan)
    bound = {plan.name: with_workers(pool, these) for pool, these in at.items() for plan in these}
    return Assigned(tuple(with_workers(pool, free) for pool in pools), bound)


def _worker(pool: PoolSettings, plan: BackendPlan, names: Sequence[str], place: int) -> str:
    name = plan.worker or (names[place % len(names)] if names else pool.worker_name)
    return pool.worker_name + name if name.startswith(".") else name


def _find(
    resolved: Resolved[Any],
    document: Document | None,
    pools: Sequence[PoolSettings],
    plan: BackendPlan,
    problems: list[Problem],
) -> PoolSettings | None:
    """The pool that a backend is bound to: by its name, its URL, or its number from 1; a table of the file need not be
    in force.
    """
    known: dict[str, PoolSettings] = {}
    for number, pool in enumerate(pools, 1):
        for name in (pool.name, str(pool.url), str(pool.url).partition("://")[2], str(number)):
            if name:
                known.setdefault(name, pool)
    assert plan.pool is not None
    found = known.get(plan.pool) or named_pool(resolved, document, plan.pool, problems)
    where = plan.pool_where or plan.where
    if found is None:
        names = [pool.name or str(pool.url) for pool in pools]
        problems.append(
            Problem(where, f"expected a pool of {', '.join(names)}, got {plan.pool!r}{did_you_mean(plan.pool, names)}")
        )
    elif not found.enabled:
        problems.append(Problem(where, f"expected a pool that is enabled, {plan.pool!r} is not"))
    return found
