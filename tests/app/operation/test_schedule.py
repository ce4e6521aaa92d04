"""Times of day: over midnight, for a start alone, for a stop alone, whatever the clock does."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.app.operation.schedule import Schedule
from stratum_miner.app.process.exit_codes import UsageError


def at(text: str, day: int = 1) -> datetime:
    return datetime.fromisoformat(f"2026-11-{day:02d}T{text}:00")


def schedule(start: str | None, stop: str | None) -> Schedule:
    made = Schedule.parse(start, stop)
    assert made is not None
    return made


@pytest.mark.parametrize(
    ("start", "stop", "mines", "rests"),
    [
        ("08:00", "20:00", ["08:00", "12:00", "19:59"], ["07:59", "20:00", "23:00"]),
        ("22:30", "6:15", ["22:30", "23:59", "00:00", "06:14"], ["06:15", "12:00", "22:29"]),
    ],
)
def test_with_both_it_pauses_outside(start: str, stop: str, mines: list[str], rests: list[str]) -> None:
    it = schedule(start, stop)
    assert [it.mines(at(clock), at("12:00")) for clock in mines] == [True] * len(mines)
    assert [it.mines(at(clock), at("12:00")) for clock in rests] == [False] * len(rests)
    assert not it.ends(at("23:00", 9), at("12:00"))


def test_a_start_alone_is_waited_for_once() -> None:
    it = schedule("22:00", None)
    assert not it.mines(at("21:59"), at("12:00"))
    assert it.mines(at("22:00"), at("12:00"))
    assert it.mines(at("03:00", 2), at("12:00"))
    assert not it.mines(at("23:00"), at("22:30"))  # started too late for today's
    assert it.mines(at("22:00", 2), at("22:30"))


def test_a_stop_alone_ends_it() -> None:
    it = schedule(None, "06:00")
    assert it.mines(at("12:00"), at("12:00"))
    assert not it.ends(at("05:59", 2), at("12:00"))
    assert it.ends(at("06:00", 2), at("12:00"))


@given(st.times(), st.times(), st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)))
def test_every_day_has_both(start: object, stop: object, now: datetime) -> None:
    texts = [f"{clock:%H:%M}" for clock in (start, stop)]
    if texts[0] != texts[1]:
        it = schedule(*texts)
        moments = [now + timedelta(minutes=minute) for minute in range(1440)]
        mined = sum(it.mines(moment, now) for moment in moments)
        first, second = (int(text[:2]) * 60 + int(text[3:]) for text in texts)
        assert abs(mined - (second - first) % 1440) <= 1


@pytest.mark.parametrize(
    ("start", "stop", "needle"),
    [
        ("25:00", None, "--sched-start: expected a time of day such as 07:30, got '25:00'"),
        (None, "7", "--sched-stop: expected a time of day"),
        ("07:00", "7:00", "--sched-stop: expected another time than --sched-start"),
    ],
)
def test_mistakes_are_told(start: str | None, stop: str | None, needle: str) -> None:
    with pytest.raises(UsageError) as refused:
        Schedule.parse(start, stop)
    assert needle in str(refused.value)


def test_without_any_there_is_none() -> None:
    assert Schedule.parse(None, None) is None
