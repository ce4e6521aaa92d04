"""Metrics of ``stratum-miner proxy`` for Prometheus, made from a new snapshot of the proxy at each scrape.

No label contains text from a miner. The label ``pool`` is the name that the user gave to the pool, or else its URL.
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
    """Yield the present metrics of a proxy and its pools."""
    yield from metrics_of(PREFIX, PROXY, proxy)
    pools = [pool_view(index, index, status) for index, status in enumerate(proxy.pools)]
    yield from metrics_of_pools(PREFIX, POOL, pools)


def _shares(proxy: ProxySnapshot) -> Samples:
    shares = proxy.shares
    plain = [((outcome, ""), getattr(shares, outcome)) for outcome in ("accepted", "kept", "stale", "lost")]
    return [*plain, *by_reason("rejected", shares.rejected.items()), *by_reason("refused", shares.refused.items())]


PROXY: tuple[Family[ProxySnapshot], ...] = (
    info("build", "Version of the proxy", lambda it: {"version": __version__}),
    gauge("start_time_seconds", "Unix time at which the proxy started", lambda it: it.started_at),
    gauge("has_work", "1 while a pool gives jobs", lambda it: float(it.has_work)),
    gauge("upstream_connections", "Upstream connections, each of which carries many miners", lambda it: it.upstreams),
    gauge("upstream_room", "Number of miners that one upstream connection can carry", lambda it: it.room),
    gauge("miners", "Miners that receive jobs", lambda it: sum(miner.started for miner in it.miners)),
    gauge("connections_open", "Open connections of miners", lambda it: len(it.miners)),
    *CONNECTIONS,
    gauge("share_difficulty", "Share difficulty that the pool requires", lambda it: it.difficulty),
    counters("shares", "Shares by outcome", _shares, "fate", "reason"),
    gauge("shares_open", "Shares without an answer so far", lambda it: it.shares.open),
    counter("shares_answered_late",
            "Shares that the pool answered after the proxy had reported them to the miners as lost",
            lambda it: it.answered_late),
    counter("good_difficulty", "Sum of the difficulties of valid shares", lambda it: it.shares.difficulty),
    gauge("best_share_difficulty", "Difficulty of the best share of this run", lambda it: it.shares.best),
    histogram("answer_seconds",
              "Time from the arrival of a share until the pool's answer was passed on to the miner",
              lambda it: it.answers),
)  # fmt: skip
