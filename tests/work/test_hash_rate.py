"""Hash rates over windows of a counter that only grows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.work.hash_rate import WINDOWS, HashRateMeter


def test_nothing_measured_is_zero() -> None:
    meter = HashRateMeter(10.0)
    assert meter.rate(5) == meter.average() == 0.0
    meter.sample(10.0, 100)
    assert meter.rate(5) == meter.average() == 0.0


@pytest.mark.parametrize("window", [5, 60, 900])
def test_constant_rate(window: float) -> None:
    meter = HashRateMeter(0.0)
    for tick in range(1, 4000):
        meter.sample(tick * 0.5, tick * 500)
        assert meter.rate(window) == pytest.approx(1000)
    assert meter.average() == pytest.approx(1000)


def test_windows_forget() -> None:
    meter = HashRateMeter(0.0)
    for second in range(1, 101):
        meter.sample(second, 1000 * min(second, 50))
    assert meter.rate(5) == 0
    assert meter.rate(60) == pytest.approx(1000 * 10 / 60)
    assert meter.average() == 500


def test_a_meter_answers_for_a_quarter_of_an_hour() -> None:
    """The usual windows of miners are 5 s, 1 min and 15 min."""
    assert WINDOWS == (5, 60, 15 * 60)
    meter = HashRateMeter(100.0)
    for second in range(1, 1001):
        meter.sample(100.0 + second, 1000 * max(0, second - 100))
    assert [meter.rate(window) for window in WINDOWS] == [1000.0] * 3
    assert meter.average() == 900


def test_samples_half_a_second_apart_are_kept_and_closer_ones_are_not() -> None:
    meter = HashRateMeter(0.0)
    meter.sample(0.25, 100)
    meter.sample(0.5, 100)
    assert meter.rate(0.25) == 0, "the sample at 0.25 lies between two that are half a second apart"
    closer = HashRateMeter(0.0)
    closer.sample(0.2, 100)
    closer.sample(0.4, 100)
    assert closer.rate(0.2) == 250, "the window begins at the start, because the sample at 0.2 is forgotten"


def test_a_sudden_stop_leaves_each_rate_after_its_window_and_the_resolution() -> None:
    meter = HashRateMeter(0.0)
    for tick in range(1, 1201):
        meter.sample(tick / 10, 1000 * min(tick, 1000))
        if tick > 1000 + 55:
            assert meter.rate(5) == 0
        elif tick > 1000:
            assert meter.rate(5) == pytest.approx(10_000 * max(0, 1050 - tick) / 50, abs=10_000 * 0.5 / 5)


def test_samples_before_the_longest_window_are_dropped() -> None:
    meter = HashRateMeter(0.0, 10.0)
    for second in range(1, 101):
        meter.sample(float(second), 0)
    assert [time for time, _ in meter._samples] == [float(second) for second in range(90, 101)]


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(0, 10**9)), max_size=300))
def test_memory_is_bounded_and_rates_are_never_negative(steps: list[tuple[float, int]]) -> None:
    meter, now, hashes = HashRateMeter(0.0), 0.0, 0
    for step, more in steps:
        now, hashes = now + step, hashes + more
        meter.sample(now, hashes)
        assert meter.rate(5) >= 0
        assert meter.rate(900) >= 0
    assert hashes == 0 or now == 0 or meter.average() > 0
    assert len(meter._samples) <= 3600 + 2


def test_many_samples_are_thinned() -> None:
    meter = HashRateMeter(0.0)
    for tick in range(100_000):
        meter.sample(tick * 0.01, tick)
    assert 1800 <= len(meter._samples) <= 3600 + 2


def test_a_look_between_two_samples_changes_nothing() -> None:
    meter = HashRateMeter(0.0, 300.0, resolution=10.0)
    for second in range(1, 301):
        meter.sample(float(second), second * 1000)
    kept = list(meter._samples)
    assert meter.rate_at(310.0, 310_000, 300.0) == pytest.approx(1000)
    assert meter.rate_at(600.0, 300_000, 300.0) == 0.0
    assert list(meter._samples) == kept
    assert len(kept) < 40
