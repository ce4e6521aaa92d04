"""Frozen statistics of a pool, for displays: nothing here changes, nothing here reaches back."""

from collections.abc import Mapping
from dataclasses import dataclass

from stratum_miner.downstream.endings import Ending
from stratum_miner.downstream.share_counts import ShareCounts
from stratum_miner.pool.events import BlockFound
from stratum_miner.work.durations import DurationCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSnapshot:
    """One connection. Times are unix seconds, ``hash_rate`` is in H/s."""

    session: int
    address: str
    user_agent: str
    started: bool
    """Whether it gets jobs."""
    extranonce1: bytes | None
    version_mask: int
    difficulty: float
    hash_rate: float
    shares: ShareCounts
    workers: Mapping[str, ShareCounts]
    connected_at: float
    bytes_received: int
    bytes_sent: int
    bytes_queued: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSnapshot:
    """The whole pool; share counts include sessions that left."""

    started_at: float
    addresses: tuple[str, ...]
    height: int | None
    """Of the block being worked on; None before the first template."""
    previous_hash: str | None
    """Display order."""
    network_difficulty: float | None
    job_id: str | None
    jobs_published: int
    node_error: str | None
    """Why there are no new templates; None while all is well."""
    template_age: float | None
    """Seconds since the node gave its newest template, changed or not; None before the first."""
    hash_rate: float
    shares: ShareCounts
    connections_total: int
    connections_refused: int
    connections_ended: Mapping[Ending, int]
    bytes_received: int
    """From all clients so far."""
    bytes_sent: int
    answers: DurationCounts
    """From the arrival of each share until it was answered; those accepted and rejected are its count."""
    sessions: tuple[SessionSnapshot, ...]
    blocks_found: int
    """Each is accepted, refused, passed over because the node took another one of ours there, or waits for the node."""
    blocks_refused: int
    """Blocks of ours that the node judged and did not take."""
    blocks_accepted: int
    """Blocks of ours that the node took."""
    blocks: tuple[BlockFound, ...]
    """The latest ones, oldest first."""
    events_lost: int
    """Events that slow watchers missed."""
