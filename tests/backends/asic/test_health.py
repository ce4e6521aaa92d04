"""Health of simulated devices: good devices pass whatever chance does, and bad ones are found with the right
problem."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stratum_miner.backends.asic.health import (
    DUPLICATES_JUDGED_AT,
    SILENT_AFTER,
    DeviceHealth,
    HealthMonitor,
    HealthProblem,
)

RATE = 1e9
PER_NONCE = float(2**32)


def live(
    seconds: float,
    *,
    chips: int = 2,
    speed: float = 1.0,
    errors: float = 0.0,
    dead: frozenset[int] = frozenset(),
    seed: int = 0,
) -> list[HealthProblem]:
    """Return the problems of a device with this fraction of the expected speed, and of wrong nonces (``errors``)."""
    rng, now = random.Random(seed), 0.0
    monitor = HealthMonitor(now, chips)
    monitor.expect(now, RATE, PER_NONCE)
    monitor.searching(now, True)
    complaints = []
    due = rng.expovariate(speed * RATE / PER_NONCE) if speed else float("inf")
    while now < seconds:
        now += 1.0
        while due <= now:
            chip = rng.randrange(chips)
            if rng.random() < errors:
                monitor.hardware_error(due)
            elif chip not in dead:
                monitor.nonce(due, chip)
            due += rng.expovariate(speed * RATE / PER_NONCE)
        complaints.append(monitor.assess(now).problem)
    return complaints


@pytest.mark.parametrize("seed", range(8))
def test_a_good_device_is_left_alone(seed: int) -> None:
    assert set(live(20_000, seed=seed, errors=0.01)) == {HealthProblem.NONE}


@pytest.mark.parametrize(
    ("trouble", "complaint"),
    [
        ({"speed": 0.0}, HealthProblem.SILENT),
        ({"speed": 0.5}, HealthProblem.SLOW),
        ({"errors": 0.15}, HealthProblem.TOO_MANY_ERRORS),
        ({"errors": 0.9}, HealthProblem.MOSTLY_ERRORS),
        ({"dead": frozenset({1})}, HealthProblem.CHIP_SILENT),
    ],
)
def test_trouble_is_named(trouble: dict[str, object], complaint: HealthProblem) -> None:
    found = [item for item in live(3000, seed=1, **trouble) if item is not HealthProblem.NONE]  # type: ignore[arg-type]
    assert found[0] is complaint


def test_the_silent_chip_is_numbered() -> None:
    monitor = HealthMonitor(0.0, chips=12)
    monitor.expect(0.0, RATE, PER_NONCE)
    monitor.searching(0.0, True)
    verdict = DeviceHealth()
    for second in range(1, 3000):
        if second % 4 == 0:
            monitor.nonce(float(second), chip=second // 4 % 11)
        verdict = monitor.assess(float(second))
        if verdict.problem is not HealthProblem.NONE:
            break
    assert (verdict.problem, verdict.detail) == (
        HealthProblem.CHIP_SILENT,
        "chip 12 of 12 found almost no nonces",
    )


def watched(monitor: HealthMonitor, start: float, seconds: float) -> HealthProblem:
    """Return the judgement after this many seconds, with one check per second."""
    verdicts = [monitor.assess(start + step).problem for step in range(1, int(seconds) + 1)]
    return next((verdict for verdict in verdicts if verdict is not HealthProblem.NONE), HealthProblem.NONE)


def test_silence_counts_only_while_there_is_work() -> None:
    monitor = HealthMonitor(0.0, chips=1)
    monitor.expect(0.0, RATE, PER_NONCE)
    assert watched(monitor, 0.0, 200) is HealthProblem.NONE
    monitor.searching(200.0, True)
    assert watched(monitor, 200.0, 0.9 * SILENT_AFTER * PER_NONCE / RATE) is HealthProblem.NONE
    monitor.searching(300.0, False)
    assert watched(monitor, 300.0, 1000) is HealthProblem.NONE
    monitor.searching(1300.0, True)
    assert watched(monitor, 1300.0, 60) is HealthProblem.SILENT
    assert monitor.expected_hashes == pytest.approx(160 * RATE)


@pytest.mark.parametrize(("every", "complaint"), [(2, HealthProblem.DUPLICATES), (8, HealthProblem.NONE)])
def test_chips_that_search_the_same_range_are_reported(every: int, complaint: HealthProblem) -> None:
    monitor = HealthMonitor(0.0, chips=2)
    for count in range(DUPLICATES_JUDGED_AT):
        if count % every:
            monitor.nonce(float(count), 0)
        else:
            monitor.duplicate(float(count))
    assert monitor.assess(float(DUPLICATES_JUDGED_AT)).problem is complaint


def test_a_fast_chain_is_not_silent_because_the_host_slept() -> None:
    monitor = HealthMonitor(0.0, chips=1)
    monitor.expect(0.0, 1e12, PER_NONCE)  # 230 nonces a second
    monitor.searching(0.0, True)
    assert monitor.assess(1.0).problem is HealthProblem.NONE
    assert monitor.assess(600.0).problem is HealthProblem.NONE
    assert watched(monitor, 600.0, 11) is HealthProblem.SILENT


@settings(max_examples=50)
@given(st.lists(st.tuples(st.sampled_from("nes"), st.floats(0, 100), st.integers(0, 3)), max_size=60))
def test_any_order_of_events_is_survived(events: list[tuple[str, float, int]]) -> None:
    """Times that go back, chips that are not there: no exception, and expected hashes never fall."""
    monitor, before = HealthMonitor(50.0, chips=2), 0.0
    for kind, now, chip in events:
        match kind:
            case "n":
                monitor.nonce(now, chip)
            case "e":
                monitor.hardware_error(now)
            case _:
                monitor.expect(now, chip * RATE, PER_NONCE)
                monitor.searching(now, chip % 2 == 0)
        monitor.assess(now)
        assert monitor.expected_hashes >= before
        before = monitor.expected_hashes
