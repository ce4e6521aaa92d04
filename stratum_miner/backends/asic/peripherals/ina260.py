"""INA260: current, voltage and power of a board's input."""

from stratum_miner.backends.asic.peripherals.bus import I2cBus

ADDRESS = 0x40


class Ina260:
    """The sensor at its only address; its registers are big-endian."""

    def __init__(self, bus: I2cBus) -> None:
        self._bus = bus

    async def current(self) -> float:
        """Amperes, signed, 1.25 mA steps."""
        return int.from_bytes(await self._bus.i2c_read(ADDRESS, b"\x01", 2), "big", signed=True) * 1.25e-3

    async def voltage(self) -> float:
        """Volts, 1.25 mV steps."""
        return int.from_bytes(await self._bus.i2c_read(ADDRESS, b"\x02", 2), "big") * 1.25e-3

    async def power(self) -> float:
        """Watts, 10 mW steps."""
        return int.from_bytes(await self._bus.i2c_read(ADDRESS, b"\x03", 2), "big") * 0.01
