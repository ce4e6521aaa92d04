"""A scenario, or several side by side, as a page."""

from collections.abc import Sequence
from decimal import Decimal
from html import escape

from stratum_miner.economics import schemes
from stratum_miner.economics.profit.result import PERIODS, machine_operation
from stratum_miner.economics.profit.scenario import Scenario
from stratum_miner.quantities import amount, hash_rate_text, rounded
from stratum_miner.reports import profit_text
from stratum_miner.reports.page import document, figure, paragraph, table
from stratum_miner.reports.profit_charts import figures

_STYLE = """
.source td:last-child, .source th:last-child { text-align: left; white-space: normal; color: var(--soft); }
"""


def page(scenarios: Sequence[Scenario]) -> str:
    """The whole document."""
    several = len(scenarios) > 1
    sections = [_section(scenario, named=several) for scenario in scenarios]
    if several:
        sections.insert(0, _comparison(scenarios))
    return document("What mining earns", sections, style=_STYLE, note="Nothing here is a forecast.")


def _section(scenario: Scenario, *, named: bool) -> str:
    first, *rest = profit_text.sentences(scenario)
    parts = [f"<h2>{escape(scenario.name)}</h2>" if named else "", paragraph(first, "lead"), *map(paragraph, rest)]
    parts.append(_periods(scenario))
    if len(scenario.machines) > 1 or scenario.machines[0].count > 1:
        parts.append(_fleet(scenario))
    parts += map(paragraph, profit_text.chances(scenario))
    parts += [paragraph(line, "soft") for line in (*scenario.doubts, _assumed(scenario))]
    parts += map(figure, figures(scenario))
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
    return table("Side by side", heads, rows, level=3)


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
    return table("", ("per", "bitcoin", *(name for name, _ in shown)), rows, level=3)


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
    return f'<div class="source">{table("Machines", heads, rows, level=3)}</div>'


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
    return table(title, heads, rows, level=3)


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


def _amount(value: Decimal, known: bool) -> str:
    return amount(float(value)) if known else "-"
