"""What happens in a pool, for the ``on_event`` function of ``open_pool``: one frozen class for each kind of event."""

from dataclasses import dataclass
from typing import TypeAlias

from stratum_miner.downstream.server_events import MinerAuthorized, MinerConnected, MinerDisconnected
from stratum_miner.stratum.errors import ErrorReason


@dataclass(frozen=True, slots=True)
class DifficultyChanged:
    """The pool sent a miner a new difficulty."""

    session: int
    """Number of the miner's connection."""
    difficulty: float


@dataclass(frozen=True, slots=True)
class ShareAccepted:
    """The pool accepted a share."""

    session: int
    """Number of the miner's connection."""
    worker_name: str
    job_id: str
    difficulty: float
    """The difficulty that counts as the miner's work for this share: the share difficulty of the miner's job."""
    share_difficulty: float
    """The highest difficulty that the hash of this share meets. It can be far above ``difficulty``."""
    is_block: bool
    """Whether the hash meets the network target. ``BlockFound`` says whether the node accepts the block."""


@dataclass(frozen=True, slots=True)
class ShareRejected:
    """The pool rejected a share."""

    session: int
    """Number of the miner's connection."""
    worker_name: str
    """The worker name in the share; empty if the request could not be parsed."""
    job_id: str
    """The job id in the share; empty if the request could not be parsed."""
    reason: ErrorReason
    message: str
    """The text that the miner got."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockFound:
    """A share whose hash meets the network target, with the node's answer to its block.

    There is an event for each such share. If the node had already accepted another block of this pool on the same
    parent, the pool does not submit the block, and ``result`` is "sibling". If ``result`` is "unreachable" or
    "prev-blk-not-found", the node could not decide about the block. A further event with the same ``hash`` follows when
    the node has accepted or rejected the block.
    """

    height: int
    hash: str
    """Block hash in display order, hex. It identifies the share."""
    worker_name: str
    """The worker name under which the share was submitted."""
    accepted: bool
    """Whether the node accepted the block into its chain, or had it already."""
    result: str
    """The node's answer: "accepted", or its reason for the rejection, as in BIP 22."""
    explanation: str
    """The reason in plain words; empty if there is nothing to explain."""
    stale: bool
    """Whether the job was outdated when the share arrived."""
    found_at: float
    """Unix time at which the pool got the share."""


@dataclass(frozen=True, slots=True)
class JobPublished:
    """The pool sent a job to all miners."""

    job_id: str
    height: int
    """Height of the block that the miners work on."""
    clean: bool
    """Whether shares of earlier jobs are no longer accepted, usually because of a new block."""
    sessions: int
    """Number of miners that got the job."""


@dataclass(frozen=True, slots=True)
class NodeFailed:
    """The node gives no templates. The miners continue with the job that they have."""

    error: str
    """The reason, in one line."""


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
"""Any event of a pool: the argument of the ``on_event`` function of ``open_pool``."""
