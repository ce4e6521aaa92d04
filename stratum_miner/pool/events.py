"""What happens in a pool, for whoever watches: frozen values, one class per kind."""

from dataclasses import dataclass
from typing import TypeAlias

from stratum_miner.downstream.server_events import MinerAuthorized, MinerConnected, MinerDisconnected
from stratum_miner.stratum.errors import ErrorReason


@dataclass(frozen=True, slots=True)
class DifficultyChanged:
    """A miner was told a new difficulty."""

    session: int
    difficulty: float


@dataclass(frozen=True, slots=True)
class ShareAccepted:
    """A share counted: ``difficulty`` is what it is credited with, ``share_difficulty`` what its hash is worth.

    ``is_block`` says that the hash meets the network target; ``BlockFound`` tells whether the node takes the block.
    """

    session: int
    worker_name: str
    job_id: str
    difficulty: float
    share_difficulty: float
    is_block: bool


@dataclass(frozen=True, slots=True)
class ShareRejected:
    """A share did not count; worker and job are empty when the request could not be read."""

    session: int
    worker_name: str
    job_id: str
    reason: ErrorReason
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockFound:
    """What became of a hash that meets the network target; only ``accepted`` ones are blocks of the chain.

    Each such share has one of these, also one that was not given to the node because the node had taken another
    block of ours on the same parent (``result`` is "sibling" then). ``hash`` identifies the share.
    """

    height: int
    hash: str
    """Display order."""
    worker_name: str
    accepted: bool
    """In the node's chain, now or before."""
    result: str
    """The node's own words."""
    explanation: str
    stale: bool
    """Whether its job was outdated already."""
    found_at: float
    """Unix time."""


@dataclass(frozen=True, slots=True)
class JobPublished:
    """A job went to all miners; ``clean`` means a new block to build on."""

    job_id: str
    height: int
    clean: bool
    sessions: int


@dataclass(frozen=True, slots=True)
class NodeFailed:
    """The node gives no templates; miners keep the job they have."""

    error: str


@dataclass(frozen=True, slots=True)
class NodeRecovered:
    """The node gives templates again."""


PoolEvent: TypeAlias = (
    MinerConnected
    | MinerDisconnected
    | MinerAuthorized
    | DifficultyChanged
    | ShareAccepted
    | ShareRejected
    | BlockFound
    | JobPublished
    | NodeFailed
    | NodeRecovered
)
"""Any event of a pool: what ``on_event`` of ``open_pool`` is called with."""
