"""Assigns pools and worker names to backends.

The worker name that a backend uses at a pool comes from the first of these settings that is given:

* ``worker`` of the backend
* ``workers`` of the pool, a list: the first backend takes the first name, the second backend the second name, and so
  on. If there are more backends than names, the list is used again from its start.
* ``user`` of the pool

A name that begins with a dot is appended to ``user``.
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

PRINTABLE_NAMES = "expected worker names of printable characters in UTF-8, got others"


@dataclass(frozen=True, slots=True)
class Assigned:
    """The pools to mine on. Each has the worker names of the backends that mine on it.

    ``pools`` are the pools between which the strategy chooses. ``bound`` maps the name of each backend that mines on
    one fixed pool to this pool.
    """

    pools: tuple[PoolSettings, ...]
    bound: dict[str, PoolSettings]


def assign(
    resolved: Resolved[Any],
    document: Document | None,
    pools: Sequence[PoolSettings],
    plans: Sequence[BackendPlan],
    problems: list[Problem],
) -> Assigned:
    """Return the pools with the worker names of their backends. Errors are added to ``problems``."""
    listed = listed_workers(document)
    for names, where in listed.values():
        if len(names) > len(plans) and resolved.layer("backend") < Layer.ENVIRONMENT:
            problems.append(Problem(where, f"expected at most {len(plans)}, one for each backend, got {len(names)}"))
        if not all(map(is_plain, names)):
            problems.append(Problem(where, PRINTABLE_NAMES))
    problems += [Problem(plan.where, PRINTABLE_NAMES) for plan in plans if plan.worker and not is_plain(plan.worker)]
    positions = {plan.name: position for position, plan in enumerate(plans)}

    def with_workers(pool: PoolSettings, these: Sequence[BackendPlan]) -> PoolSettings:
        names = listed.get(pool.name, ([], ""))[0]
        workers = [(plan.name, _worker(pool, plan, names, positions[plan.name])) for plan in these]
        return replace(pool, workers=tuple(pair for pair in workers if pair[1] != pool.worker_name))

    free = [plan for plan in plans if plan.pool is None]
    at: dict[PoolSettings, list[BackendPlan]] = {}
    for plan in plans:
        pool = None if plan.pool is None else _find(resolved, document, pools, plan, problems)
        if pool is not None:
            at.setdefault(pool, []).append(plan)
    bound = {plan.name: with_workers(pool, these) for pool, these in at.items() for plan in these}
    return Assigned(tuple(with_workers(pool, free) for pool in pools), bound)


def _worker(pool: PoolSettings, plan: BackendPlan, names: Sequence[str], position: int) -> str:
    name = plan.worker or (names[position % len(names)] if names else pool.worker_name)
    return pool.worker_name + name if name.startswith(".") else name


def _find(
    resolved: Resolved[Any],
    document: Document | None,
    pools: Sequence[PoolSettings],
    plan: BackendPlan,
    problems: list[Problem],
) -> PoolSettings | None:
    """Return the pool that ``plan.pool`` names. The backend of ``plan`` mines on this pool only.

    ``plan.pool`` is the name or the URL of the pool, or its number, counted from 1. A pool of the file is found by its
    name even if pools from the command line or the environment replace those of the file.

    If no pool is found, an error is added to ``problems``, and the result is None.
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
        problems.append(Problem(where, f"expected a pool that is enabled, got {plan.pool!r}, which is not"))
    return found
