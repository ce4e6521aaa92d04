"""What a backend tells of itself and of its devices: frozen snapshots of totals, for whoever counts or shows them."""

from dataclasses import dataclass
from typing import NewType

DeviceKey = NewType("DeviceKey", str)
"""Identifies a device among all devices of a miner, for as long as the miner runs; made by ``device_key``."""


def device_key(backend: str, device: str) -> DeviceKey:
    """The key of a device: the user's name of its backend, which has no slash in it, and the device's own name."""
    return DeviceKey(f"{backend}/{device}")


@dataclass(frozen=True, slots=True)
class BackendStatistics:
    """A frozen snapshot of what a backend did since ``run`` began."""

    backend: str
    detail: str
    """One phrase for people: "avx512, 2 threads"."""
    devices: "tuple[DeviceStatistics, ...]"
    kernel: str = ""
    """Name of the C function in use, for backends that have one."""
    problem: str = ""
    """What is wrong with the backend as a whole, such as that it found no device; empty while all is well."""

    @property
    def hashes(self) -> int:
        """Hashes computed (or, where hardware does not tell, implied) by all devices."""
        return sum(device.hashes for device in self.devices)


@dataclass(frozen=True, slots=True)
class DeviceStatistics:
    """Totals of one part of a backend (a search thread, a stick) since ``run`` began."""

    name: str
    hashes: int
    nonces_found: int
    hardware_errors: int = 0
    hardware: "Hardware | None" = None
    """What a machine of its own tells; None for a part of this computer."""
    listed_as: str = ""
    """The name under which it stood in the list before it was known what it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """A mining machine as displays show it; None where it has no sensor or no such setting."""

    product: str
    chip: str = ""
    """What stands on its chips: BM1370; empty where it is not known."""
    state: str = "mining"
    """A word: starting, mining, throttled, idle, sick, dead, off, absent, or removed (by its owner)."""
    reason: str = ""
    """Why it is in this state; empty for plain mining."""
    hot: str = ""
    """What its sensors say from the temperature on at which it warns; empty below it."""
    expected_hash_rate: float | None = None
    """H/s at its present frequency."""
    frequency: float | None = None
    """MHz."""
    chip_temperature: float | None = None
    regulator_temperature: float | None = None
    """Degrees Celsius."""
    core_voltage: float | None = None
    core_voltage_asked: float | None = None
    input_voltage: float | None = None
    """Volts."""
    power: float | None = None
    """Watts, as the machine measures it: less than at the wall."""
    fan_rpm: int | None = None
    fan_percent: int | None = None
    duplicate_nonces: int = 0
    stale_nonces: int = 0
    crc_errors: int = 0
    restarts: int = 0
    safety_shutdowns: int = 0
    """How often heat or voltage switched it off."""
    is_overheated: bool = False
    """Whether heat switched it off and it has not cooled down yet."""
    chips: tuple[int, ...] = ()
    """Valid nonces of each chip."""
