"""Serial ports as the system lists them: which there are and which USB device each belongs to. Nothing is opened here.

It is read from the system's own records, which Linux keeps in /sys (Documentation/ABI/stable/sysfs-bus-usb). A
``Listing`` is any function that returns ports, so that tests, and programs with another source, can put captured
listings in its place.
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
"""A USB string descriptor has at most 253 bytes of UTF-16."""
PATTERNS = ("ttyS*", "ttyUSB*", "ttyXRUSB*", "ttyACM*", "ttyAMA*", "rfcomm*", "ttyAP*")
"""What drivers call their ports: of the machine, of USB bridges, of USB modems, of ARM boards, and rarer ones."""
PLACEHOLDER_SERIAL = re.compile(r"0*1?|(?i:none|n/?a|123456.*|default|serial)")
"""What a maker leaves in who numbers nothing: a CP2102 ships as 0001 (asic reference, inferred)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedPort:
    """One serial port. Texts come from the device: shown and compared, never trusted; absent ones are empty."""

    path: str
    vid: int | None = None
    pid: int | None = None
    serial_number: str = ""
    manufacturer: str = ""
    product: str = ""
    location: str = ""
    """The socket, as ``1-2.3`` or, where a device has several interfaces, ``1-2.3:1.0``."""

    @property
    def vid_pid(self) -> str:
        """As ``10c4:ea60``; empty for a port that is not USB."""
        return "" if self.vid is None or self.pid is None else f"{self.vid:04x}:{self.pid:04x}"

    @property
    def socket(self) -> str:
        """Where it is plugged in, the same for all ports of one device."""
        return self.location.partition(":")[0]

    @property
    def interface_number(self) -> int:
        """The number of the USB interface behind this port; 0 where there is one only."""
        _, dot, number = self.location.partition(":")[2].rpartition(".")
        return int(number) if dot and number.isdecimal() else 0

    @property
    def has_placeholder_serial(self) -> bool:
        """Whether its serial number is one that thousands share."""
        return PLACEHOLDER_SERIAL.fullmatch(self.serial_number) is not None

    @property
    def identity(self) -> str:
        """What stays when the device is unplugged and comes back: its serial number, or else its socket.

        Empty for a port that is not USB: only its path tells it from another.
        """
        if not self.vid_pid:
            return ""
        if self.has_placeholder_serial:
            return f"{self.vid_pid}@{self.socket}" if self.socket else ""
        return f"{self.vid_pid}#{self.serial_number}"


Listing: TypeAlias = Callable[[], Awaitable[Sequence[ListedPort]]]
"""Returns the ports that are there now. OSError when it could not find out: ask again."""


async def ports_now() -> tuple[ListedPort, ...]:
    """``list_ports`` in a worker thread: the ``Listing`` of this machine."""
    return await trio.to_thread.run_sync(list_ports, abandon_on_cancel=True)


def list_ports(root: Path = Path("/")) -> tuple[ListedPort, ...]:
    """The ports of this machine, sorted by path with numbers as numbers; reads a few files for each, opens no port.

    A device that vanishes while it is read is not listed. Raises OSError when the system cannot be read. Tests keep
    other systems below a ``root`` of their own.
    """
    names = [name for name in os.listdir(root / "dev") if any(fnmatchcase(name, pattern) for pattern in PATTERNS)]
    found = (_read(root, name) for name in sorted(names, key=_by_number))
    return tuple(port for port in found if port is not None)


def _by_number(name: str) -> list[tuple[int, str]]:
    """ttyUSB2 before ttyUSB10."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", name)]


def _read(root: Path, name: str) -> ListedPort | None:
    """None for a place that a driver keeps for a port that is not there, and for a device that is gone by now."""
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
    """The first line of a record, empty when there is none or no longer."""
    try:
        lines = file.read_bytes().splitlines()
    except OSError:
        return ""
    return lines[0].decode(errors="replace").strip() if lines else ""


def is_pseudo_terminal(path: str) -> bool:
    """Whether the path, links followed, is one side of a pseudo-terminal: an emulator, not hardware."""
    return os.path.realpath(path).startswith("/dev/pts/")


def _text(value: str) -> str:
    """A device's own text, as it may be shown; cheap ones fill it up with zeros or blanks."""
    return sanitize(value.strip("\0 \r\n\t"), MAX_TEXT)
