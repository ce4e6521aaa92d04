"""The statistics of the benchmarks: the interval of a median, and when a figure counts as slower."""

import random
from statistics import median

import pytest

from benchmarks.interval import FLOORS, judge, median_interval


def noise(middle: float, spread: float, count: int, seed: int) -> list[float]:
    draw = random.Random(seed)
    return [draw.gauss(middle, spread) for _ in range(count)]


def test_equal_values_have_an_interval_of_length_zero() -> None:
    interval = median_interval([2.0] * 5)
    assert (interval.low, interval.median, interval.high, interval.half) == (2.0, 2.0, 2.0, 0.0)


def test_one_value_is_its_own_interval_and_none_has_no_median() -> None:
    assert median_interval([3.0]).half == 0
    with pytest.raises(ValueError, match="expected at least one value"):
        median_interval([])


def test_the_same_values_always_have_the_same_interval() -> None:
    values = noise(1, 0.1, 20, 1)
    assert median_interval(values) == median_interval(values)


def test_the_interval_contains_the_true_median_about_as_often_as_it_says() -> None:
    intervals = [median_interval(noise(1, 0.1, 20, seed)) for seed in range(100)]
    hits = sum(each.low <= 1 <= each.high for each in intervals)
    assert 88 <= hits <= 100
    assert all(each.low <= each.median <= each.high for each in intervals)


def test_the_interval_shrinks_with_the_square_root_of_the_number_of_values() -> None:
    few, many = (median([median_interval(noise(1, 0.1, n, s)).half for s in range(6)]) for n in (10, 90))
    assert 2 < few / many < 4.5


def test_one_outlier_hardly_changes_the_median() -> None:
    interval = median_interval([1.0, 1.01, 0.99, 1.0, 1.0, 1.01, 0.99, 50.0])
    assert interval.median < 1.02
    assert interval.high < 1.02


@pytest.mark.parametrize("clock", FLOORS)
def test_without_noise_a_figure_fails_beyond_the_floor_only(clock: str) -> None:
    floor = FLOORS[clock]
    assert not judge([1 + floor - 0.001] * 10, clock).failed
    assert judge([1 + floor + 0.001] * 10, clock).failed


def test_with_noise_a_figure_fails_beyond_three_times_half_its_interval() -> None:
    values = noise(1, 0.3, 20, 7)
    verdict = judge(values, "processor")
    assert verdict.limit == pytest.approx(1 + 3 * verdict.ratio.half)
    assert verdict.limit > 1 + FLOORS["processor"]
    up = 1 + 3 * verdict.ratio.half - verdict.ratio.median
    assert not judge([value + up - 1e-6 for value in values], "processor").failed
    assert judge([value + up + 1e-6 for value in values], "processor").failed


def test_a_figure_that_became_better_never_fails() -> None:
    assert not judge([0.1] * 10, "processor").failed


def test_noise_alone_hardly_ever_fails() -> None:
    verdicts = [judge(noise(1, 0.2, 12, seed), "processor") for seed in range(50)]
    assert sum(each.failed for each in verdicts) <= 1


def test_a_slow_down_of_a_fifth_is_seen_through_noise_of_a_tenth() -> None:
    verdicts = [judge(noise(1.2, 0.06, 20, seed), "processor") for seed in range(30)]
    assert sum(each.failed for each in verdicts) >= 27
