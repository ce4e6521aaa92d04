"""``stratum-miner proxy``: one connection to a pool for many miners that speak Stratum too."""

import ipaddress
import os
import time
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
import trio
from rich import box
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from stratum_miner.app.options import common, listen_address, ownership
from stratum_miner.app.options.config_file import Config, NoConfig
from stratum_miner.app.options.listen_address import parse_listen, telling_of_listeners
from stratum_miner.app.options.proxy import ProxyOptions
from stratum_miner.app.options.table import takes_options_of
from stratum_miner.app.process import printing, signals
from stratum_miner.app.process.exit_codes import ExitCode
from stratum_miner.app.process.garbage_collection import keep_old_objects
from stratum_miner.app.process.logs import console
from stratum_miner.app.settings.mine import find_file, telling
from stratum_miner.app.settings.proxy import ProxySettings, load, misspelt
from stratum_miner.cli import figures, mining
from stratum_miner.downstream.share_counts import ShareCounts
from stratum_miner.foreign_text import sanitize
from stratum_miner.monitoring.pools import pool_view
from stratum_miner.monitoring.view import PoolView
from stratum_miner.proxy import MinerStatus, Proxy, ProxySnapshot
from stratum_miner.quantities import difficulty_text, duration_text, hash_rate_text

log = structlog.get_logger("stratum_miner")

STATUS_INTERVAL_S = 30.0
REFRESH_S = 1.0
SHOWN_MINERS = 20
"""In a table or a round of log lines, those with the highest hash rates; the API has all."""
NAME_WIDTH = 16
"""So that of 80 columns enough are left for every figure."""


@takes_options_of(ProxyOptions)
def proxy(
    *,
    config: Config = None,
    no_config: NoConfig = False,
    **given: Any,
) -> int:
    """Let many Stratum miners share one connection to a pool.

    The options of its pools are those of mine, on the command line, in the environment and in the file.
    """
    settings = load(given, find_file(config, no_config, os.environ), os.environ)
    chosen = settings.resolved.values
    common.set_up_logging(
        debug=chosen.debug, quiet=chosen.quiet and not chosen.protocol_dump, log_format=chosen.log_format
    )
    for problem in misspelt(os.environ):
        log.warning("configuration_problem", problem=str(problem))
    with telling(settings.resolved):
        return _proxy(settings)


def _proxy(settings: ProxySettings) -> int:
    chosen = settings.resolved.values
    host, port = parse_listen(chosen.listen)
    for pool in settings.pools:
        for url in (pool.url, *pool.addresses):
            ownership.check_other(url, host, port, "--url")
    _warn_of_strangers(host)
    running = Proxy(settings.pools, settings.proxy, strategy=settings.strategy)
    started = time.monotonic()
    beside = None
    if chosen.http is not None:
        from stratum_miner.monitoring.http import proxy_metrics  # noqa: PLC0415  starlette loads slowly

        beside = figures.api(
            chosen.http,
            summary=lambda: summary(running.snapshot(), time.monotonic() - started),
            metrics=lambda: proxy_metrics.families(running.snapshot()),
            network=chosen.http_network,
            names=chosen.http_host,
            token_file=chosen.http_token_file,
        )

    code = ExitCode.OK

    async def serve(stop: signals.Stop) -> None:
        nonlocal code
        listeners = await listen_address.open_listeners(host, port)
        try:
            with keep_old_objects(), telling_of_listeners():
                out_of_time = await _serve(
                    running, listeners, stop, time_limit=chosen.time_limit, quiet=chosen.quiet, beside=beside
                )
            if out_of_time and not any(pool.client.jobs for pool in running.snapshot().pools):
                code = ExitCode.POOL_UNREACHABLE
        finally:
            _print_end(running.snapshot(), time.monotonic() - started, as_json=chosen.json)

    signals.run(serve)
    return code


def _warn_of_strangers(host: str) -> None:
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = host == "localhost"
    if not local:
        text = "whoever reaches this address can mine here, and what miners say is not encrypted"
        log.warning("not_loopback", listen=host, text=text)


async def _serve(
    running: Proxy,
    listeners: list[trio.SocketListener],
    stop: signals.Stop,
    *,
    time_limit: float | None,
    quiet: bool,
    beside: Callable[[], Awaitable[None]] | None,
) -> bool:
    """Returns whether it ended by its time limit."""
    out_of_time = False

    def stop_gracefully() -> None:
        log.info("stopping", hint="waiting briefly for open replies; once more ends at once")
        running.stop()

    with stop.calling(stop_gracefully):
        async with trio.open_nursery() as nursery:
            await nursery.start(_run, running, listeners, nursery.cancel_scope)
            log.info("ready", url=" ".join(f"stratum+tcp://{address}" for address in running.addresses))
            nursery.start_soon(_show_status, running, quiet)
            if beside is not None:
                nursery.start_soon(beside)
            if time_limit is not None:
                await trio.sleep(time_limit)
                out_of_time = True
                running.stop()
    return out_of_time


async def _run(
    running: Proxy,
    listeners: list[trio.SocketListener],
    everything: trio.CancelScope,
    *,
    task_status: trio.TaskStatus[None],
) -> None:
    await running.serve(listeners, task_status=task_status)
    everything.cancel()


# ---- what people see -------------------------------------------------------------------------------------------------


async def _show_status(running: Proxy, quiet: bool) -> None:
    if console.is_terminal and not console.is_dumb_terminal and not quiet:
        with Live(
            console=console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
        ) as live:
            while True:
                live.update(printing.safe(_status_view(running.snapshot())), refresh=True)
                await trio.sleep(REFRESH_S)
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
    return Group(_miners_table(snapshot.miners), Text(line, style="bold", no_wrap=True, overflow="ellipsis"))


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


def _miner_fields(miner: MinerStatus) -> dict[str, Any]:
    return {
        "session": miner.session,
        "worker_name": ",".join(miner.workers),
        "address": miner.address,
        "rate": hash_rate_text(miner.hash_rate),
        "accepted": miner.shares.accepted,
        "bad": _bad(miner.shares),
        "last_share": "" if miner.last_share_age is None else duration_text(miner.last_share_age),
    }


def _miners_table(miners: tuple[MinerStatus, ...]) -> Table:
    plain = console.options.ascii_only or console.is_dumb_terminal
    table = Table(box=box.ASCII if plain else box.SIMPLE_HEAD, padding=(0, 0, 0, 1))
    for heading in ("worker", "miner"):
        table.add_column(heading, no_wrap=True, overflow="ellipsis", max_width=NAME_WIDTH)
    for heading in ("rate", "accepted", "bad", "difficulty", "last"):
        table.add_column(heading, justify="right", no_wrap=True)
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


def _busiest(miners: tuple[MinerStatus, ...]) -> list[MinerStatus]:
    return sorted(miners, key=lambda miner: miner.hash_rate, reverse=True)[:SHOWN_MINERS]


def _bad(shares: ShareCounts) -> int:
    return shares.rejected.total() + shares.refused.total() + shares.stale + shares.lost


def _print_end(snapshot: ProxySnapshot, elapsed: float, *, as_json: bool) -> None:
    if as_json:
        printing.print_json(summary(snapshot, elapsed))
        return
    shares = snapshot.shares
    everyone = (*snapshot.miners, *snapshot.left)
    if everyone:
        console.print(_miners_table(everyone))
    lines = [
        f"{duration_text(elapsed)}, {snapshot.connections_total} connections",
        f"shares: {shares.received} received, {shares.accepted} accepted, {sum(shares.rejected.values())} rejected, "
        f"{shares.stale} stale, {shares.lost} lost, {sum(shares.refused.values())} refused here, {shares.kept} kept",
        *(mining.pool_line(pool) for pool in _pools(snapshot)),
    ]
    for line in lines:
        console.print(line, markup=False)


# ---- what programs see -----------------------------------------------------------------------------------------------


def summary(snapshot: ProxySnapshot, elapsed: float) -> dict[str, Any]:
    """The object that --json prints and the API shows; hash_rate in H/s, times in seconds."""
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
    return [pool_view(priority, pool) for priority, pool in enumerate(snapshot.pools)]


def _miner_object(miner: MinerStatus, *, connected: bool) -> dict[str, Any]:
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


def _shares_object(shares: ShareCounts) -> dict[str, Any]:
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
