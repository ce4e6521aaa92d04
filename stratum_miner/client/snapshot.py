"""The frozen view of the client of one pool, for displays and summaries."""

from dataclasses import dataclass

from stratum_miner.client.dialing.url import PoolUrl
from stratum_miner.client.events import ConnectionState


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSnapshot:
    """One worker name of a pool, and the shares that were submitted under it."""

    name: str
    refusal: str
    """Why the pool refused the worker name; empty if the pool did not refuse it."""
    accepted: int
    rejected: int
    stale: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSnapshot:
    """A frozen view of a client. The counts include earlier clients of the same pool in this run."""

    url: PoolUrl
    """The URL in use."""
    worker_name: str
    state: ConnectionState
    detail: str
    """While the client waits before it connects again, the reason and the duration of the wait. Empty after the client
    has stopped. Otherwise the URL in use."""
    session: int
    """Number of the newest session; 0 before the first."""
    difficulty: float | None
    """Share difficulty of the newest job; None before the first."""
    version_mask: int
    """The version bits that the miner may change, a 32-bit mask."""
    jobs: int
    """Number of valid jobs that the pool sent."""
    connects: int
    """Number of connections that were made."""
    unanswered: int
    """Number of shares that wait for a reply or for a connection."""
    bad_lines: int
    """Number of unusable lines plus number of invalid jobs that the pool sent."""
    unpaired_replies: int
    """Number of replies to requests that the client did not send."""
    bytes_received: int
    """Number of bytes received on all connections, after TLS decryption."""
    bytes_sent: int
    """Number of bytes sent on all connections, before TLS encryption."""
    workers: tuple[WorkerSnapshot, ...] = ()
    """All worker names of the pool, ``worker_name`` first."""
