"""The bus as peripherals see it; ``BitaxeControl`` is one."""

from typing import Protocol


class I2cBus(Protocol):
    """7-bit addresses. Errors are DeviceRefused (no acknowledge) and DeviceSilent."""

    async def i2c_write(self, address: int, data: bytes) -> None:
        """Write bytes to a device."""
        ...

    async def i2c_read(self, address: int, data: bytes, count: int) -> bytes:
        """Write bytes, usually a register's number, then read ``count``."""
        ...
