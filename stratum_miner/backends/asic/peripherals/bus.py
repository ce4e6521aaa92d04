"""The I²C bus as the peripherals use it. ``BitaxeControl`` implements it."""

from typing import Protocol


class I2cBus(Protocol):
    """An I²C bus with 7-bit addresses. Its methods raise DeviceRefused (no acknowledge) and DeviceSilent."""

    async def i2c_write(self, address: int, data: bytes) -> None:
        """Write bytes to the device at an address."""
        ...

    async def i2c_read(self, address: int, data: bytes, count: int) -> bytes:
        """Write bytes, usually the number of a register, and then read ``count`` bytes."""
        ...
