"""Figures of a pool or a proxy at one moment, as frozen values for displays. Hash rates are in hashes per second."""

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
    """The figures of one connected miner."""

    session: int
    """Number of the connection, counted from 1."""
    address: str
    """IP address and TCP port of the miner, as HOST:PORT."""
    user_agent: str
    """First parameter of mining.subscribe; empty if the miner sent none."""
    workers: Mapping[str, DownstreamShareCounts]
    """Share counts by worker name, for the worker names that the session authorized."""
    started: bool
    """Whether the miner is subscribed and authorized, so that it gets jobs."""
    extranonce1: bytes | None
    """The miner's extranonce1; None while the miner is not subscribed."""
    version_mask: int
    """Version bits that the miner may roll; 0 for none."""
    difficulty: float
    """The difficulty that was last sent to the miner; 0 before the first."""
    hash_rate: float
    """Hashes per second, estimated from the valid shares of the last 5 minutes."""
    shares: DownstreamShareCounts
    """Share counts of this connection."""
    last_share_age: float | None
    """Seconds since the last valid share; None before the first."""
    connected_at: float
    """Unix time at which the connection was accepted."""
    bytes_received: int
    bytes_sent: int
    bytes_queued: int
    """Bytes that wait to be sent to the miner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSnapshot:
    """The figures of all miners together. The counts include miners that have disconnected."""

    started_at: float
    """Unix time at which the pool or proxy was created."""
    addresses: tuple[str, ...]
    """Addresses on which miners connect, as HOST:PORT."""
    hash_rate: float
    """Hashes per second of all connected miners, estimated from the valid shares of the last 5 minutes."""
    shares: DownstreamShareCounts
    """Share counts of all connections since the start."""
    answers: DurationCounts
    """Times from the arrival of a share until its answer. A proxy measures only the shares that its pool answered."""
    connections_total: int
    """Number of connections accepted."""
    connections_refused: int
    """Number of connections that were closed right after they were accepted, because a limit was reached."""
    connections_ended: Mapping[DisconnectReason, int]
    """Number of connections that were closed, by reason."""
    bytes_received: int
    bytes_sent: int


def session_snapshot(client: Connection[S], now: float) -> SessionSnapshot:
    """Return the figures of a connection. ``now`` is the time on trio's clock."""
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
