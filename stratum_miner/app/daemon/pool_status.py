"""The state of the built-in pool: an object for programs, and a log line every 30 s."""

import time
from typing import Any

import structlog
import trio

from stratum_miner.foreign_text import sanitize
from stratum_miner.pool import DownstreamShareCounts, Pool
from stratum_miner.pool.events import BlockFound
from stratum_miner.pool.snapshot import PoolSnapshot
from stratum_miner.quantities import hash_rate_text

log = structlog.get_logger("stratum_miner")

STATUS_INTERVAL_S = 30.0
"""Seconds between status lines."""


def summary(snapshot: PoolSnapshot) -> dict[str, Any]:
    """Return the object that --json prints at the end.

    In this object, ``shares.difficulty`` is the sum of the difficulties of all accepted shares.
    """
    return {
        "elapsed_s": round(time.time() - snapshot.started_at, 3),
        "listen": list(snapshot.addresses),
        "height": snapshot.height,
        "network_difficulty": snapshot.network_difficulty,
        "node_error": snapshot.node_error,
        "template_age_s": snapshot.template_age,
        "jobs": snapshot.jobs_published,
        "miners": sum(session.started for session in snapshot.sessions),
        "hash_rate": snapshot.hash_rate,
        "shares": {
            "accepted": snapshot.shares.accepted,
            "rejected": {reason.value: count for reason, count in snapshot.shares.rejected.items()},
            "difficulty": snapshot.shares.difficulty,
            "best": snapshot.shares.best,
        },
        "connections": {
            "open": len(snapshot.sessions),
            "total": snapshot.connections_total,
            "refused": snapshot.connections_refused,
            "ended": {ending.value: count for ending, count in snapshot.connections_ended.items()},
        },
        "bytes_received": snapshot.bytes_received,
        "bytes_sent": snapshot.bytes_sent,
        "blocks_found": snapshot.blocks_found,
        **blocks(snapshot),
    }


def blocks(snapshot: PoolSnapshot) -> dict[str, list[dict[str, Any]]]:
    """Return the blocks that miners of the pool found, in two lists.

    ``blocks`` has the blocks that the node accepted. ``blocks_refused`` has those that the node rejected, each with the
    node's reason.
    """
    taken = [_block(block) for block in snapshot.blocks if block.accepted]
    refused = [_block(block) | {"reason": sanitize(block.result)} for block in snapshot.blocks if not block.accepted]
    return {"blocks": taken, "blocks_refused": refused}


def _block(block: BlockFound) -> dict[str, Any]:
    return {"height": block.height, "hash": block.hash, "worker": sanitize(block.worker_name)}


def _rejected(shares: DownstreamShareCounts) -> dict[str, Any]:
    """Return the fields of the status line about rejected shares: their number and, if there are any, their reasons."""
    reasons = ", ".join(f"{count} {reason.value}" for reason, count in shares.rejected.most_common())
    return {"rejected": shares.rejected.total(), **({"rejected_because": reasons} if reasons else {})}


async def log_status(pool: Pool) -> None:
    """Log the state of the pool every 30 s, until cancelled."""
    while True:
        await trio.sleep(STATUS_INTERVAL_S)
        snapshot = pool.snapshot()
        log.info(
            "status",
            height=snapshot.height,
            miners=sum(session.started for session in snapshot.sessions),
            rate=hash_rate_text(snapshot.hash_rate),
            accepted=snapshot.shares.accepted,
            **_rejected(snapshot.shares),
            blocks=snapshot.blocks_accepted,
            **({} if snapshot.node_error is None else {"waiting_for": snapshot.node_error}),
        )
