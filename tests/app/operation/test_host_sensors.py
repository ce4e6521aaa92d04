"""Power and heat from trees in the form of Linux's sysfs."""

from pathlib import Path

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
CORES = {
    "hwmon/hwmon0/name": "coretemp",
    "hwmon/hwmon0/temp1_input": "61000",
    "hwmon/hwmon0/temp2_input": "72500",
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
    ("files", "expected"),
    [
        ({}, None),
        (
            {"hwmon/hwmon0/name": "coretemp", "hwmon/hwmon0/temp1_input": "61000", "hwmon/hwmon0/temp2_input": "72500"},
            72.5,
        ),
        ({"hwmon/hwmon0/name": "nvme", "hwmon/hwmon0/temp1_input": "61000"}, None),
        ({"thermal/thermal_zone0/type": "cpu-thermal", "thermal/thermal_zone0/temp": "48312"}, 48.312),
        ({"hwmon/hwmon0/name": "k10temp", "hwmon/hwmon0/temp1_input": "nonsense"}, None),
        ({"hwmon/hwmon0/name": "k10temp", "hwmon/hwmon0/temp1_input": "-273000"}, None),
        ({"hwmon/hwmon0/name": "k10temp", "hwmon/hwmon0/temp1_input": "255000"}, None),
    ],
)
def test_heat(files: dict[str, str], expected: float | None, tmp_path: Path) -> None:
    assert processor_temperature(tree(tmp_path, files)) == expected
