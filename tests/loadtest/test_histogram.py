"""Histograms: the error of quantiles, and that sums and copies lose nothing."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.loadtest.histogram import BUCKETS, MAX_MICROSECONDS, SUB_BUCKETS, Histogram

durations = st.floats(min_value=0, max_value=3600, allow_nan=False)
shares = st.sampled_from([0.0, 0.01, 0.5, 0.9, 0.99, 0.999, 1.0])


def filled(values: list[float]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    return histogram


@given(st.lists(durations, min_size=1, max_size=200), shares)
def test_a_quantile_is_never_below_the_truth_and_hardly_above(values: list[float], share: float) -> None:
    exact = sorted(values)[max(1, math.ceil(share * len(values))) - 1]
    found = filled(values).quantile(share)
    assert found is not None
    assert exact <= found + 1e-12
    assert found <= exact * (1 + 1 / SUB_BUCKETS) + 1e-6


@given(st.lists(durations, max_size=50), st.lists(durations, max_size=50))
def test_a_sum_is_what_one_alone_would_have_counted(first: list[float], second: list[float]) -> None:
    together = filled(first)
    together.merge(filled(second))
    alone = filled(first + second)
    assert together.cells() == alone.cells()
    assert (together.count, together.minimum, together.maximum) == (alone.count, alone.minimum, alone.maximum)
    assert together.total == pytest.approx(alone.total)


@given(st.lists(durations, max_size=50))
def test_a_copy_sent_as_numbers_is_the_same(values: list[float]) -> None:
    original = filled(values)
    copy = Histogram.restore(original.cells(), total=original.total, minimum=original.minimum, maximum=original.maximum)
    assert copy.cells() == original.cells()
    assert copy.quantiles((0.5, 0.99, 1.0)) == original.quantiles((0.5, 0.99, 1.0))


def test_several_quantiles_are_those_asked_for_alone() -> None:
    histogram = filled([index / 1000 for index in range(1, 1001)])
    asked = (0.0, 0.5, 0.5, 0.99, 1.0)
    assert histogram.quantiles(asked) == [histogram.quantile(share) for share in asked]


def test_an_empty_one_has_no_quantiles() -> None:
    assert Histogram().quantiles((0.5, 0.99)) == [None, None]
    assert Histogram().mean is None


def test_out_of_range_durations_are_counted_at_the_ends() -> None:
    histogram = filled([-1.0, 1e9])
    assert [index for index, _ in histogram.cells()] == [0, BUCKETS - 1]
    assert histogram.maximum == 1e9
    assert filled([MAX_MICROSECONDS / 1e6]).cells() == [(BUCKETS - 1, 1)]


@pytest.mark.parametrize("cell", [(-1, 1), (BUCKETS, 1), (0, -1)])
def test_numbers_that_are_no_histogram_are_refused(cell: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="expected bucket 0 to"):
        Histogram.restore([cell], total=0, minimum=0, maximum=0)
