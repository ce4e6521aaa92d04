"""How faults are written, and how often they damage a frame."""

from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stratum_miner.emulators import FAULTS, Fault, FaultError, parse_fault
from stratum_miner.emulators.faults import Faults


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("crc-errors", Fault("crc-errors", 0.05, 0, inf)),
        ("crc-errors=0.01", Fault("crc-errors", 0.01, 0, inf)),
        ("crc-errors=1e-3@10", Fault("crc-errors", 0.001, 10, inf)),
        (" garbage=1@0.5+2.5 ", Fault("garbage", 1.0, 0.5, 2.5)),
        ("dead-chip=2", Fault("dead-chip", None, 0, inf, 2)),
        ("dead-chip@60", Fault("dead-chip", None, 60, inf)),
        ("unplug", Fault("unplug", None, 5, 3)),
        ("unplug@10", Fault("unplug", None, 10, 3)),
        ("i2c-errors", Fault("i2c-errors", 0.05, 0, inf)),
    ],
)
def test_spelling(text: str, fault: Fault) -> None:
    assert parse_fault(text) == fault


@settings(deadline=None)
@given(
    st.text(max_size=30)
    | st.sampled_from(list(FAULTS)).flatmap(lambda name: st.text("=@+.0123e-", max_size=12).map(name.__add__))
)
def test_anything_else_is_refused_in_one_line(text: str) -> None:
    told = ""
    try:
        fault = parse_fault(text)
    except FaultError as error:
        told = str(error)
    else:
        assert fault.name in FAULTS
        assert fault.start >= 0
        assert fault.seconds >= 0
    assert "\n" not in told


def test_probability_is_kept_and_counted() -> None:
    faults = Faults([parse_fault("crc-errors=0.25")], seed=1)
    struck = sum(faults.damages("crc-errors", 1.0) for _ in range(4000))
    assert 850 < struck < 1150
    assert faults.injected == {"crc-errors": struck}
    assert not faults.damages("garbage", 1.0)


def test_a_state_is_counted_once() -> None:
    faults = Faults([parse_fault("unplug@1+1"), parse_fault("unplug@5+1")])
    seen = [faults.active("unplug", age / 10) is not None for age in range(80)]
    assert [age for age in range(80) if seen[age]] == [*range(10, 20), *range(50, 60)]
    assert faults.injected == {"unplug": 2}
    assert [faults.next_change(age) for age in (0, 1, 3, 7)] == [1, 2, 5, inf]


def test_the_named_chip_is_affected_or_else_the_last() -> None:
    faults = Faults()
    assert faults.affected_chip(parse_fault("dead-chip"), 12) == 11
    assert faults.affected_chip(parse_fault("dead-chip=3"), 12) == 3


@given(st.binary(min_size=1, max_size=20), st.integers())
@settings(deadline=None)
def test_damage_is_damage(frame: bytes, seed: int) -> None:
    faults = Faults(seed=seed)
    flipped = faults.flip_bit(frame)
    assert len(flipped) == len(frame)
    assert sum((a ^ b).bit_count() for a, b in zip(flipped, frame, strict=True)) == 1
    assert faults.random_other_bytes(frame) != frame
    assert 1 <= len(faults.noise()) <= 12
