"""The pacer: mean rates, the shapes of profiles, and distributions with a mean of 1."""

import random

import pytest

from stratum_miner.loadtest import pacer, spec
from stratum_miner.loadtest.pacer import DISTRIBUTIONS, PROFILES, LoadProfile


def shares(profile: LoadProfile, rate: float, duration: float, seed: int = 1) -> list[float]:
    rng = random.Random(seed)
    times: list[float] = []
    due = pacer.next_share(rng, 0.0, rate, profile, duration)
    while due is not None:
        times.append(due)
        due = pacer.next_share(rng, due, rate, profile, duration)
    return times


def between(times: list[float], low: float, high: float) -> int:
    return sum(low <= time < high for time in times)


def test_the_mean_rate_is_the_one_asked_for() -> None:
    times = shares(LoadProfile.parse("track", 1000), 10.0, 1000)
    assert times == sorted(times)
    assert 9500 < len(times) < 10500  # five standard deviations of a Poisson count of 10 000


def test_equal_seeds_give_equal_times() -> None:
    profile = LoadProfile.parse("burst", 100)
    assert shares(profile, 5, 100, seed=3) == shares(profile, 5, 100, seed=3)
    assert shares(profile, 5, 100, seed=3) != shares(profile, 5, 100, seed=4)


@pytest.mark.parametrize(
    ("text", "quiet", "busy", "ratio"),
    [
        ("step:at=0.5,to=4", (0, 500), (500, 1000), 4.0),
        ("ramp:begin=0,to=2", (0, 500), (500, 1000), 3.0),
        ("burst:every=0.5,for=0.25,to=3", (250, 500), (0, 250), 3.0),
        ("oscillate:period=1,depth=1", (500, 1000), (0, 500), 4.5),  # 1 + 2/pi to 1 - 2/pi
    ],
)
def test_a_profile_has_its_shape(
    text: str, quiet: tuple[float, float], busy: tuple[float, float], ratio: float
) -> None:
    times = shares(LoadProfile.parse(text, 1000), 20.0, 1000)
    assert between(times, *busy) / between(times, *quiet) == pytest.approx(ratio, rel=0.12)


def test_nothing_comes_in_a_stall() -> None:
    times = shares(LoadProfile.parse("stall:at=0.4,for=0.2", 100), 50.0, 100)
    assert between(times, 40, 60) == 0
    assert between(times, 0, 40) > 1500
    assert between(times, 60, 100) > 1500


def test_a_miner_without_a_rate_has_no_share() -> None:
    assert shares(LoadProfile.parse("track", 10), 0.0, 10) == []
    assert shares(LoadProfile.parse("step:at=0,to=0", 10), 100.0, 10) == []


@pytest.mark.parametrize("name", PROFILES)
def test_a_factor_reaches_the_peak_and_never_exceeds_it(name: str) -> None:
    profile = LoadProfile.parse(name, 60)
    factors = [profile.factor(step / 10) for step in range(600)]
    assert all(0 <= factor <= profile.peak for factor in factors)
    assert max(factors) == pytest.approx(profile.peak, rel=0.01)
    assert profile.peak >= 1, "a share rate is the mean, or the rate before a profile changes it"


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_a_distribution_has_a_mean_of_one(name: str) -> None:
    drawn = pacer.weights(name, 50_000, random.Random(5))
    assert sum(drawn) / len(drawn) == pytest.approx(1.0, rel=0.1)
    assert 0 <= min(drawn) <= max(drawn) <= pacer.LARGEST_WEIGHT


def test_a_ramp_is_even_and_a_storm_is_not_one() -> None:
    assert [pacer.connect_at(index, 4, 8.0) for index in range(4)] == [0.0, 2.0, 4.0, 6.0]
    assert {pacer.connect_at(index, 4, 0.0) for index in range(4)} == {0.0}


def test_pauses_double_up_to_a_limit() -> None:
    rng = random.Random(1)
    for attempt, ceiling in ((0, 1.0), (1, 2.0), (3, 8.0), (5, 10.0), (1000, 10.0)):
        assert ceiling / 2 <= pacer.reconnect_pause(attempt, 1.0, 10.0, rng) <= ceiling


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stepp", "did you mean 'step'"),
        ("step:too=3", "did you mean 'to'"),
        ("step:to", "expected step:KEY=VALUE with at, to"),
        ("step:to=fast", "expected a number from 0, got 'fast'"),
        ("step:at=30", "expected a fraction of the run"),
        ("oscillate:period=0", "above 0"),
        ("track:at=1", "no settings"),
    ],
)
def test_a_bad_profile_is_told(text: str, message: str) -> None:
    with pytest.raises(spec.SpecError, match=message):
        LoadProfile.parse(text, 60)


@pytest.mark.parametrize("text", ["lognormal:sigma=9", "pareto:alpha=1", "uniform:spread=2", "gauss"])
def test_a_bad_distribution_is_told(text: str) -> None:
    with pytest.raises(spec.SpecError, match="distribution"):
        pacer.distribution(text)


@pytest.mark.parametrize(
    ("text", "value"), [("5%", 0.05), ("0.05", 0.05), ("0,05", 0.05), ("0,5 %", 0.005), ("100%", 1.0), ("0", 0.0)]
)
def test_a_share_is_a_fraction_or_per_cent(text: str, value: float) -> None:
    assert spec.fraction(text, "--slow-readers") == pytest.approx(value)


@pytest.mark.parametrize("text", ["5", "101%", "-1%", "", "many", "."])
def test_a_bad_share_is_told(text: str) -> None:
    with pytest.raises(spec.SpecError, match="--slow-readers: expected"):
        spec.fraction(text, "--slow-readers")
