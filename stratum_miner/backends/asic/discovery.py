"""Which miners are plugged in: the ports of the machine held against the boards' USB patterns. Nothing is opened here.

Most miners borrow the numbers of a bridge chip that thousands of other things use: 10c4:ea60 is every CP2102 on
earth, a GPS receiver as well as a Block Erupter. So a device is *recognised*, and may be opened unasked, only when
its own texts say what it is. A bare bridge may be any board that has its numbers, and the user has to name its port.
Where the texts leave several kinds (all Bitaxes say the same), asking the chips decides between them.
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
"""Miners that we know and have no driver for (docs/reference/asic.md#recognising-a-device)."""


@dataclass(frozen=True, slots=True)
class Bridge:
    """A USB serial bridge without a text of its own, and what else than a miner may be behind it."""

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
"""By VID:PID. Sources: cgminer's usbutils.c through docs/reference/asic.md#recognising-a-device; what looks alike is
common knowledge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundDevice:
    """One USB device with its serial ports, and what the tables make of it."""

    ports: tuple[ListedPort, ...]
    """In the order of their USB interfaces, at least one."""
    boards: tuple[Board, ...] = ()
    """What its texts say it is; several where only its chips can tell."""
    undriven: str = ""
    """A miner without a driver, by its name."""
    bridge: Bridge | None = None
    identity: str = ""
    """What stays when it is unplugged and comes back; see ``ListedPort.identity``. Of several devices under one serial
    number, which no maker should give out, each has its socket added."""

    @property
    def path(self) -> str:
        """The path of its first port."""
        return self.ports[0].path

    def is_called(self, identity: str) -> bool:
        """Whether it had this identity at some time, with or without others under its serial number beside it."""
        bare = self.ports[0].identity or self.path
        return identity in (self.identity, bare, f"{bare}@{self.ports[0].socket}")

    @property
    def recognised(self) -> bool:
        """Whether it says itself that it is a miner we drive, so that it may be opened unasked."""
        return bool(self.boards)

    @property
    def kinds(self) -> tuple[str, ...]:
        """What it is or may be; empty for anything else."""
        if self.bridge is None:
            return tuple(board.kind for board in self.boards)
        return tuple(board.kind for board in BOARDS.values() if self.ports[0].vid_pid in board.usb_ids)

    def port_paths(self, board: Board) -> dict[str, str]:
        """Role to path for a board; empty while a port that it cannot do without is not there yet."""
        paths = {port.role: self.ports[port.interface].path for port in board.ports if port.interface < len(self.ports)}
        return {} if any(port.required and port.role not in paths for port in board.ports) else paths


def discover(ports: Iterable[ListedPort]) -> tuple[FoundDevice, ...]:
    """The USB devices behind the ports, each once, in the order of their first port. Ports without USB are left out."""
    usb = [port for port in ports if port.vid_pid]
    order = {port.path: index for index, port in enumerate(usb)}
    ranked = sorted(usb, key=lambda port: (_device_key(port), port.interface_number, order[port.path]))
    devices = [_recognise(tuple(group)) for _, group in groupby(ranked, key=_device_key)]
    identities = Counter(device.ports[0].identity for device in devices)
    devices = [replace(device, identity=_identity(device.ports[0], identities)) for device in devices]
    return tuple(sorted(devices, key=lambda device: min(order[port.path] for port in device.ports)))


def _device_key(port: ListedPort) -> tuple[str, str]:
    """Ports of one device share their socket; without one each port is a device."""
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
    """Whether texts and numbers fit; numbers alone never do."""
    return pattern.is_specific and pattern.matches(port.vid, port.pid, port.manufacturer, port.product)
