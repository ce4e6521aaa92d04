"""The figures of a pool at one moment, as frozen values for displays."""

from dataclasses import dataclass

from stratum_miner.downstream.snapshot import ServerSnapshot, SessionSnapshot
from stratum_miner.pool.events import BlockFound


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSnapshot(ServerSnapshot):
    """The figures of a whole pool."""

    height: int | None
    """Height of the block that the miners work on; None before the first template."""
    previous_hash: str | None
    """Hash of the previous block, in display order, hex; None before the first template."""
    network_difficulty: float | None
    """Network difficulty; None before the first template."""
    job_id: str | None
    """Id of the newest job; None before the first."""
    jobs_published: int
    """Number of jobs that were sent to all miners."""
    node_error: str | None
    """Why the node gives no templates; None if the node gives templates."""
    template_age: float | None
    """Seconds since the node last gave a template, changed or not; None before the first."""
    sessions: tuple[SessionSnapshot, ...]
    """The miners that are connected."""
    blocks_found: int
    """Number of blocks that were found: of shares that met the network target. Each of these blocks was accepted, was
    rejected, waits for the node, or was not submitted because the node had accepted another block of this pool on the
    same parent."""
    blocks_refused: int
    """Number of blocks that the node rejected."""
    blocks_accepted: int
    """Number of blocks that the node accepted."""
    blocks: tuple[BlockFound, ...]
    """The latest blocks that the pool submitted, at most 1000, the oldest first. ``blocks_found`` also counts
    older blocks and blocks that were not submitted."""
