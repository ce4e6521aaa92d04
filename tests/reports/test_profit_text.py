"""The sentences about a scenario: gain or loss, where it breaks even, when it is repaid."""

from typing import Any

import pytest

from stratum_miner.reports.profit_text import makes_a_loss, never_repaid, sentences, solo_odds

from .scenarios import scenario


def test_a_gain_and_a_loss() -> None:
    assert (
        sentences(scenario())[0] == "Mining earns 5,904.88 per month at 0.5 per kWh. It breaks even at 16.67 per kWh."
    )
    assert sentences(scenario(price="0.1"))[0] == (
        "Mining loses 30.44 per month at 0.5 per kWh. It breaks even at 0.4167 per kWh."
    )
    assert sentences(scenario(price="0.12"))[0].startswith("Mining earns 0.00 per month")  # exactly nothing
    assert sentences(scenario(pool_fee="100%"))[0] == (
        "Mining earns nothing, because the pool fee is 100 %, and costs 182.62 per month to run."
    )
    assert (
        sentences(scenario(price=None))[0] == "Mining earns 1,522 bitcoin per month and costs 182.62 per month to run."
    )


@pytest.mark.parametrize(
    ("capex", "words"),
    [
        # 194 a day, less the loss of value of a year
        ("365.25", "leaves 5,874.44"), ("70858.5", "leaves 0.00"), ("71223.75", "loses 30.44"),
    ],
)  # fmt: skip
def test_depreciation_leaves_a_gain_or_a_loss(capex: str, words: str) -> None:
    assert f"After depreciation it {words} per month." in sentences(scenario(capex=capex, lifetime="1"))


def test_the_break_even_points() -> None:
    assert sentences(scenario())[1] == (
        "It also breaks even at a price of 0.120 per bitcoin, or at a difficulty of 2.88 M."
    )
    # hosting takes more than all of the revenue, so no price of electricity is low enough
    assert sentences(scenario(hosting="10000"))[1].startswith("It breaks even at a price of 6.69 per bitcoin, or")
    assert sentences(scenario(price=None))[1:] == [
        "It only pays if 1 bitcoin is worth more than 0.120. Give the current price with --price to see the profit or "
        "the loss."
    ]
    assert len(sentences(scenario(electricity="0"))) == 1


def test_when_the_outlay_is_repaid_or_why_not() -> None:
    assert sentences(scenario(capex="1940"))[-1] == "The purchase price is repaid after 10 days."
    assert sentences(scenario(capex="5", price="0.1"))[0] == (
        "The purchase price is never repaid: mining costs more than it earns from the first day."
    )


@pytest.mark.parametrize(
    ("changes", "loses"),
    [
        ({}, False), ({"price": "0.1"}, True), ({"price": "0.12"}, False), ({"price": None}, False),
        ({"capex": "71223.75", "lifetime": "1"}, True), ({"capex": "70858.5", "lifetime": "1"}, False),
        ({"capex": "10000000", "difficulty_growth": "50%"}, True),
    ],
)  # fmt: skip
def test_what_is_a_loss(changes: dict[str, Any], loses: bool) -> None:
    assert makes_a_loss(scenario(**changes)) == loses


def test_scenarios_that_are_never_repaid_are_named() -> None:
    good, bad = scenario(name="good", capex="1"), scenario(name="bad", capex="1", price="0.1")
    assert never_repaid([good, bad, scenario(name="free")]) == ["The purchase price is never repaid in: bad."]
    assert never_repaid([good]) == []


def test_the_odds_and_the_emissions() -> None:
    odds, energy = solo_odds(scenario())
    assert odds == (
        "Solo, a block takes 2.4 hours on average. Within a year, a block is found in practically all cases."
    )
    assert energy.startswith(
        "Mining needs 11,600 J/TH and 4,380 kWh per year, which emit 48.2 to 3,590 kg of CO2 (1,260 "
    )
