"""The rule of all quantiles, against a sorted list and exact fractions."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.work.quantile import rank


@pytest.mark.parametrize(
    ("share", "count", "expected"),
    [
        (0.5, 1, 1),
        (0.5, 2, 1),
        (0.5, 3, 2),
        (0.5, 6, 3),
        (0.5, 10, 5),
        (0.99, 100, 99),
        (0.99, 101, 100),
        (0.07, 100, 7),
        (0.29, 100, 29),
        (0.57, 100, 57),
        (0.999, 1000, 999),
        (0.0, 5, 1),
        (1.0, 5, 5),
        (1e-9, 5, 1),
    ],
)
def test_known_ranks(share: float, count: int, expected: int) -> None:
    assert rank(share, count) == expected


@given(st.integers(0, 1000), st.integers(1, 3000))
def test_it_is_the_smallest_value_that_so_many_do_not_exceed(thousandths: int, count: int) -> None:
    values = range(1, count + 1)
    wanted = Fraction(thousandths, 1000) * count
    smallest = next(value for value in values if value >= wanted)  # value is also how many do not exceed it
    assert rank(thousandths / 1000, count) == smallest
