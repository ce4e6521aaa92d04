"""One or several profit scenarios as an HTML page."""

from collections.abc import Sequence
from html import escape

from stratum_miner.economics.profit.scenario import Scenario
from stratum_miner.quantities import hash_rate_text, scaled_difficulty_text
from stratum_miner.reports import profit_tables, profit_text
from stratum_miner.reports.page import document, figure, paragraph, table
from stratum_miner.reports.profit_charts import figures

_STYLE = """
.source td:last-child, .source th:last-child { text-align: left; white-space: normal; color: var(--soft); }
"""


def page(scenarios: Sequence[Scenario]) -> str:
    """Return the whole HTML document."""
    several = len(scenarios) > 1
    sections = [_section(scenario, named=several) for scenario in scenarios]
    if several:
        title = "Comparison of the scenarios (money per month)"
        never = "".join(paragraph(line, "lead bad") for line in profit_text.never_repaid(scenarios))
        sections.insert(0, never + table(title, *profit_tables.comparison(scenarios), level=3))
    return document("What mining earns", sections, style=_STYLE, note="These figures are not a forecast.")


def _section(scenario: Scenario, *, named: bool) -> str:
    first, *rest = profit_text.sentences(scenario)
    lead = "lead bad" if profit_text.makes_a_loss(scenario) else "lead"
    parts = [f"<h2>{escape(scenario.name)}</h2>" if named else "", paragraph(first, lead), *map(paragraph, rest)]
    parts.append(table("", *profit_tables.periods(scenario)))
    if len(scenario.machines) > 1 or scenario.machines[0].count > 1:
        parts.append(_fleet(scenario))
    parts += map(paragraph, profit_text.solo_odds(scenario))
    parts += [
        paragraph(line, "soft") for line in (*scenario.warnings, *profit_text.assumptions(scenario), _assumed(scenario))
    ]
    parts += map(figure, figures(scenario))
    parts += [_payouts(scenario, period) for period in ("month", "year")]
    return f"<section>{''.join(parts)}</section>"


def _fleet(scenario: Scenario) -> str:
    heads, rows = profit_tables.fleet(scenario)
    sources = [f"{item.source} ({item.date})" if item.source else "given" for item in scenario.machines]
    sourced = [(*row, source) for row, source in zip(rows, sources, strict=True)]
    return f'<div class="source">{table("Machines", (*heads, "source"), sourced, level=3)}</div>'


def _payouts(scenario: Scenario, period: str) -> str:
    title = (
        f"Income of a {period} by payout scheme: the mean, and the amount that it does not exceed with each probability"
    )
    unit = paragraph(
        f"Amounts are in {profit_tables.payout_unit(scenario)}. "
        "The spread is the standard deviation divided by the mean.",
        "soft",
    )
    return table(title, *profit_tables.payouts(scenario, period), level=3) + unit


def _assumed(scenario: Scenario) -> str:
    operation = scenario.operation
    price = f", price {scenario.price:f} {scenario.currency}".rstrip() if scenario.price is not None else ""
    dates = "".join(f", {what} of {day}" for what, day in scenario.dates.items())
    return (
        f"Calculated with difficulty {scaled_difficulty_text(operation.difficulty)}, "
        f"{operation.block_reward:f} bitcoin per block{price}, electricity "
        f"{operation.electricity:f} per kWh, pool fee {operation.pool_fee:.2%}, stale shares {operation.stale:.2%}, "
        f"uptime {operation.uptime:.2%}{dates}; hash rate of the pool {hash_rate_text(scenario.pool.hash_rate)}."
    )
