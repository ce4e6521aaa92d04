"""Metrics of our own pool for Prometheus, made of a snapshot at each scrape.

No label is anything that a miner says: names of workers, user agents and addresses are in none.
"""

from collections.abc import Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric

from stratum_miner import __version__
from stratum_miner.downstream.endings import Ending
from stratum_miner.monitoring.http.exposition import histogram
from stratum_miner.pool.snapshot import PoolSnapshot
from stratum_miner.stratum.errors import ErrorReason

PREFIX = "stratum_pool_"


def families(pool: PoolSnapshot) -> Iterator[Metric]:
    """Everything of this moment."""
    yield InfoMetricFamily(PREFIX + "build", "Version of the pool", value={"version": __version__})
    yield _gauge("start_time_seconds", "When the pool started, in Unix time", pool.started_at)
    yield _gauge("node_up", "1 while the node gives templates", float(pool.node_error is None))
    if pool.template_age is not None:
        yield _gauge("template_age_seconds", "Since the node gave its newest template", pool.template_age)
    if pool.height is not None:
        yield _gauge("block_height", "Height of the block being searched for", pool.height)
    if pool.network_difficulty is not None:
        yield _gauge("network_difficulty", "Difficulty of the network", pool.network_difficulty)
    yield _counter("jobs", "Jobs published to all miners", pool.jobs_published)
    mining = [session for session in pool.sessions if session.started]
    yield _gauge("miners", "Miners that get jobs", len(mining))
    yield _gauge("connections_open", "Connections of miners", len(pool.sessions))
    yield _counter("connections", "Connections that were accepted", pool.connections_total)
    yield _counter("connections_refused", REFUSED, pool.connections_refused)
    yield endings_family(PREFIX, pool.connections_ended)
    yield _counter("received_bytes", "Bytes received from miners", pool.bytes_received)
    yield _counter("sent_bytes", "Bytes sent to miners", pool.bytes_sent)
    yield _gauge("hash_rate", "Hashes per second of all miners, by their shares of five minutes", pool.hash_rate)
    if mining:
        asked = GaugeMetricFamily(PREFIX + "share_difficulty", "Difficulty that miners are asked for", labels=["bound"])
        asked.add_metric(["lowest"], min(session.difficulty for session in mining))
        asked.add_metric(["highest"], max(session.difficulty for session in mining))
        yield asked
    rejected = {reason.value: count for reason, count in pool.rejected.items()}
    yield shares_family(PREFIX, {"accepted": pool.accepted}, {"rejected": rejected})
    yield _counter("accepted_difficulty", "Sum of what accepted shares were worth", pool.accepted_difficulty)
    yield _gauge("best_share_difficulty", "Difficulty of the best share of this run", pool.best_difficulty)
    yield histogram(PREFIX + "answer_seconds", "From the arrival of a share until its answer", [((), pool.answers)])
    yield _counter("blocks_found", "Hashes of miners that meet the network target", pool.blocks_found)
    yield _counter("blocks_accepted", "Blocks that the node took", pool.blocks_accepted)
    yield _counter("blocks_refused", "Blocks that the node judged and did not take", pool.blocks_refused)


REFUSED = "Connections that were closed at once because of a limit"


def endings_family(prefix: str, ended: Mapping[Ending, int]) -> Metric:
    """Connections of miners that are over, by why."""
    family = CounterMetricFamily(prefix + "connections_ended", "Connections that are over, by why", labels=["ending"])
    for ending in Ending:
        family.add_metric([ending.value], ended.get(ending, 0))
    return family


def shares_family(prefix: str, plain: Mapping[str, int], reasoned: Mapping[str, Mapping[str, int]]) -> Metric:
    """Shares by fate, some fates by reason too. Every reason is there from the start, so that its first share shows."""
    shares = CounterMetricFamily(prefix + "shares", "Shares by what became of them", labels=["fate", "reason"])
    for fate, count in plain.items():
        shares.add_metric([fate, ""], count)
    for fate, counts in reasoned.items():
        for reason in ErrorReason:
            shares.add_metric([fate, reason.value], counts.get(reason.value, 0))
    return shares


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(PREFIX + name, text, value=value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(PREFIX + name, text, value=value)
