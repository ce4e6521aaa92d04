"""Lists the serial ports of the system, and the USB device that each belongs to. Opens no port.

The list is read from /sys (Linux Documentation/ABI/stable/sysfs-bus-usb). A ``Listing`` is any function that returns
ports. Tests, and programs that get their ports from elsewhere, can pass a ``Listing`` of their own.
"""

import os
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TypeAlias

import trio

from stratum_miner.foreign_text import sanitize

MAX_TEXT = 126
"""Largest number of characters of a device's text that are kept. The 253 bytes of UTF-16 that fit into a USB string
descriptor contain no more."""
PATTERNS = ("ttyS*", "ttyUSB*", "ttyXRUSB*", "ttyACM*", "ttyAMA*", "rfcomm*", "ttyAP*")
"""Patterns for the names of serial ports in /dev: ports of the computer (ttyS), of USB bridges (ttyUSB, ttyXRUSB), of
USB modems (ttyACM), of ARM boards (ttyAMA), of Bluetooth (rfcomm), and of multi-port cards (ttyAP)."""
PLACEHOLDER_SERIAL = re.compile(r"0*1?|(?i:none|n/?a|123456.*|default|serial)")
"""Serial numbers that do not identify a device: a new bridge chip contains such a number, and makers who do not number
their devices do not change it. In a new CP2102 it is 0001 (inferred, see
docs/reference/asic.md#recognising-a-device)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedPort:
    """One serial port. The texts (serial number, manufacturer, product) come from the device: they are shown and
    compared, but not trusted. A text that the device does not have is empty."""

    path: str
    vid: int | None = None
    pid: int | None = None
    serial_number: str = ""
    manufacturer: str = ""
    product: str = ""
    location: str = ""
    """USB socket, as ``1-2.3`` or, for a device with several interfaces, ``1-2.3:1.0``."""

    @property
    def vid_pid(self) -> str:
        """The USB ids (VID:PID), such as ``10c4:ea60``; empty for a port that is not USB."""
        return "" if self.vid is None or self.pid is None else f"{self.vid:04x}:{self.pid:04x}"

    @property
    def socket(self) -> str:
        """The USB socket of the device, which is the same for all its ports."""
        return self.location.partition(":")[0]

    @property
    def interface_number(self) -> int:
        """The number of the USB interface of this port; 0 if the device has only one."""
        _, dot, number = self.location.partition(":")[2].rpartition(".")
        return int(number) if dot and number.isdecimal() else 0

    @property
    def has_placeholder_serial(self) -> bool:
        """Whether the serial number is a placeholder that thousands of devices share."""
        return PLACEHOLDER_SERIAL.fullmatch(self.serial_number) is not None

    @property
    def identity(self) -> str:
        """What identifies the device when it is plugged in again: its serial number, or otherwise its socket.

        Empty for a port that is not USB, or whose device has neither. Such a port is identified only by its path.
        """
        if not self.vid_pid:
            return ""
        if self.has_placeholder_serial:
            return f"{self.vid_pid}@{self.socket}" if self.socket else ""
        return f"{self.vid_pid}#{self.serial_number}"


Listing: TypeAlias = Callable[[], Awaitable[Sequence[ListedPort]]]
"""A function that returns the serial ports that exist now. It raises OSError if it could not list them; the caller may
then try again."""


async def ports_now() -> tuple[ListedPort, ...]:
    """Return the ports of this computer. This is the ``Listing`` that calls ``list_ports`` in a worker thread."""
    return await trio.to_thread.run_sync(list_ports, abandon_on_cancel=True)


def list_ports(root: Path = Path("/")) -> tuple[ListedPort, ...]:
    """Return the ports of this computer, sorted by path, with ttyUSB2 before ttyUSB10. This reads a few files for each
    port.

    A device that disappears meanwhile is not listed. ``root`` is the folder that contains dev and sys; tests pass a
    folder of their own. Raises OSError if ``root``/dev cannot be read.
    """
    names = [name for name in os.listdir(root / "dev") if any(fnmatchcase(name, pattern) for pattern in PATTERNS)]
    found = (_read(root, name) for name in sorted(names, key=_by_number))
    return tuple(port for port in found if port is not None)


def _by_number(name: str) -> list[tuple[int, str]]:
    """Return a sorting key that puts ttyUSB2 before ttyUSB10."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", name)]


def _read(root: Path, name: str) -> ListedPort | None:
    """Return the port with this name in /dev. None if there is no device behind the name, because a driver has only
    reserved it or because the device has just disappeared."""
    path = f"/dev/{name}"
    device = (root / "sys/class/tty" / name / "device").resolve()
    bus = (device / "subsystem").resolve().name
    if bus == "platform":
        return None
    if bus not in ("usb", "usb-serial"):
        return ListedPort(path=path)
    interface = device if bus == "usb" else device.parent
    usb = interface.parent
    try:
        vid, pid = (int(_line(usb / file), 16) for file in ("idVendor", "idProduct"))
    except ValueError:
        return None
    interfaces = _line(usb / "bNumInterfaces")
    has_several = interfaces.isdecimal() and int(interfaces) > 1
    return ListedPort(
        path=path,
        vid=vid,
        pid=pid,
        serial_number=_text(_line(usb / "serial")),
        manufacturer=_text(_line(usb / "manufacturer")),
        product=_text(_line(usb / "product")),
        location=_text(interface.name if has_several else usb.name),
    )


def _line(file: Path) -> str:
    """Return the first line of a file. Return an empty text if the file is empty or cannot be read."""
    try:
        lines = file.read_bytes().splitlines()
    except OSError:
        return ""
    return lines[0].decode(errors="replace").strip() if lines else ""


def is_pseudo_terminal(path: str) -> bool:
    """Return whether the path, with links followed, is one side of a pseudo-terminal: an emulator, not hardware."""
    return os.path.realpath(path).startswith("/dev/pts/")


def _text(value: str) -> str:
    """Return a text of a device in a form that is safe to show. NUL characters and white space at the start and end,
    which cheap devices add, are removed."""
    return sanitize(value.strip("\0 \r\n\t"), MAX_TEXT)
