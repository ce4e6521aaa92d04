"""Metrics of a proxy for Prometheus, made of a snapshot at each scrape.

No label is anything that a miner says; a pool's label is what the user calls it.
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
    histogram,
    info,
    metrics_of,
)
from stratum_miner.monitoring.http.metrics import POOL, metrics_of_pools
from stratum_miner.monitoring.pools import pool_view
from stratum_miner.proxy.snapshot import ProxySnapshot

PREFIX = "stratum_proxy_"


def families(proxy: ProxySnapshot) -> Iterator[Metric]:
    """Everything of this moment."""
    yield from metrics_of(PREFIX, PROXY, proxy)
    pools = [pool_view(place, place, status) for place, status in enumerate(proxy.pools)]
    yield from metrics_of_pools(PREFIX, POOL, pools)


def _shares(proxy: ProxySnapshot) -> Samples:
    shares = proxy.shares
    plain = [((fate, ""), getattr(shares, fate)) for fate in ("accepted", "kept", "stale", "lost")]
    return [*plain, *by_reason("rejected", shares.rejected.items()), *by_reason("refused", shares.refused.items())]


PROXY: tuple[Family[ProxySnapshot], ...] = (
    info("build", "Version of the proxy", lambda it: {"version": __version__}),
    gauge("start_time_seconds", "When the proxy started, in Unix time", lambda it: it.started_at),
    gauge("has_work", "1 while a pool gives jobs", lambda it: float(it.has_work)),
    gauge("upstream_connections", "Connections that the miners share, each to all pools", lambda it: it.upstreams),
    gauge("upstream_room", "Miners that one of these connections is enough for", lambda it: it.room),
    gauge("miners", "Miners that get jobs", lambda it: sum(miner.started for miner in it.miners)),
    gauge("connections_open", "Connections of miners", lambda it: len(it.miners)),
    *CONNECTIONS,
    gauge("share_difficulty", "Difficulty that the pool asks for", lambda it: it.difficulty),
    counters("shares", "Shares by what became of them", _shares, "fate", "reason"),
    gauge("shares_open", "Shares not answered yet", lambda it: it.shares.open),
    counter("shares_answered_late", "Shares that the pool answered after their miners had been told that they are lost",
            lambda it: it.answered_late),
    counter("good_difficulty", "Sum of what good shares were worth", lambda it: it.shares.difficulty),
    gauge("best_share_difficulty", "Difficulty of the best share of this run", lambda it: it.shares.best),
    histogram("answer_seconds",
              "From the arrival of a share until the pool's answer went back, where the pool answered",
              lambda it: it.answers),
)  # fmt: skip
