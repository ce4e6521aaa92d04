"""Answers of other programs: their point is a decimal point, also before exactly three digits."""

from datetime import date

import pytest

from stratum_miner.economics.profit import sources, terms

TODAY = date(2026, 11, 1)


@pytest.mark.parametrize("answer", ["90.125", '{"last": 90.125}', '{"last": "90.125"}'])
def test_a_price_with_three_decimals_keeps_its_point(answer: str) -> None:
    field = "last" if answer.startswith("{") else None
    found = sources.price(answer.encode(), field, "--price-url", "http://127.0.0.1:1", TODAY)
    assert terms.price("--price-url", found["price"]) == terms.price("--price-url", "90.1250")


def test_the_figures_of_a_node_keep_their_points() -> None:
    found = sources.chain_terms(
        difficulty=1.125, height=930_000, subsidy=312_500_000, average_fees=123_400_000, today=TODAY
    )
    parsed = {name: terms.PARSERS[name](name, text) for name, text in found.items()}
    assert parsed["difficulty"] == 1.125
    assert (float(parsed["subsidy"]), float(parsed["fees"])) == (3.125, 1.234)
    assert parsed["height"] == 930_000
