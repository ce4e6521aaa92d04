"""The result of a load test as an HTML page: latencies, charts over time, and the results of the shares."""

from collections.abc import Iterable

from stratum_miner.loadtest.report import LoadReport
from stratum_miner.loadtest.thresholds import figure_text
from stratum_miner.plots.figure import LineChart, Series
from stratum_miner.quantities import duration_text, milliseconds_text
from stratum_miner.reports import load_text
from stratum_miner.reports.page import document, figure, paragraph, table

POINTS = 120
"""Approximate number of points of a curve."""
NINES = 3.6
"""Number of nines of the quantile at which a curve of latencies ends. The quantile 1 - 10^-n has n nines; for example,
99.9 % has 3. A quantile of 3.6 nines is 99.975 %."""


def page(report: LoadReport) -> str:
    """Return the whole HTML document."""
    plan, metrics = report.plan, report.metrics
    lead = (
        f"At most {metrics.most_mining:,} miners mined at the same time. The pool accepted "
        f"{report.shares_per_second:,.1f} shares per second over {duration_text(report.duration)}."
    )
    lost = (
        f"Worker {shard.worker} with {shard.miners:,} miners was lost after {duration_text(shard.lost_at or 0.0)}: "
        f"{shard.reason}. Its figures end there."
        for shard in report.lost
    )
    sections = [
        paragraph(lead, "lead"),
        *([paragraph(f"Ended early: {report.pool_failure}.", "bad")] if report.pool_failure else []),
        *(paragraph(f"Failed: {failure}", "bad") for failure in report.failures),
        *(paragraph(f"Bound by this computer: {bound}.", "bad") for bound in report.bounds),
        *([paragraph(f"{load_text.BOUND_HINT}.")] if report.bounds else []),
        *(paragraph(text, "bad") for text in lost),
        _phases(report),
        *map(figure, figures(report)),
        _outcomes(report),
        _settings(report),
    ]
    return document(f"{plan.miners:,} miners on {plan.host}:{plan.port}", sections)


def figures(report: LoadReport) -> list[LineChart]:
    """Return the charts for which there are data."""
    drawn = [
        _quantiles(report, "Time from when a share was due until the pool answered it", ("submit",)),
        _quantiles(
            report,
            "Time of each step from connecting to the first job",
            ("connect", "subscribe", "authorize", "first_job"),
        ),
        _quantiles(report, "Time from the first miner that received a job to each other miner", ("notify",)),
    ]
    return [figure for figure in (*drawn, *_over_time(report)) if figure is not None]


def _quantiles(report: LoadReport, title: str, names: tuple[str, ...]) -> LineChart | None:
    nines = [NINES * index / POINTS for index in range(POINTS + 1)]
    shares = [1 - 10**-each for each in nines]
    present = [name for name in names if report.metrics.phases[name].latency.count]
    if not present:
        return None
    series = []
    for name in present:
        phase = report.metrics.phases[name]
        series.append(Series(name.replace("_", " "), _ms(phase.latency.curve(shares))))
    if len(present) == 1:
        overhead = report.metrics.phases[present[0]].overhead
        series.append(Series("generator overhead", _ms(overhead.curve(shares))))
    return LineChart(
        title=title,
        x_name="percentage of samples that took at most this time",
        y_name="milliseconds",
        x=tuple(nines),
        series=tuple(series),
        x_label=lambda value: "0" if value == 0 else f"{(1 - 10**-value) * 100:.4g} %",
        y_label=milliseconds_text,
        note="Quantiles are at most 0.8 % too high. Each step to the right is ten times as rare.",
    )


def _over_time(report: LoadReport) -> list[LineChart | None]:
    rows = report.to_json()["timeline"]
    if len(rows) < 3:
        return []
    step = report.metrics.row_seconds
    x = tuple(row["at_s"] for row in rows)

    def chart(title: str, unit: str, series: tuple[Series, ...]) -> LineChart:
        return LineChart(title=title, x_name="seconds", y_name=unit, x=x, series=series)

    def column(name: str, factor: float = 1.0) -> tuple[float, ...]:
        return tuple((row[name] or 0.0) * factor for row in rows)

    return [
        chart(
            "Shares during the run",
            "shares per second",
            (
                Series("sent", column("sent", 1 / step)),
                Series("accepted", column("accepted", 1 / step)),
                Series("rejected", column("refused", 1 / step)),
            ),
        ),
        chart(
            "Time until the pool answered a share, during the run",
            "milliseconds",
            (
                Series("p99", column("submit_p99_ms")),
                Series("p50", column("submit_p50_ms")),
                Series("longest lag of the generator's loop", column("lag_max_ms")),
            ),
        ),
        chart("Miners with a job", "miners", (Series("mining", column("mining")),)),
    ]


def _phases(report: LoadReport) -> str:
    note = paragraph(
        "Overhead is the part of a latency that the load generator may have caused. A sample is unreliable if this may "
        "be most of it.",
        "soft",
    )
    return table("Latencies", *load_text.latencies(report.metrics)) + note


def _outcomes(report: LoadReport) -> str:
    metrics = report.metrics
    shares = [
        ("sent", metrics.sent),
        ("accepted", metrics.accepted),
        ("lost when the connection ended", metrics.lost),
        ("unanswered at the end", metrics.unanswered),
        ("found after they were due", metrics.late),
    ]
    parts = [table("Shares", ("", "count"), [(name, f"{count:,}") for name, count in shares])]
    for title, counts in (
        ("Rejected, by the pool's reason", metrics.refused),
        ("Connections that ended", metrics.endings),
        ("Errors", metrics.errors),
    ):
        if counts:
            parts.append(table(title, ("reason", "count"), load_text.reasons(counts)))
    if metrics.bad:
        rows = [
            (
                kind,
                f"{count.sent:,}",
                f"{count.refused:,}",
                f"{count.accepted:,}",
                f"{count.not_possible:,}{f': {count.reason}' if count.reason else ''}",
            )
            for kind, count in sorted(metrics.bad.items())
        ]
        parts.append(table("Faulty shares", ("fault", "sent", "rejected", "accepted", "not possible"), rows))
    return "".join(parts)


def _settings(report: LoadReport) -> str:
    settings = report.to_json()["settings"]
    rows = [(name.replace("_", " "), str(value)) for name, value in settings.items() if value not in (None, {}, [])]
    rows.append(("memory per miner", figure_text("memory_per_miner", report.memory_per_miner)))
    return table("Settings of the run", ("setting", "value"), rows)


def _ms(seconds: Iterable[float]) -> tuple[float, ...]:
    return tuple(value * 1e3 for value in seconds)
