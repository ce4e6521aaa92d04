"""How warm an emulated chip is: it heats towards what its power and its fan make of it.

The constants are those of a small heat sink and picked by feel; what counts is that power heats, the fan cools, and
both take time.
"""

from math import exp
from typing import Final

AMBIENT_C: Final = 25.0
STILL_AIR: Final = 4.0
"""Kelvin per watt with the fan standing, ..."""
FULL_FAN: Final = 1.6
"""... and at full speed."""
INERTIA_S: Final = 15.0
BLOCKED_INERTIA_S: Final = 3.0
BLOCKED_C: Final = 90.0
"""Warmer than it would be, and sooner, when the fault "overheating" keeps the heat in."""


class ThermalModel:
    """A temperature that follows power and fan."""

    def __init__(self, now: float, resistance: float = 1.0) -> None:
        self.celsius = AMBIENT_C
        self._at = now
        self._resistance = resistance
        """In parts of the constants above: a chip of few watts has a small heat sink."""

    def follow(self, now: float, watts: float, fan: float, *, blocked: bool = False) -> float:
        """The temperature at ``now``, having had that power, and a fan from 0 to 1, since it was last asked."""
        per_watt = self._resistance * (STILL_AIR + (FULL_FAN - STILL_AIR) * fan)
        goal = AMBIENT_C + watts * per_watt + (BLOCKED_C if blocked else 0.0)
        inertia = BLOCKED_INERTIA_S if blocked else INERTIA_S
        self.celsius = goal + (self.celsius - goal) * exp(-max(0.0, now - self._at) / inertia)
        self._at = now
        return self.celsius
