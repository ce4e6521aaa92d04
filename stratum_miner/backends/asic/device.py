"""Two interfaces. ``Device`` mines with one device. ``Driver`` makes devices, and probes or changes a device while it
is not mining.

``Device.run`` opens the ports, brings the chips up, mines, restarts the device after an error, and always powers it
down at the end. It ends when it is cancelled or raises a DeviceError. The task of ``AsicBackend`` that calls
``Device.run`` is called the supervisor of the device. After ``DeviceGone``, the supervisor waits until the device is
connected again. The supervisor recognises the device by its serial number, or by its USB socket if it has no serial
number. It then calls ``run`` of the same ``Device`` again, so that the totals continue.
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
    """The device is not plugged in, or ``run`` was not called yet."""
    STARTING = "starting"
    MINING = "mining"
    THROTTLED = "throttled"
    """The device mines, but it is too hot, or its frequency is still below the requested one. The frequency was lowered
    for one of three reasons: the device was too hot, it had too many hardware errors, or the safety check had switched
    it off before."""
    SICK = "sick"
    """The device mines, but far below the expected hash rate."""
    DEAD = "dead"
    """The last attempt to mine with the device failed, for example because the device does not answer. ``run`` waits
    and then restarts the device."""
    OFF = "off"
    """The device is powered down, because of heat or a power fault, because restarts did not help, or because mining
    has stopped."""
    IDLE = "idle"
    """The device is powered down until there is work again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceIdentity:
    """Identifies a device even if its port gets another name."""

    kind: str
    path: str
    """The path of the port, as the user or the list of ports names it."""
    serial_number: str = ""
    location: str = ""
    """USB socket, such as 1-2.3. It identifies a device without a serial number of its own."""

    @property
    def name(self) -> str:
        """A short name that is unique among the devices of a computer, such as compac-10018221."""
        return f"{self.kind}-{self.serial_number or self.location or self.path.rsplit('/', 1)[-1]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSnapshot:
    """State, totals and readings of one device. The totals count from the first ``run``."""

    identity: DeviceIdentity
    product: str
    chip: str = ""
    """The chip's part number as printed on it; empty if it is not known."""
    state: DeviceState
    reason: str
    """A text for people that says why the device is in this state. Empty while the device mines normally."""
    since: float
    """Time in seconds at which the device entered this state, as returned by the ``clock`` that was passed to
    ``Driver.device``."""
    frequency: float | None
    """Clock frequency in MHz now; None if the frequency is fixed."""
    voltage: float | None = None
    """Requested core voltage in volts; None if it cannot be set."""
    expected_hash_rate: float
    """Expected hash rate in H/s at this frequency."""
    hashes: int
    """Estimated number of computed hashes: each valid nonce counts as the number of hashes that are needed on average
    to find one."""
    expected_hashes: int
    """Expected number of hashes: the expected hash rate multiplied by the time spent mining."""
    nonces: int
    """Number of valid nonces, whether or not they are shares."""
    hardware_errors: int
    """Number of wrong reported nonces. A nonce is wrong if it solves none of the work units that the driver remembers:
    with this nonce, the hash of each of their headers is too large."""
    duplicate_nonces: int
    stale_nonces: int
    """Number of valid nonces that came too late: their work had become worthless, for example by a new Bitcoin
    block."""
    crc_errors: int
    garbage_bytes: int
    chips: tuple[int, ...]
    """Number of valid nonces of each chip, in the order of the chip addresses."""
    readings: Readings
    sensor_errors: int = 0
    """Number of times that the sensors or the fan controller did not answer."""
    restarts: int
    safety_shutdowns: int
    """Number of times that the safety check switched the device off because of heat or voltage."""
    is_overheated: bool = False
    """Whether the device was switched off because of heat and has not cooled down yet."""
    hot: str = ""
    """A text for people, with the sensor reading that exceeds the warning temperature; empty if none exceeds it."""
    work_sent: int
    last_error: str

    @property
    def hardware(self) -> Hardware:
        """The values of this snapshot, as a ``Hardware``, the type that all backends use for such values."""
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
    """One device. Its supervisor, a task of ``AsicBackend``, runs it."""

    @property
    def identity(self) -> DeviceIdentity:
        """The identity of the device."""
        ...

    async def run(self, source: WorkSource, found: trio.MemorySendChannel[NonceFound]) -> None:
        """Bring the device up and mine until cancelled. After this method has ended, it may be called again.

        Work is taken from ``source``. Each nonce that meets the target of its work unit is sent to ``found``, with
        ``identity.name`` as NonceFound.device. The caller closes ``found``. Raises DeviceGone if the device is
        unplugged, and Overheated, PowerFault or GivenUp if it must stay off. Raises PortBusy, PortForbidden or
        WrongChip at once, without a second attempt.
        """
        ...

    def statistics(self) -> DeviceSnapshot:
        """Return a snapshot of the device. May be called from any thread at any time."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """Result of a probe: the chip family, and the number of chips that answered."""

    chip: str
    """Name of the chip family, as in ``Board.chip``."""
    chips: int


class Driver(Protocol):
    """Makes the devices of one product. It can also probe, identify, reset or configure a device while it is not
    mining. ``drivers.driver_of`` returns the driver of a board."""

    def device(
        self, identity: DeviceIdentity, ports: PortOpener, options: DeviceOptions, clock: Callable[[], float]
    ) -> Device:
        """Return a device that is ready to run. This opens no port. ``clock`` returns seconds; the backend passes
        ``time.monotonic``."""
        ...

    async def probe(self, ports: PortOpener) -> Probed:
        """Ask the device which chips it has, with as few commands as possible, and close its ports.

        Raises DeviceSilent, WrongChip, DeviceGone or PortBusy.
        """
        ...

    async def identify(self, ports: PortOpener) -> str:
        """Show the user for a few seconds which device this is, for example by a flashing lamp. Return what the user
        should look for.

        Raises DeviceRefused if the device has no lamp that can be switched.
        """
        ...

    async def reset(self, ports: PortOpener) -> str:
        """Reset the device to its power-on state as far as its hardware allows, and return what was done."""
        ...

    async def configure(self, ports: PortOpener, options: DeviceOptions) -> str:
        """Set frequency and voltage of the idle device, and return the values that are then in effect.

        Raises DeviceRefused if they cannot be set.
        """
        ...
