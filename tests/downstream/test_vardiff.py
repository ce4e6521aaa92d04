"""Difficulty follows the share rate and stays where it is when there is nothing to follow
(docs/reference/stratum.md#difficulty-control)."""

import random
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.downstream.vardiff import Vardiff, VardiffConfig

CONFIG = VardiffConfig(target_seconds=10.0, retarget_seconds=60.0, variance=0.3)
TICK = 1.0


class Rig:
    """A miner of a rate (difficulty per second) with chance on a seed; its pool obeys vardiff at once."""

    def __init__(self, rate: float, difficulty: float, *, seed: int = 1, config: VardiffConfig = CONFIG) -> None:
        self.rate = rate
        self.now = 0.0
        self.vardiff = Vardiff(config, difficulty, 0.0)
        self.changes: list[tuple[float, float]] = []
        self._random = random.Random(seed)

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while True:
            wait = self._random.expovariate(self.rate / self.vardiff.difficulty) if self.rate else seconds
            share_at = self.now + wait
            changed = False
            while not changed and self.now + TICK < min(share_at, end):
                self.now += TICK
                changed = self._note(self.vardiff.on_tick(self.now))
            if changed:
                continue
            if share_at > end:
                self.now = end
                return
            self.now = share_at
            self._note(self.vardiff.on_share(self.now, self.vardiff.difficulty))

    def _note(self, difficulty: float | None) -> bool:
        if difficulty is not None:
            assert difficulty == self.vardiff.difficulty
            self.changes.append((self.now, difficulty))
        return difficulty is not None

    @property
    def seconds_per_share(self) -> float:
        return self.vardiff.difficulty / self.rate


@pytest.mark.parametrize("difficulty", [1e-3, 1.0, 1e6])
def test_a_flood_is_met_within_two_periods(difficulty: float) -> None:
    """One miner in hundreds finds its first shares so slowly, by chance, that its difficulty rises too little."""
    unmet = 0
    for seed in range(500):
        rig = Rig(rate=difficulty, difficulty=difficulty, seed=seed)  # a share a second: ten times the target
        rig.run(2 * CONFIG.retarget_seconds)
        assert rig.changes
        unmet += rig.vardiff.difficulty <= 4 * difficulty
    assert unmet <= 2


@given(seed=st.integers(0, 1 << 32))
def test_no_oscillation_at_a_constant_rate(seed: int) -> None:
    rig = Rig(rate=1.0, difficulty=10.0, seed=seed)
    rig.run(10 * CONFIG.retarget_seconds)
    steps = [after > before for before, after in pairwise([10.0, *(difficulty for _, difficulty in rig.changes)])]
    assert sum(first != second for first, second in pairwise(steps)) <= 2


@given(seed=st.integers(0, 1 << 32), exponent=st.floats(-2, 2))
def test_it_settles_near_the_target(seed: int, exponent: float) -> None:
    rig = Rig(rate=1.0, difficulty=10.0 * 10.0**exponent, seed=seed)
    rig.run(3600)
    assert 10.0 / 6 < rig.seconds_per_share < 60.0


@pytest.mark.parametrize("target", [1.0, 2.0, 10.0, 30.0])
def test_a_steady_miner_is_left_alone(target: float) -> None:
    changes = 0
    for seed in range(50):
        rig = Rig(rate=1.0, difficulty=target, seed=seed, config=VardiffConfig(target_seconds=target))
        rig.run(3600)
        changes += len(rig.changes)
    assert changes <= 25, "fifty hours of chance alone"


@pytest.mark.parametrize("target", [1.0, 2.0, 5.0])
@pytest.mark.parametrize(("factor", "shares"), [(2.3, 40), (10.0, 4), (0.1, 30)])
def test_the_first_change_comes_after_a_few_shares_and_not_after_a_minute(
    target: float, factor: float, shares: int
) -> None:
    for seed in range(20):
        rig = Rig(rate=1.0, difficulty=target / factor, seed=seed, config=VardiffConfig(target_seconds=target))
        rig.run(3600)
        first, difficulty = rig.changes[0]
        assert first <= shares * target, f"{shares} of the shares that are wanted, by time"
        assert 0.4 * target < difficulty < 2.5 * target


def test_a_thousand_times_too_easy_is_met_in_seconds() -> None:
    rig = Rig(rate=100.0, difficulty=1.0)
    rig.run(3.0)
    assert rig.vardiff.difficulty > 300


def test_silence_lowers_and_goes_on_lowering() -> None:
    rig = Rig(rate=0.0, difficulty=1000.0)
    rig.run(1800)
    difficulties = [1000.0, *(difficulty for _, difficulty in rig.changes)]
    assert len(difficulties) > 5
    assert all(after < before for before, after in pairwise(difficulties))
    assert rig.changes[0][0] <= 2 * CONFIG.retarget_seconds


@given(
    shares=st.lists(st.tuples(st.floats(0, 1e4), st.floats(1e-12, 1e18), st.booleans()), max_size=60),
    low=st.floats(1e-9, 1.0),
    high=st.floats(1.0, 1e9),
)
def test_bounds_hold_whatever_happens(shares: list[tuple[float, float, bool]], low: float, high: float) -> None:
    vardiff = Vardiff(VardiffConfig(minimum=low, maximum=high), 1.0, 0.0)
    now = 0.0
    for wait, difficulty, is_share in shares:
        now += wait
        changed = vardiff.on_share(now, difficulty) if is_share else vardiff.on_tick(now)
        assert low <= vardiff.difficulty <= high
        assert changed in (None, vardiff.difficulty)


def test_at_its_bound_it_reports_nothing() -> None:
    config = VardiffConfig(minimum=5.0)
    rig = Rig(rate=0.0, difficulty=5.0, config=config)
    rig.run(3600)
    assert rig.changes == []


def test_shares_of_an_older_job_count_for_what_they_were_worth() -> None:
    """A session that was told 1000 still sends shares of 10, at the rate that made it 1000."""
    vardiff = Vardiff(CONFIG, 1000.0, 0.0)
    results = [vardiff.on_share(second * 0.1, 10.0) for second in range(1, 601)]
    assert all(result is None for result in results)


def test_a_limit_of_the_session_does_not_mislead() -> None:
    """The session keeps 1 as its minimum; vardiff has gone far below in silence. One share must not raise above 1."""
    vardiff = Vardiff(CONFIG, 1e-6, 0.0)
    assert vardiff.on_share(2.0, 1.0) is None
    assert vardiff.on_tick(59.0) is None


def test_a_difficulty_that_was_asked_for_starts_afresh() -> None:
    vardiff = Vardiff(CONFIG, 1.0, 0.0)
    for second in range(1, 20):
        vardiff.on_share(second / 100, 1.0)
    vardiff.set_difficulty(8.0, 1.0)
    assert vardiff.difficulty == 8.0
    assert vardiff.on_tick(60.0) is None


def test_a_burst_within_a_second_is_no_rate() -> None:
    vardiff = Vardiff(CONFIG, 1.0, 0.0)
    assert [vardiff.on_share(0.9, 1.0) for _ in range(100)] == [None] * 100


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"target_seconds": 0.0}, "target_seconds: expected a finite number above zero, got 0.0"),
        ({"retarget_seconds": float("nan")}, "retarget_seconds: expected a finite"),
        ({"variance": -1.0}, "variance: expected a finite"),
        ({"maximum": float("inf")}, "maximum: expected a finite"),
        ({"minimum": 2.0, "maximum": 1.0}, "expected minimum <= maximum, got 2.0 and 1.0"),
    ],
)
def test_bad_settings(settings: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        VardiffConfig(**settings)


def test_a_long_steady_history_does_not_hide_a_change() -> None:
    vardiff = Vardiff(CONFIG, 1.0, 0.0)
    day = 86400
    assert all(vardiff.on_share(float(second), 1.0) is None for second in range(10, day, 10))
    changes = [vardiff.on_tick(float(second)) for second in range(day, day + 600)]
    assert any(change is not None and change < 1.0 for change in changes)


@pytest.mark.parametrize(("shares", "changes"), [(2, False), (5, True)])
def test_a_few_shares_where_none_was_expected_are_no_rate(shares: int, changes: bool) -> None:
    vardiff = Vardiff(VardiffConfig(target_seconds=600.0, retarget_seconds=60.0), 1.0, 0.0)
    for second in range(shares):
        assert vardiff.on_share(float(second), 1.0) is None
    assert (vardiff.on_tick(60.0) is not None) == changes


def first_change(config: VardiffConfig, *, until: float = 1000.0) -> tuple[float, float]:
    """Time and difficulty of the first change for a miner of difficulty 1 that finds nothing."""
    vardiff = Vardiff(config, 1.0, 100.0)
    for quarter in range(int(until * 4)):
        difficulty = vardiff.on_tick(100.0 + quarter / 4)
        if difficulty is not None:
            return quarter / 4, difficulty
    raise AssertionError(f"no change within {until} s")


@pytest.mark.parametrize(
    ("config", "seconds", "difficulty"),
    [
        # nothing where twelve shares are expected says enough at the first look
        (VardiffConfig(target_seconds=1.0, retarget_seconds=500.0), 12.0, 1 / 12),
        # looks at 5, 7.5 and 11.25: each when half as much again has passed; nine shares are too few to be missed
        (VardiffConfig(target_seconds=1.0, retarget_seconds=5.0), 11.25, 1 / 11.25),
        # looks at 2, 3, 4.5, and then every two seconds
        (VardiffConfig(target_seconds=1.0, retarget_seconds=2.0), 10.5, 1 / 10.5),
        # the defaults: a share in ten seconds is wanted; looks at 60 and 90
        (VardiffConfig(), 90.0, 1 / 9),
    ],
)
def test_when_silence_is_noticed(config: VardiffConfig, seconds: float, difficulty: float) -> None:
    changed_at, changed_to = first_change(config)
    assert changed_at == seconds
    assert changed_to == pytest.approx(difficulty)


def after_shares(shares: int, seconds: float, **settings: float) -> float | None:
    """What a look after this time decides, one share a second being wanted and this number having come at once."""
    config = VardiffConfig(**{"target_seconds": 1.0, "retarget_seconds": 1000.0} | settings)
    vardiff = Vardiff(config, 1.0, 100.0)
    for _ in range(shares):
        assert vardiff.on_share(100.5, 1.0) is None, "the rate of half a second is none"
    return vardiff.on_tick(100.0 + seconds)


@pytest.mark.parametrize(
    ("shares", "seconds", "difficulty"),
    [
        # of n expected shares, chance explains three roots of n fewer, and three roots and three shares more
        (16, 16, None), (5, 16, None), (4, 16, 1 / 4), (16 + 12 + 2, 16, None), (16 + 12 + 3, 16, 31 / 16),
        (400 + 60 + 3, 400, None),  # far beyond chance, but less than the dead band
        (519, 400, None), (520, 400, 1.3), (308, 400, None), (307, 400, 307 / 400),
    ],
)  # fmt: skip
def test_what_chance_explains_changes_nothing(shares: int, seconds: float, difficulty: float | None) -> None:
    assert after_shares(shares, seconds) == (None if difficulty is None else pytest.approx(difficulty))


@pytest.mark.parametrize(("shares", "changes"), [(799, False), (800, True), (201, False), (200, True)])
def test_the_dead_band_ends_where_it_is_said_to(shares: int, changes: bool) -> None:
    assert (after_shares(shares, 400, variance=1.0) is not None) == changes


def test_sixteen_shares_are_enough_for_a_look_after_a_second() -> None:
    vardiff = Vardiff(VardiffConfig(target_seconds=1.0, retarget_seconds=500.0), 1.0, 100.0)
    assert [vardiff.on_share(102.0, 1.0) for _ in range(16)] == [None] * 15 + [8.0]
    assert vardiff.difficulty == 8.0
    vardiff = Vardiff(VardiffConfig(target_seconds=1.0, retarget_seconds=500.0), 1.0, 100.0)
    assert [vardiff.on_share(100.99, 1.0) for _ in range(16)] == [None] * 16
    assert vardiff.on_share(101.0, 1.0) == 17.0


def test_the_next_look_comes_when_there_are_half_as_many_shares_again() -> None:
    vardiff = Vardiff(VardiffConfig(target_seconds=1.0, retarget_seconds=500.0), 1.0, 100.0)
    decided = [vardiff.on_share(109.0, 1.0) for _ in range(24)]
    assert decided == [None] * 23 + [pytest.approx(24 / 9)], "22 would have been too many, but nobody looked"


@pytest.mark.parametrize(("seconds", "starts_anew"), [(99.9, False), (100.0, True)])
def test_after_ten_periods_without_a_change_the_count_starts_anew(seconds: float, starts_anew: bool) -> None:
    vardiff = Vardiff(VardiffConfig(target_seconds=1.0, retarget_seconds=10.0), 1.0, 0.0)
    for _ in range(100):
        vardiff.on_share(0.5, 1.0)
    assert vardiff.on_tick(seconds) is None
    assert vardiff.on_tick(110.0) == (pytest.approx(0.1) if starts_anew else None)


def test_the_widest_bounds() -> None:
    """Nearly every hash is a share of 2^-32, and no network comes near 1e15 (docs/reference/stratum.md#regtest)."""
    config = VardiffConfig(target_seconds=1.0, retarget_seconds=500.0)
    easiest, hardest = Vardiff(config, 2.0**-31, 0.0), Vardiff(config, 1e14, 0.0)
    assert easiest.on_tick(100.0) == 1 / (1 << 32)
    for _ in range(2000):
        hardest.on_share(0.5, 1e14)
    assert hardest.on_tick(20.0) == 10**15


def test_a_single_difficulty_may_be_all_that_is_allowed() -> None:
    config = VardiffConfig(minimum=2.0, maximum=2.0)
    assert (config.minimum, config.maximum) == (2.0, 2.0)
