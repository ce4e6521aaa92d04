"""Finds out which mining devices are plugged in, by comparing the USB ids and texts of each serial port with those of
the boards. Opens no port.

Most mining devices use a USB bridge with the same ids as thousands of other devices: 10c4:ea60 means any CP2102,
whether it is part of a GPS receiver or of a Block Erupter. A device therefore counts as *recognised* only if its USB
texts (manufacturer and product) say what it is. The miner opens such a device even if the user has not named it. A
device without such texts could be any product with this bridge, so the user has to name its port. If the texts fit
several boards (all Bitaxes have the same texts), the miner asks the chips.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from stratum_miner.backends.asic.board import Board, UsbPattern
from stratum_miner.backends.asic.boards import BOARDS
from stratum_miner.backends.asic.port_list import ListedPort

_GEKKO = "bitshopperde|GekkoScience"

NOT_DRIVEN: Mapping[str, UsbPattern] = {
    "GekkoScience Terminus": UsbPattern(vid=0x10C4, pid=0xEA60, manufacturer=_GEKKO, product=r"\bTerminus BM1384"),
    "GekkoScience R909": UsbPattern(vid=0x0403, pid=0x6015, manufacturer=_GEKKO, product="R909"),
    "GekkoScience Terminus A1": UsbPattern(vid=0x10C4, pid=0xEA70, product="GekkoScience Terminus A1"),
    "GekkoScience Compac A2": UsbPattern(vid=0x10C4, pid=0xEA70, product="GekkoScience Compac A2"),
    "GekkoScience Terminus A2": UsbPattern(vid=0x10C4, pid=0xEA70, product="GekkoScience Terminus A2"),
    "Bitaxe Bonanza": UsbPattern(vid=0xC0DE, pid=0xCAFE, product="BitaxeBonanza"),
    "Bitaxe Bonanza on an RP2040": UsbPattern(vid=0xC0DE, pid=0xB17D, product="BitaxeBonanza"),
    "emberOne/00": UsbPattern(vid=0x1209, pid=0x256F, product="EmberOne00"),
}
"""Mining devices that stratum-miner recognises but has no driver for (docs/reference/asic.md#recognising-a-device)."""


@dataclass(frozen=True, slots=True)
class Bridge:
    """A USB-to-serial bridge, and examples of products with this bridge that are no mining devices."""

    name: str
    lookalikes: str


BRIDGES: Mapping[str, Bridge] = {
    "10c4:ea60": Bridge("CP2102", "GPS receivers, 3-D printers"),
    "10c4:ea70": Bridge("CP2105", "development boards"),
    "0403:6015": Bridge("FT230X", "serial cables"),
    "0403:6001": Bridge("FT232R", "serial cables"),
    "0403:6014": Bridge("FT232H", "programmers"),
    "0403:8350": Bridge("FT232", "serial cables"),
    "067b:2303": Bridge("PL2303", "serial cables"),
}
"""The bridges of mining devices, by VID:PID. The ids are from cgminer's usbutils.c
(docs/reference/asic.md#recognising-a-device)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundDevice:
    """One USB device with its serial ports, and what its USB ids and texts say about it."""

    ports: tuple[ListedPort, ...]
    """At least one port, in the order of the USB interfaces."""
    boards: tuple[Board, ...] = ()
    """The boards that match the USB texts of the device. If there are several, only the chips can show which one it
    is."""
    undriven: str = ""
    """Name of the product if stratum-miner recognises the mining device but has no driver for it; otherwise empty."""
    bridge: Bridge | None = None
    identity: str = ""
    """What identifies the device when it is plugged in again; see ``ListedPort.identity``. If several connected devices
    have the same serial number, the USB socket is appended to the identity of each."""

    @property
    def path(self) -> str:
        """The path of the device's first port."""
        return self.ports[0].path

    def is_called(self, identity: str) -> bool:
        """Return whether ``identity`` is, or has been, the identity of this device. An identity can change: it ends
        with the USB socket only while several connected devices have the same serial number."""
        bare = self.ports[0].identity or self.path
        return identity in (self.identity, bare, f"{bare}@{self.ports[0].socket}")

    @property
    def recognised(self) -> bool:
        """Whether the USB texts of the device name a mining device with a driver. Such a device may be opened even if
        the user has not named it."""
        return bool(self.boards)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The names of the boards that this device can be; empty if it is no mining device with a driver."""
        if self.bridge is None:
            return tuple(board.kind for board in self.boards)
        return tuple(board.kind for board in BOARDS.values() if self.ports[0].vid_pid in board.usb_ids)

    def port_paths(self, board: Board) -> dict[str, str]:
        """Return the path of each port, if the device is a ``board``. The keys are the roles of the ports ("data",
        "control", "telemetry"). Empty while a required port is missing."""
        paths = {port.role: self.ports[port.interface].path for port in board.ports if port.interface < len(self.ports)}
        return {} if any(port.required and port.role not in paths for port in board.ports) else paths


def discover(ports: Iterable[ListedPort]) -> tuple[FoundDevice, ...]:
    """Return the USB devices to which the ports belong, each once, in the order of their first ports. Ports without a
    USB device are left out."""
    usb = [port for port in ports if port.vid_pid]
    order = {port.path: index for index, port in enumerate(usb)}
    ranked = sorted(usb, key=lambda port: (_device_key(port), port.interface_number, order[port.path]))
    devices = [_recognise(tuple(group)) for _, group in groupby(ranked, key=_device_key)]
    identities = Counter(device.ports[0].identity for device in devices)
    devices = [replace(device, identity=_identity(device.ports[0], identities)) for device in devices]
    return tuple(sorted(devices, key=lambda device: min(order[port.path] for port in device.ports)))


def _device_key(port: ListedPort) -> tuple[str, str]:
    """Return a key that is the same for all ports of one device. A port without a USB socket counts as a device of its
    own."""
    return (port.vid_pid, port.socket or port.path)


def _identity(port: ListedPort, all_of_them: Mapping[str, int]) -> str:
    return f"{port.identity}@{port.socket}" if port.identity and all_of_them[port.identity] > 1 else port.identity


def _recognise(ports: Sequence[ListedPort]) -> FoundDevice:
    first, in_order = ports[0], tuple(ports)
    boards = tuple(board for board in BOARDS.values() if any(_fits(pattern, first) for pattern in board.usb))
    if boards:
        return FoundDevice(ports=in_order, boards=boards)
    undriven = next((name for name, pattern in NOT_DRIVEN.items() if _fits(pattern, first)), "")
    if undriven:
        return FoundDevice(ports=in_order, undriven=undriven)
    return FoundDevice(ports=in_order, bridge=BRIDGES.get(first.vid_pid))


def _fits(pattern: UsbPattern, port: ListedPort) -> bool:
    """Return whether the ids and texts of a port match the pattern. A pattern without a text never matches."""
    return pattern.is_specific and pattern.matches(port.vid, port.pid, port.manufacturer, port.product)
