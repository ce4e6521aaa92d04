"""Frozen statistics of a pool, for displays: nothing here changes, nothing here reaches back."""

from dataclasses import dataclass

from stratum_miner.downstream.snapshot import ServerSnapshot, SessionSnapshot
from stratum_miner.pool.events import BlockFound


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSnapshot(ServerSnapshot):
    """The whole pool."""

    height: int | None
    """The height of the block being worked on; None before the first template."""
    previous_hash: str | None
    """Display order."""
    network_difficulty: float | None
    job_id: str | None
    jobs_published: int
    node_error: str | None
    """Why there are no new templates; None while all is well."""
    template_age: float | None
    """Seconds since the node gave its newest template, changed or not; None before the first."""
    sessions: tuple[SessionSnapshot, ...]
    blocks_found: int
    """Each is accepted, refused, passed over because the node took another one of ours there, or waits for the node."""
    blocks_refused: int
    """Blocks of ours that the node judged and did not take."""
    blocks_accepted: int
    """Blocks of ours that the node took."""
    blocks: tuple[BlockFound, ...]
    """The latest ones, oldest first."""
