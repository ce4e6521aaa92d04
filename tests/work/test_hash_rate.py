"""Hash rates over windows of a counter that only grows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.work.hash_rate import HashRateMeter


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


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(0, 10**9)), max_size=300))
def test_memory_is_bounded_and_rates_are_never_negative(steps: list[tuple[float, int]]) -> None:
    meter, now, hashes = HashRateMeter(0.0), 0.0, 0
    for step, more in steps:
        now, hashes = now + step, hashes + more
        meter.sample(now, hashes)
        assert meter.rate(5) >= 0
        assert meter.rate(900) >= 0
    assert len(meter._samples) <= 1 + 900 / 0.25 + 2


def test_many_samples_are_thinned() -> None:
    meter = HashRateMeter(0.0)
    for tick in range(100_000):
        meter.sample(tick * 0.01, tick)
    assert len(meter._samples) < 4000


def test_a_look_between_two_samples_changes_nothing() -> None:
    meter = HashRateMeter(0.0, 300.0, resolution=10.0)
    for second in range(1, 301):
        meter.sample(float(second), second * 1000)
    kept = list(meter._samples)
    assert meter.rate_at(310.0, 310_000, 300.0) == pytest.approx(1000)
    assert meter.rate_at(600.0, 300_000, 300.0) == 0.0
    assert list(meter._samples) == kept
    assert len(kept) < 40
