"""The charts of a profit scenario: the profit with changed inputs, the total profit over time, and the odds of solo
mining."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from stratum_miner.economics import odds, outlook, sensitivity
from stratum_miner.economics.outlook import Assumptions
from stratum_miner.economics.profit.scenario import Scenario
from stratum_miner.plots.figure import Bar, Figure, HeatMap, LineChart, Mark, Series, Tornado
from stratum_miner.quantities import amount, rounded, span_text, time_unit

FACTORS = tuple(Decimal(text) for text in ("0.5", "0.7", "0.85", "1", "1.2", "1.5", "2"))
"""Factors by which the heat maps multiply the scenario's price of a bitcoin and its price of a kWh."""
HERE = FACTORS.index(Decimal(1))
GROWTHS = (-0.02, -0.01, 0.0, 0.01, 0.02, 0.04, 0.06)
"""Values that the heat map adds to the scenario's growth of the difficulty. A growth is a fraction by which the
difficulty rises in each epoch of two weeks."""
GROWTH_HERE = GROWTHS.index(0.0)
POINTS = 160
"""Approximate number of points of a curve."""


def figures(scenario: Scenario) -> tuple[Figure, ...]:
    """Return all charts of the scenario. If the price of a bitcoin is not known, return only the chart of the solo
    odds."""
    if scenario.price is None:
        return (survival(scenario),)
    return (
        tornado(scenario),
        price_by_electricity(scenario),
        price_by_growth(scenario),
        cash_flow(scenario),
        survival(scenario),
    )


def tornado(scenario: Scenario) -> Tornado:
    """Return a chart with a bar for each input. The two ends of a bar are the profits per day with this input 10 %
    lower and 10 % higher."""
    swings = sensitivity.tornado(scenario.operation)
    return Tornado(
        title="Profit per day with each input 10 % lower and 10 % higher",
        centre=float(scenario.operation.profit_per_day),
        bars=tuple(Bar(swing.name, float(swing.lowered), float(swing.raised)) for swing in swings),
        label=amount,
    )


def price_by_electricity(scenario: Scenario) -> HeatMap:
    """Return a heat map of the profit per day. Its axes are the price of a bitcoin and the price of a kWh."""
    operation = scenario.operation
    base = operation.electricity or operation.break_even_electricity or Decimal(1)
    prices = [operation.price * factor for factor in FACTORS]
    costs = [base * factor for factor in FACTORS]
    grid = sensitivity.price_by_electricity(operation, prices, costs)
    return HeatMap(
        title="Profit per day by the price of a bitcoin and the price of a kWh",
        x_name="bitcoin",
        y_name="kWh",
        columns=tuple(_short(price) for price in prices),
        rows=tuple(f"{float(cost):.4g}" for cost in costs),
        values=tuple(tuple(float(value) for value in row) for row in grid),
        label=_cell_label(grid),
        here=(HERE, HERE),
        note="The frame marks the scenario"
        + ("." if operation.electricity else ", with the price of a kWh at which the profit is zero."),
    )


def price_by_growth(scenario: Scenario) -> HeatMap:
    """Return a heat map of the profit over the horizon. Its axes are the price of a bitcoin and the growth of the
    difficulty."""
    operation = scenario.operation
    prices = [operation.price * factor for factor in FACTORS]
    growths = [scenario.assumptions.growth + step for step in GROWTHS]
    grid = sensitivity.price_by_growth(operation, prices, growths, scenario.assumptions, scenario.horizon_days)
    years = scenario.horizon_days / odds.YEAR_DAYS
    outlay = " The purchase price is not subtracted." if scenario.capex else ""
    return HeatMap(
        title=f"Profit in {years:.3g} years by the price of a bitcoin and the growth of the difficulty per two weeks",
        x_name="bitcoin",
        y_name="growth",
        columns=tuple(_short(price) for price in prices),
        rows=tuple(f"{growth:+.1%}" for growth in growths),
        values=tuple(tuple(float(value) for value in row) for row in grid),
        label=_cell_label(grid),
        here=(GROWTH_HERE, HERE),
        note=f"The machines do not run on days that do not pay.{outlay}",
    )


def cash_flow(scenario: Scenario) -> LineChart:
    """Return the chart of the total profit so far, minus the purchase price, over time.

    The upper edge of the band around the curve is the profit if the difficulty grows more slowly than assumed, the
    lower edge the profit if it grows faster."""
    assumptions = scenario.assumptions
    step = max(1, scenario.horizon_days // POINTS)
    shown = range(0, scenario.horizon_days, step)
    x = tuple(day / odds.YEAR_DAYS for day in shown)
    middle, easier, harder = (
        _cumulative(scenario, replace(assumptions, growth=assumptions.growth + shift), step)
        for shift in (0.0, -scenario.band, scenario.band)
    )
    marks = [Mark(day / odds.YEAR_DAYS, "halving") for day in assumptions.halvings if day <= shown[-1]]
    returned = scenario.payback
    if returned is not None and returned.days is not None and returned.days <= shown[-1]:
        marks.append(Mark(returned.days / odds.YEAR_DAYS, "repaid"))
    return LineChart(
        title="Total profit so far" + (", minus the purchase price" if scenario.capex else ""),
        x_name="years",
        y_name="money" + (f" ({scenario.currency})" if scenario.currency else ""),
        x=x,
        series=(
            Series(
                f"difficulty growth {assumptions.growth:+.1%} per two weeks, band ±{scenario.band:.1%}",
                middle,
                harder,
                easier,
            ),
        ),
        marks=tuple(marks),
        y_label=amount,
        note="The machines also run on days that do not pay." if middle[-1] < max(middle) else "",
    )


def survival(scenario: Scenario) -> LineChart:
    """Return the chart of the probability that a solo miner has found no block yet, over time."""
    rate = scenario.operation.blocks_per_day
    seconds, unit = time_unit(86400 / rate)
    days = [3 / rate * index / POINTS for index in range(POINTS + 1)]
    in_unit = 86400 / seconds
    return LineChart(
        title="Solo mining: probability of no block so far",
        x_name=unit,
        y_name="probability",
        x=tuple(day * in_unit for day in days),
        series=(Series("no block yet", tuple(odds.probability_of_no_block(rate, day) for day in days)),),
        marks=tuple(
            Mark(wait * in_unit, f"{what}: {span_text(wait * 86400)}")
            for what, wait in (("median", odds.median_wait_days(rate)), ("mean", odds.mean_wait_days(rate)))
        ),
        x_label=rounded,
        y_label=lambda value: f"{value:.0%}",
        note="Waiting does not bring a block closer: after any wait, the curve begins again at its start.",
    )


def _cumulative(scenario: Scenario, assumptions: Assumptions, step: int) -> tuple[float, ...]:
    operation = scenario.operation
    start = float(scenario.capex or 0)
    run = outlook.days(operation.revenue_per_day, operation.costs_per_day, assumptions, scenario.horizon_days)
    return tuple(float(day.total) - start for day in run if day.number % step == 0)


def _cell_label(grid: Sequence[Sequence[Decimal]]) -> "_Label":
    return _Label(max(abs(value) for row in grid for value in row))


class _Label:
    """Converts the values in the cells of a heat map to text, all with the same unit and the same number of decimal
    places, so that they are easy to compare."""

    def __init__(self, largest: Decimal) -> None:
        sizes = ((10**13, "T"), (10**10, "G"), (10**7, "M"), (10**4, "k"))
        self._unit, self._suffix = next(((size / 10, name) for size, name in sizes if largest >= size), (1.0, ""))
        shown = float(largest) / self._unit
        self._digits = 0 if shown >= 100 else 1 if shown >= 10 else 2 if shown >= 1 else 3

    def __call__(self, value: float) -> str:
        rounded = round(value / self._unit, self._digits)
        return f"{rounded:+,.{self._digits}f}{self._suffix}" if rounded else "0"


def _short(price: Decimal) -> str:
    value = float(price)
    return f"{value / 1000:.4g}k" if value >= 10_000 else f"{value:.4g}"
