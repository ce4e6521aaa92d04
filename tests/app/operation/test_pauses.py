"""What pauses without being asked for: each cause alone, together, with a distance, and against a person's wish."""

from datetime import datetime, timedelta
from typing import Any

import structlog.testing

from stratum_miner.app.operation.pauses import AutomaticPauses
from stratum_miner.app.operation.schedule import Schedule


class Control:
    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *values: self.calls.append((name, *values))


class Bench:
    def __init__(self, start: str | None = None, stop: str | None = None, **options: Any) -> None:
        self.control: Any = Control()
        self.now = datetime(2026, 11, 1, 12, 0)
        self.battery: bool | None = False
        self.celsius: float | None = 50.0
        self.pauses = AutomaticPauses(
            self.control, schedule=Schedule.parse(start, stop), now=lambda: self.now,
            on_battery=lambda: self.battery, temperature=lambda: self.celsius, hottest=80.0, **options,
        )  # fmt: skip

    def look(self, **changes: Any) -> list[str]:
        for name, value in changes.items():
            setattr(self, name, value)
        self.control.calls.clear()
        self.pauses.look()
        return [f"{call[0]} {call[1]}" if len(call) > 1 else call[0] for call in self.control.calls]


def test_each_cause_pauses_once_and_resumes_once() -> None:
    bench = Bench("08:00", "20:00")
    assert bench.look() == []
    assert bench.look(battery=True) == ["pause on battery"]
    assert bench.look() == []
    assert bench.look(now=bench.now + timedelta(hours=9)) == ["pause by the schedule"]
    assert bench.look(battery=False) == ["resume on battery"]
    assert bench.look(now=bench.now + timedelta(hours=12)) == ["resume by the schedule"]


def test_heat_has_a_distance() -> None:
    bench = Bench()
    assert bench.look(celsius=80.0) == []
    assert bench.look(celsius=80.5) == ["pause because of heat"]
    assert bench.look(celsius=76.0) == []
    assert bench.look(celsius=74.9) == ["resume because of heat"]
    assert bench.look(celsius=79.0) == []


def test_what_cannot_be_watched_is_said_once() -> None:
    bench = Bench()
    with structlog.testing.capture_logs() as logged:
        assert bench.look(battery=None, celsius=None) == []
        bench.look()
    assert [entry["what"] for entry in logged] == ["battery", "temperature"]


def test_a_sensor_that_is_lost_does_not_resume_a_hot_machine() -> None:
    bench = Bench()
    bench.look(celsius=90.0)
    assert bench.look(celsius=None) == []


def test_a_stop_alone_ends_it() -> None:
    bench = Bench(None, "13:00")
    assert bench.look() == []
    assert bench.look(now=bench.now + timedelta(hours=1)) == ["quit"]
