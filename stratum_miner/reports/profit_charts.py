"""The pictures of a scenario: what it hangs on, where it pays, how the money runs, how long one waits alone."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from stratum_miner.economics import odds, outlook, sensitivity
from stratum_miner.economics.outlook import Assumptions
from stratum_miner.economics.profit.scenario import Scenario
from stratum_miner.plots.figure import Bar, Figure, HeatMap, LineChart, Mark, Series, Tornado
from stratum_miner.quantities import amount, rounded, span_text, time_unit

FACTORS = tuple(Decimal(text) for text in ("0.5", "0.7", "0.85", "1", "1.2", "1.5", "2"))
"""Factors of the price, and of the price of a kWh."""
HERE = FACTORS.index(Decimal(1))
GROWTHS = (-0.02, -0.01, 0.0, 0.01, 0.02, 0.04, 0.06)
"""Growths around the scenario's own, per epoch of two weeks."""
GROWTH_HERE = GROWTHS.index(0.0)
POINTS = 160
"""The points of a curve."""


def figures(scenario: Scenario) -> tuple[Figure, ...]:
    """All that can be drawn; without a price, only the chances."""
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
    """Profit per day with each input 10 % lower and higher."""
    swings = sensitivity.tornado(scenario.operation)
    return Tornado(
        title="What a day's profit hangs on, each input 10 % down and up",
        centre=float(scenario.operation.profit_per_day),
        bars=tuple(Bar(swing.name, float(swing.lowered), float(swing.raised)) for swing in swings),
        label=amount,
    )


def price_by_electricity(scenario: Scenario) -> HeatMap:
    """Profit per day."""
    operation = scenario.operation
    base = operation.electricity or operation.break_even_electricity or Decimal(1)
    prices = [operation.price * factor for factor in FACTORS]
    costs = [base * factor for factor in FACTORS]
    grid = sensitivity.price_by_electricity(operation, prices, costs)
    return HeatMap(
        title="Profit a day by the price of a bitcoin and of a kWh",
        x_name="price",
        y_name="kWh",
        columns=tuple(_short(price) for price in prices),
        rows=tuple(f"{float(cost):.4g}" for cost in costs),
        values=tuple(tuple(float(value) for value in row) for row in grid),
        label=_cell_label(grid),
        here=(HERE, HERE),
        note="The frame is the scenario"
        + ("." if operation.electricity else ", at the price of a kWh that it breaks even at."),
    )


def price_by_growth(scenario: Scenario) -> HeatMap:
    """Earned over the horizon, without the outlay."""
    operation = scenario.operation
    prices = [operation.price * factor for factor in FACTORS]
    growths = [scenario.assumptions.growth + step for step in GROWTHS]
    grid = sensitivity.price_by_growth(operation, prices, growths, scenario.assumptions, scenario.horizon_days)
    years = scenario.horizon_days / odds.YEAR_DAYS
    outlay = " The outlay is not taken off." if scenario.capex else ""
    return HeatMap(
        title=f"Earned in {years:.3g} years by the price and the growth of the difficulty in two weeks",
        x_name="price",
        y_name="growth",
        columns=tuple(_short(price) for price in prices),
        rows=tuple(f"{growth:+.1%}" for growth in growths),
        values=tuple(tuple(float(value) for value in row) for row in grid),
        label=_cell_label(grid),
        here=(GROWTH_HERE, HERE),
        note=f"Days that do not pay are not run.{outlay}",
    )


def cash_flow(scenario: Scenario) -> LineChart:
    """Cumulative, from the outlay on, with the growth of the difficulty a band lower and higher."""
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
        marks.append(Mark(returned.days / odds.YEAR_DAYS, "paid back"))
    return LineChart(
        title="Cash so far" + (", from the outlay on" if scenario.capex else ""),
        x_name="years",
        y_name="money" + (f" ({scenario.currency})" if scenario.currency else ""),
        x=x,
        series=(
            Series(
                f"difficulty {assumptions.growth:+.1%} in two weeks, ±{scenario.band:.1%} in the band",
                middle,
                harder,
                easier,
            ),
        ),
        marks=tuple(marks),
        y_label=amount,
        note="It goes on running when it no longer pays." if middle[-1] < max(middle) else "",
    )


def survival(scenario: Scenario) -> LineChart:
    """Chance that a miner alone has no block yet."""
    rate = scenario.operation.blocks_per_day
    seconds, unit = time_unit(86400 / rate)
    days = [3 / rate * index / POINTS for index in range(POINTS + 1)]
    in_unit = 86400 / seconds
    return LineChart(
        title="Alone: the chance that no block has come yet",
        x_name=unit,
        y_name="chance",
        x=tuple(day * in_unit for day in days),
        series=(Series("no block yet", tuple(odds.probability_of_no_block(rate, day) for day in days)),),
        marks=tuple(
            Mark(wait * in_unit, f"{what}: {span_text(wait * 86400)}")
            for what, wait in (("half have one", odds.median_wait_days(rate)), ("mean", odds.mean_wait_days(rate)))
        ),
        x_label=rounded,
        y_label=lambda value: f"{value:.0%}",
        note="Nobody is ever due: whoever has waited stands where the curve begins.",
    )


def _cumulative(scenario: Scenario, assumptions: Assumptions, step: int) -> tuple[float, ...]:
    operation = scenario.operation
    start = float(scenario.capex or 0)
    run = outlook.days(operation.revenue_per_day, operation.costs_per_day, assumptions, scenario.horizon_days)
    return tuple(float(day.total) - start for day in run if day.number % step == 0)


def _cell_label(grid: Sequence[Sequence[Decimal]]) -> "_Label":
    return _Label(max(abs(value) for row in grid for value in row))


class _Label:
    """All cells of a grid in one unit and with as many digits, so that they compare by eye."""

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
