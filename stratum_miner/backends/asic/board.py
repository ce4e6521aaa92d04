"""What a product is, as data: how USB shows it, its ports, its chips, and the limits it is safe within."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from stratum_miner.backends.asic.bringup import BringupStep
from stratum_miner.backends.asic.power import NoPower, PowerControl
from stratum_miner.backends.asic.transport import Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class UsbPattern:
    """One way a product shows up on the bus (docs/reference/asic.md#recognising-a-device). Patterns are searched for,
    without regard to case."""

    vid: int
    pid: int
    manufacturer: str = ""
    product: str = ""

    def matches(self, vid: int | None, pid: int | None, manufacturer: str | None, product: str | None) -> bool:
        """Whether ids and strings fit; an empty pattern fits anything."""
        return (
            (vid, pid) == (self.vid, self.pid)
            and bool(re.search(self.manufacturer, manufacturer or "", re.IGNORECASE))
            and bool(re.search(self.product, product or "", re.IGNORECASE))
        )

    @property
    def vid_pid(self) -> str:
        """The numbers as listings have them, such as 10c4:ea60."""
        return f"{self.vid:04x}:{self.pid:04x}"

    @property
    def is_specific(self) -> bool:
        """Whether strings are part of it: ids of USB bridges alone name no product and must never open a port."""
        return bool(self.manufacturer or self.product)


@dataclass(frozen=True, slots=True)
class Port:
    """One serial port of a device: its role, and its place among the USB interfaces that have one."""

    role: str
    """"data" (the chips), "control" (bitaxe-raw), "telemetry" (Compac A1)."""
    interface: int = 0
    baud: int = 115200
    required: bool = True


DATA = (Port("data"),)
MakePower: TypeAlias = Callable[[Mapping[str, Transport]], PowerControl]
"""From the open ports of a device, by role, to what can be asked of its supply; optional ports may be missing."""


@dataclass(frozen=True, slots=True)
class Range:
    """Limits and the value used when the user names none; MHz or volts."""

    low: float
    default: float
    high: float

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int | float) and self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class TemperatureLimits:
    """Degrees Celsius, rising: tell, slow down, switch off; and below which a hot device may start again."""

    warn: float
    throttle: float
    cut_off: float
    resume: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """One product."""

    kind: str
    """The name on the command line."""
    product: str
    """The name on the box."""
    chip: str
    """Chip family, as its module is called."""
    marking: str | None = None
    """What stands on its chips; None where that is the name of the family in capitals."""
    chips: int = 1
    """How many it is built with."""
    usb: tuple[UsbPattern, ...] = ()
    """How it is recognised; empty where it has to be named, with the path of its port."""
    bare_bridges: tuple[str, ...] = ()
    """VID:PID of bridges that it has without any text of its own, besides the bridges in ``usb``."""
    ports: tuple[Port, ...] = DATA
    """In the order of their USB interfaces."""
    frequency: Range | None = None
    """MHz; None where nothing can be set."""
    voltage: Range | None = None
    """Core volts; None where nothing can be set."""
    temperature: TemperatureLimits | None = None
    """None where the product has no sensor we can read."""
    power: MakePower = lambda transports: NoPower()
    hash_rate_per_mhz: float = 0.0
    """H/s of the whole product for each MHz; 0 with a fixed rate."""
    fixed_hash_rate: float = 0.0
    stops_at_nonce: bool = False
    """Whether it idles after a nonce until it gets new work."""
    bring_up: tuple[BringupStep, ...] = ()
    """From reset to ready for work."""
    probe_is_certain: bool = True
    """Whether an answer to the probe proves the chip; False where several kinds answer alike."""

    @property
    def usb_ids(self) -> tuple[str, ...]:
        """VID:PID of every way it may show up on the bus, recognised or not."""
        return (*(usb.vid_pid for usb in self.usb), *self.bare_bridges)

    @property
    def chip_name(self) -> str:
        """What stands on its chips; empty where it is not known."""
        return self.chip.upper() if self.marking is None else self.marking

    def hash_rate(self, frequency: float | None = None) -> float:
        """H/s expected at this frequency, default the product's own."""
        if self.fixed_hash_rate or self.frequency is None:
            return self.fixed_hash_rate
        return self.hash_rate_per_mhz * (self.frequency.default if frequency is None else frequency)

    def hashing(self, hash_rate: float | None) -> "Board":
        """The same product, with another hash rate at its own clock; None leaves it."""
        if hash_rate is None:
            return self
        if self.frequency is None or self.fixed_hash_rate:
            return replace(self, fixed_hash_rate=hash_rate)
        return replace(self, hash_rate_per_mhz=hash_rate / self.frequency.default)

    def port_paths(self, path: str) -> dict[str, str]:
        """Role to path for a device that the user named by ``path``; discovery knows better where it found it.

        A path names the only port that a product cannot do without; the others add "-role" to it. Where two are
        needed, all do.
        """
        required = [port.role for port in self.ports if port.required]
        return {port.role: path if [port.role] == required else f"{path}-{port.role}" for port in self.ports}
