"""A miner run from the command line: signals, event lines, the live status line, the summary.

Shared by the commands that mine. Everything for people goes to stderr, the summary object to stdout.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from typing import Any

import structlog
import trio
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from stratum_miner.app.process import printing
from stratum_miner.app.process.exit_codes import ExitCode
from stratum_miner.app.process.logs import console
from stratum_miner.app.process.signals import Stop
from stratum_miner.bitcoin.header import display_hash
from stratum_miner.client.events import ConnectionState, StateChanged
from stratum_miner.economics.odds import seconds_per_share
from stratum_miner.miner import (
    Ending,
    JobStarted,
    Miner,
    MinerEvent,
)
from stratum_miner.monitoring.monitor import Monitor
from stratum_miner.monitoring.view import PoolView, Summary, View
from stratum_miner.quantities import difficulty_text, duration_text, hash_rate_text, span_text
from stratum_miner.work.share_result import Fate, ShareResult

log = structlog.get_logger("stratum_miner")

STATUS_INTERVAL_S = 30.0
"""Between status lines where there is no live line."""
REFRESH_S = 0.5
SETTLED_S = 5.0
"""Of mining, before its hash rate says what to expect."""
RARE_SHARE_S = 600.0
"""A share less often than that looks like a miner that hangs."""


class Reporter:
    """Turns a miner's events into lines.

    ``node_judges``: the pool is in this process and logs what the node says of each block, so a share is only a share.
    """

    def __init__(self, *, quiet: bool = False, node_judges: bool = False) -> None:
        self.quiet = quiet
        self._node_judges = node_judges

    def __call__(self, event: MinerEvent) -> None:
        """Take one event."""
        match event:
            case ShareResult():
                self._share(event)
            case JobStarted(job, height, new_block) if not self.quiet:
                log.info(
                    "new_block" if new_block else "new_job",
                    job_id=job.job_id,
                    height=height,
                    difficulty=difficulty_text(job.share_difficulty),
                    clean=job.clean_jobs,
                )
            case StateChanged(_, state, detail) if not self.quiet and state is not ConnectionState.STOPPED:
                log.info(state.value, **({"detail": detail} if detail else {}))

    def _share(self, outcome: ShareResult) -> None:
        share = outcome.share
        accepted = outcome.fate is Fate.ACCEPTED
        solves = share.is_block and not self._node_judges
        if accepted and self.quiet:
            return
        fields: dict[str, Any] = {"job_id": share.job.job_id, "difficulty": difficulty_text(share.difficulty)}
        if outcome.latency is not None:
            fields["latency_ms"] = round(outcome.latency * 1000, 1)
        if solves:
            fields["block"] = display_hash(share.digest)
        if outcome.reason:
            fields["reason"] = outcome.reason
        (log.info if accepted else log.warning)(f"share_{outcome.fate.value}", **fields)


async def mine_until_done(
    miner: Miner,
    stop: Stop,
    look: Callable[[], View],
    *,
    quiet: bool = False,
    costs: Callable[[Summary], str] = lambda summary: "",
    beside: Sequence[Callable[[], Awaitable[None]]] = (),
    display: Callable[[], Awaitable[None]] | None = None,
) -> Ending:
    """Run a miner with its status shown, as ``look`` gives it; the first signal ends it gracefully. Returns why it
    ended.

    ``costs`` says in a line what mining costs and earns, empty where nobody knows a price; ``beside`` run as long;
    ``display`` takes the place of lines.
    """

    def stop_gracefully() -> None:
        log.info("stopping", hint="waiting briefly for open replies; once more ends at once")
        miner.stop()

    with stop.calling(stop_gracefully):
        async with trio.open_nursery() as nursery:
            if display is None:
                nursery.start_soon(_show_status, look, quiet, costs)
            else:
                nursery.start_soon(display)
                nursery.start_soon(_watch_rare_shares, look)
            for service in beside:
                nursery.start_soon(service)
            ending = await miner.run()
            nursery.cancel_scope.cancel()
    return ending


class _RareShares:
    """Says so, once for each difficulty, when shares will be so rare that silence needs explaining."""

    def __init__(self) -> None:
        self._said: float | None = None

    def look(self, view: View) -> None:
        difficulty, rate = view.share_difficulty, view.summary.hash_rate_1m
        if difficulty is None or difficulty == self._said or view.summary.elapsed_s < SETTLED_S or rate <= 0:
            return
        seconds = seconds_per_share(difficulty, rate)
        if seconds > RARE_SHARE_S:
            self._said = difficulty
            log.warning(
                "shares_rare",
                text=f"difficulty {difficulty:,.10g} at {hash_rate_text(rate)}: one share every {span_text(seconds)}",
                hint="--suggest-difficulty auto asks for less",
            )


async def _watch_rare_shares(look: Callable[[], View]) -> None:
    rare = _RareShares()
    while True:
        rare.look(look())
        await trio.sleep(SETTLED_S)


async def _show_status(look: Callable[[], View], quiet: bool, costs: Callable[[Summary], str]) -> None:
    rare = _RareShares()
    if console.is_terminal and not console.is_dumb_terminal and not quiet:
        async with _live_line() as live:
            while True:
                view = look()
                rare.look(view)
                live.update(printing.safe(_status_text(view, costs(view.summary))), refresh=True)
                await trio.sleep(REFRESH_S)
    next_at = time.monotonic() + STATUS_INTERVAL_S
    await trio.sleep(SETTLED_S + 1)
    rare.look(look())
    while True:
        await trio.sleep(max(0.0, next_at - time.monotonic()))
        next_at += STATUS_INTERVAL_S
        view = look()
        rare.look(view)
        log.info("status", **_status_fields(view))
        if line := costs(view.summary):
            log.info("economics", line=line)


@asynccontextmanager
async def _live_line() -> AsyncIterator[Live]:
    with Live(
        console=console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
    ) as live:
        yield live


def _status_text(view: View, costs: str) -> RenderableType:
    summary, shares = view.summary, view.summary.shares
    windows = (summary.hash_rate_5s, summary.hash_rate_1m, summary.hash_rate_15m)
    parts = (
        " ".join(hash_rate_text(rate) for rate in windows),
        f"A {shares.accepted} R {shares.rejected} S {shares.stale} L {shares.lost}",
        f"best {difficulty_text(summary.best_share)}/{difficulty_text(view.share_difficulty)}",
        duration_text(summary.elapsed_s),
    )
    line = Text(" | ".join(parts), style="bold", no_wrap=True, overflow="ellipsis")
    return Group(line, Text(costs)) if costs else line


def _status_fields(view: View) -> dict[str, Any]:
    summary, shares = view.summary, view.summary.shares
    return {
        "rate_5s": hash_rate_text(summary.hash_rate_5s),
        "rate_1m": hash_rate_text(summary.hash_rate_1m),
        "rate_15m": hash_rate_text(summary.hash_rate_15m),
        "accepted": shares.accepted,
        "rejected": shares.rejected,
        "stale": shares.stale,
        "lost": shares.lost,
        "best": difficulty_text(summary.best_share),
        "difficulty": difficulty_text(view.share_difficulty),
        "share_every": "" if summary.share_every_s is None else span_text(summary.share_every_s),
    }


def pool_line(pool: PoolView) -> str:
    """One pool for people."""
    latency = "" if pool.latency_p50_ms is None else f", {pool.latency_p50_ms:.1f} ms"
    why = f" ({pool.reason})" if pool.reason else ""
    if pool.work_share is not None and pool.work_share < 1:
        why += f", {pool.work_share:.1%} of the work"
    if pool.bound:
        why += f" by {', '.join(pool.bound)}"
    return (
        f"  {'*' if pool.active else ' '} {pool.name} {pool.state}{why}: {pool.accepted} accepted, "
        f"{pool.rejected} rejected, {pool.stale} stale, {pool.lost} lost{latency}"
    )


def _worker_lines(pool: PoolView) -> list[str]:
    """Where several share a connection."""
    workers = pool.workers
    return [
        f"      {worker.name}: {worker.accepted} accepted, {worker.rejected} rejected, {worker.stale} stale"
        + (f"; refused: {worker.refusal}" if worker.refusal else "")
        for worker in workers
        if len(workers) > 1
    ]


def print_summary(view: View, *, costs: str = "", blocks_refused: int = 0) -> None:
    """The last word for people, a few lines on stderr; ``blocks_refused`` counts those that the node did not take."""
    summary, shares = view.summary, view.summary.shares
    lines = [
        f"{duration_text(summary.elapsed_s)} at {hash_rate_text(summary.hash_rate)} on {summary.pool}",
        f"shares: {shares.accepted} accepted, {shares.rejected} rejected, {shares.stale} stale, {shares.lost} lost"
        f"; best {difficulty_text(summary.best_share)}; blocks {summary.blocks_accepted}"
        + (f", and {blocks_refused} that the node refused" if blocks_refused else ""),
    ]
    if summary.frozen_s:
        lines.append(f"besides, the process did not run for {duration_text(summary.frozen_s)}; rates leave that out")
    for pool in view.pools:
        lines += [pool_line(pool)] if len(view.pools) > 1 else []
        lines += _worker_lines(pool)
    lines += [f"  {count} {reason}" for reason, count in islice(summary.reasons.items(), 5)]
    if summary.all_runs is not None:
        lines.append(f"journal, all runs: {', '.join(f'{count} {fate}' for fate, count in summary.all_runs.items())}")
    if summary.hardware_errors:
        lines.append(f"hardware errors: {summary.hardware_errors}")
    if costs:
        lines.append(costs)
    for line in lines:
        console.print(line, markup=False)


def exit_code(ending: Ending, miner: Miner, monitor: Monitor) -> ExitCode:
    """What a run came to. A time limit is a failure when something else was the goal, or when nothing was mined."""
    if ending is not Ending.TIME_LIMIT:
        return ExitCode.OK
    if not miner.has_had_work:
        return ExitCode.POOL_UNREACHABLE
    missed = miner.goals.shares is not None or miner.goals.blocks is not None or not monitor.has_mined
    return ExitCode.GOAL_MISSED if missed else ExitCode.OK
