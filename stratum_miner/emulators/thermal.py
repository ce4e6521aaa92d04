"""The temperature of an emulated chip, which approaches the value that its power and its fan lead to.

The constants are those of a small heat sink, picked by feel. What matters is that power heats, that the fan cools, and
that both take time.
"""

from math import exp
from typing import Final

AMBIENT_C: Final = 25.0
STILL_AIR: Final = 4.0
"""Kelvin per watt while the fan stands still."""
FULL_FAN: Final = 1.6
"""Kelvin per watt at full speed of the fan."""
INERTIA_S: Final = 15.0
"""Time constant in seconds."""
BLOCKED_INERTIA_S: Final = 3.0
"""Time constant in seconds while the fault "overheating" is active."""
BLOCKED_C: Final = 90.0
"""Degrees by which the fault "overheating" raises the final temperature."""


class ThermalModel:
    """A temperature in °C that follows power and fan."""

    def __init__(self, now: float, resistance: float = 1.0) -> None:
        self.celsius = AMBIENT_C
        self._at = now
        self._resistance = resistance
        """Factor for the constants above. A chip of few watts has a small heat sink."""

    def follow(self, now: float, watts: float, fan: float, *, blocked: bool = False) -> float:
        """Return the temperature at ``now``, if power (watts) and fan (0 to 1) were as given since the last call."""
        per_watt = self._resistance * (STILL_AIR + (FULL_FAN - STILL_AIR) * fan)
        goal = AMBIENT_C + watts * per_watt + (BLOCKED_C if blocked else 0.0)
        inertia = BLOCKED_INERTIA_S if blocked else INERTIA_S
        self.celsius = goal + (self.celsius - goal) * exp(-max(0.0, now - self._at) / inertia)
        self._at = now
        return self.celsius
