"""DS4432U: a current source that changes the core voltage of older Bitaxes. It cannot switch the voltage off."""

from math import ceil

from stratum_miner.backends.asic.peripherals.bus import I2cBus

ADDRESS = 0x48
_FULL_SCALE_A = 98.921e-6
_SINKS_BELOW_V = 1.451


def code(volts: float) -> int:
    """Return the value of register 0xF8 of the DS4432U that sets a core voltage of ``volts``
    (docs/reference/asic.md#regulators-sensors-and-fans).

    Raises ValueError for a voltage that the current source cannot set.
    """
    steps = ceil(127 * abs(0.6 / 3320 - (volts - 0.6) / 4750) / _FULL_SCALE_A)
    if steps > 127:
        raise ValueError(f"DS4432U: expected a core voltage that this current source can set, got {volts:g} V")
    return steps | (0x80 if volts < _SINKS_BELOW_V else 0)


class Ds4432u:
    """The DS4432U of a Bitaxe board."""

    def __init__(self, bus: I2cBus) -> None:
        self._bus = bus

    async def set_voltage(self, volts: float) -> None:
        """Set the core voltage, in volts."""
        await self._bus.i2c_write(ADDRESS, bytes([0xF8, code(volts)]))
