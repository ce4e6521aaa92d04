"""EMC2101: fan controller, and thermometer for the diode in the mining chip."""

from dataclasses import dataclass

from stratum_miner.backends.asic.errors import DeviceRefused
from stratum_miner.backends.asic.peripherals.bus import I2cBus

ADDRESS = 0x4C
PRODUCT_IDS = (0x16, 0x28)
_MANUFACTURER = 0x5D
_DIODE_OPEN, _DIODE_SHORT = 0x3F8, 0x3FF
_TACH_STOPPED = 0xFFFF


@dataclass(frozen=True, slots=True)
class Diode:
    """The constants of the temperature diode in a mining chip. ``ideality`` is the value for register 0x17 of
    the EMC2101, and ``beta`` the value for register 0x18."""

    ideality: int
    beta: int


class Emc2101:
    """The EMC2101 of a board."""

    def __init__(self, bus: I2cBus) -> None:
        self._bus = bus

    async def configure(self, diode: Diode | None) -> None:
        """Check that the ids of the chip are those of an EMC2101, enable the tachometer and direct control of the fan,
        and set the constants of ``diode`` if it is not None.

        Raises DeviceRefused if the chip has other ids.
        """
        manufacturer, product = await self._get(0xFE), await self._get(0xFD)
        if manufacturer != _MANUFACTURER or product not in PRODUCT_IDS:
            raise DeviceRefused(f"EMC2101: expected ids 5d 16 or 5d 28, got {manufacturer:02x} {product:02x}")
        await self._set(0x03, await self._get(0x03) | 0x04)  # use the pin as the tachometer input
        await self._set(0x4A, 0x23)
        if diode is not None:
            await self._set(0x17, diode.ideality)
            await self._set(0x18, diode.beta)

    async def set_fan(self, percent: int) -> None:
        """Set the power of the fan in percent, from 0 to 100. The controller has 63 steps above 0, so the value is
        rounded."""
        await self._set(0x4C, round(63 * min(100, max(0, percent)) / 100))

    async def fan_percent(self) -> int:
        """Return the percentage that the fan is set to."""
        return round(100 * (await self._get(0x4C) & 0x3F) / 63)

    async def internal_temperature(self) -> float:
        """Return the temperature of the controller itself in °C."""
        return float(int.from_bytes(bytes([await self._get(0x00)]), "big", signed=True))

    async def external_temperature(self) -> float | None:
        """Return the temperature of the diode in °C, in steps of 1/8; None while the controller reports that the diode
        is disconnected or shorted."""
        high, low = await self._get(0x01), await self._get(0x10)
        raw = high << 3 | low >> 5
        if raw in (_DIODE_OPEN, _DIODE_SHORT):
            return None
        return (raw - 0x800 if raw & 0x400 else raw) / 8

    async def fan_rpm(self) -> int:
        """Return the revolutions per minute; 0 while the fan stands still."""
        count = await self._get(0x46) | await self._get(0x47) << 8
        return 0 if count in (0, _TACH_STOPPED) else 5_400_000 // count

    async def _get(self, register: int) -> int:
        return (await self._bus.i2c_read(ADDRESS, bytes([register]), 1))[0]

    async def _set(self, register: int, value: int) -> None:
        await self._bus.i2c_write(ADDRESS, bytes([register, value]))
