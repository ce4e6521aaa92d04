"""Draws the figures of the whole miner: state, pool, job, hash rates, shares, luck and costs."""

from rich.text import Text

from stratum_miner.monitoring.screen.bars import history_line
from stratum_miner.monitoring.screen.lines import LABEL, field, hanging, packed, shortened, sides
from stratum_miner.monitoring.screen.states import NO_ANSWER, detail_is_news, state_text
from stratum_miner.monitoring.view import PoolView, Summary, View
from stratum_miner.quantities import (
    duration_text,
    efficiency_text,
    hash_rate_text,
    latency_text,
    scaled_difficulty_text,
    span_text,
)

LEAST_WORKER = 16
"""Smallest number of characters to which a worker name is shortened. The middle of the name is left out. The name is
often a payout address, which people recognize by its two ends."""
OLD_S = 5.0
"""If a measured hash rate is older than this number of seconds, the screen shows its age."""


def head(summary: Summary, width: int, *, is_old: bool) -> list[Text]:
    """Return the first lines of the screen: the state, the hash rate, the power and how many devices mine.

    ``is_old`` is true if the miner no longer answers.
    """
    old = f" ({duration_text(summary.sample_age_s)} old)" if summary.sample_age_s > OLD_S else ""
    items = [
        state_text(NO_ANSWER if is_old else summary.state),
        Text(hash_rate_text(summary.hash_rate_1m) + old, "bold"),
        Text(_power(summary)),
        Text(f"{summary.devices_mining} of {summary.devices_total} devices mine"),
    ]
    items = [item for item in items if item]
    lines = packed(items, width)
    age = Text(f"up {duration_text(summary.elapsed_s)}", "dim")
    version = Text(f"stratum_miner {summary.version}, ", "dim")
    frozen = f", did not run for {duration_text(summary.frozen_s)}" if summary.frozen_s >= 1 else ""
    rights = (version + age + Text(frozen, "dim"), age + Text(frozen, "dim"), age)
    beside = [sides(lines[-1], right, width) for right in rights]
    lines = [*lines[:-1], next(filter(None, beside), lines[-1])]
    if detail_is_news(summary):
        lines += hanging(Text(), Text(summary.detail), width)
    return lines


def totals(view: View, width: int) -> list[Text]:
    """Return the lines of the screen about the pool, the job, the hash rates and the shares."""
    return [*_job(view, width), *_rates(view.summary, width), *_shares(view.summary, width)]


def more_totals(view: View, width: int, ascii_only: bool) -> list[Text]:
    """Return the lines with the figures that a small screen leaves out, the most important first: luck, the hash rate
    that the shares imply, the measured hash rates of the last ten minutes, and costs."""
    summary = view.summary
    return [
        *_luck(summary, width), *_implied(summary, width), *history_line(view.history, width, ascii_only),
        *_costs(summary, width),
    ]  # fmt: skip


def _power(summary: Summary) -> str:
    if summary.power_w is None:
        return ""
    return f"{'at least ' if summary.power_is_partial else ''}{summary.power_w:,.0f} W"


def _job(view: View, width: int) -> list[Text]:
    summary, active = view.summary, view.mined_on
    name = address(summary.pool if active is None else active.name)
    worker = summary.worker_name if active is None else active.worker_name
    room = max(LEAST_WORKER, width - LABEL - len(f"{name} · worker "))
    lines = packed([name, f"worker {shortened(worker, room)}", *_latency(active)], width, label="pool")
    job = summary.job
    if job is None:
        return [*lines, *field("job", "none", width)]
    items = [f"block {summary.height:,}"] if summary.height is not None else []
    share, block = scaled_difficulty_text(job.share_difficulty), scaled_difficulty_text(job.network_difficulty)
    difficulty = f"{share}, each share is a block" if _is_easy(summary) else f"{share} a share, {block} a block"
    items += [f"{duration_text(job.age_s)} old", f"difficulty {difficulty}"]
    return [*lines, *packed(items, width, label="job")]


def _is_easy(summary: Summary) -> bool:
    """Return whether every share solves a block, as on a private block chain."""
    return summary.job is not None and summary.job.share_difficulty >= summary.job.network_difficulty


def _latency(pool: PoolView | None) -> list[str]:
    if pool is None or pool.latency_p50_ms is None:
        return []
    most = "" if pool.latency_p99_ms is None else f" (99 %: {latency_text(pool.latency_p99_ms)})"
    return [f"answers in {latency_text(pool.latency_p50_ms)}{most}"]


def _rates(summary: Summary, width: int) -> list[Text]:
    """Return the lines with the average hash rates of several time windows and of the whole run.

    A window that is longer than the run so far is left out, because its average would be the same as that of the whole
    run. In the first minute of the run, the average of the whole run is left out.
    """
    windows = (
        ("5 s", 5, summary.hash_rate_5s),
        ("5 m", 300, summary.hash_rate_5m),
        ("15 m", 900, summary.hash_rate_15m),
        ("all", 60, summary.hash_rate),
    )
    rates = [f"{name} {hash_rate_text(rate)}" for name, seconds, rate in windows if summary.elapsed_s > seconds]
    return packed(rates, width, label="rate")


def _implied(summary: Summary, width: int) -> list[Text]:
    implied = summary.implied_hash_rate
    if implied is None:
        return []
    bounds = f"95 %: {hash_rate_text(implied.low)} to {hash_rate_text(implied.high)}"
    return packed([hash_rate_text(implied.value), bounds], width, label="from shares")


def _shares(summary: Summary, width: int) -> list[Text]:
    shares = summary.shares
    counts = [
        Text(f"{shares.accepted:,} accepted", "green"),
        Text(f"{shares.rejected:,} rejected", "red" if shares.rejected else ""),
        Text(f"{shares.stale:,} stale", "yellow" if shares.stale else ""),
        Text(f"{shares.lost:,} lost", "red" if shares.lost else ""),
    ]
    if shares.open:
        counts.append(Text(f"{shares.open:,} open", "dim"))
    lines = packed(counts, width, label="shares")
    if summary.hardware_errors:
        errors = Text(f"{summary.hardware_errors:,} wrong nonces", "red")
        lines += packed([errors], width, label="errors")
    return lines


def _luck(summary: Summary, width: int) -> list[Text]:
    luck = summary.luck
    items = [f"best share {scaled_difficulty_text(summary.best_share)}"] if summary.best_share else []
    if summary.blocks_accepted:
        items.append(f"{summary.blocks_accepted:,} block{'s' if summary.blocks_accepted != 1 else ''} solved")
    if luck.ratio is not None:
        bounds = "" if luck.low is None or luck.high is None else f" ({luck.low:.2f} to {luck.high:.2f})"
        items.append(f"luck {luck.ratio:.2f}{bounds}")
    if summary.share_every_s is not None:
        items.append(f"a share every {span_text(summary.share_every_s)} on average")
    if summary.last_share_age_s is not None:
        items.append(f"the last {duration_text(summary.last_share_age_s)} ago")
    return packed(items, width, label=" ")


def _costs(summary: Summary, width: int) -> list[Text]:
    day, so_far, profit, block = (
        value if isinstance(value := (summary.economics or {}).get(name), int | float) else None
        for name in ("electricity_per_day", "electricity_so_far", "profit_per_day", "seconds_per_block")
    )
    items = [] if profit is None else [f"{'earns' if profit >= 0 else 'loses'} {abs(profit):.4f} a day"]
    items += [] if day is None else [f"electricity {day:.2f} a day"]
    items += [] if so_far is None else [f"{so_far:.4f} so far"]
    if summary.joules_per_terahash is not None:
        items.append(efficiency_text(summary.joules_per_terahash))
    if block is not None and not _is_easy(summary):
        items.append(f"a block here takes {span_text(block)} on average")
    return packed(items, width, label="costs")


def address(name: str) -> str:
    """Return the name of a pool without the scheme ``stratum+tcp://``, if the name begins with it."""
    return name.removeprefix("stratum+tcp://")
