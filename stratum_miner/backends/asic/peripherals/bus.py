"""The interface of an I²C bus, as the peripherals use it. ``BitaxeControl`` implements this interface."""

from typing import Protocol


class I2cBus(Protocol):
    """An I²C bus with 7-bit addresses. Its methods raise DeviceRefused if the request fails (for example because no
    chip acknowledges the address), and DeviceSilent if no answer comes."""

    async def i2c_write(self, address: int, data: bytes) -> None:
        """Write bytes to the device at an address."""
        ...

    async def i2c_read(self, address: int, data: bytes, count: int) -> bytes:
        """Write bytes (usually a register number) to the device at an address, and then read ``count`` bytes from
        it."""
        ...
