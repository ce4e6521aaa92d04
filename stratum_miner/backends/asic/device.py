"""What one device looks like to its supervisor: bring it up, run it, read it; and what can be asked of it at rest.

A ``Device`` outlives its port. ``run`` opens the ports, brings the chips up, mines, restarts after trouble and powers
down on every way out; it ends by cancellation or with a DeviceError. After ``DeviceGone`` the supervisor waits until
a device with the same serial number (or at the same socket) is back and calls ``run`` again: totals go on.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import trio

from stratum_miner.backends.asic.options import DeviceOptions
from stratum_miner.backends.asic.readings import Readings
from stratum_miner.backends.asic.transport import PortOpener
from stratum_miner.backends.base import WorkSource
from stratum_miner.backends.statistics import Hardware
from stratum_miner.work.unit import NonceFound


class DeviceState(Enum):
    """What a device is doing."""

    ABSENT = "absent"
    """Not plugged in, or ``run`` was not called yet."""
    STARTING = "starting"
    MINING = "mining"
    THROTTLED = "throttled"
    """Mines below the frequency asked for: too hot, or too many hardware errors."""
    SICK = "sick"
    """Mines, but far below what it should."""
    DEAD = "dead"
    """Does not answer; a restart is coming."""
    OFF = "off"
    """Powered down: too hot, given up, or ended."""
    IDLE = "idle"
    """Powered down until there is work again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceIdentity:
    """Which device this is, whatever its port is called today."""

    kind: str
    path: str
    """As the user or discovery names it."""
    serial_number: str = ""
    location: str = ""
    """USB socket, such as 1-2.3; with it a device without a serial number of its own is recognised."""

    @property
    def name(self) -> str:
        """Short and unique among the devices of one machine."""
        return f"{self.kind}-{self.serial_number or self.location or self.path.rsplit('/', 1)[-1]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSnapshot:
    """Everything a display or an API may want to know about one device; totals since the first ``run``."""

    identity: DeviceIdentity
    product: str
    chip: str = ""
    """What stands on its chips; empty where it is not known."""
    state: DeviceState
    reason: str
    """Why it is in this state, for people; empty for plain mining."""
    since: float
    """When it came into this state, on the device's clock."""
    frequency: float | None
    """MHz now; None where it is fixed."""
    voltage: float | None = None
    """Core volts asked for; None where nothing can be set."""
    expected_hash_rate: float
    """H/s at this frequency."""
    hashes: int
    """Implied by the valid nonces reported: each stands for as many hashes as one takes on average."""
    expected_hashes: int
    """Expected hash rate over the time spent mining."""
    nonces: int
    """Valid ones, whether or not they make a share."""
    hardware_errors: int
    """Nonces that hash to nothing under any live work."""
    duplicate_nonces: int
    stale_nonces: int
    """Answers to work that had been replaced."""
    crc_errors: int
    garbage_bytes: int
    chips: tuple[int, ...]
    """Valid nonces of each chip, in the order of their addresses."""
    readings: Readings
    sensor_errors: int = 0
    """Times that sensors or fan did not answer."""
    restarts: int
    safety_shutdowns: int
    """How often heat or voltage switched it off."""
    is_overheated: bool = False
    """Whether heat switched it off and it has not cooled down yet."""
    hot: str = ""
    """What its sensors say from the temperature on at which it warns; empty below it."""
    work_sent: int
    last_error: str

    @property
    def hardware(self) -> Hardware:
        """What displays of all backends show of it."""
        readings = self.readings
        return Hardware(
            product=self.product,
            chip=self.chip,
            state=self.state.value,
            reason=self.reason,
            hot=self.hot,
            expected_hash_rate=self.expected_hash_rate,
            frequency=self.frequency,
            chip_temperature=readings.chip_temperature,
            regulator_temperature=readings.regulator_temperature,
            core_voltage=readings.core_voltage,
            core_voltage_asked=self.voltage,
            input_voltage=readings.input_voltage,
            power=readings.power,
            fan_rpm=readings.fan_rpm,
            fan_percent=readings.fan_percent,
            duplicate_nonces=self.duplicate_nonces,
            stale_nonces=self.stale_nonces,
            crc_errors=self.crc_errors,
            restarts=self.restarts,
            safety_shutdowns=self.safety_shutdowns,
            is_overheated=self.is_overheated,
            chips=self.chips,
        )


class Device(Protocol):
    """One device under one supervisor's task."""

    @property
    def identity(self) -> DeviceIdentity:
        """Which one it is."""
        ...

    async def run(self, source: WorkSource, found: trio.MemorySendChannel[NonceFound]) -> None:
        """Bring it up and mine until cancelled; may be called again after it ended.

        The caller closes ``found``. NonceFound.device is ``identity.name``. Raises DeviceGone when it is unplugged,
        Overheated and GivenUp when it stays off, PortBusy, PortForbidden and WrongChip at once.
        """
        ...

    def statistics(self) -> DeviceSnapshot:
        """A frozen view; from any thread, at any time."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """What an answer to a probe proves."""

    chip: str
    """Family, as ``Board.chip``."""
    chips: int


class Driver(Protocol):
    """What is known of one product beyond its descriptor; ``drivers.driver_of`` finds it."""

    def device(
        self, identity: DeviceIdentity, ports: PortOpener, options: DeviceOptions, clock: Callable[[], float]
    ) -> Device:
        """A device to run; opens nothing yet. ``clock`` is in seconds, trio's by default."""
        ...

    async def probe(self, ports: PortOpener) -> Probed:
        """Ask what is there, with the least that tells it, and close. DeviceSilent, WrongChip, DeviceGone, PortBusy."""
        ...

    async def identify(self, ports: PortOpener) -> str:
        """Make the device show itself for a few seconds; returns what to look for. DeviceRefused when it cannot."""
        ...

    async def reset(self, ports: PortOpener) -> str:
        """Bring it back to its state after power-on, as far as it has a way; returns what was done."""
        ...

    async def configure(self, ports: PortOpener, options: DeviceOptions) -> str:
        """Set frequency and voltage on the idle device; returns what is in force now. DeviceRefused when it cannot."""
        ...
