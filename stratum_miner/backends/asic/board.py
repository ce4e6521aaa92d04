"""Describes a mining product as data: its USB ids, its ports, its chips, and the limits within which it is safe."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from stratum_miner.backends.asic.bringup import BringupStep
from stratum_miner.backends.asic.power import NoPower, PowerControl
from stratum_miner.backends.asic.transport import Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class UsbPattern:
    """One way in which a product identifies itself on the USB bus (docs/reference/asic.md#recognising-a-device).

    ``manufacturer`` and ``product`` are regular expressions. They are searched for, ignoring case, in the manufacturer
    and product texts that the device reports over USB.
    """

    vid: int
    pid: int
    manufacturer: str = ""
    product: str = ""

    def matches(self, vid: int | None, pid: int | None, manufacturer: str | None, product: str | None) -> bool:
        """Return whether the USB ids and texts of a device match this pattern. An empty regular expression matches any
        text."""
        return (
            (vid, pid) == (self.vid, self.pid)
            and bool(re.search(self.manufacturer, manufacturer or "", re.IGNORECASE))
            and bool(re.search(self.product, product or "", re.IGNORECASE))
        )

    @property
    def vid_pid(self) -> str:
        """The vendor id and the product id as text, such as 10c4:ea60. lsusb shows them in the same form."""
        return f"{self.vid:04x}:{self.pid:04x}"

    @property
    def is_specific(self) -> bool:
        """Whether the pattern requires a manufacturer or product text. Without one, the pattern has only ids. Many
        products share the ids of a USB bridge, so ids alone are no reason to open a port."""
        return bool(self.manufacturer or self.product)


@dataclass(frozen=True, slots=True)
class Port:
    """One serial port of a device. ``interface`` is its position, counted from 0, among those USB interfaces of the
    device that have a serial port."""

    role: str
    """"data" (to the chips), "control" (of bitaxe-raw) or "telemetry" (of the Compac A1)."""
    interface: int = 0
    baud: int = 115200
    required: bool = True


DATA = (Port("data"),)
MakePower: TypeAlias = Callable[[Mapping[str, Transport]], PowerControl]
"""A function that creates the power control of a device. Its argument has each open port under the port's role: "data",
"control" or "telemetry". Ports that the product does not require may be missing from the argument."""


@dataclass(frozen=True, slots=True)
class Range:
    """Lowest, default and highest value of a setting. The unit is MHz for a frequency, and volts for a voltage."""

    low: float
    default: float
    high: float

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int | float) and self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class TemperatureLimits:
    """Temperature limits of the chips in °C.

    At ``warn`` or above, the miner warns; at ``throttle`` or above, it lowers the clock; at ``cut_off`` or above, it
    switches the device off. The device may start again at ``resume`` or below.
    """

    warn: float
    throttle: float
    cut_off: float
    resume: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """One product design: its USB ids, ports, chips and settings, and the limits within which it is safe."""

    kind: str
    """The name of the product on the command line."""
    product: str
    """The name under which the product is sold."""
    chip: str
    """Name of the chip family, which is also the name of the module of this family."""
    marking: str | None = None
    """The part number that is printed on the chips; empty if it is not known. None means the name of the chip family in
    capitals."""
    chips: int = 1
    """The number of chips of the product."""
    usb: tuple[UsbPattern, ...] = ()
    """The USB patterns that identify the product. If there are none, the user has to name the kind of product and the
    path of its port."""
    bare_bridges: tuple[str, ...] = ()
    """VID:PID of USB bridges that are in some devices of this product, but whose USB texts do not name the product."""
    ports: tuple[Port, ...] = DATA
    """The ports, in the order of their USB interfaces."""
    frequency: Range | None = None
    """Clock frequency in MHz; None if it cannot be set."""
    voltage: Range | None = None
    """Core voltage in volts; None if it cannot be set."""
    temperature: TemperatureLimits | None = None
    """Temperature limits; None if the product has no sensor that stratum-miner can read."""
    power: MakePower = lambda transports: NoPower()
    hash_rate_per_mhz: float = 0.0
    """Hash rate of the whole product in H/s, for each MHz of the clock; 0 if the hash rate is fixed."""
    fixed_hash_rate: float = 0.0
    stops_at_nonce: bool = False
    """Whether the device stops searching after it has reported a nonce, until it gets new work."""
    bring_up: tuple[BringupStep, ...] = ()
    """The steps from a reset until the chips are ready for work."""
    probe_is_certain: bool = True
    """Whether a probe proves which product this is. A probe asks the chips behind a port to answer. The value is False
    if several kinds of device give the same answer."""

    @property
    def usb_ids(self) -> tuple[str, ...]:
        """VID:PID of every USB bridge that the product may contain: those of ``usb`` and those of ``bare_bridges``."""
        return (*(usb.vid_pid for usb in self.usb), *self.bare_bridges)

    @property
    def chip_name(self) -> str:
        """The part number on the chips; empty if it is not known."""
        return self.chip.upper() if self.marking is None else self.marking

    def hash_rate(self, frequency: float | None = None) -> float:
        """Return the expected hash rate in H/s at a frequency in MHz. None means the default frequency."""
        if self.fixed_hash_rate or self.frequency is None:
            return self.fixed_hash_rate
        return self.hash_rate_per_mhz * (self.frequency.default if frequency is None else frequency)

    def hashing(self, hash_rate: float | None) -> "Board":
        """Return a copy of this product whose hash rate at its default frequency is ``hash_rate`` (H/s). If
        ``hash_rate`` is None, return the product itself."""
        if hash_rate is None:
            return self
        if self.frequency is None or self.fixed_hash_rate:
            return replace(self, fixed_hash_rate=hash_rate)
        return replace(self, hash_rate_per_mhz=hash_rate / self.frequency.default)

    def port_paths(self, path: str) -> dict[str, str]:
        """Return a path for each port under the port's role ("data", "control" or "telemetry"), for a device that the
        user named by ``path``.

        If the product has exactly one required port, ``path`` is the path of this port, and "-ROLE" is appended for the
        other ports. If several ports are required, "-ROLE" is appended for all of them. For a device that the system
        lists, use ``FoundDevice.port_paths`` instead: it returns the actual paths of the ports.
        """
        required = [port.role for port in self.ports if port.required]
        return {port.role: path if [port.role] == required else f"{path}-{port.role}" for port in self.ports}
