"""Metrics of a proxy for Prometheus, made of a snapshot at each scrape.

No label is anything that a miner says; a pool's label is what the user calls it.
"""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric

from stratum_miner import __version__
from stratum_miner.monitoring.http.exposition import histogram
from stratum_miner.monitoring.http.metrics import pool_families
from stratum_miner.monitoring.http.pool_metrics import REFUSED, endings_family, shares_family
from stratum_miner.monitoring.pools import pool_view
from stratum_miner.proxy.snapshot import ProxySnapshot

PREFIX = "stratum_proxy_"


def families(proxy: ProxySnapshot) -> Iterator[Metric]:
    """Everything of this moment."""
    yield InfoMetricFamily(PREFIX + "build", "Version of the proxy", value={"version": __version__})
    yield _gauge("start_time_seconds", "When the proxy started, in Unix time", proxy.started_at)
    yield _gauge("has_work", "1 while a pool gives jobs", float(proxy.has_work))
    yield _gauge("upstream_connections", "Connections that the miners share, each to all pools", proxy.upstreams)
    if proxy.room is not None:
        yield _gauge("upstream_room", "Miners that one of these connections is enough for", proxy.room)
    yield _gauge("miners", "Miners that get jobs", sum(miner.started for miner in proxy.miners))
    yield _gauge("connections_open", "Connections of miners", len(proxy.miners))
    yield _counter("connections", "Connections that were accepted", proxy.connections_total)
    yield _counter("connections_refused", REFUSED, proxy.connections_refused)
    yield endings_family(PREFIX, proxy.connections_ended)
    yield _counter("received_bytes", "Bytes received from miners", proxy.bytes_received)
    yield _counter("sent_bytes", "Bytes sent to miners", proxy.bytes_sent)
    yield _gauge("hash_rate", "Hashes per second of all miners, by their shares of five minutes", proxy.hash_rate)
    if proxy.difficulty is not None:
        yield _gauge("share_difficulty", "Difficulty that the pool asks for", proxy.difficulty)
    shares = proxy.shares
    yield shares_family(
        PREFIX,
        {fate: getattr(shares, fate) for fate in ("accepted", "kept", "stale", "lost")},
        {"rejected": shares.rejected, "refused": shares.refused},
    )
    yield _gauge("shares_open", "Shares not answered yet", shares.open)
    text = "Shares that the pool answered after their miners had been told that they are lost"
    yield _counter("shares_answered_late", text, proxy.answered_late)
    yield _counter("good_difficulty", "Sum of what good shares were worth", shares.difficulty)
    yield _gauge("best_share_difficulty", "Difficulty of the best share of this run", shares.best)
    text = "From the arrival of a share until the pool's answer went back, where the pool answered"
    yield histogram(PREFIX + "answer_seconds", text, [((), proxy.answers)])
    pools = tuple(pool_view(priority, status) for priority, status in enumerate(proxy.pools))
    yield from pool_families(PREFIX + "pool_", pools)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(PREFIX + name, text, value=value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(PREFIX + name, text, value=value)
