"""What must hold for every operation: directions, break-even points, conservation between the ways of counting."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.economics import odds, outlook, schemes, sensitivity
from stratum_miner.economics.income import Operation
from stratum_miner.economics.outlook import Assumptions


def amounts(low: str, high: str) -> st.SearchStrategy[Decimal]:
    return st.decimals(Decimal(low), Decimal(high), places=4)


operations = st.builds(
    Operation,
    hash_rate=st.floats(1e6, 1e18),
    power=amounts("0.1", "1000000"),
    electricity=amounts("0.001", "10"),
    difficulty=st.floats(1.0, 1e16),
    block_reward=amounts("0.01", "60"),
    price=amounts("1", "1000000"),
    pool_fee=amounts("0", "0.5"),
    stale=amounts("0", "0.5"),
    uptime=amounts("0.01", "1"),
    cooling=amounts("0", "1"),
    other_costs_per_day=amounts("0", "100"),
)


@given(operations)
def test_profit_falls_with_difficulty_and_costs_and_rises_with_the_price(operation: Operation) -> None:
    profit = operation.profit_per_day
    assert replace(operation, difficulty=operation.difficulty * 2).profit_per_day < profit
    assert replace(operation, electricity=operation.electricity * 2).profit_per_day < profit
    assert replace(operation, other_costs_per_day=operation.other_costs_per_day + 1).profit_per_day < profit
    assert replace(operation, price=operation.price * 2).profit_per_day > profit


@given(operations)
def test_at_each_break_even_point_nothing_is_left(operation: Operation) -> None:
    scale = float(operation.revenue_per_day + operation.costs_per_day)
    price, difficulty = operation.break_even_price, operation.break_even_difficulty
    assert price is not None
    assert difficulty is not None
    points = [replace(operation, price=price), replace(operation, difficulty=difficulty)]
    if operation.break_even_electricity is None:
        assert operation.other_costs_per_day > operation.revenue_per_day
    else:
        points.append(replace(operation, electricity=operation.break_even_electricity))
    for point in points:
        assert float(point.profit_per_day) == pytest.approx(0, abs=1e-9 * (scale + float(point.costs_per_day)))


@given(operations, st.floats(-0.02, 0.05), st.floats(-0.2, 0.5), st.integers(1, 60))
def test_days_add_up(operation: Operation, growth: float, price_growth: float, horizon: int) -> None:
    assumptions = Assumptions(growth=growth, price_growth=price_growth, halvings=(20,), subsidy_share=Decimal("0.9"))
    days = list(outlook.days(operation.revenue_per_day, operation.costs_per_day, assumptions, horizon))
    assert len(days) == horizon
    assert days[0].revenue == operation.revenue_per_day
    total = sum((day.revenue - day.cost for day in days), Decimal(0))
    assert float(days[-1].total) == pytest.approx(float(total))
    best = outlook.earned(operation.revenue_per_day, operation.costs_per_day, assumptions, horizon)
    assert best >= max(Decimal(0), total) - abs(total) / 10**20
    assert outlook.earned(
        operation.revenue_per_day, operation.costs_per_day, assumptions, horizon, switch_off=False
    ) == pytest.approx(total)


@given(operations)
def test_schemes_pay_the_same_and_scatter_apart(operation: Operation) -> None:
    pool = schemes.PayoutPool(hash_rate=operation.hash_rate * 50, share_difficulty=operation.difficulty / 10**6)
    pps, fpps, pplns, solo = schemes.compare(operation, pool, 30, operation.block_reward / 10)
    assert fpps.mean == pplns.mean == solo.mean
    assert pps.mean == pytest.approx(fpps.mean * Decimal("0.9"))
    assert fpps.mean == pytest.approx(operation.btc_per_day_net * 30)
    assert fpps.relative_spread < pplns.relative_spread < solo.relative_spread
    assert fpps.probability_of_nothing <= solo.probability_of_nothing
    for item in (fpps, pplns, solo):
        quantiles = item.quantiles()
        assert list(quantiles) == sorted(quantiles)
        assert item.probability_between(0.05, 0.95) >= 0.9 - 1e-9


@given(operations)
def test_a_tornado_is_sorted_and_surrounds_the_profit(operation: Operation) -> None:
    swings = sensitivity.tornado(operation)
    assert [swing.width for swing in swings] == sorted((swing.width for swing in swings), reverse=True)
    for swing in swings:
        assert min(swing.lowered, swing.raised) <= operation.profit_per_day <= max(swing.lowered, swing.raised)


@given(operations)
def test_grids_agree_with_the_operation_in_the_middle(operation: Operation) -> None:
    grid = sensitivity.price_by_electricity(
        operation, [operation.price / 2, operation.price], [operation.electricity, operation.electricity * 2]
    )
    assert grid[0][1] == operation.profit_per_day
    assert grid[0][0] < grid[0][1]
    assert grid[1][1] < grid[0][1]
    lasting = sensitivity.price_by_growth(operation, [operation.price], [0.0, 0.05], Assumptions(), 60)
    assert lasting[0][0] == pytest.approx(max(Decimal(0), operation.profit_per_day * 60))
    assert lasting[1][0] <= lasting[0][0]


@given(st.integers(0, 300), st.floats(0.5, 300))
def test_an_interval_of_luck_surrounds_it(found: int, expected: float) -> None:
    luck = odds.Luck(found, expected)
    interval = luck.interval()
    assert interval is not None
    assert luck.ratio is not None
    assert interval.low <= luck.ratio <= interval.high
    assert luck.ratio * expected == pytest.approx(found)


def test_luck_before_any_work_is_unknown() -> None:
    assert odds.Luck(0, 0.0).ratio is None
    assert odds.Luck(0, 0.0).interval() is None


def test_a_loss_that_a_rising_price_turns_into_a_gain_can_pay_back() -> None:
    assumptions = Assumptions(price_growth=1.0)
    back = outlook.payback(Decimal(100), Decimal(1), Decimal("1.5"), assumptions)
    assert back.days is not None
    assert back.days > 365
