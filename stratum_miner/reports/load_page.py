"""A run as one self-contained page: no script, no request, light or dark as read."""

from collections.abc import Iterable
from datetime import UTC, datetime
from html import escape

from stratum_miner import __version__
from stratum_miner.loadtest.metrics import PHASES
from stratum_miner.loadtest.report import QUANTILES, LoadReport, milliseconds, phase_json
from stratum_miner.loadtest.thresholds import figure_text
from stratum_miner.plots import svg
from stratum_miner.plots.figure import LineChart, Series
from stratum_miner.quantities import duration_text, milliseconds_text
from stratum_miner.reports import load_text

POINTS = 120
"""Of a curve."""
NINES = 3.6
"""Curves of quantiles end at 99.975 %."""

_STYLE = """
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.55 system-ui, sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.6rem; margin: .2rem 0; } h2 { font-size: 1.25rem; margin: 2.2rem 0 .4rem; }
.lead { font-size: 1.15rem; } .soft, figcaption, footer { color: var(--soft); font-size: .9rem; }
.bad { color: rgb(var(--loss)); font-weight: 600; }
figure { margin: 1.4rem 0; padding: 1rem; background: var(--panel); border-radius: .6rem; overflow-x: auto; }
figure svg { min-width: 34rem; }
figcaption strong { color: var(--ink); display: block; font-size: 1rem; margin-bottom: .6rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .6rem; text-align: right; border-bottom: 1px solid var(--grid); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
th { color: var(--soft); font-weight: 600; }
"""


def page(report: LoadReport) -> str:
    """The whole document."""
    plan, metrics = report.plan, report.metrics
    title = f"{plan.miners:,} miners on {plan.host}:{plan.port}"
    body = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="lead">{metrics.most_mining:,} mined at most, {report.shares_per_second:,.1f} shares a second were '
        f"accepted over {duration_text(report.duration)}.</p>",
        *(f'<p class="bad">Failed: {escape(failure)}</p>' for failure in report.failures),
        *(
            f'<p class="bad">Worker {escape(shard.worker)} with {shard.miners:,} miners was lost after '
            f"{duration_text(shard.lost_at or 0.0)}: {escape(shard.reason)}. Its figures end there.</p>"
            for shard in report.lost
        ),
        _phases(report),
        *(_figure(figure) for figure in figures(report)),
        _outcomes(report),
        _settings(report),
    ]
    made = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    body.append(f"<footer>Made by stratum-miner {escape(__version__)} on {made}.</footer>")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{svg.STYLE}{_STYLE}</style></head><body><main>{''.join(body)}</main>"
        "</body></html>\n"
    )


def figures(report: LoadReport) -> list[LineChart]:
    """Those for which there is something to draw."""
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
        series.append(Series("the generator's own part", _ms(report.metrics.phases[present[0]].own.curve(shares))))
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
    rows = []
    for name in PHASES:
        row = phase_json(report.metrics.phases[name])
        cells = [milliseconds_text(row[f"{quantile}_ms"]) for quantile in QUANTILES]
        marked = f"{row['marked']:,}"
        rows.append((name.replace("_", " "), f"{row['count']:,}", *cells, milliseconds_text(row["own_p99_ms"]), marked))
    lag = report.metrics.loop_lag
    values = lag.quantiles(tuple(QUANTILES.values()))
    rows.append(("loop lag", f"{lag.count:,}", *(milliseconds_text(milliseconds(value)) for value in values), "-", "-"))
    note = (
        '<p class="soft">Own p99 is the part of a latency that may be the generator\'s; marked are the samples of '
        "which that is most.</p>"
    )
    return _table("Latencies", ("phase", "count", *map(load_text.heading, QUANTILES), "own p99", "marked"), rows) + note


def _outcomes(report: LoadReport) -> str:
    metrics = report.metrics
    shares = [
        ("sent", metrics.sent),
        ("accepted", metrics.accepted),
        ("lost with their connection", metrics.lost),
        ("unanswered at the end", metrics.unanswered),
        ("found late", metrics.late),
    ]
    parts = [_table("Shares", ("", "count"), [(name, f"{count:,}") for name, count in shares])]
    for title, counts in (
        ("Refused, by the pool's reason", metrics.refused),
        ("Connections that ended", metrics.endings),
        ("Errors", metrics.errors),
    ):
        if counts:
            parts.append(_table(title, ("reason", "count"), load_text.reasons(counts)))
    if metrics.bad:
        rows = [
            (kind, f"{count.sent:,}", f"{count.refused:,}", f"{count.accepted:,}")
            for kind, count in sorted(metrics.bad.items())
        ]
        parts.append(_table("Bad submits", ("kind", "sent", "refused", "accepted"), rows))
    return "".join(parts)


def _settings(report: LoadReport) -> str:
    settings = report.to_json()["settings"]
    rows = [(name.replace("_", " "), str(value)) for name, value in settings.items() if value not in (None, {}, [])]
    rows.append(("memory per miner", figure_text("memory_per_miner", report.memory_per_miner)))
    return _table("The run", ("setting", "value"), rows)


def _figure(figure: LineChart) -> str:
    return (
        f"<figure><figcaption><strong>{escape(figure.title)}</strong></figcaption>{svg.render(figure)}"
        f"<figcaption>{escape(figure.note)}</figcaption></figure>"
    )


def _table(title: str, heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in heads)
    body = "".join(f"<tr>{''.join(f'<td>{escape(text)}</td>' for text in row)}</tr>" for row in rows)
    return (
        f'<h2>{escape(title)}</h2><div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
        "</div>"
    )


def _ms(seconds: Iterable[float]) -> tuple[float, ...]:
    return tuple(value * 1e3 for value in seconds)
