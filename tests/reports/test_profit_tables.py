"""The tables of a scenario in round numbers."""

from decimal import Decimal

import pytest

from stratum_miner.reports import profit_tables

from .scenarios import scenario


def test_a_row_for_each_period_and_a_column_for_what_is_known() -> None:
    heads, rows = profit_tables.periods(scenario())
    assert heads == ("per", "bitcoin", "revenue", "electricity", "profit")
    assert list(rows) == [
        ("hour", "2.08", "8.33", "0.25", "8.08"),
        ("day", "50.00", "200.00", "6.00", "194.00"),
        ("month", "1,521.88", "6,087.50", "182.62", "5,904.88"),
        ("year", "18,262.50", "73,050.00", "2,191.50", "70,858.50"),
    ]
    heads, rows = profit_tables.periods(scenario(price=None, hosting="30.4375", capex="365.25", lifetime="1"))
    assert heads == ("per", "bitcoin", "electricity", "other costs", "depreciation")
    assert rows[1] == ("day", "50.00", "6.0000", "1.0000", "1.0000")


def test_scenarios_side_by_side() -> None:
    heads, rows = profit_tables.comparison([
        scenario(name="good", capex="1940"),
        scenario(name="bad", capex="1", price="0.1"),
        scenario(name="open", price=None),
    ])  # fmt: skip
    assert heads == ("scenario", "hash rate", "J/TH", "revenue", "costs", "profit", "even/kWh", "repaid")
    assert list(rows) == [
        ("good", "42.9 GH/s", "11,600", "6,088", "182.62", "5,905", "16.67", "10 d"),
        ("bad", "42.9 GH/s", "11,600", "152.19", "182.62", "-30.44", "0.4167", "never"),
        ("open", "42.9 GH/s", "11,600", "-", "182.62", "-", "-", "-"),
    ]


def test_a_row_for_each_kind_of_machine() -> None:
    _, rows = profit_tables.fleet(scenario("2xbitaxe-gamma", "antminer-s21", price=None))
    assert [row[:4] for row in rows] == [
        ("bitaxe-gamma", "2", "2.40 TH/s", "36"),
        ("antminer-s21", "1", "200 TH/s", "3,500"),
    ]
    assert [row[5:] for row in rows] == [("-", "0.4320", "-"), ("-", "42.00", "-")]
    assert profit_tables.fleet(scenario()).rows[0][0] == "-"


@pytest.mark.parametrize(
    ("largest", "smallest", "unit", "amounts"),
    [
        ("0.01", "0.001", "bitcoin", ["0.01000", "0.00100", "0"]),
        ("0.00999", "0.00001", "satoshis", ["999,000", "1,000", "0"]),
        ("1e-15", "1e-17", "satoshis", ["0.00000010000", "0.00000000100", "0"]),
        ("1", "0", "bitcoin", ["1", "0", "0"]),
    ],
)
def test_amounts_of_coins_share_their_unit_and_digits(
    largest: str, smallest: str, unit: str, amounts: list[str]
) -> None:
    found, text = profit_tables.coins_of(Decimal(largest), Decimal(smallest))
    assert found == unit
    assert [text(Decimal(value)) for value in (largest, smallest, "0")] == amounts


def test_payouts_have_their_spread_and_their_chance_of_nothing() -> None:
    heads, rows = profit_tables.payouts(scenario(difficulty=str(86400 * 365.25)), "year")
    assert heads == ("year", "mean", "5%", "25%", "50%", "75%", "95%", "spread", "no income")
    solo = rows[3]
    # ten blocks a year, of 5 coins: P(X <= 5) is 6.7 %, and exp(-10) that there is none
    assert solo == ("solo", "50.00", "25.00", "40.00", "50.00", "60.00", "75.00", "31.62%", "0.005%")
    rare = profit_tables.payouts(scenario(difficulty=str(86400 * 36525 * 1000)), "year").rows[3]
    assert rare[7:] == ("100x", "99.990%")  # a block in ten thousand years
