"""The distribution against its own sum, across the seams between methods, and as an inverse."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.economics import poisson


def summed(count: int, mean: float) -> float:
    return math.fsum(math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(count + 1))


@given(st.integers(0, 400), st.floats(0.001, 400))
def test_it_is_the_sum_of_its_terms(count: int, mean: float) -> None:
    assert poisson.cdf(count, mean) == pytest.approx(summed(count, mean), abs=1e-11)


def test_the_ends() -> None:
    assert poisson.cdf(-1, 5) == 0
    assert poisson.cdf(0, 0) == 1
    assert poisson.cdf(10**9, 5) == 1
    assert poisson.cdf(0, 1e9) == 0


@pytest.mark.parametrize("deviations", [-3, -1, 0, 1, 3])
def test_both_methods_meet_at_a_million(deviations: int) -> None:
    below = poisson.cdf(999_999 + deviations * 1000, 999_999.999)
    above = poisson.cdf(999_999 + deviations * 1000, 1_000_000.0)
    assert above == pytest.approx(below, abs=1e-6)


@given(st.floats(0.001, 0.999), st.floats(0.01, 1e7))
def test_a_quantile_is_the_first_count_to_reach_its_chance(chance: float, mean: float) -> None:
    count = poisson.quantile(chance, mean)
    assert poisson.cdf(count, mean) >= chance
    assert poisson.cdf(count - 1, mean) < chance


@pytest.mark.parametrize("chance", [0.0, 1.0, -1.0])
def test_a_quantile_of_no_chance_is_refused(chance: float) -> None:
    with pytest.raises(ValueError, match="probability: expected more than 0 and less than 1"):
        poisson.quantile(chance, 3)
