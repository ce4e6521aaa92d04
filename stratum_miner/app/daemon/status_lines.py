"""Runs a miner until it stops. Meanwhile shows its status on stderr: a live line on a terminal, otherwise log lines."""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog
import trio
from rich.console import Group, RenderableType
from rich.text import Text

from stratum_miner.app.process.live_display import can_redraw, redraw
from stratum_miner.app.process.logs import console
from stratum_miner.app.process.signals import Stop
from stratum_miner.client.settings import Timeouts
from stratum_miner.economics.odds import seconds_per_share
from stratum_miner.miner import Miner, StopReason
from stratum_miner.monitoring.view import Summary, View
from stratum_miner.quantities import difficulty_text, duration_text, hash_rate_text, span_text

log = structlog.get_logger("stratum_miner")

STATUS_INTERVAL_S = 30.0
"""Seconds between status lines if there is no live line."""
REFRESH_S = 0.5
STABLE_S = 5.0
"""Seconds of mining after which the hash rate is stable enough to predict the rate of shares."""
RARE_SHARE_S = 600.0
"""If more than this number of seconds is expected between two shares, the miner logs a warning that shares will be
rare.

Without the warning, users could take the long silence of the log for a fault.
"""


async def mine_until_done(
    miner: Miner,
    stop: Stop,
    look: Callable[[], View],
    *,
    quiet: bool = False,
    costs: Callable[[Summary], str] = lambda summary: "",
    beside: Sequence[Callable[[], Awaitable[None]]] = (),
    display: Callable[[], Awaitable[None]] | None = None,
) -> StopReason:
    """Run a miner, show its status, and return why it stopped. The first signal stops the miner gracefully.

    ``look`` returns the present status. ``costs`` returns a line with costs and income, which is empty if no prices are
    configured. ``beside`` are services that run as long as the miner. ``display`` is a service that shows the status in
    place of the status lines.
    """

    def stop_gracefully() -> None:
        log.info("stopping", hint=stopping_hint(Timeouts().stop_grace))
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


def stopping_hint(seconds: float) -> str:
    """Return the log text that says what a graceful stop waits for, and for how many seconds."""
    return f"waiting up to {seconds:g} s for replies to open shares. A second Ctrl-C or SIGTERM stops at once"


class _RareShares:
    """Logs a warning if shares will be rare, because the user may otherwise wonder why the log is silent for a long
    time. The warning comes once for each share difficulty."""

    def __init__(self) -> None:
        self._warned_of: float | None = None

    def look(self, view: View) -> None:
        difficulty, rate = view.share_difficulty, view.summary.hash_rate_1m
        if difficulty is None or difficulty == self._warned_of or view.summary.elapsed_s < STABLE_S or rate <= 0:
            return
        seconds = seconds_per_share(difficulty, rate)
        if seconds > RARE_SHARE_S:
            self._warned_of = difficulty
            log.warning(
                "shares_rare",
                text=f"at difficulty {difficulty:,.10g} and {hash_rate_text(rate)}, expect one share every "
                f"{span_text(seconds)}",
                hint="--suggest-difficulty auto asks the pool for a lower difficulty",
            )


async def _watch_rare_shares(look: Callable[[], View]) -> None:
    rare = _RareShares()
    while True:
        rare.look(look())
        await trio.sleep(STABLE_S)


async def _show_status(look: Callable[[], View], quiet: bool, costs: Callable[[Summary], str]) -> None:
    rare = _RareShares()

    def drawn() -> RenderableType:
        view = look()
        rare.look(view)
        return _status_text(view, costs(view.summary))

    if can_redraw(console) and not quiet:
        await redraw(console, drawn, REFRESH_S)
    next_at = time.monotonic() + STATUS_INTERVAL_S
    await trio.sleep(STABLE_S + 1)
    rare.look(look())
    while True:
        await trio.sleep(max(0.0, next_at - time.monotonic()))
        next_at += STATUS_INTERVAL_S
        view = look()
        rare.look(view)
        log.info("status", **_status_fields(view))
        if line := costs(view.summary):
            log.info("economics", line=line)


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
