"""The distribution against its own sum, closed forms, the seam between its two methods, and as an inverse."""

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
    assert poisson.cdf(0, 1) == pytest.approx(1 / math.e)
    assert poisson.cdf(10**9, 5) == 1
    assert poisson.cdf(0, 1e9) == 0


def at_most_the_mean(mean: int) -> float:
    """The probability of at most ``mean`` events, by Ramanujan's formula for the sum of the first terms of exp(mean).

    Its error is below 0.01 / mean^2 of the last term.
    """
    last = math.exp(-1 / (12 * mean) + 1 / (360 * mean**3)) / math.sqrt(2 * math.pi * mean)
    theta = 1 / 3 + 4 / (135 * mean)
    return 0.5 + (1 - theta) * last


@pytest.mark.parametrize(
    ("mean", "accuracy"),
    [(10, 1e-5), (1000, 1e-9), (99_999, 1e-9), (10**5, 1e-7), (10**6, 1e-7), (10**7, 1e-7), (10**9, 1e-7)],
)
def test_it_is_as_accurate_as_documented(mean: int, accuracy: float) -> None:
    """Nine digits below 100,000, seven from there on."""
    assert poisson.cdf(mean, mean) == pytest.approx(at_most_the_mean(mean), abs=accuracy)


@pytest.mark.parametrize("deviations", [-3, -1, 0, 1, 3])
def test_both_methods_meet_at_a_hundred_thousand(deviations: int) -> None:
    count = round(99_999 + deviations * math.sqrt(100_000))
    last = poisson.cdf(count, math.nextafter(1e5, 0))
    first = poisson.cdf(count, 1e5)
    assert first == pytest.approx(last, abs=1e-7)
    if abs(deviations) == 1:  # where the approximation is worst, the seam shows where it begins
        assert abs(first - last) > 1e-8
        assert poisson.cdf(count, math.nextafter(1e5, 2e5)) == pytest.approx(first, abs=1e-10)


@given(st.floats(0.001, 0.999), st.floats(0.01, 1e7))
def test_a_quantile_is_the_first_count_to_reach_its_chance(chance: float, mean: float) -> None:
    count = poisson.quantile(chance, mean)
    assert poisson.cdf(count, mean) >= chance
    assert poisson.cdf(count - 1, mean) < chance


def test_a_quantile_may_be_none_at_all_or_many_times_the_mean() -> None:
    assert poisson.quantile(0.5, 0.5) == 0
    assert poisson.quantile(math.exp(-0.5), 0.5) == 0  # exactly the probability of none
    assert poisson.quantile(0.61, 0.5) == 1
    assert poisson.quantile(1 - 1e-12, 0.5) == 11


@pytest.mark.parametrize("chance", [0.0, 1.0, -1.0, math.nan])
def test_a_quantile_of_no_chance_is_refused(chance: float) -> None:
    with pytest.raises(ValueError, match="probability: expected more than 0 and less than 1"):
        poisson.quantile(chance, 3)
