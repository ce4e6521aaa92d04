"""The tables of a profit scenario, as headings and rows of text. The terminal and the HTML page both show them."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import NamedTuple

from stratum_miner.economics import schemes
from stratum_miner.economics.profit.result import PERIODS, machine_operation
from stratum_miner.economics.profit.scenario import Scenario
from stratum_miner.quantities import MIN_SHOWN_BITCOIN, amount, hash_rate_text, rounded

MOST_DIGITS = 12
"""Maximum number of decimal places of an amount of coins."""


class Rows(NamedTuple):
    """The contents of a table: the first column of each row contains words, the others contain numbers."""

    heads: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


def comparison(scenarios: Sequence[Scenario]) -> Rows:
    """Return the comparison of several scenarios; money is per month."""
    month = PERIODS["month"]
    rows = []
    for scenario in scenarios:
        operation, returned = scenario.operation, scenario.payback
        priced = scenario.price is not None
        even = operation.break_even_electricity
        rows.append((
            scenario.name,
            hash_rate_text(operation.hash_rate),
            rounded(float(operation.joules_per_terahash)),
            _amount(operation.revenue_per_day * month, priced),
            _amount(operation.costs_per_day * month, True),
            _amount(operation.profit_per_day * month, priced),
            f"{float(even):.4g}" if priced and even is not None else "-",
            "-" if returned is None else f"{returned.days} d" if returned.days else "never",
        ))  # fmt: skip
    return Rows(("scenario", "hash rate", "J/TH", "revenue", "costs", "profit", "even/kWh", "repaid"), rows)


def periods(scenario: Scenario) -> Rows:
    """Return the mined coins, the revenue, the costs and the profit per hour, day, month and year. Columns whose values
    are not known are left out."""
    operation, priced = scenario.operation, scenario.price is not None
    columns = {
        "revenue": operation.revenue_per_day if priced else None,
        "electricity": operation.electricity_per_day,
        "other costs": operation.other_costs_per_day or None,
        "profit": operation.profit_per_day if priced else None,
        "depreciation": scenario.depreciation_per_day,
    }
    shown = {name: value for name, value in columns.items() if value is not None}
    size = operation.revenue_per_day + operation.costs_per_day
    digits = 4 if size < 100 else 2 if size < 10**5 else 0
    unit, coins = coins_of(operation.btc_per_day_net * PERIODS["year"], operation.btc_per_day_net * PERIODS["hour"])
    rows = [
        (
            name,
            coins(operation.btc_per_day_net * days),
            *(f"{value * days:,.{digits}f}" for value in shown.values()),
        )
        for name, days in PERIODS.items()
    ]
    return Rows(("per", unit, *shown), rows)


def fleet(scenario: Scenario) -> Rows:
    """Return the figures of each kind of machine; money is per day."""
    priced = scenario.price is not None
    rows = []
    for index, machine in enumerate(scenario.machines):
        operation = machine_operation(scenario, index)
        rows.append((
            machine.name or "-",
            str(machine.count),
            hash_rate_text(operation.hash_rate),
            f"{operation.power:,.0f}",
            rounded(float(operation.joules_per_terahash)),
            _amount(operation.revenue_per_day, priced),
            _amount(operation.electricity_per_day, True),
            _amount(operation.profit_per_day, priced),
        ))  # fmt: skip
    return Rows(("per day", "count", "hash rate", "W", "J/TH", "revenue", "power", "profit"), rows)


def payouts(scenario: Scenario, period: str) -> Rows:
    """Return the mean, the quantiles and the spread of the income in a period, such as a month, under each payout
    scheme. The unit of the amounts is ``payout_unit``, whatever the period is."""
    compared = schemes.compare(scenario.operation, scenario.pool, float(PERIODS[period]), scenario.fees)
    _, coins = _payout_coins(scenario)
    rows = [
        (
            item.scheme,
            coins(item.mean),
            *map(coins, item.quantiles()),
            f"{item.relative_spread:.2%}" if item.relative_spread < 10 else f"{item.relative_spread:.0f}x",
            _probability(item.probability_of_nothing),
        )
        for item in compared
    ]
    columns = [f"{probability:.0%}" for probability in schemes.QUANTILES]
    return Rows((period, "mean", *columns, "spread", "no income"), rows)


def payout_unit(scenario: Scenario) -> str:
    """Return the unit of the amounts of ``payouts``: satoshis or bitcoin."""
    return _payout_coins(scenario)[0]


def _payout_coins(scenario: Scenario) -> tuple[str, Callable[[Decimal], str]]:
    mean = scenario.operation.btc_per_day_net
    return coins_of(mean * PERIODS["year"], mean * PERIODS["month"])


def coins_of(largest: Decimal, smallest: Decimal) -> tuple[str, Callable[[Decimal], str]]:
    """Return the unit of a column of coins, and the function that formats its amounts.

    The unit is bitcoin if ``largest``, which is in bitcoin, is 0.01 or more, otherwise satoshis. Zero is shown as
    ``0``. All other amounts have the same number of decimal places, enough for three significant digits of
    ``smallest``.
    """
    unit, size = ("satoshis", 100_000_000) if largest < Decimal(str(MIN_SHOWN_BITCOIN)) else ("bitcoin", 1)
    digits = max(0, min(MOST_DIGITS, 2 - (smallest * size).adjusted())) if smallest else 0
    return unit, lambda value: f"{value * size:,.{digits}f}" if value else "0"


def _amount(value: Decimal, known: bool) -> str:
    return amount(float(value)) if known else "-"


def _probability(value: float) -> str:
    return "-" if value < 5e-6 else f"{value:.3%}" if value < 0.99999 else ">99.999%"
