"""Income and costs in round numbers, and what has no break-even point."""

from dataclasses import replace
from decimal import Decimal

import pytest

from stratum_miner.economics.income import Operation, depreciation_per_day, energy_cost_per_btc, hash_price

D = Decimal
ROUND = Operation(
    hash_rate=2.0**32 * 100,
    power=D(500),
    electricity=D("0.25"),
    difficulty=86400.0,
    block_reward=D(3),
    price=D(10),
    pool_fee=D("0.2"),
    stale=D("0.25"),
    uptime=D("0.5"),
    cooling=D(1),
    other_costs_per_day=D(2),
)
"""100 * 2^32 hashes in a second and 86,400 * 2^32 in a block: 100 blocks on a day without a pause."""


def test_round_numbers() -> None:
    assert ROUND.blocks_per_day == 100
    assert ROUND.btc_per_day_gross == 300
    assert ROUND.btc_per_day_net == 90  # 300 * 0.8 * 0.75 * 0.5
    assert ROUND.revenue_per_day == 900
    assert ROUND.kwh_per_day == 12  # 500 W and as much for cooling, for 12 hours
    assert ROUND.electricity_per_day == 3
    assert ROUND.costs_per_day == 5
    assert ROUND.profit_per_day == 895
    assert float(ROUND.joules_per_terahash) == pytest.approx(1000e12 / (2.0**32 * 100))
    assert ROUND.break_even_electricity == D(898) / 12
    assert ROUND.break_even_price == D(5) / 90
    assert ROUND.break_even_difficulty == 86400 * 180


def test_what_is_not_given_takes_nothing_away() -> None:
    plain = Operation(
        hash_rate=2.0**32 * 100, power=D(500), electricity=D("0.25"), difficulty=86400.0, block_reward=D(3), price=D(10)
    )
    assert plain.btc_per_day_net == 300
    assert plain.kwh_per_day == 12
    assert plain.costs_per_day == 3


def test_break_even_points_that_do_not_exist() -> None:
    free = replace(ROUND, power=D(0))
    assert free.break_even_electricity is None
    assert free.break_even_difficulty == 86400 * 450
    assert replace(free, other_costs_per_day=D(0)).break_even_difficulty is None
    assert replace(ROUND, other_costs_per_day=D(900)).break_even_electricity == 0  # all of the revenue, and no more
    assert replace(ROUND, other_costs_per_day=D(901)).break_even_electricity is None
    assert replace(ROUND, pool_fee=D(1)).break_even_price is None


def test_values_beside_an_operation() -> None:
    assert depreciation_per_day(D(200), D(50), D(300)) == D("0.5")
    # 10^15 hashes in a second, 86,400 s, 2^32 hashes in a block of difficulty 1
    assert float(hash_price(1.0, D(3), D(10))) == pytest.approx(86400 * 1e15 * 30 / 2**32)
    # 3.6 J/TH are 10^-18 kWh for each hash
    assert float(energy_cost_per_btc(D("0.5"), D("3.6"), 1e6, D(4))) == pytest.approx(
        0.5 * 1e-18 * 1e6 * 2**32 / 4, rel=1e-9
    )
