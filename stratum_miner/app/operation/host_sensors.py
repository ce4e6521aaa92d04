"""What the machine says of itself: whether it runs on its battery, and how hot its processor is.

Nothing is known where there is no such sensor; what cannot be read now is as if it were not there.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

SYSFS = Path("/sys")
HOTTEST_BELIEVED = 150.0
"""Degrees Celsius; sensors that are not connected show more, or less than nothing."""
_PROCESSOR_SENSORS = ("coretemp", "k10temp", "zenpower", "cpu_thermal", "soc_thermal", "cpu-thermal", "x86_pkg_temp")


def on_battery(sysfs: Path = SYSFS) -> bool | None:
    """Whether no mains supply is online while there is a battery; None where there is no battery.

    psutil 7.2.2 takes the battery of a mouse for the machine's, and knows of mains only what is called AC or AC0.
    """
    supplies = [(read(path / "type"), path) for path in _folders(sysfs / "class/power_supply")]
    if not any(kind == "Battery" and read(path / "scope") != "Device" for kind, path in supplies):
        return None
    mains = [read(path / "online") for kind, path in supplies if kind in ("Mains", "USB")]
    if mains:
        return "1" not in mains
    return any(read(path / "status") == "Discharging" for kind, path in supplies if kind == "Battery")


def processor_temperature() -> float | None:
    """Degrees Celsius of the hottest sensor of the processor; None where there is none."""
    import psutil  # noqa: PLC0415  10 ms, and only --pause-above and the doctor ask

    read: Callable[[], dict[str, Any]] = getattr(psutil, "sensors_temperatures", dict)  # not on every system
    sensors = read()
    found = [float(sensor.current) for name in _PROCESSOR_SENSORS for sensor in sensors.get(name, ())]
    return max((celsius for celsius in found if 0 < celsius < HOTTEST_BELIEVED), default=None)


def _folders(parent: Path) -> list[Path]:
    try:
        return sorted(parent.iterdir())
    except OSError:
        return []


def read(file: Path) -> str:
    """What a file of the kernel says, without its line end; nothing where it cannot be read."""
    try:
        return file.read_text(errors="replace").strip()
    except OSError:
        return ""
