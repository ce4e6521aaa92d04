"""The frozen view of one pool's client that displays and summaries read."""

from dataclasses import dataclass

from stratum_miner.client.dialing.url import PoolUrl
from stratum_miner.client.events import ConnectionState


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSnapshot:
    """One of a pool's workers: what the pool said of it, and the shares that went under its name."""

    name: str
    refusal: str
    """Why it may not mine; empty while it may."""
    accepted: int
    rejected: int
    stale: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSnapshot:
    """A frozen view of the client; counts are those of its pool, which other clients may have had before."""

    url: PoolUrl
    worker_name: str
    state: ConnectionState
    detail: str
    session: int
    difficulty: float | None
    version_mask: int
    jobs: int
    connects: int
    unanswered: int
    bad_lines: int
    unpaired_replies: int
    bytes_received: int
    """Over all connections, inside TLS."""
    bytes_sent: int
    workers: tuple[WorkerSnapshot, ...] = ()
    """The pool's own first."""
