"""A load test as text of 80 columns: the progress, the result, and the comparison with an earlier run."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from stratum_miner.loadtest import thresholds
from stratum_miner.loadtest.generator import Progress
from stratum_miner.loadtest.metrics import PHASES, Metrics
from stratum_miner.loadtest.plan import DEFAULT_SHARE_RATE, LoadPlan
from stratum_miner.loadtest.report import QUANTILES, LoadReport, milliseconds, phase_json
from stratum_miner.loadtest.thresholds import figure_text
from stratum_miner.plots.text_table import text_table
from stratum_miner.quantities import duration_text, milliseconds_text

_MOST_SHOWN = 8
"""Maximum number of lines in each of these lists: reasons of rejected shares, reasons why connections ended, errors."""
_NARROW = {"unreliable": "unre-\nliable"}
"""Replacements for the long headings of the table of latencies. The key is the heading; the value is the same heading
in two lines, so that the table fits into 80 columns."""
OVERHEAD = "  overhead"
"""Heading of the row that shows the overhead of the latencies in the row above it."""
BOUND_HINT = (
    "The pool may be better than these figures: use a lower share rate, an easier difficulty of the pool, or "
    "more processes (--cluster)"
)
"""What to do if the figures of a run are bound by this computer."""


def live(
    plan: LoadPlan, progress: Progress, metrics: Metrics, before: Progress | None, output: Console
) -> RenderableType:
    """Return what the terminal shows during a load test: a line of progress and the table of latencies.

    The line shows the rate of shares since ``before``, an earlier progress, or since the start if ``before`` is None.
    """
    rate = _rate(progress, before)
    line = (
        f"{progress.mining:,} of {plan.miners:,} mining | {rate:,.0f} shares/s | accepted {progress.accepted:,}, "
        f"rejected {progress.refused:,} | {duration_text(progress.elapsed)} of {duration_text(plan.duration)}"
    )
    doubts = [Text(f"NOTE {metrics.doubt}")] if metrics.doubt else []
    return Group(Text(line, style="bold", no_wrap=True, overflow="ellipsis"), *doubts, _phases(metrics, output))


def progress_fields(progress: Progress, before: Progress | None) -> dict[str, Any]:
    """Return the fields of the log line about the progress of a load test.

    One field is the rate of shares since ``before``, an earlier progress, or since the start if ``before`` is None.
    """
    return {
        "mining": progress.mining,
        "shares_per_s": round(_rate(progress, before)),
        "accepted": progress.accepted,
        "refused": progress.refused,
        "errors": progress.errors or None,
        "submit_p99": milliseconds_text(milliseconds(progress.submit_p99)),
        "lag_p99": milliseconds_text(milliseconds(progress.lag_p99)),
    }


def show(report: LoadReport, output: Console) -> None:
    """Print the whole result."""
    metrics = report.metrics
    for line in _lead(report):
        output.print(line, markup=False, soft_wrap=not output.is_terminal)
    output.print(_phases(metrics, output))
    for line in _details(report):
        output.print(line, markup=False, soft_wrap=not output.is_terminal)


def latencies(metrics: Metrics) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
    """Return the headings and rows of the table of latencies.

    Each phase of a test, such as connect or submit, has a row with its latencies and the fraction of unreliable
    samples. The row below it shows the part of the latencies that the load generator itself may have caused (overhead).
    The last row is the lag of the event loop.
    """
    rows = []
    for name in PHASES:
        row = phase_json(metrics.phases[name])
        cells = [milliseconds_text(row[f"{quantile}_ms"]) for quantile in QUANTILES]
        marked = f"{row['marked'] / row['count']:.1%}" if row["marked"] else "-"
        rows.append([name.replace("_", " "), f"{row['count']:,}", *cells, marked])
        if row["count"]:
            own = [milliseconds_text(row[f"own_{quantile}_ms"]) for quantile in QUANTILES]
            rows.append([OVERHEAD, "", *own, ""])
    lag = metrics.loop_lag.quantiles(tuple(QUANTILES.values()))
    cells = [milliseconds_text(milliseconds(value)) for value in lag]
    rows.append(["loop lag", f"{metrics.loop_lag.count:,}", *cells, ""])
    return ("phase", "count", *map(_heading, QUANTILES), "unreliable"), rows


def _phases(metrics: Metrics, output: Console) -> Table:
    heads, rows = latencies(metrics)
    table = text_table(output, [_NARROW.get(head, head) for head in heads])
    for row in rows:
        table.add_row(*row)
    return table


def _lead(report: LoadReport) -> list[str]:
    plan, metrics = report.plan, report.metrics
    early = " (interrupted)" if report.interrupted else ""
    lines = [
        f"{plan.miners:,} miners on {plan.host}:{plan.port} for {duration_text(report.duration)}{early}: "
        f"at most {metrics.most_mining:,} mining, {report.shares_per_second:,.1f} shares/s accepted"
    ]
    if report.pool_failure:
        lines.append(f"ENDED EARLY {report.pool_failure}. The figures end at that time")
    rate = report.used_share_rate
    if rate is not None:
        lines.append(chosen_rate(report, rate))
    if metrics.doubt:
        lines.append(f"NOTE {metrics.doubt}")
    if report.bounds:
        lines += [f"BOUND BY THIS COMPUTER {bound}" for bound in report.bounds]
        lines.append(f"  {BOUND_HINT}")
    lines += [
        f"LOST {'worker ' + shard.worker if shard.worker else 'this process'} with {shard.miners:,} miners after "
        f"{duration_text(shard.lost_at or 0.0)}: {shard.reason}. Its figures end at that time"
        for shard in report.lost
    ]
    return lines


def _details(report: LoadReport) -> list[str]:
    metrics = report.metrics
    refused = metrics.refused.total()
    lines = [
        f"shares: {metrics.sent:,} sent, {metrics.accepted:,} accepted, {refused:,} rejected, {metrics.lost:,} lost, "
        f"{metrics.unanswered:,} unanswered, {metrics.late:,} found late"
    ]
    lines += [f"  rejected: {reason} {count:,}" for reason, count in metrics.refused.most_common(_MOST_SHOWN)]
    for kind, bad in sorted(metrics.bad.items()):
        accepted = "" if not bad.accepted else f", {bad.accepted:,} ACCEPTED"
        lines.append(f"  faulty: {kind} {bad.sent:,} sent, {bad.refused:,} rejected{accepted}")
        if bad.not_possible:
            lines.append(f"    not possible for {bad.not_possible:,} shares, sent without the fault: {bad.reason}")
    lines.append(f"connections: {metrics.connections:,} made; {_spread(metrics)}")
    lines += [f"  ended: {reason} {count:,}" for reason, count in metrics.endings.most_common(_MOST_SHOWN)]
    lines += [f"  ERROR: {what} {count:,}" for what, count in metrics.errors.most_common(_MOST_SHOWN)]
    memory = figure_text("memory_per_miner", report.memory_per_miner)
    lines.append(
        f"load generator: {memory} per miner, {_processor(report)}. A latency is unreliable if the generator may have "
        "caused most of it"
    )
    lines += [f"FAILED {failure}" for failure in report.failures]
    return lines


def chosen_rate(report: LoadReport, rate: float) -> str:
    """Return a sentence that says which rate of shares the load generator chose, and why. ``rate`` is that rate, in
    shares per second of one miner."""
    metrics = report.metrics
    text = f"no rate was asked for, so each miner finds {rate:.3g} shares/s on average"
    if rate >= DEFAULT_SHARE_RATE:
        return text
    return (
        f"{text}, the highest rate that this computer reaches: {DEFAULT_SHARE_RATE} shares/s of each miner need "
        f"{metrics.needed_hash_rate / 1e6:,.3g} MH/s, and it searches {metrics.hash_rate / 1e6:,.3g} MH/s beside its "
        "other work"
    )


def _processor(report: LoadReport) -> str:
    each = report.processor_per_share
    per_share = "" if each is None else f", {each * 1e6:,.0f} µs per share"
    return f"{report.metrics.processor_s:,.2f} s of processor time{per_share}"


def comparison(before: Mapping[str, Any], after: Mapping[str, Any], output: Console) -> None:
    """Print the figures of two runs side by side."""
    for line in thresholds.different_settings(before, after):
        output.print(f"different settings: {line}", markup=False, soft_wrap=not output.is_terminal)
    table = text_table(output, ("figure", "before", "after", "change"), between=2)
    for change in thresholds.compare(before, after):
        figures = (figure_text(change.figure, change.before), figure_text(change.figure, change.after))
        table.add_row(change.figure, *figures, change_text(change.ratio))
    output.print(table)


def change_text(ratio: float | None) -> str:
    """Return as text how much a figure has changed. ``ratio`` is the new figure divided by the old one.

    The text is a percentage such as ``+12.5%``. If the ratio is at least 3, the text is a factor such as ``x 4.2``. If
    the figures cannot be divided (``ratio`` is None), the text is ``-``.
    """
    if ratio is None:
        return "-"
    return f"x {ratio:.3g}" if ratio >= 3 else f"{ratio - 1:+.1%}"


def reasons(counts: Mapping[str, int]) -> Sequence[tuple[str, str]]:
    """Return the rows of a table that shows how often each reason occurred, the most frequent first."""
    return [(name, f"{count:,}") for name, count in sorted(counts.items(), key=lambda item: -item[1])]


def _rate(progress: Progress, before: Progress | None) -> float:
    if before is None:
        return progress.accepted / progress.elapsed if progress.elapsed else 0.0
    elapsed = progress.elapsed - before.elapsed
    return (progress.accepted - before.accepted) / elapsed if elapsed > 0 else 0.0


def _heading(quantile: str) -> str:
    return "p99.9" if quantile == "p999" else quantile


def _spread(metrics: Metrics) -> str:
    compared = [(spread.seconds, spread) for spread in metrics.notifies.values() if spread.seconds is not None]
    if not compared:
        came = "no new block came" if not metrics.notifies else "no new block came to two miners"
        return f"{came}, so the spread of its jobs was not measured"
    seconds, widest = max(compared, key=lambda item: item[0])
    return (
        f"{len(metrics.notifies):,} new blocks; the jobs on the slowest reached {widest.miners:,} miners within "
        f"{milliseconds_text(milliseconds(seconds))}"
    )
