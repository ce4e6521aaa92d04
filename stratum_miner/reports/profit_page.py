"""A scenario, or several side by side, as one self-contained page: no script, no request, light or dark as read."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from html import escape

from stratum_miner import __version__
from stratum_miner.economics import schemes
from stratum_miner.economics.profit.result import PERIODS, machine_operation
from stratum_miner.economics.profit.scenario import Scenario
from stratum_miner.plots import svg
from stratum_miner.quantities import amount, hash_rate_text, rounded
from stratum_miner.reports import profit_text
from stratum_miner.reports.profit_charts import figures

_STYLE = """
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.55 system-ui, sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.6rem; margin: .2rem 0; } h2 { font-size: 1.25rem; margin: 2.4rem 0 .4rem; }
h3 { font-size: 1rem; margin: 1.6rem 0 .4rem; }
.lead { font-size: 1.15rem; } .soft, figcaption, footer { color: var(--soft); font-size: .9rem; }
figure { margin: 1.4rem 0; padding: 1rem; background: var(--panel); border-radius: .6rem; overflow-x: auto; }
figure svg { min-width: 34rem; }
figcaption strong { color: var(--ink); display: block; font-size: 1rem; margin-bottom: .6rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .6rem; text-align: right; border-bottom: 1px solid var(--grid); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
.source td:last-child, .source th:last-child { text-align: left; white-space: normal; color: var(--soft); }
th { color: var(--soft); font-weight: 600; }
"""


def page(scenarios: Sequence[Scenario]) -> str:
    """The whole document."""
    title = "What mining earns"
    body = [f"<h1>{title}</h1>"]
    if len(scenarios) > 1:
        body.append(_comparison(scenarios))
    body += [_section(scenario, named=len(scenarios) > 1) for scenario in scenarios]
    made = datetime.now(UTC).date()
    body.append(f"<footer>Made by stratum-miner {escape(__version__)} on {made}. Nothing here is a forecast.</footer>")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{svg.STYLE}{_STYLE}</style></head><body><main>{''.join(body)}</main></body></html>\n"
    )


def _section(scenario: Scenario, *, named: bool) -> str:
    first, *rest = profit_text.sentences(scenario)
    parts = [f"<h2>{escape(scenario.name)}</h2>" if named else "", f'<p class="lead">{escape(first)}</p>']
    parts += [f"<p>{escape(line)}</p>" for line in rest]
    parts.append(_periods(scenario))
    if len(scenario.machines) > 1 or scenario.machines[0].count > 1:
        parts.append(_fleet(scenario))
    parts += [f"<p>{escape(line)}</p>" for line in profit_text.chances(scenario)]
    parts += [f'<p class="soft">{escape(line)}</p>' for line in (*scenario.doubts, _assumed(scenario))]
    for figure in figures(scenario):
        note = f"<span>{escape(figure.note)}</span>" if figure.note else ""
        parts.append(
            f"<figure><figcaption><strong>{escape(figure.title)}</strong></figcaption>{svg.render(figure)}"
            f"<figcaption>{note}</figcaption></figure>"
        )
    parts += [_payouts(scenario, period) for period in ("month", "year")]
    return f"<section>{''.join(parts)}</section>"


def _comparison(scenarios: Sequence[Scenario]) -> str:
    month = PERIODS["month"]
    rows = []
    for scenario in scenarios:
        operation, returned = scenario.operation, scenario.payback
        priced = scenario.price is not None
        rows.append((
            scenario.name,
            hash_rate_text(operation.hash_rate),
            rounded(float(operation.joules_per_terahash)),
            _amount(operation.revenue_per_day * month, priced),
            _amount(operation.costs_per_day * month, True),
            _amount(operation.profit_per_day * month, priced),
            "-" if returned is None else f"{returned.days} days" if returned.days else "never",
        ))  # fmt: skip
    heads = ("per month", "hash rate", "J/TH", "revenue", "costs", "profit", "paid back")
    return _table("Side by side", heads, rows)


def _periods(scenario: Scenario) -> str:
    operation, priced = scenario.operation, scenario.price is not None
    columns: list[tuple[str, Decimal | None]] = [
        ("revenue", operation.revenue_per_day if priced else None),
        ("electricity", operation.electricity_per_day),
        ("other costs", operation.other_costs_per_day or None),
        ("profit", operation.profit_per_day if priced else None),
        ("depreciation", scenario.depreciation_per_day),
    ]
    shown = [(name, value) for name, value in columns if value is not None]
    rows = [
        (
            name,
            f"{operation.btc_per_day_net * days:.10f}",
            *(f"{value * days:,.4f}" for _, value in shown),
        )
        for name, days in PERIODS.items()
    ]
    return _table("", ("per", "bitcoin", *(name for name, _ in shown)), rows)


def _fleet(scenario: Scenario) -> str:
    rows = []
    for index, machine in enumerate(scenario.machines):
        operation = machine_operation(scenario, index)
        source = f"{machine.source} ({machine.date})" if machine.source else "given"
        rows.append((
            machine.name or "-",
            str(machine.count),
            hash_rate_text(operation.hash_rate),
            f"{operation.power:,.0f} W",
            rounded(float(operation.joules_per_terahash)),
            _amount(operation.profit_per_day, scenario.price is not None),
            source,
        ))  # fmt: skip
    heads = ("machine", "count", "hash rate", "power", "J/TH", "profit a day", "source")
    return f'<div class="source">{_table("Machines", heads, rows)}</div>'


def _payouts(scenario: Scenario, period: str) -> str:
    compared = schemes.compare(scenario.operation, scenario.pool, float(PERIODS[period]), scenario.fees)
    rows = [
        (
            item.scheme,
            *(f"{float(value * 100_000_000):,.0f}" for value in (item.mean, *item.quantiles())),
            f"{item.chance_of_nothing:.3%}",
        )
        for item in compared
    ]
    heads = ("scheme", "mean", *(f"{chance:.0%}" for chance in schemes.QUANTILES), "nothing at all")
    title = f"A {period}'s income by payout scheme, satoshis at or below with each chance"
    return _table(title, heads, rows)


def _assumed(scenario: Scenario) -> str:
    operation = scenario.operation
    price = f", price {scenario.price:f} {scenario.currency}".rstrip() if scenario.price is not None else ""
    dates = "".join(f", {what} of {day}" for what, day in scenario.dates.items())
    return (
        f"Difficulty {operation.difficulty:.4g}, {operation.block_reward:f} bitcoin a block"
        f"{price}, electricity "
        f"{operation.electricity:f} per kWh, pool fee {operation.pool_fee:.2%}, stale {operation.stale:.2%}, uptime "
        f"{operation.uptime:.2%}{dates}; a pool of {hash_rate_text(scenario.pool.hash_rate)}."
    )


def _table(title: str, heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in heads)
    body = "".join(f"<tr>{''.join(f'<td>{escape(text)}</td>' for text in row)}</tr>" for row in rows)
    shown = f"<h3>{escape(title)}</h3>" if title else ""
    return f'{shown}<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _amount(value: Decimal, known: bool) -> str:
    return amount(float(value)) if known else "-"
