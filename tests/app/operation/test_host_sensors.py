"""Power from trees in the form of Linux's sysfs, heat from what psutil reads."""

from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from stratum_miner.app.operation.host_sensors import on_battery, processor_temperature


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        file = root / "class" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n")
    return root


BATTERY = {"power_supply/BAT0/type": "Battery", "power_supply/BAT0/status": "Discharging"}
MOUSE = {
    "power_supply/hid/type": "Battery",
    "power_supply/hid/scope": "Device",
    "power_supply/hid/status": "Discharging",
}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, None),
        (MOUSE, None),
        ({"power_supply/AC/type": "Mains", "power_supply/AC/online": "1"}, None),
        (BATTERY | {"power_supply/AC/type": "Mains", "power_supply/AC/online": "1"}, False),
        (BATTERY | {"power_supply/AC/type": "Mains", "power_supply/AC/online": "0"}, True),
        (BATTERY | {"power_supply/usb/type": "USB", "power_supply/usb/online": "1"}, False),
        (BATTERY, True),
        (BATTERY | {"power_supply/BAT0/status": "Full"}, False),
    ],
)
def test_battery(files: dict[str, str], expected: bool | None, tmp_path: Path) -> None:
    assert on_battery(tree(tmp_path, files)) is expected


@pytest.mark.parametrize(
    ("sensors", "expected"),
    [
        ({}, None),
        ({"coretemp": [61.0, 72.5]}, 72.5),
        ({"nvme": [61.0]}, None),
        ({"cpu-thermal": [48.312]}, 48.312),
        ({"k10temp": [-273.0]}, None),
        ({"k10temp": [255.0]}, None),
    ],
)
def test_heat(sensors: dict[str, list[float]], expected: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    read = {name: [SimpleNamespace(current=celsius) for celsius in found] for name, found in sensors.items()}
    monkeypatch.setattr(psutil, "sensors_temperatures", lambda: read, raising=False)
    assert processor_temperature() == expected
