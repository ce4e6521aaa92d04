"""The figures of a proxy at one moment, as frozen values for displays."""

from dataclasses import dataclass

from stratum_miner.client.group.status import PoolStatus
from stratum_miner.downstream.snapshot import ServerSnapshot, SessionSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxySnapshot(ServerSnapshot):
    """The figures of a whole proxy."""

    has_work: bool
    """Whether a pool gives jobs."""
    prefix_size: int | None
    """Length in bytes of the extranonce prefix, the part of the pool's extranonce2 that differs from miner to miner;
    None before the first job."""
    extranonce2_size: int | None
    """Length in bytes of the part of the pool's extranonce2 that each miner gets as its own extranonce2; None before
    the first job."""
    room: int | None
    """Maximum number of miners on one connection to the pool. Each of these miners needs an extranonce prefix of its
    own (see ``prefix_size``). None before the first job."""
    upstreams: int
    """Number of connections to the pool. The proxy opens an additional one when no open connection has a free
    extranonce prefix (see ``prefix_size``)."""
    difficulty: float | None
    """The pool's share difficulty; None before the first job."""
    answered_late: int
    """Number of shares that the pool answered after the proxy had reported them to their miners as lost."""
    miners: tuple[SessionSnapshot, ...]
    """The miners that are connected."""
    left: tuple[SessionSnapshot, ...]
    """The last 200 miners that have disconnected, the oldest first."""
    pools: tuple[PoolStatus, ...]
    """The pools. The state of a pool is that of the proxy's first connection to it. The counts of a pool are sums over
    all connections, including closed ones."""
