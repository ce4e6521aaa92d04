"""Numbers computed by hand from the formulas, at difficulty 144.40e12, 3.145 BTC a block, 90 000 per BTC."""

import math
from decimal import Decimal

import pytest

from stratum_miner.economics import chain, energy, odds, outlook, schemes
from stratum_miner.economics.income import Operation, depreciation_per_day, energy_cost_per_btc, hash_price
from stratum_miner.economics.outlook import Assumptions

DIFFICULTY = 144.40e12
REWARD = Decimal("3.145")
PRICE = Decimal(90_000)
STICK = Operation(
    hash_rate=1.2e12,
    power=Decimal(17),
    electricity=Decimal("0.12"),
    difficulty=DIFFICULTY,
    block_reward=REWARD,
    price=PRICE,
    pool_fee=Decimal("0.02"),
    stale=Decimal("0.002"),
    uptime=Decimal("0.98"),
)


def close(value: float | Decimal | None, expected: float, digits: int = 4) -> bool:
    """Equal to so many significant digits, as printed."""
    return value is not None and f"{float(value):.{digits - 1}e}" == f"{expected:.{digits - 1}e}"


def test_chain() -> None:
    assert close(chain.hashes_per_block(DIFFICULTY), 6.2019e23, 5)
    assert chain.hashes_per_block(1, exact=True) / chain.hashes_per_block(1) == pytest.approx(1 + 0.00153e-2, abs=1e-7)
    assert close(chain.network_hash_rate(DIFFICULTY), 1033.7e18, 5)
    assert chain.subsidy(930_000) == 312_500_000
    assert chain.next_halving(930_000) == 1_050_000
    assert [chain.subsidy(height) for height in (0, 209_999, 210_000, 33 * 210_000, 10**9)] == [
        5_000_000_000, 5_000_000_000, 2_500_000_000, 0, 0,
    ]  # fmt: skip
    with pytest.raises(ValueError, match="height: expected 0 or more, got -1"):
        chain.subsidy(-1)


def test_income_and_costs() -> None:
    assert close(STICK.blocks_per_day, 1.6717e-7, 5)
    assert close(STICK.btc_per_day_gross, 5.2576e-7, 5)
    assert close(STICK.btc_per_day_net, 5.0393e-7, 5)
    assert close(hash_price(DIFFICULTY, REWARD, PRICE), 39.432, 5)
    assert close(STICK.electricity_per_day, 0.04798)
    assert close(STICK.break_even_electricity, 0.11343, 5)
    assert close(STICK.break_even_price, 95_213, 5)
    assert close(STICK.break_even_difficulty, 1.3649e14, 5)
    cost = energy_cost_per_btc(Decimal("0.06"), Decimal("17.5"), DIFFICULTY, REWARD)
    assert close(cost, 57_517, 5)


def test_odds() -> None:
    rate = STICK.blocks_per_day
    assert close(odds.probability_of_block(rate, 365.25), 6.106e-5)
    assert round(1 / odds.probability_of_block(rate, 365.25)) == 16_378
    assert round(odds.mean_wait_days(rate) / 365.25) == 16_377
    assert round(odds.median_wait_days(rate) / 365.25) == 11_352
    day = 1.2e12 * 86400
    assert close(odds.median_best_share(day), 34.8e6, 3)
    assert close(odds.probability_of_best_share(day, 1e9), 0.02385)
    assert close(odds.seconds_per_share(1000, 1.2e12), 3.579)
    assert odds.hash_rate_from_shares(1000, odds.seconds_per_share(1000, 1.2e12)) == pytest.approx(1.2e12)
    for count, low, high in ((0, 0, 3.689), (10, 4.80, 18.39), (100, 81.4, 121.6)):
        interval = odds.count_interval(count)
        assert (interval.low, interval.high) == pytest.approx((low, high), rel=1e-3)
    assert odds.relative_spread(rate * 30) == pytest.approx(446.5, abs=0.1)
    pool = Operation(**{**{name: getattr(STICK, name) for name in STICK.__slots__}, "hash_rate": 30e18})
    assert close(odds.relative_spread(pool.blocks_per_day * 30), 0.089, 2)
    assert odds.probability_of_no_block(rate, 365.25) == pytest.approx(1 - odds.probability_of_block(rate, 365.25))
    assert close(odds.probability_of_pool_luck(1, 2), 0.1353)
    assert close(odds.probability_of_pool_luck(10, 1.5), 0.0699, 3)


def test_other_costs() -> None:
    dear = Operation(
        **{name: getattr(STICK, name) for name in STICK.__slots__}
        | {"cooling": Decimal("0.1"), "other_costs_per_day": Decimal("0.01")}
    )
    assert dear.electricity_per_day == STICK.electricity_per_day * Decimal("1.1")
    assert dear.profit_per_day == STICK.profit_per_day - STICK.electricity_per_day / 10 - Decimal("0.01")
    assert dear.joules_per_terahash == pytest.approx(STICK.joules_per_terahash * Decimal("1.1"))
    assert depreciation_per_day(Decimal(200), Decimal(50), Decimal(300)) == Decimal("0.5")


def test_growth_and_payback() -> None:
    assert math.fsum(outlook.income_factor(day, 0.02) for day in range(365)) == pytest.approx(287.93, abs=0.005)
    assert round(outlook.shut_off_day(7.73, 5.04, 0.005)) in (1200, 1201)
    back = outlook.payback(Decimal(1500), Decimal("7.73"), Decimal("5.04"), Assumptions(growth=0.005))
    assert back.days == 1064
    assert round(back.most) == 1519
    never = outlook.payback(Decimal(2000), Decimal("7.73"), Decimal("5.04"), Assumptions(growth=0.005))
    assert never.days is None
    earned = f"{never.most:,.2f} of 2,000.00 have been earned"
    assert never.reason == f"mining stops paying after {never.best_day:,} days, when {earned}"


def test_payback_without_hope_or_limit() -> None:
    assert outlook.payback(Decimal(1), Decimal(1), Decimal(2)).reason.startswith("mining costs more than it earns")
    assert outlook.shut_off_day(1, 2, 0.1) == 0
    assert outlook.shut_off_day(2, 1, 0) == math.inf
    assert "30 years" in outlook.payback(Decimal(10**6), Decimal(2), Decimal(1)).reason
    halved = outlook.payback(Decimal(100), Decimal(3), Decimal(2), Assumptions(halvings=(50,)))
    assert (halved.days, halved.best_day) == (None, 50)


def test_shares_and_energy() -> None:
    share = schemes.fpps(1e6, DIFFICULTY, Decimal("3.125"), Decimal("0.02"), Decimal("0.02"))
    assert close(share, 1e6 / DIFFICULTY * 3.145 * 0.98, 6)
    assert schemes.pps(1e6, DIFFICULTY, Decimal("3.125"), Decimal("0.02")) < share
    year = energy.emissions(Decimal(17) / 1000 * 24 * 365)
    assert round(Decimal(17) / 1000 * 24 * 365) == 149
    assert round(year.best) == 43
    assert year.low < year.best < year.high
