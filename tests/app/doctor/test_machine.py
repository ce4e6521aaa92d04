"""What the doctor says of a clock, of limits, of sensors and of folders."""

import os
from pathlib import Path

import pytest

from stratum_miner.app.doctor import machine
from stratum_miner.app.doctor.finding import Severity
from stratum_miner.app.doctor.machine import Clock

DAY = 24 * 3600.0
NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("installed_at", "clock", "verdict"),
    [
        (NOW - DAY, Clock.SYNCHRONISED, Severity.GOOD),
        (NOW - DAY, Clock.FREE, Severity.NOTE),
        (NOW - DAY, Clock.UNKNOWN, Severity.NOTE),
        (NOW + 3600, Clock.SYNCHRONISED, Severity.GOOD),
        (NOW + 400 * DAY, Clock.SYNCHRONISED, Severity.PROBLEM),
    ],
)
def test_clock(installed_at: float, clock: Clock, verdict: Severity) -> None:
    assert machine.clock_finding(NOW, installed_at, clock).verdict is verdict


def test_the_kernel_is_asked() -> None:
    assert machine.kernel_clock() in Clock


@pytest.mark.parametrize(("soft", "good"), [(64, False), (256, True), (-1, True)])
def test_open_files(soft: int, good: bool) -> None:
    assert (machine.descriptor_finding(soft).verdict is Severity.GOOD) == good


def test_memory_is_the_machines_or_the_control_groups(tmp_path: Path) -> None:
    assert machine.memory_available(1_024_000_000, tmp_path) == 1_024_000_000
    (tmp_path / "proc/self").mkdir(parents=True)
    group = tmp_path / "sys/fs/cgroup/box"
    group.mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("0::/box\n")
    (group / "memory.max").write_text("max\n")
    (group / "memory.current").write_text("5\n")
    assert machine.memory_available(1_024_000_000, tmp_path) == 1_024_000_000
    (group / "memory.max").write_text("100000000\n")
    (group / "memory.current").write_text("90000000\n")
    available = machine.memory_available(1_024_000_000, tmp_path)
    assert available == 10_000_000
    assert machine.memory_finding(available).verdict is Severity.PROBLEM


def test_sensors() -> None:
    assert machine.temperature_finding(None).verdict is Severity.NOTE
    assert "61 °C" in machine.temperature_finding(61.2).text
    assert machine.battery_finding(True).verdict is Severity.NOTE
    assert machine.battery_finding(None).verdict is Severity.GOOD


def test_directories_are_looked_at_and_not_made(tmp_path: Path) -> None:
    wanted = tmp_path / "a" / "b"
    assert machine.directory_finding("cache", wanted, "slow").verdict is Severity.GOOD
    assert not (tmp_path / "a").exists()
    (tmp_path / "a").write_text("a file")
    found = machine.directory_finding("cache", wanted, "slow")
    assert found.verdict is Severity.NOTE
    assert "no directory; slow" in found.text
    assert "XDG_CACHE_HOME" in found.fix


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_is_not_ours(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert (
        "not writable for this user" in machine.directory_finding("state", tmp_path / "x", "no token", needed=True).text
    )
