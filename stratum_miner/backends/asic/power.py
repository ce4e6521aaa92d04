"""What a device's supervisor may ask of its power supply, fan and sensors. Sticks without any have ``NoPower``."""

from typing import Protocol

from stratum_miner.backends.asic.device import Readings


class PowerControl(Protocol):
    """Power, reset, fan and sensors of one board, through whatever port leads to them."""

    has_sensors: bool
    """Whether ``read`` tells a temperature."""
    minimum_input_voltage: float | None
    """Below it the supply is too weak; None where it is not measured."""

    async def on(self, voltage: float | None) -> None:
        """Core voltage on, chips out of reset and settled. PowerFault, DeviceRefused, DeviceSilent, DeviceGone."""
        ...

    async def off(self) -> None:
        """Chips into reset, then core voltage off: in that order (asic.md 7, row 13). May be called twice."""
        ...

    async def read(self) -> Readings:
        """What the sensors say. DeviceSilent or DeviceRefused when they do not answer."""
        ...

    async def set_fan(self, percent: int) -> None:
        """0 to 100; nothing where there is no fan to set."""
        ...

    async def identify(self) -> str:
        """Show the device to its owner; returns what to look for. DeviceRefused when it cannot."""
        ...


class NoPower:
    """A stick that takes its supply from the bus and tells nothing of it."""

    has_sensors = False
    minimum_input_voltage: float | None = None

    async def on(self, voltage: float | None) -> None:
        """It is."""

    async def off(self) -> None:
        """The chain's own ``rest`` is all there is."""

    async def read(self) -> Readings:
        """Nothing."""
        return Readings()

    async def set_fan(self, percent: int) -> None:
        """None."""

    async def identify(self) -> str:
        """No lamp."""
        return ""
