"""Statistics of a backend and of its devices: frozen snapshots of totals."""

from dataclasses import dataclass
from typing import NewType

DeviceKey = NewType("DeviceKey", str)
"""Identifies a device among all devices of a miner while the miner runs. Make it with ``device_key``."""


def device_key(backend: str, device: str) -> DeviceKey:
    """Return the key of a device, ``BACKEND/DEVICE``.

    ``backend`` is the name that the user gave to the backend. It contains no slash. ``device`` is the name of the
    device within the backend.
    """
    return DeviceKey(f"{backend}/{device}")


@dataclass(frozen=True, slots=True)
class BackendStatistics:
    """A frozen snapshot of what a backend has done since ``run`` began."""

    backend: str
    detail: str
    """A short description for people, such as "avx512, 2 threads"."""
    devices: "tuple[DeviceStatistics, ...]"
    kernel: str = ""
    """Name of the C kernel in use; empty for a backend without one."""
    problem: str = ""
    """A problem of the backend as a whole, such as that it found no device. Empty while there is none."""

    @property
    def hashes(self) -> int:
        """Number of hashes by all devices. For hardware that does not count its hashes, the number is estimated
        from the nonces that it found."""
        return sum(device.hashes for device in self.devices)


@dataclass(frozen=True, slots=True)
class DeviceStatistics:
    """Totals of one device of a backend (a search thread or a mining device) since ``run`` began."""

    name: str
    hashes: int
    nonces_found: int
    hardware_errors: int = 0
    hardware: "Hardware | None" = None
    """State and sensors of a mining device; None for a device that is part of this computer, such as a search
    thread."""
    listed_as: str = ""
    """The first ``name`` of the device. The backend gives the device another name when it has identified the device.
    Empty for a device that is part of this computer, because the name of such a device never changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """State, settings and sensor readings of a mining device. A value is None if the device cannot report or set it."""

    product: str
    chip: str = ""
    """The chip's part number as printed on it, such as BM1370; empty if it is not known."""
    state: str = "mining"
    """One word: starting, mining, throttled, idle, sick (far below its expected hash rate), dead, off, absent, or
    removed (by the user)."""
    reason: str = ""
    """Why the device is in this state. Empty while the device mines normally."""
    hot: str = ""
    """The sensor reading that exceeds the warning temperature, as a text for people; empty below that temperature."""
    expected_hash_rate: float | None = None
    """Expected hash rate in H/s at the present frequency."""
    frequency: float | None = None
    """Clock frequency of the chips in MHz."""
    chip_temperature: float | None = None
    regulator_temperature: float | None = None
    """Temperature of the voltage regulator in °C. ``chip_temperature`` is in °C, too."""
    core_voltage: float | None = None
    core_voltage_asked: float | None = None
    input_voltage: float | None = None
    """Supply voltage of the device in volts. ``core_voltage`` (measured) and ``core_voltage_asked`` (requested) are in
    volts, too."""
    power: float | None = None
    """Power in watts as the device measures it. It is less than the power at the wall socket."""
    fan_rpm: int | None = None
    fan_percent: int | None = None
    duplicate_nonces: int = 0
    stale_nonces: int = 0
    crc_errors: int = 0
    restarts: int = 0
    safety_shutdowns: int = 0
    """Number of times that the safety check switched the device off because of heat or voltage."""
    is_overheated: bool = False
    """Whether the device was switched off because of heat and has not cooled down yet."""
    chips: tuple[int, ...] = ()
    """Number of valid nonces that each chip has found, in the order of the chips."""
