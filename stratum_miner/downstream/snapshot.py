"""Frozen statistics of a pool or a proxy, for displays: nothing here changes, nothing here reaches back.

Times are in seconds, hash rates in H/s.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from stratum_miner.downstream.connections import Connection
from stratum_miner.downstream.endings import DisconnectReason
from stratum_miner.downstream.miner_session import MinerSession
from stratum_miner.downstream.share_counts import DownstreamShareCounts
from stratum_miner.work.durations import DurationCounts

S = TypeVar("S", bound=MinerSession[Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSnapshot:
    """One miner."""

    session: int
    address: str
    user_agent: str
    workers: Mapping[str, DownstreamShareCounts]
    started: bool
    """Whether it gets jobs."""
    extranonce1: bytes | None
    version_mask: int
    difficulty: float
    """What it was told last; 0 before."""
    hash_rate: float
    shares: DownstreamShareCounts
    last_share_age: float | None
    """Since its last good share."""
    connected_at: float
    """Unix time."""
    bytes_received: int
    bytes_sent: int
    bytes_queued: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSnapshot:
    """All miners together; the counts include those that left."""

    started_at: float
    """Unix time."""
    addresses: tuple[str, ...]
    """Where they connect, as host:port."""
    hash_rate: float
    shares: DownstreamShareCounts
    answers: DurationCounts
    """From the arrival of a share until its answer, for shares that whoever has the last word answered."""
    connections_total: int
    connections_refused: int
    connections_ended: Mapping[DisconnectReason, int]
    bytes_received: int
    bytes_sent: int


def session_snapshot(client: Connection[S], now: float) -> SessionSnapshot:
    """A connection at this moment of the session's clock."""
    session = client.session
    last_at = session.shares.last_at
    return SessionSnapshot(
        session=client.number,
        address=client.address,
        user_agent=session.user_agent,
        workers={name: counts.copy() for name, counts in session.workers.items()},
        started=session.started,
        extranonce1=None if session.lease is None else session.lease.extranonce1,
        version_mask=session.version_mask,
        difficulty=session.difficulty,
        hash_rate=session.hash_rate(now),
        shares=session.shares.copy(),
        last_share_age=None if last_at is None else now - last_at,
        connected_at=client.connected_at,
        bytes_received=client.bytes_received,
        bytes_sent=client.bytes_sent,
        bytes_queued=client.queue.size,
    )
