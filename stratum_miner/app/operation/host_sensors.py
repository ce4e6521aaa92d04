"""What the machine says of itself: whether it runs on its battery, and how hot its processor is. Linux's sysfs.

Nothing is known where there is no such sensor; what cannot be read now is as if it were not there.
"""

from collections.abc import Iterator
from pathlib import Path

SYSFS = Path("/sys")
HOTTEST_BELIEVED = 150.0
"""Degrees Celsius; sensors that are not connected show more, or less than nothing."""
_PROCESSOR_SENSORS = ("coretemp", "k10temp", "zenpower", "cpu_thermal", "soc_thermal", "cpu-thermal", "x86_pkg_temp")


def on_battery(sysfs: Path = SYSFS) -> bool | None:
    """Whether no mains supply is online while there is a battery; None where there is no battery."""
    supplies = [(_read(path / "type"), path) for path in _folders(sysfs / "class/power_supply")]
    if not any(kind == "Battery" and _read(path / "scope") != "Device" for kind, path in supplies):
        return None
    mains = [_read(path / "online") for kind, path in supplies if kind in ("Mains", "USB")]
    if mains:
        return "1" not in mains
    return any(_read(path / "status") == "Discharging" for kind, path in supplies if kind == "Battery")


def processor_temperature(sysfs: Path = SYSFS) -> float | None:
    """Degrees Celsius of the hottest sensor of the processor; None where there is none."""
    found = [*_hwmon(sysfs), *_zones(sysfs)]
    return max(found, default=None)


def _hwmon(sysfs: Path) -> Iterator[float]:
    for folder in _folders(sysfs / "class/hwmon"):
        if _read(folder / "name") in _PROCESSOR_SENSORS:
            for sensor in sorted(folder.glob("temp*_input")):
                yield from _celsius(sensor)


def _zones(sysfs: Path) -> Iterator[float]:
    for folder in _folders(sysfs / "class/thermal"):
        if _read(folder / "type") in _PROCESSOR_SENSORS:
            yield from _celsius(folder / "temp")


def _celsius(file: Path) -> Iterator[float]:
    text = _read(file)
    if text.lstrip("-").isdecimal() and 0 < int(text) / 1000 < HOTTEST_BELIEVED:
        yield int(text) / 1000


def _folders(parent: Path) -> list[Path]:
    try:
        return sorted(parent.iterdir())
    except OSError:
        return []


def _read(file: Path) -> str:
    try:
        return file.read_text(errors="replace").strip()
    except OSError:
        return ""
