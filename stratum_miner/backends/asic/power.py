"""Power supply, fan and sensors of a device, and the power-down sequence that runs whenever a device stops.

A device that has no sensors and whose supply cannot be controlled has ``NoPower``.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

import structlog
import trio

from stratum_miner.backends.asic.errors import DeviceError, DeviceGone
from stratum_miner.backends.asic.readings import Readings

log = structlog.get_logger(__name__)

MAKE_IDLE_S = 2.0
"""Seconds allowed for making the chips idle, which takes a few commands. If a command hangs, the power must still be
switched off."""
OFF_S = 8.0
"""Seconds allowed for switching the power off. This is enough for several attempts, even if each of them waits 2 s for
an answer that does not come. After the user has stopped the program, switching the power off delays the end of
the program by at most this time."""
OFF_TRIES = 5
"""Number of attempts to switch the power off."""

PowerStep: TypeAlias = Callable[[], Awaitable[None]]


class PowerControl(Protocol):
    """Power, reset, fan and sensors of one board, through the port that controls them."""

    has_sensors: bool
    """Whether ``read`` reports a temperature."""
    minimum_input_voltage: float | None
    """Input voltage in volts below which the power supply is too weak; None if the input voltage is not measured."""

    async def on(self, voltage: float | None) -> None:
        """Set the core voltage to ``voltage`` (in volts) and switch it on, release the chips from reset, and wait until
        voltage and chips are stable.

        Raises PowerFault, DeviceRefused, DeviceSilent or DeviceGone.
        """
        ...

    async def off(self) -> None:
        """Hold the chips in reset, and then switch the core voltage off, in this order
        (docs/reference/asic.md#power-on-and-power-off).

        A repeated call does no harm. Raises a DeviceError if a step fails; the other steps are still tried.
        """
        ...

    async def read(self) -> Readings:
        """Read the sensors. Raises DeviceSilent or DeviceRefused if they do not answer."""
        ...

    async def set_fan(self, percent: int) -> None:
        """Set the power of the fan in percent, from 0 to 100. Do nothing if there is no fan to set."""
        ...

    async def identify(self) -> str:
        """Show the user which device this is, for example by a flashing lamp. Return what the user should look for;
        empty if the board has no such lamp. Raises DeviceRefused or DeviceSilent if the board refuses or does not
        answer."""
        ...


class NoPower:
    """The power control of a device that gets its power from the USB bus and has no sensors."""

    has_sensors = False
    minimum_input_voltage: float | None = None

    async def on(self, voltage: float | None) -> None:
        """Do nothing: the USB bus supplies the device."""

    async def off(self) -> None:
        """Do nothing: the power of such a device cannot be switched off, so ``ChipChain.make_idle`` must suffice."""

    async def read(self) -> Readings:
        """Return empty readings: there are no sensors."""
        return Readings()

    async def set_fan(self, percent: int) -> None:
        """Do nothing: there is no fan to set."""

    async def identify(self) -> str:
        """Do nothing: there is no lamp."""
        return ""


async def power_down(device: str, make_idle: PowerStep, power: PowerControl) -> None:
    """Make the chips idle, then switch the power off. Errors are logged and never raised.

    A port that has disappeared does not prove that the power is off: boards have supplies of their own, and the ports
    of one device can disappear one by one. The power is therefore switched off even then.
    """
    await _surely(device, "make idle", make_idle, MAKE_IDLE_S)
    await switch_off(device, power)


async def switch_off(device: str, power: PowerControl) -> None:
    """Switch the power off, in several attempts if necessary. Errors are logged and never raised."""
    await _surely(device, "power off", power.off, OFF_S, tries=OFF_TRIES)


async def run_all(*steps: PowerStep) -> None:
    """Run all steps in order, including those after a step that failed. Then raise the first DeviceError, if any."""
    failed: DeviceError | None = None
    for step in steps:
        try:
            await step()
        except DeviceError as error:
            failed = failed or error
    if failed is not None:
        raise failed


async def _surely(device: str, what: str, step: PowerStep, seconds: float, *, tries: int = 1) -> None:
    reason = f"it took longer than {seconds:g} s"
    with trio.move_on_after(seconds, shield=True):
        for _ in range(tries):
            try:
                await step()
            except DeviceGone as error:
                log.debug("power_down_failed", device=device, step=what, reason=str(error))
                return
            except Exception as error:  # an internal error here must not leave a board switched on
                reason = str(error) or repr(error)
            else:
                return
    log.warning("power_down_failed", device=device, step=what, reason=reason)
