"""The tables of a profit scenario, as headings and rows of text. The terminal and the HTML page both show them."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import NamedTuple

from stratum_miner.economics import schemes
from stratum_miner.economics.profit.result import PERIODS, machine_operation
from stratum_miner.economics.profit.scenario import Scenario
from stratum_miner.quantities import amount, hash_rate_text, rounded


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
            f"{even:.4g}" if priced and even is not None else "-",
            "-" if returned is None else f"{returned.days} d" if returned.days else "never",
        ))  # fmt: skip
    return Rows(("scenario", "hash rate", "J/TH", "revenue", "costs", "profit", "even/kWh", "repaid"), rows)


def periods(scenario: Scenario) -> Rows:
    """Return the mined bitcoin, the revenue, the costs and the profit per hour, day, month and year. Columns whose
    values are not known are left out."""
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
    coin_digits = 10 if digits > 2 else 7
    rows = [
        (
            name,
            f"{operation.btc_per_day_net * days:.{coin_digits}f}",
            *(f"{value * days:,.{digits}f}" for value in shown.values()),
        )
        for name, days in PERIODS.items()
    ]
    return Rows(("per", "bitcoin", *shown), rows)


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
    """Return the mean, the quantiles and the spread of the income under each payout scheme.

    Small amounts are integers in satoshis. Larger amounts are in bitcoin, with a decimal point."""
    compared = schemes.compare(scenario.operation, scenario.pool, float(PERIODS[period]), scenario.fees)
    coins = _coins(compared[1].mean)
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


def _amount(value: Decimal, known: bool) -> str:
    return amount(float(value)) if known else "-"


def _probability(value: float) -> str:
    return "-" if value < 5e-6 else f"{value:.3%}" if value < 0.99999 else ">99.999%"


def _coins(mean: Decimal) -> Callable[[Decimal], str]:
    """Return the function that formats the amounts of a table: in satoshis if the mean is below 0.01 bitcoin, else in
    bitcoin."""
    if mean < Decimal("0.01"):
        return lambda value: f"{value * 100_000_000:,.0f}"
    digits = max(0, 5 - max(0, mean.adjusted()))
    return lambda value: f"{value:.{digits}f}" if value else "0"
