"""Holds chips in reset on sticks whose reset line is connected to a pin of the USB bridge. USB control transfers switch
this pin.

On Linux, a user who may write to the file of a USB device under /dev/bus/usb may send such transfers even while a
serial driver uses the device (drivers/usb/core/devio.c, check_ctrlrecip). The transfers are those of
docs/reference/asic.md#reset-lines. They have not been tried on a real stick.
"""

import ctypes
import fcntl
import os
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

SYSFS_TTY = Path("/sys/class/tty")
USB_NODES = "/dev/bus/usb"
TIMEOUT_MS = 1000
"""Milliseconds allowed for one control transfer."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """One USB control transfer to a device."""

    request_type: int
    request: int
    value: int
    index: int = 0
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class ResetLine:
    """The transfers that hold the chips in reset and release them."""

    hold: Transfer
    release: Transfer


RESET_LINES: Mapping[str, ResetLine] = {
    # FT230X: CBUS bit mode (0x20). Pin 1 is the reset line, low to hold and high to release (kanoi/cgminer
    # driver-gekko.c)
    "0403:6015": ResetLine(Transfer(0x40, 0x0B, 0x20F0), Transfer(0x40, 0x0B, 0x20F2)),
    # CP2105: the transfers set the pins of interface 0. The first byte of ``data`` (7) selects three pins, and the
    # second byte contains their new states: 7 switches chips and regulator off, 0 switches them on
    "10c4:ea70": ResetLine(
        Transfer(0x41, 0xFF, 0x37E1, data=b"\x07\x07"), Transfer(0x41, 0xFF, 0x37E1, data=b"\x07\x00")
    ),
}
"""Reset lines by VID:PID of the bridge."""

SendTransfer: TypeAlias = Callable[[str, Transfer], None]
"""A function that sends a transfer to the device file of a USB device. It raises OSError if the transfer fails."""


def hold_reset(path: str, held: bool, *, sysfs: Path = SYSFS_TTY, send: SendTransfer | None = None) -> bool:
    """Hold the chips of the device at ``path`` in reset if ``held``; otherwise release them. Blocks for up to a second.

    Return False if the bridge has no known reset line, or if the user may not write to the USB device.
    """
    device = _usb_device(os.path.realpath(path), sysfs)
    if device is None:
        return False
    line = RESET_LINES.get(f"{_word(device, 'idVendor')}:{_word(device, 'idProduct')}")
    if line is None:
        return False
    node = f"{USB_NODES}/{int(_word(device, 'busnum')):03}/{int(_word(device, 'devnum')):03}"
    try:
        (send or _send)(node, line.hold if held else line.release)
    except OSError:
        return False
    return True


def _usb_device(path: str, sysfs: Path) -> Path | None:
    """Return the USB device of a serial port in sysfs; None if the port is not a USB port."""
    place = (sysfs / os.path.basename(path) / "device").resolve()
    return next((above for above in (place, *place.parents) if (above / "busnum").is_file()), None)


def _word(device: Path, name: str) -> str:
    return (device / name).read_text(encoding="ascii").strip()


def _send(node: str, transfer: Transfer) -> None:
    """Send a transfer with USBDEVFS_CONTROL (linux/usbdevice_fs.h)."""
    buffer = ctypes.create_string_buffer(transfer.data, max(1, len(transfer.data)))
    request = struct.pack(
        "@BBHHHIP",
        transfer.request_type,
        transfer.request,
        transfer.value,
        transfer.index,
        len(transfer.data),
        TIMEOUT_MS,
        ctypes.addressof(buffer),
    )
    number = 3 << 30 | len(request) << 16 | ord("U") << 8 | 0  # _IOWR('U', 0, struct usbdevfs_ctrltransfer)
    descriptor = os.open(node, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.ioctl(descriptor, number, request)
    finally:
        os.close(descriptor)
