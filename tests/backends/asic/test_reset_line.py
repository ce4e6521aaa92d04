"""Reset lines on bridge pins: found through sysfs, driven by the transfers of docs/reference/asic.md#reset-lines."""

from pathlib import Path

import pytest

from stratum_miner.backends.asic import reset_line
from stratum_miner.backends.asic.reset_line import Transfer, hold_reset


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Transfer]]:
    transfers: list[tuple[str, Transfer]] = []
    monkeypatch.setattr(reset_line, "_send", lambda node, transfer: transfers.append((node, transfer)))
    return transfers


def port(tmp_path: Path, vid: str, pid: str, *, acm: bool = False) -> Path:
    """sysfs as it is below /sys/devices, with the link from /sys/class/tty."""
    device = tmp_path / "devices" / "usb1" / "1-1"
    tty = device / "1-1:1.0" / ("tty/ttyACM0" if acm else "ttyUSB0")
    tty.mkdir(parents=True)
    for name, value in (("idVendor", vid), ("idProduct", pid), ("busnum", "1"), ("devnum", "12")):
        (device / name).write_text(value + "\n")
    entry = tmp_path / "class" / tty.name
    entry.mkdir(parents=True)
    (entry / "device").symlink_to(tty.parents[1] if acm else tty)
    return tmp_path / "class"


@pytest.mark.parametrize(
    ("vid", "pid", "held", "transfer"),
    [
        ("0403", "6015", True, Transfer(0x40, 0x0B, 0x20F0)),
        ("0403", "6015", False, Transfer(0x40, 0x0B, 0x20F2)),
        ("10c4", "ea70", True, Transfer(0x41, 0xFF, 0x37E1, data=b"\x07\x07")),
        ("10c4", "ea70", False, Transfer(0x41, 0xFF, 0x37E1, data=b"\x07\x00")),
    ],
)
def test_the_transfer_goes_to_the_ports_own_device(
    tmp_path: Path, sent: list[tuple[str, Transfer]], vid: str, pid: str, held: bool, transfer: Transfer
) -> None:
    assert hold_reset("/dev/ttyUSB0", held, sysfs=port(tmp_path, vid, pid)) is True
    assert sent == [("/dev/bus/usb/001/012", transfer)]


def test_bridges_without_a_line_and_ports_without_usb(tmp_path: Path, sent: list[tuple[str, Transfer]]) -> None:
    sysfs = port(tmp_path, "c0de", "cafe", acm=True)
    assert hold_reset("/dev/ttyACM0", True, sysfs=sysfs) is False
    assert hold_reset("/dev/ttyUSB9", True, sysfs=sysfs) is False
    assert hold_reset("/dev/pts/0", True) is False
    assert sent == []


def test_a_usb_device_that_the_user_may_not_write_to_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reset_line, "USB_NODES", str(tmp_path))
    sysfs = port(tmp_path, "0403", "6015")
    assert hold_reset("/dev/ttyUSB0", True, sysfs=sysfs) is False
    (tmp_path / "001").mkdir()
    (tmp_path / "001" / "012").touch()
    assert hold_reset("/dev/ttyUSB0", True, sysfs=sysfs) is False, "a file takes no control transfer"
