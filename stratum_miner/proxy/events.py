"""What happens in a proxy, for the ``on_event`` function of ``open_proxy``: one frozen class for each kind of event."""

from dataclasses import dataclass
from typing import TypeAlias

from stratum_miner.downstream.server_events import MinerAuthorized, MinerConnected, MinerDisconnected
from stratum_miner.stratum.errors import ErrorReason
from stratum_miner.work.share_result import ShareOutcome


@dataclass(frozen=True, slots=True)
class ShareKept:
    """The proxy accepted a valid share and did not forward it, because it is below the pool's difficulty (only with
    vardiff)."""

    session: int
    """Number of the miner's connection."""
    worker_name: str
    """The worker name that the miner sent with the share."""
    difficulty: float
    """The difficulty that counts as the miner's work for this share: the difficulty of the miner's job."""


@dataclass(frozen=True, slots=True)
class ShareRefused:
    """The proxy refused a share and did not forward it."""

    session: int
    """Number of the miner's connection."""
    worker_name: str
    """The worker name that the miner sent with the share; empty if the request could not be read."""
    reason: ErrorReason
    message: str
    """The text that the miner got."""


@dataclass(frozen=True, slots=True)
class ShareForwarded:
    """The proxy passed a share to its pool client, which submits it to the pool. Exactly one ``ShareResolved``
    follows."""

    session: int
    """Number of the miner's connection."""
    worker_name: str
    """The worker name that the miner sent with the share."""


@dataclass(frozen=True, slots=True)
class ShareResolved:
    """A share that the proxy forwarded has a result, and the miner has been answered."""

    session: int
    """Number of the miner's connection. If the miner reconnected and submitted the share again, this is the number of
    the new connection."""
    worker_name: str
    """The worker name that the miner sent with the share."""
    outcome: ShareOutcome
    reason: str
    """Why the share was rejected, stale or lost; empty if it was accepted."""
    latency: float | None
    """Seconds from the submission to the pool until its answer; None if there was no answer."""


@dataclass(frozen=True, slots=True)
class UpstreamAdded:
    """The proxy opens an additional connection to the pool, because on the open connections no extranonce prefix (the
    part of the pool's extranonce2 by which miners are told apart) is free.
    """

    connections: int
    """Number of connections to the pool, including this one."""


@dataclass(frozen=True, slots=True)
class UpstreamRemoved:
    """The proxy closed an additional connection to the pool, because no miner used the connection, or because the pool
    refused the worker name of this connection.
    """

    connections: int
    """Number of connections to the pool that are left."""


ProxyEvent: TypeAlias = (
    MinerConnected
    | MinerDisconnected
    | MinerAuthorized
    | ShareKept
    | ShareRefused
    | ShareForwarded
    | ShareResolved
    | UpstreamAdded
    | UpstreamRemoved
)
"""Any event of a proxy: the argument of the ``on_event`` function of ``open_proxy``."""
