"""INA260: current, voltage and power at the input of a board."""

from stratum_miner.backends.asic.peripherals.bus import I2cBus

ADDRESS = 0x40


class Ina260:
    """The INA260 of a Bitaxe board. Its registers are big-endian."""

    def __init__(self, bus: I2cBus) -> None:
        self._bus = bus

    async def current(self) -> float:
        """Return the current in amperes, signed, in steps of 1.25 mA."""
        return int.from_bytes(await self._bus.i2c_read(ADDRESS, b"\x01", 2), "big", signed=True) * 1.25e-3

    async def voltage(self) -> float:
        """Return the voltage in volts, in steps of 1.25 mV."""
        return int.from_bytes(await self._bus.i2c_read(ADDRESS, b"\x02", 2), "big") * 1.25e-3

    async def power(self) -> float:
        """Return the power in watts, in steps of 10 mW."""
        return int.from_bytes(await self._bus.i2c_read(ADDRESS, b"\x03", 2), "big") * 0.01
