"""Metrics of ``stratum-miner pool`` for Prometheus, made from a new snapshot of the pool at each scrape.

No label contains text from a miner, such as a worker name, a user agent or an IP address.
"""

from collections.abc import Iterator

from prometheus_client.core import Metric

from stratum_miner import __version__
from stratum_miner.monitoring.http.downstream_metrics import CONNECTIONS, by_reason
from stratum_miner.monitoring.http.exposition import (
    Family,
    Samples,
    counter,
    counters,
    gauge,
    gauges,
    histogram,
    info,
    metrics_of,
)
from stratum_miner.pool.snapshot import PoolSnapshot

PREFIX = "stratum_pool_"


def families(pool: PoolSnapshot) -> Iterator[Metric]:
    """Return the present metrics of a pool."""
    return metrics_of(PREFIX, OWN_POOL, pool)


def _difficulties(pool: PoolSnapshot) -> Samples:
    required = [session.difficulty for session in pool.sessions if session.started]
    return [(("lowest",), min(required)), (("highest",), max(required))] if required else []


def _shares(pool: PoolSnapshot) -> Samples:
    return [(("accepted", ""), pool.shares.accepted), *by_reason("rejected", pool.shares.rejected.items())]


OWN_POOL: tuple[Family[PoolSnapshot], ...] = (
    info("build", "Version of the pool", lambda it: {"version": __version__}),
    gauge("start_time_seconds", "Unix time at which the pool started", lambda it: it.started_at),
    gauge("node_up", "1 while the node gives templates", lambda it: float(it.node_error is None)),
    gauge("template_age_seconds", "Age of the newest template of the node", lambda it: it.template_age),
    gauge("block_height", "Height of the block being searched for", lambda it: it.height),
    gauge("network_difficulty", "Difficulty of the network", lambda it: it.network_difficulty),
    counter("jobs", "Jobs published to all miners", lambda it: it.jobs_published),
    gauge("miners", "Miners that receive jobs", lambda it: sum(session.started for session in it.sessions)),
    gauge("connections_open", "Open connections of miners", lambda it: len(it.sessions)),
    *CONNECTIONS,
    gauges("share_difficulty", "Share difficulty that the pool requires of its miners", _difficulties, "bound"),
    counters("shares", "Shares by outcome", _shares, "fate", "reason"),
    counter("accepted_difficulty", "Sum of the difficulties of accepted shares", lambda it: it.shares.difficulty),
    gauge("best_share_difficulty", "Difficulty of the best share of this run", lambda it: it.shares.best),
    histogram("answer_seconds", "Time from the arrival of a share until its answer was sent", lambda it: it.answers),
    counter("blocks_found", "Hashes of miners that meet the network target", lambda it: it.blocks_found),
    counter("blocks_accepted", "Blocks that the node accepted", lambda it: it.blocks_accepted),
    counter("blocks_refused", "Blocks that the node rejected", lambda it: it.blocks_refused),
)
