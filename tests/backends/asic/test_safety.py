"""Heat and voltage: what any sequence of readings may lead to, and what it must lead to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.backends.asic.board import TemperatureLimits
from stratum_miner.backends.asic.boards import BOARDS
from stratum_miner.backends.asic.readings import Readings
from stratum_miner.backends.asic.restarts import MAX_FAILURES, PAUSES_S, RECOVERED_AFTER_S, RestartPolicy
from stratum_miner.backends.asic.safety import (
    IN_A_ROW,
    MAX_SHUTDOWNS,
    MIN_OFF_S,
    FrequencyGovernor,
    SafetyDecision,
    SafetyGuard,
    SafetyLevel,
    fan_percent,
)

LIMITS = TemperatureLimits(warn=65, throttle=70, cut_off=75, resume=45)
TEMPERATURES = st.one_of(st.none(), st.floats(-64, 140), st.sampled_from([127.0, -64.0, 74.9, 75.0, 45.0, 45.1]))


def heat(value: float | None, **more: float) -> Readings:
    return Readings(chip_temperature=value, **more)  # type: ignore[arg-type]


@given(st.lists(TEMPERATURES, max_size=60))
def test_it_is_off_after_three_bad_readings_and_never_for_less(temperatures: list[float | None]) -> None:
    guard, bad, now = SafetyGuard(LIMITS), 0, 0.0
    kinds: list[str] = []
    for value in temperatures:
        now += 1
        decision = guard.update(now, heat(value), None)
        blind = value is None or not -20 <= value <= 130
        kinds.append("blind" if blind else "hot" if value is not None and value >= 75 else "fine")
        last = kinds[-IN_A_ROW:]
        must = len(last) == IN_A_ROW and len(set(last)) == 1 and last[0] != "fine"
        assert (decision.level in (SafetyLevel.CUT_OFF, SafetyLevel.LOCKED)) is must
        if must:
            bad += 1
            kinds.clear()
            assert decision.reason
            now += MIN_OFF_S
            assert guard.may_resume(now, heat(30))
    assert guard.shutdowns == bad


@given(st.lists(st.tuples(st.floats(0, 20), TEMPERATURES, TEMPERATURES), max_size=60))
def test_a_device_that_was_shut_down_resumes_only_when_everything_is_cold(
    looks: list[tuple[float, float | None, float | None]],
) -> None:
    guard, now = SafetyGuard(LIMITS), 0.0
    for _ in range(IN_A_ROW):
        guard.update(now, heat(90.0), None)
    for pause, chip, regulator in looks:
        now += pause
        readings = Readings(chip_temperature=chip, regulator_temperature=regulator)
        if guard.may_resume(now, readings):
            known = [value for value in (chip, regulator) if value is not None and -20 <= value <= 130]
            assert known
            assert max(known) <= LIMITS.resume
            assert now >= MIN_OFF_S
            return


def shut_down(guard: SafetyGuard, now: float) -> SafetyLevel:
    levels = [guard.update(now, heat(90.0), None).level for _ in range(IN_A_ROW)]
    return levels[-1]


def test_the_third_safety_shutdown_within_an_hour_locks() -> None:
    guard = SafetyGuard(LIMITS)
    assert [shut_down(guard, now) for now in (0.0, 1800.0, 3599.0)] == [
        SafetyLevel.CUT_OFF,
        SafetyLevel.CUT_OFF,
        SafetyLevel.LOCKED,
    ]
    assert guard.is_locked
    patient = SafetyGuard(LIMITS)
    assert {shut_down(patient, now) for now in (0.0, 1900.0, 3800.0, 5700.0)} == {SafetyLevel.CUT_OFF}
    assert (patient.is_locked, patient.shutdowns) == (False, MAX_SHUTDOWNS + 1)


def test_throttling_holds_on_until_it_is_below_the_warning() -> None:
    guard = SafetyGuard(LIMITS)
    levels = [guard.update(0.0, heat(value), None).level for value in (64, 66, 71, 66, 65, 64, 69)]
    assert levels == [
        SafetyLevel.NORMAL,
        SafetyLevel.WARN,
        SafetyLevel.THROTTLE,
        SafetyLevel.THROTTLE,
        SafetyLevel.THROTTLE,
        SafetyLevel.NORMAL,
        SafetyLevel.WARN,
    ]


@pytest.mark.parametrize(
    ("readings", "reason"),
    [
        (Readings(chip_temperature=50, core_voltage=0.9), "core at 0.900 V, expected 1.150 V"),
        (
            Readings(chip_temperature=50, input_voltage=4.1),
            "input at 4.10 V: the supply is too weak, at least 4.6 V are needed",
        ),
    ],
)
def test_voltage_is_a_power_fault(readings: Readings, reason: str) -> None:
    guard = SafetyGuard(LIMITS, minimum_input_voltage=4.6)
    decisions = [guard.update(0.0, readings, 1.15) for _ in range(IN_A_ROW)]
    assert [decision.level for decision in decisions] == [SafetyLevel.NORMAL, SafetyLevel.NORMAL, SafetyLevel.CUT_OFF]
    assert decisions[-1].reason == reason
    assert decisions[-1].power_fault
    assert (guard.is_cooling, guard.is_overheated) == (True, False)


def test_it_is_overheated_until_it_is_cold() -> None:
    guard = SafetyGuard(LIMITS)
    shut_down(guard, 0.0)
    assert guard.is_overheated
    assert not guard.may_resume(MIN_OFF_S, heat(46))
    assert guard.is_overheated
    assert guard.may_resume(MIN_OFF_S, heat(45))
    assert not guard.is_overheated


def test_a_regulator_at_its_limit_is_shut_down_at_once() -> None:
    decision = SafetyGuard(LIMITS).update(0.0, Readings(chip_temperature=50, regulator_temperature=106), None)
    assert (decision.level, decision.reason) == (SafetyLevel.CUT_OFF, "regulator at 106 °C")


@given(st.lists(st.tuples(st.floats(0, 100), st.sampled_from(SafetyLevel), st.booleans()), max_size=100))
def test_the_governor_stays_within_its_range(steps: list[tuple[float, SafetyLevel, bool]]) -> None:
    governor, now = FrequencyGovernor(525, 50), 0.0
    for pause, level, errors in steps:
        now += pause
        before = governor.frequency
        changed = governor.lower(now, "errors") if errors else governor.heat(now, SafetyDecision(level))
        assert 50 <= governor.frequency <= 525
        assert changed is (governor.frequency != before)
        assert abs(governor.frequency - before) <= FrequencyGovernor.STEP_MHZ
        assert governor.is_throttled is (governor.frequency < 525)


def test_the_governor_goes_back_up_slowly() -> None:
    governor = FrequencyGovernor(500, 50)
    assert governor.heat(0, SafetyDecision(SafetyLevel.THROTTLE))
    assert not governor.heat(5, SafetyDecision(SafetyLevel.THROTTLE))
    assert governor.heat(10, SafetyDecision(SafetyLevel.THROTTLE))
    assert governor.frequency == 450
    assert not governor.heat(60, SafetyDecision(SafetyLevel.NORMAL))
    assert not governor.heat(80, SafetyDecision(SafetyLevel.WARN))
    assert governor.heat(80, SafetyDecision(SafetyLevel.NORMAL))
    assert governor.frequency == 475
    assert governor.lower(81, "errors")
    assert not governor.heat(200, SafetyDecision(SafetyLevel.NORMAL))  # after errors it waits ten times as long
    assert governor.heat(681, SafetyDecision(SafetyLevel.NORMAL))


def test_a_wish_below_the_range_is_kept() -> None:
    governor = FrequencyGovernor(20, 50)
    assert governor.frequency == 20
    assert not governor.lower(0, "errors")


@given(st.floats(-20, 130))
def test_more_heat_never_means_less_air(value: float) -> None:
    assert 30 <= fan_percent(heat(value), LIMITS) <= fan_percent(heat(value + 1), LIMITS) <= 100
    assert fan_percent(heat(None), LIMITS) == 100


def test_restarts_pause_ever_longer_and_end() -> None:
    policy = RestartPolicy()
    pauses = [policy.failed(float(now)) for now in range(MAX_FAILURES)]
    assert pauses[: len(PAUSES_S)] == list(PAUSES_S)
    assert pauses[-1] is None
    assert all(pause == PAUSES_S[-1] for pause in pauses[len(PAUSES_S) : -1])


def test_good_work_forgives_failures() -> None:
    policy = RestartPolicy()
    for _ in range(5):
        policy.failed(0.0)
    policy.started_mining(0.0)
    assert policy.failed(RECOVERED_AFTER_S - 1) == PAUSES_S[-1]
    policy.started_mining(1000.0)
    assert policy.failed(1000.0 + RECOVERED_AFTER_S) == PAUSES_S[0]


@pytest.mark.parametrize("kind", BOARDS)
def test_defaults_cause_no_safety_shutdown(kind: str) -> None:
    limits = BOARDS[kind].temperature
    if limits is not None:
        guard = SafetyGuard(limits)
        assert {guard.update(0.0, heat(limits.warn - 1), None).level for _ in range(10)} == {SafetyLevel.NORMAL}
