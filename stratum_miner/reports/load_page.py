"""A load test as a page: its latencies, their courses, what came of the shares."""

from collections.abc import Iterable

from stratum_miner.loadtest.report import LoadReport
from stratum_miner.loadtest.thresholds import figure_text
from stratum_miner.plots.figure import LineChart, Series
from stratum_miner.quantities import duration_text, milliseconds_text
from stratum_miner.reports import load_text
from stratum_miner.reports.page import document, figure, paragraph, table

POINTS = 120
"""The points of a curve."""
NINES = 3.6
"""Curves of quantiles end at 99.975 %."""


def page(report: LoadReport) -> str:
    """The whole document."""
    plan, metrics = report.plan, report.metrics
    lead = (
        f"{metrics.most_mining:,} mined at most, {report.shares_per_second:,.1f} shares a second were accepted over "
        f"{duration_text(report.duration)}."
    )
    lost = (
        f"Worker {shard.worker} with {shard.miners:,} miners was lost after {duration_text(shard.lost_at or 0.0)}: "
        f"{shard.reason}. Its figures end there."
        for shard in report.lost
    )
    sections = [
        paragraph(lead, "lead"),
        *(paragraph(f"Failed: {failure}", "bad") for failure in report.failures),
        *(paragraph(text, "bad") for text in lost),
        _phases(report),
        *map(figure, figures(report)),
        _outcomes(report),
        _settings(report),
    ]
    return document(f"{plan.miners:,} miners on {plan.host}:{plan.port}", sections)


def figures(report: LoadReport) -> list[LineChart]:
    """The figures for which there is something to draw."""
    drawn = [
        _quantiles(report, "The answer to a share, from the moment it was due", ("submit",)),
        _quantiles(report, "From the connection to the first job", ("connect", "subscribe", "authorize", "first_job")),
        _quantiles(report, "A job on its way to all miners, from the first that got it", ("notify",)),
    ]
    return [figure for figure in (*drawn, *_courses(report)) if figure is not None]


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
        series.append(Series("the generator's own part", _ms(report.metrics.phases[present[0]].overhead.curve(shares))))
    return LineChart(
        title=title,
        x_name="share of all that were at least as fast",
        y_name="milliseconds",
        x=tuple(nines),
        series=tuple(series),
        x_label=lambda value: "0" if value == 0 else f"{(1 - 10**-value) * 100:.4g} %",
        y_label=milliseconds_text,
        note="Quantiles at most 0.8 % above the truth. Each step to the right is ten times as rare.",
    )


def _courses(report: LoadReport) -> list[LineChart | None]:
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
            "Shares in the course of the run",
            "a second",
            (
                Series("sent", column("sent", 1 / step)),
                Series("accepted", column("accepted", 1 / step)),
                Series("refused", column("refused", 1 / step)),
            ),
        ),
        chart(
            "The answer to a share in the course of the run",
            "milliseconds",
            (
                Series("p99", column("submit_p99_ms")),
                Series("p50", column("submit_p50_ms")),
                Series("the loop's longest lag", column("lag_max_ms")),
            ),
        ),
        chart("Miners with a job", "miners", (Series("mining", column("mining")),)),
    ]


def _phases(report: LoadReport) -> str:
    note = paragraph(
        "Own p99 is the part of a latency that may be the generator's; marked are the samples of which that is most.",
        "soft",
    )
    return table("Latencies", *load_text.latencies(report.metrics)) + note


def _outcomes(report: LoadReport) -> str:
    metrics = report.metrics
    shares = [
        ("sent", metrics.sent),
        ("accepted", metrics.accepted),
        ("lost with their connection", metrics.lost),
        ("unanswered at the end", metrics.unanswered),
        ("found late", metrics.late),
    ]
    parts = [table("Shares", ("", "count"), [(name, f"{count:,}") for name, count in shares])]
    for title, counts in (
        ("Refused, by the pool's reason", metrics.refused),
        ("Connections that ended", metrics.endings),
        ("Errors", metrics.errors),
    ):
        if counts:
            parts.append(table(title, ("reason", "count"), load_text.reasons(counts)))
    if metrics.bad:
        rows = [
            (kind, f"{count.sent:,}", f"{count.refused:,}", f"{count.accepted:,}")
            for kind, count in sorted(metrics.bad.items())
        ]
        parts.append(table("Bad submits", ("kind", "sent", "refused", "accepted"), rows))
    return "".join(parts)


def _settings(report: LoadReport) -> str:
    settings = report.to_json()["settings"]
    rows = [(name.replace("_", " "), str(value)) for name, value in settings.items() if value not in (None, {}, [])]
    rows.append(("memory per miner", figure_text("memory_per_miner", report.memory_per_miner)))
    return table("The run", ("setting", "value"), rows)


def _ms(seconds: Iterable[float]) -> tuple[float, ...]:
    return tuple(value * 1e3 for value in seconds)
