"""Metrics of our own pool for Prometheus, made of a snapshot at each scrape.

No label is anything that a miner says: names of workers, user agents and addresses are in none.
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
    """Everything of this moment."""
    return metrics_of(PREFIX, OWN_POOL, pool)


def _asked(pool: PoolSnapshot) -> Samples:
    asked = [session.difficulty for session in pool.sessions if session.started]
    return [(("lowest",), min(asked)), (("highest",), max(asked))] if asked else []


def _shares(pool: PoolSnapshot) -> Samples:
    return [(("accepted", ""), pool.shares.accepted), *by_reason("rejected", pool.shares.rejected.items())]


OWN_POOL: tuple[Family[PoolSnapshot], ...] = (
    info("build", "Version of the pool", lambda it: {"version": __version__}),
    gauge("start_time_seconds", "When the pool started, in Unix time", lambda it: it.started_at),
    gauge("node_up", "1 while the node gives templates", lambda it: float(it.node_error is None)),
    gauge("template_age_seconds", "Since the node gave its newest template", lambda it: it.template_age),
    gauge("block_height", "Height of the block being searched for", lambda it: it.height),
    gauge("network_difficulty", "Difficulty of the network", lambda it: it.network_difficulty),
    counter("jobs", "Jobs published to all miners", lambda it: it.jobs_published),
    gauge("miners", "Miners that get jobs", lambda it: sum(session.started for session in it.sessions)),
    gauge("connections_open", "Connections of miners", lambda it: len(it.sessions)),
    *CONNECTIONS,
    gauges("share_difficulty", "Difficulty that miners are asked for", _asked, "bound"),
    counters("shares", "Shares by what became of them", _shares, "fate", "reason"),
    counter("accepted_difficulty", "Sum of what accepted shares were worth", lambda it: it.shares.difficulty),
    gauge("best_share_difficulty", "Difficulty of the best share of this run", lambda it: it.shares.best),
    histogram("answer_seconds", "From the arrival of a share until its answer", lambda it: it.answers),
    counter("blocks_found", "Hashes of miners that meet the network target", lambda it: it.blocks_found),
    counter("blocks_accepted", "Blocks that the node took", lambda it: it.blocks_accepted),
    counter("blocks_refused", "Blocks that the node judged and did not take", lambda it: it.blocks_refused),
)
