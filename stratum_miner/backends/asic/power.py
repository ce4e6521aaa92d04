"""What a device's supervisor may ask of its power supply, fan and sensors, and the way down that nothing may skip.

Sticks without supply or sensors of their own have ``NoPower``.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

import structlog
import trio

from stratum_miner.backends.asic.errors import DeviceError, DeviceGone
from stratum_miner.backends.asic.readings import Readings

log = structlog.get_logger(__name__)

MAKE_IDLE_S = 2.0
"""Limit for stopping the chips, which takes a few commands. A hang there must not keep the power on."""
OFF_S = 8.0
"""Limit for switching off: enough to ask twice where answers take two seconds to fail. Somebody waits for the end."""
OFF_TRIES = 5

PowerStep: TypeAlias = Callable[[], Awaitable[None]]


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
        """Chips into reset, then core voltage off: in that order (docs/reference/asic.md#power-on-and-power-off). May
        be called twice."""
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
        """Do nothing: the bus supplies it."""

    async def off(self) -> None:
        """The chain's own ``rest`` is all there is."""

    async def read(self) -> Readings:
        """Tell nothing: there are no sensors."""
        return Readings()

    async def set_fan(self, percent: int) -> None:
        """Do nothing: there is no fan to set."""

    async def identify(self) -> str:
        """Show nothing: there is no lamp."""
        return ""


async def power_down(device: str, rest: PowerStep, power: PowerControl) -> None:
    """Chips to rest, then the power off, whatever ended the run and whatever either comes to. Raises nothing.

    A port that is gone proves nothing about the power: boards have supplies of their own, and ports go one by one.
    """
    await _surely(device, "rest", rest, MAKE_IDLE_S)
    await switch_off(device, power)


async def switch_off(device: str, power: PowerControl) -> None:
    """The second half of ``power_down``."""
    await _surely(device, "power off", power.off, OFF_S, tries=OFF_TRIES)


async def run_all(*steps: PowerStep) -> None:
    """All steps in order, those after one that failed too; then the first DeviceError."""
    failed: DeviceError | None = None
    for step in steps:
        try:
            await step()
        except DeviceError as error:
            failed = failed or error
    if failed is not None:
        raise failed


async def _surely(device: str, what: str, step: PowerStep, seconds: float, *, tries: int = 1) -> None:
    reason = f"not done within {seconds:g} s"
    with trio.move_on_after(seconds, shield=True):
        for _ in range(tries):
            try:
                await step()
            except DeviceGone as error:
                log.debug("power_down_failed", device=device, step=what, reason=str(error))
                return
            except Exception as error:  # a defect here must not leave a board under power
                reason = str(error) or repr(error)
            else:
                return
    log.warning("power_down_failed", device=device, step=what, reason=reason)
