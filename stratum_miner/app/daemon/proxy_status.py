"""The state of a proxy: a table and lines for people, and an object for programs."""

from typing import Any

import structlog
import trio
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from stratum_miner.app.daemon import run_summary
from stratum_miner.app.process import printing
from stratum_miner.app.process.live_display import can_redraw, redraw
from stratum_miner.app.process.logs import console
from stratum_miner.downstream.share_counts import DownstreamShareCounts
from stratum_miner.foreign_text import sanitize
from stratum_miner.monitoring.pools import pool_view
from stratum_miner.monitoring.view import PoolView
from stratum_miner.plots.text_table import text_table
from stratum_miner.proxy import Proxy, ProxySnapshot, SessionSnapshot
from stratum_miner.quantities import difficulty_text, duration_text, hash_rate_text

log = structlog.get_logger("stratum_miner")

STATUS_INTERVAL_S = 30.0
"""Seconds between status lines."""
REFRESH_S = 1.0
"""Seconds between two drawings of the live table."""
SHOWN_MINERS = 20
"""Largest number of miners in the table, or in one status report of the log: those with the highest hash rates. The API
lists all miners."""
NAME_WIDTH = 16
"""Largest number of characters of a miner's name in the table, so that all columns fit into 80 characters."""


# ---- what people see -------------------------------------------------------------------------------------------------


async def show_status(running: Proxy, quiet: bool) -> None:
    """Show the state of the proxy until cancelled, as a live table on a terminal, otherwise as log lines."""
    if can_redraw(console) and not quiet:
        await redraw(console, lambda: _status_view(running.snapshot()), REFRESH_S)
    while True:
        await trio.sleep(STATUS_INTERVAL_S)
        snapshot = running.snapshot()
        log.info("status", **_status_fields(snapshot))
        for miner in _busiest(snapshot.miners):
            log.info("miner", **_miner_fields(miner))


def _status_view(snapshot: ProxySnapshot) -> RenderableType:
    fields = _status_fields(snapshot)
    line = " | ".join(
        (
            f"{fields['miners']} miners",
            fields["rate"],
            f"A {fields['accepted']} R {fields['rejected']} S {fields['stale']} L {fields['lost']}",
            f"difficulty {fields['difficulty']}",
            fields["pool"],
        )
    )
    return Group(miners_table(snapshot.miners), Text(line, style="bold", no_wrap=True, overflow="ellipsis"))


def _status_fields(snapshot: ProxySnapshot) -> dict[str, Any]:
    shares = snapshot.shares
    active = next((pool for pool in snapshot.pools if pool.active), None)
    return {
        "miners": sum(miner.started for miner in snapshot.miners),
        "rate": hash_rate_text(snapshot.hash_rate),
        "accepted": shares.accepted,
        "kept": shares.kept or "",
        "rejected": sum(shares.rejected.values()),
        "refused": sum(shares.refused.values()),
        "stale": shares.stale,
        "lost": shares.lost,
        "difficulty": difficulty_text(snapshot.difficulty),
        "pool": "no pool" if active is None else active.name,
    }


def _miner_fields(miner: SessionSnapshot) -> dict[str, Any]:
    return {
        "session": miner.session,
        "worker_name": ",".join(miner.workers),
        "address": miner.address,
        "rate": hash_rate_text(miner.hash_rate),
        "accepted": miner.shares.accepted,
        "bad": _bad(miner.shares),
        "last_share": "" if miner.last_share_age is None else duration_text(miner.last_share_age),
    }


def miners_table(miners: tuple[SessionSnapshot, ...]) -> Table:
    """Return a table with a row for each of the miners with the highest hash rates."""
    table = text_table(console, ("worker", "miner", "rate", "accepted", "bad", "difficulty", "last"), names=2)
    for column in table.columns[:2]:
        column.no_wrap, column.overflow, column.max_width = True, "ellipsis", NAME_WIDTH
    for miner in _busiest(miners):
        table.add_row(
            Text(sanitize(",".join(miner.workers)) or miner.address),
            Text(miner.user_agent),
            hash_rate_text(miner.hash_rate),
            str(miner.shares.accepted),
            str(_bad(miner.shares)),
            difficulty_text(miner.difficulty),
            "-" if miner.last_share_age is None else duration_text(miner.last_share_age),
        )
    if len(miners) > SHOWN_MINERS:
        table.add_row(f"and {len(miners) - SHOWN_MINERS} more")
    return table


def _busiest(miners: tuple[SessionSnapshot, ...]) -> list[SessionSnapshot]:
    return sorted(miners, key=lambda miner: miner.hash_rate, reverse=True)[:SHOWN_MINERS]


def _bad(shares: DownstreamShareCounts) -> int:
    return shares.rejected.total() + shares.refused.total() + shares.stale + shares.lost


def print_end(snapshot: ProxySnapshot, elapsed: float, *, as_json: bool) -> None:
    """Print the summary at the end: as JSON on stdout, or as text on stderr."""
    if as_json:
        printing.print_json(summary(snapshot, elapsed))
        return
    shares = snapshot.shares
    everyone = (*snapshot.miners, *snapshot.left)
    if everyone:
        console.print(miners_table(everyone))
    lines = [
        f"{duration_text(elapsed)}, {snapshot.connections_total} connections",
        f"shares: {shares.received} received, {shares.accepted} accepted, {sum(shares.rejected.values())} rejected, "
        f"{shares.stale} stale, {shares.lost} lost, {sum(shares.refused.values())} refused by the proxy, "
        f"{shares.kept} not sent to the pool",
        *(run_summary.pool_line(pool) for pool in _pools(snapshot)),
    ]
    for line in lines:
        console.print(line, markup=False)


# ---- what programs see -----------------------------------------------------------------------------------------------


def summary(snapshot: ProxySnapshot, elapsed: float) -> dict[str, Any]:
    """Return the object that --json prints and the API serves. Hash rates are in H/s, times in seconds."""
    return {
        "elapsed_s": round(elapsed, 3),
        "listen": list(snapshot.addresses),
        "has_work": snapshot.has_work,
        "extranonce": {
            "prefix_bytes": snapshot.prefix_size,
            "miner_bytes": snapshot.extranonce2_size,
            "room": snapshot.room,
        },
        "upstreams": snapshot.upstreams,
        "difficulty": snapshot.difficulty,
        "hash_rate": snapshot.hash_rate,
        "shares": _shares_object(snapshot.shares) | {"answered_late": snapshot.answered_late},
        "connections": {
            "open": len(snapshot.miners),
            "total": snapshot.connections_total,
            "refused": snapshot.connections_refused,
            "ended": {ending.value: count for ending, count in snapshot.connections_ended.items()},
        },
        "bytes_received": snapshot.bytes_received,
        "bytes_sent": snapshot.bytes_sent,
        "miners": [
            *(_miner_object(miner, connected=True) for miner in snapshot.miners),
            *(_miner_object(miner, connected=False) for miner in snapshot.left),
        ],
        "pools": _pools(snapshot),
    }


def _pools(snapshot: ProxySnapshot) -> list[PoolView]:
    """Return a view of each pool. The order of the pools never changes, so the position of a pool is also its id."""
    return [pool_view(position, position, pool) for position, pool in enumerate(snapshot.pools)]


def _miner_object(miner: SessionSnapshot, *, connected: bool) -> dict[str, Any]:
    return {
        "session": miner.session,
        "connected": connected,
        "address": miner.address,
        "user_agent": miner.user_agent,
        "workers": [*map(sanitize, miner.workers)],
        "version_mask": f"{miner.version_mask:08x}",
        "extranonce1": None if miner.extranonce1 is None else miner.extranonce1.hex(),
        "difficulty": miner.difficulty,
        "hash_rate": miner.hash_rate,
        "shares": _shares_object(miner.shares),
        "last_share_age_s": None if miner.last_share_age is None else round(miner.last_share_age, 3),
        "connected_at": miner.connected_at,
        "bytes_received": miner.bytes_received,
        "bytes_sent": miner.bytes_sent,
    }


def _shares_object(shares: DownstreamShareCounts) -> dict[str, Any]:
    return {
        "received": shares.received,
        "accepted": shares.accepted,
        "rejected": {reason.value: count for reason, count in shares.rejected.items()},
        "refused": {reason.value: count for reason, count in shares.refused.items()},
        "stale": shares.stale,
        "lost": shares.lost,
        "kept": shares.kept,
        "open": shares.open,
        "difficulty": shares.difficulty,
        "best": shares.best,
    }
