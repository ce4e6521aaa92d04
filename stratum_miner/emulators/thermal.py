"""The temperature of an emulated chip, which slowly approaches a final value that depends on the power of the chip and
on the fan.

The constants are guesses for a small heat sink. For the tests of drivers, it only matters that power heats the chip,
that the fan cools it, and that both take time.
"""

from math import exp
from typing import Final

AMBIENT_C: Final = 25.0
STILL_AIR: Final = 4.0
"""Thermal resistance from the chip to the air while the fan stands still, in kelvins per watt."""
FULL_FAN: Final = 1.6
"""Thermal resistance from the chip to the air at full speed of the fan, in kelvins per watt."""
INERTIA_S: Final = 15.0
"""Time constant, in seconds, with which the temperature approaches its final value."""
BLOCKED_INERTIA_S: Final = 3.0
"""Time constant, in seconds, while the fault "overheating" is active."""
BLOCKED_C: Final = 90.0
"""Number of °C by which the fault "overheating" raises the final temperature."""


class ThermalModel:
    """The temperature of a chip in °C, which depends on its power and its fan."""

    def __init__(self, now: float, resistance: float = 1.0) -> None:
        self.celsius = AMBIENT_C
        self._at = now
        self._resistance = resistance
        """Factor for the thermal resistances. It is higher for a chip of few watts, which has a small heat sink."""

    def follow(self, now: float, watts: float, fan: float, *, blocked: bool = False) -> float:
        """Return the temperature at the time ``now``. ``watts`` and ``fan`` are the power and the fan speed (0 to 1)
        since the last call."""
        per_watt = self._resistance * (STILL_AIR + (FULL_FAN - STILL_AIR) * fan)
        goal = AMBIENT_C + watts * per_watt + (BLOCKED_C if blocked else 0.0)
        inertia = BLOCKED_INERTIA_S if blocked else INERTIA_S
        self.celsius = goal + (self.celsius - goal) * exp(-max(0.0, now - self._at) / inertia)
        self._at = now
        return self.celsius
