"""Every figure of a scenario in --json and --csv, in round numbers or by a formula written here once more."""

import csv
import io
import math
from decimal import Decimal
from typing import Any

import pytest

from stratum_miner.economics.profit.machines import Machine, known_machines
from stratum_miner.economics.profit.result import PERIODS, as_csv, machine_operation, result
from stratum_miner.economics.profit.scenario import RawScenario, Scenario, complete_scenario, from_flags, merged

KNOWN = known_machines() | {
    "rig": Machine(name="rig", hash_rate=2.0**32 * 5, power=Decimal(50), source="a scale", date="2026-01-01")
}
ROUND = {
    "hash_rate": f"{2**32 * 10}H", "power": "500W", "electricity": "0.50", "difficulty": "86400", "subsidy": "4",
    "fees": "1", "price": "4", "pool_fee": "20%", "stale": "50%", "uptime": "50%", "cooling": "100%",
    "hosting": "213.0625", "capex": "730.5", "lifetime": "1", "difficulty_growth": "2%",
    "pool_hash_rate": f"{2**32 * 50}H", "share_difficulty": "864",
}  # fmt: skip
"""Ten blocks a day without a pause: 50 coins, of which 10 are left. Revenue 40, electricity 6, hosting 7, and 2 for the
loss of value."""


def scenario(*machines: str, **changes: str | None) -> Scenario:
    given = {**ROUND, **changes}
    if machines:
        given |= {"hash_rate": None, "power": None}
    return complete_scenario(merged([from_flags(given, machines, KNOWN), RawScenario(name="", values={})], "x"))


def figures(*machines: str, **changes: str | None) -> dict[str, Any]:
    return result(scenario(*machines, **changes))


def test_periods_are_in_days() -> None:
    assert {name: float(days) for name, days in PERIODS.items()} == {
        "hour": pytest.approx(1 / 24), "day": 1, "month": 365.25 / 12, "year": 365.25,
    }  # fmt: skip


def test_round_figures() -> None:
    found = figures()
    expected = {
        "hash_rate": 2**32 * 10, "power_w": 500, "joules_per_terahash": 1000 / (2**32 * 10) * 1e12,
        "hashes_per_block": 86400 * 2**32, "network_hash_rate": 144 * 2**32, "blocks_per_day": 10,
        "btc_per_day_gross": 50, "btc_per_day_net": 10, "revenue_per_day": 40, "electricity_per_day": 6,
        "other_costs_per_day": 7, "depreciation_per_day": 2, "profit_per_day": 27,
        "profit_after_depreciation_per_day": 25,
        "hash_price_per_ph_day": 1e15 / 2**32 * 5 * 4,
        "break_even_electricity": 2.75, "break_even_price": 1.3, "break_even_difficulty": 86400 * 40 / 13,
        "energy_cost_per_btc": 0.5 * 24 / 50,  # 24 kWh a day without a pause, for 50 coins
        "solo_probability_year": 1, "solo_one_in_year": 1, "solo_mean_wait_years": 0.1 / 365.25,
        "solo_median_wait_years": 0.1 * math.log(2) / 365.25,
        "best_share_day_median": 86400 * 10 / math.log(2),
        "kwh_per_year": 12 * 365.25, "seconds_per_share": 86.4,
        "difficulty_growth_year": 1.02 ** (365 / 14) - 1,
        "income_days_first_year": 14 * (1 - 1.02**-26) / (1 - 1 / 1.02) + 1.02**-26,
        "shut_off_day": 14 * math.log(40 / 13) / math.log(1.02),
    }  # fmt: skip
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    assert found["name"] == "x"
    assert found["co2_kg_per_year"] == pytest.approx({"low": 48.213, "best": 1262.304, "high": 3594.06})
    assert found["defaults"] == {}


def test_the_checked_growth() -> None:
    found = figures()
    assert round(found["difficulty_growth_year"], 3) == 0.676
    assert round(found["income_days_first_year"], 2) == 287.93


def test_the_odds_of_a_small_machine() -> None:
    found = figures(difficulty=f"{864000 * 36525}")
    # a block in 10 * 36,525 days is a chance of 1 - exp(-1/1000) in a year
    assert found["solo_probability_year"] == pytest.approx(1 - math.exp(-0.01))
    assert found["solo_one_in_year"] == pytest.approx(1 / (1 - math.exp(-0.01)))
    assert found["solo_mean_wait_years"] == pytest.approx(100)


def test_the_day_of_payback_or_the_reason_why_not() -> None:
    found = figures(difficulty_growth="0%")
    assert (found["payback_days"], found["best_day"]) == (28, 10_950)  # 730.5 / 27
    assert found["most_earned"] == pytest.approx(27 * 10_950)
    assert "payback_reason" not in found
    never = figures(capex="100000", difficulty_growth="1000%")
    assert (never["payback_days"], never["best_day"], never["most_earned"]) == (None, 14, pytest.approx(14 * 27))
    assert never["payback_reason"] == "mining stops paying after 14 days, when 378.00 of 100,000.00 have been earned"
    bare = figures(capex=None, lifetime=None)
    assert (bare["payback_days"], bare["payback_reason"]) == (None, "no outlay was given (--capex)")
    assert "best_day" not in bare
    assert figures(price=None)["payback_reason"] == "no price was given (--price)"


def test_without_a_price_there_are_no_profits() -> None:
    found = figures(price=None)
    for name in (
        "revenue_per_day", "profit_per_day", "profit_after_depreciation_per_day", "hash_price_per_ph_day",
        "break_even_electricity", "break_even_difficulty", "shut_off_day",
    ):  # fmt: skip
        assert found[name] is None, name
    assert found["break_even_price"] == pytest.approx(1.3)
    assert found["depreciation_per_day"] == 2
    assert found["sensitivity"] == []
    assert found["inputs"]["price"] is None
    assert figures("rig", price=None)["machines"][0]["profit_per_day"] is None


def test_without_a_lifetime_there_is_no_depreciation() -> None:
    found = figures(lifetime=None)
    assert (found["depreciation_per_day"], found["profit_after_depreciation_per_day"]) == (None, None)


def test_mining_that_never_stops_paying_has_no_last_day() -> None:
    assert figures(difficulty_growth="0%")["shut_off_day"] is None
    assert figures(price="1")["shut_off_day"] == 0


def test_the_income_by_payout_scheme() -> None:
    found = figures(difficulty=str(86400 * 4))
    # a quarter of the blocks: 1.25 * 0.25 a day of its own and 12.5 of the pool; 250 shares a day are not stale
    shares, own, pool = 30 * 250, 30 * 0.625, 30 * 12.5
    spread = found["relative_spread_30_days"]
    together = 1 / (1 / shares + 1 / pool)
    assert spread == pytest.approx({
        "PPS": shares**-0.5, "FPPS": shares**-0.5, "PPLNS": together**-0.5, "solo": own**-0.5,
    })  # fmt: skip
    month, year = (found["payouts"][period] for period in ("month", "year"))
    assert [item["scheme"] for item in month] == ["PPS", "FPPS", "PPLNS", "solo"]
    assert [item["mean_btc"] for item in month] == pytest.approx([2 * 30.4375, *[2.5 * 30.4375] * 3])
    assert year[3]["mean_btc"] == pytest.approx(2.5 * 365.25)
    assert year[3]["relative_spread"] == pytest.approx((365.25 * 0.625) ** -0.5)
    assert month[3]["chance_of_nothing"] == pytest.approx(math.exp(-30.4375 * 0.625))
    quantiles = month[3]["quantiles_btc"]
    assert list(quantiles) == ["5%", "25%", "50%", "75%", "95%"]
    assert quantiles["50%"] == pytest.approx(19 * 4)  # the median of a mean of 19.02 blocks, each of 5 less the fee


def test_the_machines_of_a_fleet() -> None:
    found = figures("2xrig", "bitaxe-gamma")
    rig, stick = found["machines"]
    assert rig == {
        "name": "rig", "count": 2, "hash_rate": 2**32 * 10, "power_w": 100,
        "joules_per_terahash": pytest.approx(200 / (2**32 * 10) * 1e12), "btc_per_day_net": 10,
        "electricity_per_day": pytest.approx(1.2), "profit_per_day": pytest.approx(38.8), "source": "a scale",
        "date": "2026-01-01",
    }  # fmt: skip
    assert (stick["name"], stick["count"], stick["power_w"]) == ("bitaxe-gamma", 1, 18)
    operation = machine_operation(scenario("2xrig"), 0)
    assert [operation.other_costs_per_day, operation.power] == [0, 100]  # hosting is that of the fleet


def test_the_effect_of_each_input() -> None:
    found = {item["input"]: (item["lowered"], item["raised"]) for item in figures()["sensitivity"]}
    assert found["price"] == pytest.approx((23, 31))
    assert found["electricity"] == pytest.approx((27.6, 26.4))
    assert "pool fee" in found


def test_the_inputs_are_repeated() -> None:
    found = figures(
        electricity="0.50 EUR", subsidy=None, height="930000", fees="0.875", price_growth="5%", price_date="2026-01-15",
        chain_date="2026-01-16",
    )["inputs"]  # fmt: skip
    assert found == {
        "difficulty": 86400, "height": 930_000, "next_halving": 1_050_000, "subsidy": 3.125, "fees": 0.875, "price": 4,
        "currency": "EUR", "electricity": 0.5, "pool_fee": 0.2, "stale": 0.5, "uptime": 0.5, "cooling": 1,
        "capex": 730.5, "difficulty_growth": 0.02, "price_growth": 0.05, "pool_hash_rate": 2**32 * 50,
        "share_difficulty": 864, "price_date": "2026-01-15", "chain_date": "2026-01-16",
    }  # fmt: skip
    bare = figures(capex=None, lifetime=None)["inputs"]
    assert [bare[name] for name in ("height", "next_halving", "capex", "price_date", "chain_date")] == [None] * 5


def test_defaults_have_their_date_and_source() -> None:
    found = figures(difficulty=None, fees=None)["defaults"]
    assert list(found) == ["difficulty", "fees"]
    assert (found["difficulty"]["value"], found["difficulty"]["date"]) == (144.4e12, "2026-02-20")
    assert found["fees"]["source"]


def test_csv_has_a_row_for_each_scenario_and_a_column_for_each_figure() -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv([scenario(), scenario(capex=None, lifetime=None)]))))
    assert [float(row["profit_per_day"]) for row in rows] == [27, 27]
    assert [row["payback_reason"] for row in rows] == ["", "no outlay was given (--capex)"]  # of the second alone
    assert float(rows[0]["co2_kg_per_year.best"]) == pytest.approx(1262.304)
    assert float(rows[0]["relative_spread_30_days.PPS"]) > 0
    assert rows[0]["inputs.difficulty"] == "86400.0"
    for name in ("machines", "sensitivity", "payouts"):  # lists and what has lists in it have no column
        assert not any(column.split(".")[0] == name for column in rows[0])
