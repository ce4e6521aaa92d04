"""The charts of a scenario: their axes, what they mark, and which edge of a band is which."""

import pytest

from stratum_miner.plots.figure import HeatMap, LineChart, Tornado
from stratum_miner.reports import profit_charts

from .scenarios import scenario


def test_without_a_price_only_the_odds_are_drawn() -> None:
    assert [type(figure) for figure in profit_charts.figures(scenario(price=None))] == [LineChart]
    assert [type(figure) for figure in profit_charts.figures(scenario(horizon="0.1"))] == [
        Tornado, HeatMap, HeatMap, LineChart, LineChart,
    ]  # fmt: skip


def test_a_slower_growth_is_the_upper_edge_of_the_band() -> None:
    chart = profit_charts.cash_flow(scenario(horizon="1", difficulty_growth="2%", growth_band="3%", capex="1000"))
    [line] = chart.series
    assert line.name == "difficulty growth +2.0% per two weeks, band ±3.0%"
    assert line.low[-1] < line.values[-1] < line.high[-1]
    assert (line.low[0], line.values[0], line.high[0]) == (-806, -806, -806)  # the first day, less the outlay
    day = round(chart.x[10] * 365.25)
    assert line.high[10] == pytest.approx(line.values[10]) == 194 * (day + 1) - 1000 or day >= 14
    # two weeks later the revenue of 200 is divided by 1.05, 1.02 and 0.99
    at = next(index for index, x in enumerate(chart.x) if round(x * 365.25) == 14)
    for part, growth in ((line.low, 0.05), (line.values, 0.02), (line.high, -0.01)):
        assert part[at] == pytest.approx(14 * 194 + 200 / (1 + growth) - 6 - 1000)


def test_the_cash_flow_marks_halvings_and_the_payback() -> None:
    chart = profit_charts.cash_flow(scenario(subsidy=None, height="1048560", horizon="1", capex="1000"))
    assert [(mark.label, round(mark.x * 365.25)) for mark in chart.marks] == [("halving", 10), ("repaid", 7)]
    assert chart.title == "Total profit so far, minus the purchase price"
    assert profit_charts.cash_flow(scenario(horizon="1")).title == "Total profit so far"
    assert profit_charts.cash_flow(scenario(horizon="1")).marks == ()


def test_a_curve_that_falls_says_that_the_machines_run_on() -> None:
    assert profit_charts.cash_flow(scenario(horizon="1")).note == ""
    fading = profit_charts.cash_flow(scenario(horizon="2", difficulty_growth="50%"))
    assert fading.note == "The machines also run on days that do not pay."


def test_the_heat_maps_mark_the_scenario() -> None:
    costs = profit_charts.price_by_electricity(scenario())
    row, column = costs.here
    assert (costs.rows[row], costs.columns[column], costs.values[row][column]) == ("0.5", "4", 194)
    assert costs.values[row][0] == 94  # half the price
    assert costs.values[0][column] == 197  # half the costs of electricity
    growth = profit_charts.price_by_growth(scenario(horizon="0.1"))
    row, column = growth.here
    assert (growth.rows[row], growth.columns[column], growth.values[row][column]) == ("+0.0%", "4", 194 * 36)
    assert growth.title.startswith("Profit in 0.0986 years by")


def test_bars_are_the_profits_with_each_input_changed() -> None:
    tornado = profit_charts.tornado(scenario())
    bars = {bar.name: (bar.low, bar.high) for bar in tornado.bars}
    assert tornado.centre == 194
    assert bars["price"] == pytest.approx((174, 214))
    assert bars["electricity"] == pytest.approx((194.6, 193.4))


def test_half_of_the_miners_have_a_block_at_the_median() -> None:
    chart = profit_charts.survival(scenario())
    median, mean = chart.marks
    [line] = chart.series
    assert (chart.x_name, median.label, mean.label) == ("hours", "median: 1.66 hours", "mean: 2.4 hours")
    assert (chart.x[0], line.values[0]) == (0, 1)
    below = next(value for x, value in zip(chart.x, line.values, strict=True) if x >= median.x)
    assert below == pytest.approx(0.5, abs=0.01)
    assert line.values[-1] == pytest.approx(2.718281828**-3)


@pytest.mark.parametrize(
    ("price", "labels"),
    [
        # the largest of the map is twice the revenue, less half of the electricity
        ("0.1", ["-1.00", "+7.00"]), ("4", ["+194", "+397"]), ("400", ["+20.0k", "+40.0k"]),
        ("40000", ["+2,000k", "+4,000k"]), ("4000000", ["+200M", "+400M"]),
    ],
)  # fmt: skip
def test_the_cells_of_a_map_share_their_unit(price: str, labels: list[str]) -> None:
    heat = profit_charts.price_by_electricity(scenario(price=price))
    row, column = heat.here
    assert [heat.label(heat.values[row][column]), heat.label(max(max(line) for line in heat.values))] == labels
