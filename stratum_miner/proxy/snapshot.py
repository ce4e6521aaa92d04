"""Frozen statistics of a proxy, for displays: nothing here changes, nothing here reaches back."""

from collections.abc import Mapping
from dataclasses import dataclass

from stratum_miner.client.group.status import PoolStatus
from stratum_miner.downstream.endings import Ending
from stratum_miner.downstream.share_counts import ShareCounts
from stratum_miner.work.durations import DurationCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class MinerStatus:
    """One miner. Times are in seconds, ``connected_at`` is unix time, ``hash_rate`` is in H/s."""

    session: int
    address: str
    user_agent: str
    workers: tuple[str, ...]
    started: bool
    """Whether it gets jobs."""
    extranonce1: bytes | None
    """Its prefix."""
    version_mask: int
    difficulty: float
    hash_rate: float
    shares: ShareCounts
    last_share_age: float | None
    """Since its last good share."""
    connected_at: float
    bytes_received: int
    bytes_sent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxySnapshot:
    """The whole proxy; the shares include those of miners that left."""

    started_at: float
    """Unix time."""
    addresses: tuple[str, ...]
    has_work: bool
    """Whether a pool gives jobs."""
    prefix_size: int | None
    """Bytes of the pool's extranonce2 that tell miners apart; None before the first job."""
    extranonce2_size: int | None
    """Bytes left to each miner."""
    room: int | None
    """How many miners that is enough for."""
    upstreams: int
    """Connections to the pool: further ones are made when a miner finds no room."""
    difficulty: float | None
    """The pool's."""
    hash_rate: float
    shares: ShareCounts
    answered_late: int
    """Shares the pool answered after their miners had been told that they are lost."""
    connections_total: int
    connections_refused: int
    connections_ended: Mapping[Ending, int]
    bytes_received: int
    """From all miners so far."""
    bytes_sent: int
    answers: DurationCounts
    """From the arrival of a miner's share until the pool's answer, for shares that the pool answered."""
    miners: tuple[MinerStatus, ...]
    """Those who are connected."""
    left: tuple[MinerStatus, ...]
    """Those who were, the newest few hundred, oldest first."""
    pools: tuple[PoolStatus, ...]
    """As they are for the first connection; their counts are those of all connections, of closed ones too."""
