"""Each input of a tornado by its effect in round numbers, and the grids."""

from dataclasses import replace
from decimal import Decimal

import pytest

from stratum_miner.economics import sensitivity
from stratum_miner.economics.income import Operation
from stratum_miner.economics.outlook import Assumptions

D = Decimal
ROUND = Operation(
    hash_rate=2.0**32 * 10, power=D(500), electricity=D("0.5"), difficulty=86400.0, block_reward=D(5), price=D(4),
    pool_fee=D("0.2"), stale=D("0.5"), uptime=D("0.5"), cooling=D(1), other_costs_per_day=D(7),
)  # fmt: skip
"""Ten blocks a day if it always ran: 50 coins, 10 after fee, stale shares and pauses. Revenue 40, electricity 6."""


def test_each_input_is_lowered_and_raised_by_a_tenth() -> None:
    found = {swing.name: [float(swing.lowered), float(swing.raised)] for swing in sensitivity.tornado(ROUND)}
    expected = {
        "price": [23, 31],
        "difficulty": [27 + 40 / 9, 27 - 40 / 11],
        "hash rate": [23, 31],
        "block reward": [23, 31],
        "electricity": [27.6, 26.4],
        "power": [27.6, 26.4],
        "uptime": [23.6, 30.4],
        "pool fee": [28, 26],
        "stale shares": [31, 23],
        "cooling": [27.3, 26.7],
        "other costs": [27.7, 26.3],
    }
    assert found.keys() == expected.keys()
    for name, profits in expected.items():
        assert found[name] == pytest.approx(profits), name


def test_fractions_stay_fractions() -> None:
    full = replace(ROUND, uptime=D(1), pool_fee=D("0.95"), stale=D("0.95"), other_costs_per_day=D(0))
    found = {swing.name: swing for swing in sensitivity.tornado(full)}
    assert found["uptime"].raised == full.profit_per_day  # no machine runs for more than the whole time
    assert found["pool fee"].raised == found["stale shares"].raised == -12  # nothing is earned, electricity costs 12


def test_the_largest_effect_comes_first_and_none_is_left_out() -> None:
    plain = replace(ROUND, pool_fee=D(0), stale=D(0), cooling=D(0), other_costs_per_day=D(0), uptime=D(1))
    swings = sensitivity.tornado(plain)
    assert [swing.name for swing in swings][:4] == ["difficulty", "price", "hash rate", "block reward"]
    assert {swing.name for swing in swings}.isdisjoint({"pool fee", "stale shares", "cooling", "other costs"})
    widths = [swing.width for swing in swings]
    assert widths == sorted(widths, reverse=True)
    assert min(widths) > 0


def test_grids_have_a_row_for_each_cost_or_growth_and_a_column_for_each_price() -> None:
    grid = sensitivity.price_by_electricity(ROUND, [D(4), D(8), D(0)], [D("0.5"), D(1)])
    assert [list(row) for row in grid] == [[27, 67, -13], [21, 61, -19]]
    doubling = Assumptions(halvings=(28,))
    grid = sensitivity.price_by_growth(ROUND, [D(4), D(8)], [0.0, 1.0], doubling, 42)
    # 40 - 13 for 28 days, then 20 - 13 for 14 days; with growth: 27 and 7 for 14 days each, then 5 do not pay
    assert list(grid[0]) == [28 * 27 + 14 * 7, 28 * 67 + 14 * 27]
    assert list(grid[1]) == [14 * 27 + 14 * 7, 14 * 67 + 14 * 27]
