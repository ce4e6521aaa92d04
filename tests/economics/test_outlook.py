"""Single days of the future in round numbers, and when an outlay is repaid."""

import math
from decimal import Decimal
from itertools import pairwise

import pytest

from stratum_miner.economics import outlook
from stratum_miner.economics.outlook import Assumptions, Day

D = Decimal


@pytest.mark.parametrize(
    ("day", "growth", "factor"),
    [
        (0, 1.0, 1), (13, 1.0, 1), (14, 1.0, 0.5), (27, 1.0, 0.5), (28, 1.0, 0.25),
        (14, -0.5, 2), (13, -0.5, 1), (365, 0.0, 1),
        (14, -0.99, 100), (14, -1.0, 100), (14, -5.0, 100),  # no growth is below -99 %
        (14 * 49, -0.99, 1e98), (14 * 51, -0.99, 1e100), (14 * 10**6, -0.99, 1e100),
    ],
)  # fmt: skip
def test_income_changes_with_each_epoch(day: int, growth: float, factor: float) -> None:
    assert outlook.income_factor(day, growth) == pytest.approx(factor)
    assert outlook.income_factor(day, growth) <= 1e100


def days(assumptions: Assumptions, horizon: int, revenue: str = "100", cost: str = "30") -> list[Day]:
    return list(outlook.days(D(revenue), D(cost), assumptions, horizon))


def test_days_follow_the_difficulty_the_price_and_the_halvings() -> None:
    doubling = days(Assumptions(growth=1.0), 29)
    assert [float(doubling[number].revenue) for number in (0, 13, 14, 28)] == [100, 100, 50, 25]
    dearer = days(Assumptions(price_growth=0.21), 731)
    # 21 % a year are 10 % in half of a year
    assert float(dearer[365].revenue) == pytest.approx(121)
    assert float(dearer[730].revenue) == pytest.approx(146.41)
    assert float(dearer[73].revenue) == pytest.approx(100 * 1.21**0.2)
    # of 100, 80 are the subsidy: 60 after one halving, 40 after the second
    halved = days(Assumptions(halvings=(2, 4), subsidy_share=D("0.8")), 6)
    assert [day.revenue for day in halved] == [100, 100, 60, 60, 40, 40]
    assert [day.cost for day in halved] == [30] * 6
    assert [day.total for day in halved] == [70, 140, 170, 200, 210, 220]
    assert [day.number for day in halved] == list(range(6))
    assert days(Assumptions(halvings=(1,)), 2)[1].revenue == 50  # without fees, all of the reward


def test_a_day_pays_only_if_something_is_left() -> None:
    assert not Day(0, D(3), D(3), D(0)).pays
    assert Day(0, D("3.01"), D(3), D("0.01")).pays


def test_the_machine_is_switched_off_on_days_that_do_not_pay() -> None:
    halved = Assumptions(halvings=(2,))
    assert outlook.earned(D(50), D(30), halved, 5) == 40
    assert outlook.earned(D(50), D(30), halved, 5, switch_off=False) == 40 - 15


def test_days_are_thirty_years_without_a_horizon() -> None:
    assert sum(1 for _ in outlook.days(D(1), D(0), Assumptions())) == 30 * 365


@pytest.mark.parametrize(
    ("revenue", "cost", "growth", "day"),
    [
        (1, 2, 0.1, 0), (2, 2, 0.1, 0), (2, 2, -0.1, 0), (0, 0, 0.1, 0),
        (2, 1, 0, math.inf), (2, 1, -0.1, math.inf), (2, 0, 0.1, math.inf), (2, -1, 0.1, math.inf),
        (2, 1, 1.0, 14), (8, 1, 1.0, 42),  # doubling every 14 days
    ],
)  # fmt: skip
def test_the_day_from_which_mining_stops_paying(revenue: float, cost: float, growth: float, day: float) -> None:
    assert outlook.shut_off_day(revenue, cost, growth) == pytest.approx(day)


@pytest.mark.parametrize(
    ("outlay", "assumptions", "days", "best_day", "most"),
    [
        # 100 a day cost 40: 60 are left
        (600, Assumptions(), 10, 10_950, 60 * 10_950),
        (601, Assumptions(), 11, 10_950, 60 * 10_950),
        (0, Assumptions(), 1, 10_950, 60 * 10_950),
        # from day 14 on, 50 earn 10; from day 28 on, 25 earn nothing
        (840, Assumptions(growth=1.0), 14, 28, 980),
        (841, Assumptions(growth=1.0), 15, 28, 980),
        (980, Assumptions(growth=1.0), 28, 28, 980),
        (981, Assumptions(growth=1.0), None, 28, 980),
        (300, Assumptions(halvings=(4, 7)), None, 7, 270),
        (270, Assumptions(halvings=(4, 7)), 7, 7, 270),
    ],
)
def test_payback(outlay: int, assumptions: Assumptions, days: int | None, best_day: int, most: int) -> None:
    found = outlook.payback(D(outlay), D(100), D(40), assumptions)
    assert [found.days, found.best_day, found.most] == [days, best_day, most]
    assert (found.reason == "") == (days is not None)


def test_the_largest_total_profit_may_be_less_than_one_coin_of_money() -> None:
    found = outlook.payback(D(5), D("0.04"), D("0.03"), Assumptions(growth=1.0))
    assert (found.days, found.best_day) == (None, 14)
    assert found.most == D("0.14")
    loss = outlook.payback(D(5), D(1), D(2))
    assert (loss.days, loss.best_day) == (None, 0)
    assert loss.most == 0


def test_why_an_outlay_is_never_repaid() -> None:
    assert outlook.payback(D(981), D(100), D(40), Assumptions(growth=1.0)).reason == (
        "mining stops paying after 28 days, when 980.00 of 981.00 have been earned"
    )
    assert outlook.payback(D(1), D(2), D(2)).reason == "mining costs more than it earns from the first day"
    assert outlook.payback(D(10**6), D(2), D(1)).reason == (
        "after 30 years, only 10,950.00 of 1,000,000.00 have been earned"
    )


@pytest.mark.parametrize("assumptions", [Assumptions(growth=-0.1), Assumptions(price_growth=1.0)])
def test_a_loss_today_may_be_a_gain_later(assumptions: Assumptions) -> None:
    found = outlook.payback(D(100), D(1), D("1.1"), assumptions)
    assert found.days is not None
    totals = [day.total for day in outlook.days(D(1), D("1.1"), assumptions, found.days)]
    assert totals[-1] >= 100 > max(totals[:-1])
    assert min(totals) < 0


def test_a_gain_that_becomes_a_loss_and_a_gain_again_is_followed() -> None:
    """The halving makes a loss, and the rising price makes up for it after a year."""
    assumptions = Assumptions(price_growth=1.0, halvings=(10,))
    found = outlook.payback(D(5000), D(100), D(60), assumptions)
    assert found.days is not None
    assert found.days > 365
    totals = [day.total for day in outlook.days(D(100), D(60), assumptions, 365)]
    assert any(after < before for before, after in pairwise(totals))
