"""Durations in buckets: each is counted once, under the first bound that it does not exceed."""

import math

from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.work.durations import BOUNDS_S, NO_DURATIONS, DurationMeter


def test_bounds_rise_and_a_duration_on_one_belongs_to_it() -> None:
    assert list(BOUNDS_S) == sorted(set(BOUNDS_S))
    for place, bound in enumerate(BOUNDS_S):
        meter = DurationMeter()
        meter.add(bound)
        meter.add(math.nextafter(bound, math.inf))
        counts = meter.counts.counts
        assert counts[place : place + 2] == (1, 1)


@given(st.lists(st.floats(0, 1e6)))
def test_each_is_counted_once(durations: list[float]) -> None:
    meter = DurationMeter()
    for seconds in durations:
        meter.add(seconds)
    told = meter.counts
    assert told.count == len(durations)
    assert math.isclose(told.total_s, math.fsum(durations), rel_tol=1e-9)
    for place, bound in enumerate(BOUNDS_S):
        assert sum(told.counts[: place + 1]) == sum(seconds <= bound for seconds in durations)
    assert NO_DURATIONS.count == 0
