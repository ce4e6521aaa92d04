"""Durations in buckets: each is counted once, under the first bound that it does not exceed."""

import math

from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.client.settings import Timeouts
from stratum_miner.work.durations import BOUNDS_S, NO_DURATIONS, DurationMeter


def test_bounds_are_evenly_spread_from_a_fast_answer_to_the_clients_limit() -> None:
    """In each decade from 0.1 ms to 10 s the bounds 1, 2.5 and 5; then half of the client's limit, and the limit."""
    spread = [float(f"{digits}e{exponent}") for exponent in range(-4, 1) for digits in ("1", "2.5", "5")]
    assert list(BOUNDS_S) == [*spread, 10.0, Timeouts().unanswered_submit / 2, Timeouts().unanswered_submit]


def test_what_lasts_longer_than_every_bound_has_the_last_place() -> None:
    meter = DurationMeter()
    meter.add(61.0)
    meter.add(3600.0)
    assert meter.counts.counts == (*[0] * len(BOUNDS_S), 2)
    assert len(NO_DURATIONS.counts) == len(meter.counts.counts)


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
