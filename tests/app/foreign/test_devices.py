"""The devices of cgminer and bfgminer, and their clocks."""

from typing import Any

import pytest

from stratum_miner.backends.asic.device_spec import DeviceSpec
from tests.app.foreign.conversion import cgminer, imported, lost, settings

ALL_ERUPTERS = imported(cgminer(scan="erupter:all")).options["device"][0]


@pytest.mark.parametrize(
    ("keys", "devices"),
    [
        ({}, ["auto"]),
        ({"api_listen": True}, ["auto"]),
        ({"scan": "all"}, ["auto"]),
        ({"scan_serial": "/dev/ttyUSB0"}, ["/dev/ttyUSB0", "auto"]),
        ({"scan_serial": ["erupter:/dev/ttyUSB0", "noauto"]}, ["erupter:/dev/ttyUSB0"]),
        ({"scan": ["BES:/dev/ttyUSB0", "ICA:/dev/ttyUSB1", "noauto"]}, ["erupter:/dev/ttyUSB0", "icarus:/dev/ttyUSB1"]),
        ({"S": "erupter:all"}, [ALL_ERUPTERS, "auto"]),
        ({"S": "compac:auto"}, ["compac:auto", "auto"]),
        ({"device": "compac"}, ["compac:auto"]),
        ({"device": "icarus@/dev/ttyUSB0"}, ["icarus:/dev/ttyUSB0"]),
        ({"set_device": "compac:clock=200"}, ["compac:auto,frequency=200", "auto"]),
        (
            {"set": ["compac:clock=200"], "scan": ["compac:/dev/ttyUSB0", "noauto"]},
            ["compac:/dev/ttyUSB0,frequency=200"],
        ),
        (
            {"scan": ["/dev/ttyUSB0", "noauto"], "set": "compac@/dev/ttyUSB0:clock=150"},
            ["compac:/dev/ttyUSB0,frequency=150"],
        ),
        ({"set_device": "antminer@/dev/ttyUSB3:clock=x0781"}, ["antminer-u1:/dev/ttyUSB3,frequency=200", "auto"]),
        ({"compac_freq": "175"}, ["compac:auto,frequency=175", "auto"]),
        (
            {"gekko_compac_freq": 200.0, "gekko_r606_freq": "600"},
            ["compac:auto,frequency=200", "r606:auto,frequency=600", "auto"],
        ),
        ({"gekko_compacf_detect": True, "gekko_compacf_freq": "400"}, ["compac-f:auto,frequency=400"]),
        (
            {"gekko_compaca1_freq": "350", "gekko_compaca1_corev": "320"},
            ["compac-a1:auto,frequency=350,voltage=0.32", "auto"],
        ),
        ({"anu_freq": "225"}, ["antminer-u1:auto,frequency=225", "auto"]),
        ({"anu_freq": "250.0"}, ["auto"]),
    ],
)
def test_devices_and_clocks(keys: dict[str, Any], devices: list[str]) -> None:
    found = imported(cgminer(**keys))
    assert found.options["device"] == devices
    assert "backend" not in found.options
    assert not found.lost
    for text in devices:
        DeviceSpec.parse(text)
    assert {key.replace("_", "-") for key in keys} <= {note.key.partition("[")[0] for note in found.notes}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("scan", "bitfury:auto"),
        ("scan", "erupter:\\\\.\\COM3"),
        ("scan", "opencl:auto"),
        ("scan", ["erupter:noauto"]),
        ("device", "0"),
        ("device", 1),
        ("set-device", "antminer:voltage=x800"),
        ("set-device", "antminer:chip=BM1382"),
        ("set-device", "antminer:clock=xyz"),
        ("set-device", "NFY:osc6_bits=50"),
        ("set-device", "compac:clock=9000"),
        ("set-device", "nonsense"),
        ("anu-freq", "9000"),
        ("gekko-compaca1-corev", "900"),
        ("gekko-terminus-freq", "175"),
        ("gekko-compaca2-freq", "350"),
        ("usb", "BAS:1"),
        ("icarus-options", "115200:1:1"),
        ("icarus-timing", "3.0=100"),
        ("bitmain-freq", "350"),
        ("avalon-options", "115200:24:10:45:282"),
    ],
)
def test_devices_that_are_lost_are_said_and_the_cpu_does_not_mine_instead(key: str, value: Any) -> None:
    content = {**cgminer(), key: value}
    assert key in {name.partition("[")[0] for name in lost(content)}
    assert "backend" not in settings(content)
    assert settings(content)["device"]


def test_the_cpu_mines_only_if_the_file_asks_for_it() -> None:
    found = settings(cgminer(scan=["cpu:auto", "noauto"], cpu_threads="2"))
    assert (found["backend"], found.get("device"), found["threads"]) == (["cpu"], None, 2)
    both = settings(cgminer(scan="cpu:auto"))
    assert (both["backend"], both["device"]) == (["cpu"], ["auto"])


@pytest.mark.parametrize(
    ("keys", "key", "spec"),
    [
        ({"set_device": "compac:clock=175"}, "set-device", "compac:PATH,frequency=175"),
        ({"gekko_compacf_freq": "400"}, "gekko-compacf-freq", "compac-f:PATH,frequency=400"),
        ({"gekko_compaca1_corev": "310"}, "gekko-compaca1-corev", "compac-a1:PATH,voltage=0.31"),
    ],
)
def test_a_clock_does_not_reach_a_device_whose_kind_is_not_in_the_file(
    keys: dict[str, Any], key: str, spec: str
) -> None:
    """stratum-miner takes the settings of the first text that names a device, and a path alone has none."""
    assert not lost(cgminer(**keys))
    content = cgminer(scan_serial=["/dev/ttyUSB0", "icarus:/dev/ttyUSB1"], **keys)
    assert lost(content)[key].startswith("the file does not say of which kind /dev/ttyUSB0 is")
    assert lost(content)[key].endswith(f"name it as {spec}")


def test_a_clock_of_one_path_reaches_it() -> None:
    assert not lost(cgminer(scan_serial="/dev/ttyUSB0", set_device="compac@/dev/ttyUSB0:clock=175"))
