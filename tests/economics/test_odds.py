"""Odds at the edges: exactly as much as expected, exactly the mean, nothing found."""

import math
from collections.abc import Callable

import pytest

from stratum_miner.economics import odds, poisson
from stratum_miner.economics.odds import Luck


def test_luck_as_expected_is_seen_from_below() -> None:
    """P(X <= 1) for a mean of 1 is 2/e; the probability of 1 or more would be 1 - 1/e."""
    assert odds.probability_of_luck(Luck(1, 1.0)) == pytest.approx(2 / math.e)


@pytest.mark.parametrize(
    ("found", "expected", "chance"),
    [
        (0, 3.0, math.exp(-3)),  # none or worse
        (1, 3.0, 4 * math.exp(-3)),
        (1, 0.5, 1 - math.exp(-0.5)),  # one or better
        (2, 0.5, 1 - 1.5 * math.exp(-0.5)),
    ],
)
def test_luck_worse_and_better_than_expected(found: int, expected: float, chance: float) -> None:
    assert odds.probability_of_luck(Luck(found, expected)) == pytest.approx(chance)


def test_luck_is_known_from_the_first_hash_on() -> None:
    assert Luck(0, 0.0).ratio is None
    assert Luck(0, 0.0).interval() is None
    tiny = Luck(0, 1e-9)
    assert tiny.ratio == 0
    interval = tiny.interval()
    assert interval is not None
    assert interval.low == 0
    assert interval.high == pytest.approx(math.log(40) * 1e9)  # exp(-mean) is 2.5 %


def test_an_interval_of_luck_has_the_confidence_asked_for() -> None:
    half = Luck(0, 2.0).interval(0.5)
    assert half is not None
    assert half.high == pytest.approx(math.log(4) / 2)  # exp(-mean) is 25 %
    assert Luck(3, 2.0).ratio == 1.5


@pytest.mark.parametrize("count", [1, 2, 10, 300])
@pytest.mark.parametrize("confidence", [0.5, 0.95])
def test_each_bound_of_an_interval_leaves_half_of_the_rest_outside(count: int, confidence: float) -> None:
    """Garwood's bounds by their definition, with the probabilities added up one by one."""
    interval = odds.count_interval(count, confidence)

    def at_most(limit: int, mean: float) -> float:
        return math.fsum(math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(limit + 1))

    outside = (1 - confidence) / 2
    assert at_most(count, interval.high) == pytest.approx(outside, abs=1e-9)
    assert 1 - at_most(count - 1, interval.low) == pytest.approx(outside, abs=1e-9)


def test_an_interval_is_as_exact_as_its_closed_form() -> None:
    assert odds.count_interval(0).high == pytest.approx(-math.log(0.025), rel=1e-15)
    assert odds.count_interval(1).low == pytest.approx(-math.log(0.975), rel=1e-13)


@pytest.mark.parametrize("count", [1, 2, 7, 100, 5_000, 99_000, 99_381, 100_623, 10**6, 10**9])
@pytest.mark.parametrize("confidence", [0.01, 0.5, 0.95, 0.999])
def test_a_bound_is_where_bisection_finds_it(count: int, confidence: float) -> None:
    """Also near 100,000 expected events, where another method for probabilities begins."""
    tail = (1 - confidence) / 2

    def bisected(is_below: Callable[[float], bool]) -> float:
        low, high = 0.0, 2.0 * count + 20
        while low < (middle := (low + high) / 2) < high:
            low, high = (middle, high) if is_below(middle) else (low, middle)
        return middle

    low = bisected(lambda mean: 1 - poisson.cdf(count - 1, mean) < tail)
    high = bisected(lambda mean: poisson.cdf(count, mean) > tail)
    interval = odds.count_interval(count, confidence)
    assert (interval.low, interval.high) == pytest.approx((low, high), rel=1e-11)


@pytest.mark.parametrize("confidence", [1e-9, 1 - 1e-6, 1 - 1e-15, 1 - 2**-53])
@pytest.mark.parametrize("count", [1, 40, 90_000, 10**9])
def test_every_confidence_below_1_has_an_interval(count: int, confidence: float) -> None:
    interval = odds.count_interval(count, confidence)
    assert 0 < interval.low < interval.high
    assert abs(interval.low - count) < 9 * math.sqrt(count)
    assert interval.high - count < 9 * math.sqrt(count) + 40


def test_an_interval_of_many_shares_takes_few_probabilities(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each new share has an interval, and such a probability takes a tenth of a millisecond where it is not quickly 1.

    Up to the power of two below the count, it is.
    """
    asked: list[float] = []
    real = poisson.cdf

    def cdf(count: int, mean: float) -> float:
        asked.append(mean)
        return real(count, mean)

    monkeypatch.setattr(poisson, "cdf", cdf)
    for count in (5_003, 20_003, 90_003):
        asked.clear()
        odds.count_interval(count)
        assert len([mean for mean in asked if count / 2 < mean < 2 * count]) <= 13, asked


def test_waits_and_shares() -> None:
    assert odds.probability_of_block(0.5, 2) == pytest.approx(1 - 1 / math.e)
    assert odds.probability_of_no_block(0.5, 2) == pytest.approx(1 / math.e)
    assert odds.probability_of_block(1e-12, 1) == pytest.approx(1e-12, rel=1e-9)  # not rounded away
    assert odds.mean_wait_days(0.25) == 4
    assert odds.median_wait_days(0.25) == pytest.approx(4 * math.log(2))
    assert odds.probability_of_block(0.25, odds.median_wait_days(0.25)) == pytest.approx(0.5)
    median = odds.median_best_share(1e15)
    assert odds.probability_of_best_share(1e15, median) == pytest.approx(0.5)
    assert odds.probability_of_best_share(2.0**32, 1.0) == pytest.approx(1 - 1 / math.e)
    assert odds.seconds_per_share(3.0, 2.0**32) == 3
    assert odds.hash_rate_from_shares(30.0, 3.0) == 10 * 2.0**32
    assert odds.relative_spread(25) == 0.2
    assert odds.YEAR_DAYS == (303 * 365 + 97 * 366) / 400 + 0.0075  # the Julian year


def test_the_luck_of_a_pool() -> None:
    """A wait of twice the expected work for one block: exp(-2); for two blocks, at most one in a mean of four."""
    assert odds.probability_of_pool_luck(1, 2) == pytest.approx(math.exp(-2))
    assert odds.probability_of_pool_luck(2, 2) == pytest.approx(5 * math.exp(-4))
