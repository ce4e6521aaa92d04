"""Frozen statistics of a proxy, for displays: nothing here changes, nothing here reaches back."""

from dataclasses import dataclass

from stratum_miner.client.group.status import PoolStatus
from stratum_miner.downstream.snapshot import ServerSnapshot, SessionSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxySnapshot(ServerSnapshot):
    """The whole proxy."""

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
    answered_late: int
    """Shares the pool answered after their miners had been told that they are lost."""
    miners: tuple[SessionSnapshot, ...]
    """The miners that are connected."""
    left: tuple[SessionSnapshot, ...]
    """The newest few hundred miners that have left, the oldest first."""
    pools: tuple[PoolStatus, ...]
    """As they are for the first connection; their counts are those of all connections, of closed ones too."""
