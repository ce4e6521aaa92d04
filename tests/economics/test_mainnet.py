"""The built-in figures of mainnet: those that the documents name, with their dates."""

from decimal import Decimal
from pathlib import Path

from stratum_miner.economics import chain, mainnet

PAGE = (Path(__file__).parents[2] / "docs" / "explanation" / "economics.md").read_text(encoding="utf-8")


def test_the_difficulty_is_the_documented_one() -> None:
    figure = mainnet.DIFFICULTY
    assert f"The difficulty is {figure.value / 10**12:.1f} T, of {figure.date}." in PAGE
    assert figure.value == 144_400_000_000_000


def test_the_subsidy_is_that_since_the_fourth_halving() -> None:
    assert mainnet.SUBSIDY.value == Decimal(chain.subsidy(840_000)) / 100_000_000
    assert str(mainnet.SUBSIDY.date) == "2024-04-20"  # the day of block 840,000
    assert "block 840,000" in mainnet.SUBSIDY.source


def test_fees_are_not_counted() -> None:
    assert "Transaction fees are not counted." in PAGE
    assert mainnet.FEES.value == 0
    assert mainnet.FEES.date == mainnet.DIFFICULTY.date
