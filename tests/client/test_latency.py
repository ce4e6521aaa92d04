"""Quantiles of the newest latencies."""

import random

import pytest

from stratum_miner.client.latency import KEPT, Latencies
from stratum_miner.loadtest.histogram import Histogram


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 10, 99, 100, 101, 999, KEPT])
@pytest.mark.parametrize("percent", [1, 7, 29, 50, 57, 90, 95, 99, 100])
def test_each_quantile_is_the_smallest_that_so_many_do_not_exceed(count: int, percent: int) -> None:
    values = [float(number) for number in range(1, count + 1)]
    latencies = Latencies()
    for value in random.Random(1).sample(values, count):
        latencies.add(value)
    expected = next(value for value in values if 100 * sum(other <= value for other in values) >= percent * count)
    assert latencies.quantile(percent / 100) == expected


def test_only_the_newest_are_kept_and_none_gives_none() -> None:
    latencies = Latencies()
    assert latencies.quantile(0.5) is None
    for value in range(2000):
        latencies.add(float(value))
    assert latencies.quantile(0.0) == 1000, "of 2,000 latencies, the newest 1,000"
    assert latencies.counts.count == 2000


@pytest.mark.parametrize("percent", [7, 50, 57, 99])
def test_a_histogram_goes_by_the_same_rule(percent: int) -> None:
    latencies, histogram = Latencies(), Histogram()
    for microseconds in range(1, 101):
        latencies.add(microseconds / 1e6)
        histogram.add(microseconds / 1e6 + 1e-9)
    exact, counted = latencies.quantile(percent / 100), histogram.quantile(percent / 100)
    assert exact is not None
    assert counted is not None
    assert exact <= counted <= exact + 1.1e-6
