"""Sensors of this computer: whether it runs on battery, and the temperature of its processor.

A function returns None if the computer has no such sensor, or if the sensor cannot be read.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

SYSFS = Path("/sys")
HOTTEST_BELIEVED = 150.0
"""Highest plausible temperature in °C. An unconnected sensor reports a higher or a negative value."""
_PROCESSOR_SENSORS = ("coretemp", "k10temp", "zenpower", "cpu_thermal", "soc_thermal", "cpu-thermal", "x86_pkg_temp")


def on_battery(sysfs: Path = SYSFS) -> bool | None:
    """Return whether the computer runs on battery, or None if it has no battery.

    If the system lists mains supplies, the computer runs on battery while none of them is online. If the system lists
    no mains supply, the computer runs on battery while a battery is discharging.

    psutil 7.2.2 is not used, because it mistakes the battery of a mouse for that of the computer, and because it finds
    a mains supply only if this is named AC or AC0.
    """
    supplies = [(read(path / "type"), path) for path in _folders(sysfs / "class/power_supply")]
    if not any(kind == "Battery" and read(path / "scope") != "Device" for kind, path in supplies):
        return None
    mains = [read(path / "online") for kind, path in supplies if kind in ("Mains", "USB")]
    if mains:
        return "1" not in mains
    return any(read(path / "status") == "Discharging" for kind, path in supplies if kind == "Battery")


def processor_temperature() -> float | None:
    """Return the temperature of the hottest sensor of the processor in °C, or None if there is no sensor."""
    import psutil  # noqa: PLC0415  loading takes 10 ms, and only --pause-above and the doctor need it

    # psutil has no ``sensors_temperatures`` on some systems.
    read: Callable[[], dict[str, Any]] = getattr(psutil, "sensors_temperatures", dict)
    sensors = read()
    found = [float(sensor.current) for name in _PROCESSOR_SENSORS for sensor in sensors.get(name, ())]
    return max((celsius for celsius in found if 0 < celsius < HOTTEST_BELIEVED), default=None)


def _folders(parent: Path) -> list[Path]:
    try:
        return sorted(parent.iterdir())
    except OSError:
        return []


def read(file: Path) -> str:
    """Return the content of a kernel file, such as one in /sys, without its line end; empty if the file cannot be
    read."""
    try:
        return file.read_text(errors="replace").strip()
    except OSError:
        return ""
