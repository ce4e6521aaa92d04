"""Scrapes of all three programs with all their metrics, for tests of documents and dashboards."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from stratum_miner.client import PoolSettings, PoolUrl
from stratum_miner.client.group.group import PoolGroup
from stratum_miner.downstream.endings import DisconnectReason
from stratum_miner.downstream.share_counts import DownstreamShareCounts
from stratum_miner.downstream.snapshot import SessionSnapshot
from stratum_miner.monitoring.http import metrics, pool_metrics, proxy_metrics
from stratum_miner.monitoring.http.exposition import Exposition
from stratum_miner.monitoring.view import View
from stratum_miner.pool.snapshot import PoolSnapshot
from stratum_miner.proxy.snapshot import ProxySnapshot
from stratum_miner.stratum.errors import ErrorReason
from stratum_miner.work.durations import DurationMeter

from ..served import full_view

FOREIGN = "foreign-text"
"""A text that is part of everything that a peer says about itself."""


def of_miner(shown: View | None = None) -> str:
    return Exposition(lambda: metrics.families(shown or full_view())).text().decode()


def session_snapshot(shares: DownstreamShareCounts) -> SessionSnapshot:
    return SessionSnapshot(
        session=1, address=FOREIGN, user_agent=FOREIGN, workers={FOREIGN: shares}, started=True, extranonce1=b"\0",
        version_mask=0, difficulty=1.0, hash_rate=1e9, shares=shares, last_share_age=1.0, connected_at=0.0,
        bytes_received=1, bytes_sent=2, bytes_queued=0,
    )  # fmt: skip


def pool_snapshot(**figures: Any) -> PoolSnapshot:
    answers = DurationMeter()
    for seconds in (0.00005, 0.0001, 0.002, 70.0):
        answers.add(seconds)
    shares = DownstreamShareCounts(accepted=17, difficulty=3.25, best=5.5, rejected=Counter({ErrorReason.OTHER: 18}))
    session = session_snapshot(shares)
    waiting = replace(session, session=2, started=False, difficulty=9.0)
    quicker = replace(session, session=3, difficulty=4.0)
    snapshot = PoolSnapshot(
        started_at=1e9, addresses=("127.0.0.1:3333",), height=101, previous_hash="00", network_difficulty=1e3,
        job_id="1", jobs_published=7, node_error=None, template_age=2.5, hash_rate=2e9, shares=shares,
        connections_total=5,
        connections_refused=11, connections_ended={DisconnectReason.IDLE: 12}, bytes_received=100, bytes_sent=200,
        answers=answers.counts, sessions=(session, waiting, quicker), blocks_found=14, blocks_refused=15,
        blocks_accepted=16, blocks=(),
    )  # fmt: skip
    return replace(snapshot, **figures)


def of_pool(**figures: Any) -> str:
    return Exposition(lambda: pool_metrics.families(pool_snapshot(**figures))).text().decode()


def proxy_snapshot() -> ProxySnapshot:
    shares = DownstreamShareCounts(
        received=57, accepted=5, kept=4, rejected=Counter({ErrorReason.DUPLICATE: 6}),
        refused=Counter({ErrorReason.LOW_DIFFICULTY: 7}), stale=8, lost=13, difficulty=9.5, best=12.5,
    )  # fmt: skip
    miner = session_snapshot(shares)
    url = PoolUrl.parse("pool.example:3333")
    group = PoolGroup([PoolSettings(url=url, worker_name=name) for name in ("alice", "bob")], lambda event: None)
    return ProxySnapshot(
        started_at=1e9, addresses=("127.0.0.1:3333",), has_work=True, prefix_size=1, extranonce2_size=3, room=256,
        upstreams=21, difficulty=2.25, hash_rate=1e9, shares=shares, answered_late=22, connections_total=23,
        connections_refused=24, connections_ended={DisconnectReason.CLOSED: 25}, bytes_received=100, bytes_sent=200,
        answers=pool_snapshot().answers, miners=(miner, replace(miner, session=2, started=False)), left=(miner,),
        pools=group.control.pools(),
    )  # fmt: skip


def of_proxy() -> str:
    return Exposition(lambda: proxy_metrics.families(proxy_snapshot())).text().decode()


SCRAPES: dict[str, Callable[[], str]] = {"miner": of_miner, "pool": of_pool, "proxy": of_proxy}
