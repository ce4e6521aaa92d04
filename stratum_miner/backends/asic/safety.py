"""When to warn, slow down, switch off, and when to dare again. Time and readings are arguments; nothing acts here.

One bad reading proves nothing (a diode shows 127 °C after a reset, docs/reference/asic.md#heat), three in a row do. A
device that is off is off until every thermometer that answers is below the resume temperature and a minimum time has
passed; after the third trip within an hour it stays off.
"""

from collections import deque
from dataclasses import dataclass
from enum import Enum

from stratum_miner.backends.asic.board import TemperatureLimits
from stratum_miner.backends.asic.readings import Readings

IN_A_ROW = 3
"""Readings that agree before anything is switched off."""
PLAUSIBLE_C = (-20.0, 130.0)
MIN_OFF_S = 30.0
"""ESP-Miner waits six times five seconds (docs/reference/asic.md#heat)."""
MAX_SHUTDOWNS = 3
SHUTDOWNS_WITHIN_S = 3600.0
VOLTAGE_TOLERANCE = 0.10
"""Share of the core voltage that was set; picked by what regulators allow themselves (a TPS546 faults at 75, 125 %)."""
REGULATOR_LIMIT_C = 105.0
"""ESP-Miner's (docs/reference/asic.md#heat)."""
QUIET_FAN_PERCENT = 30.0


class SafetyLevel(Enum):
    """What the readings call for."""

    NORMAL = "normal"
    WARN = "warn"
    THROTTLE = "throttle"
    CUT_OFF = "cut off"
    """Switch off; ``may_resume`` tells when to try again."""
    LOCKED = "locked"
    """Stay off."""


@dataclass(frozen=True, slots=True)
class SafetyDecision:
    """A level and what it rests on."""

    level: SafetyLevel
    reason: str = ""
    power_fault: bool = False
    """Whether it is about voltage, not heat."""


class SafetyGuard:
    """Watches one device across its restarts; its trips are remembered while the process lives."""

    def __init__(self, limits: TemperatureLimits, *, minimum_input_voltage: float | None = None) -> None:
        self.limits = limits
        self._minimum_input = minimum_input_voltage
        self._level = SafetyLevel.NORMAL
        self._hot = self._blind = self._low_core = self._low_input = 0
        self._shutdown_times: deque[float] = deque(maxlen=MAX_SHUTDOWNS)
        self._shut_down_at: float | None = None
        self._shut_down_by_heat = False
        self.shutdowns = 0
        """All trips so far."""

    def update(self, now: float, readings: Readings, core_voltage: float | None) -> SafetyDecision:
        """Judge readings of a device that is on, with this core voltage set."""
        limits, heat, sensor = self.limits, readings.chip_temperature, "chip"
        self._count(readings, core_voltage)
        if self._blind >= IN_A_ROW:
            return self._shut_down(now, "no valid temperature in three readings")
        if self._hot >= IN_A_ROW:
            return self._shut_down(now, f"{sensor} at {_degrees(heat)}, limit {limits.cut_off:g} °C")
        if (readings.regulator_temperature or 0) >= REGULATOR_LIMIT_C:
            return self._shut_down(now, f"regulator at {_degrees(readings.regulator_temperature)}")
        if self._low_input >= IN_A_ROW:
            return self._shut_down(now, f"input at {readings.input_voltage:.2f} V: the supply is too weak", power=True)
        if self._low_core >= IN_A_ROW:
            wish = f"{core_voltage:.3f} V" if core_voltage else "off"
            return self._shut_down(now, f"core at {readings.core_voltage:.3f} V where {wish} was set", power=True)
        self._level = self._level_of(heat)
        reason = "" if self._level is SafetyLevel.NORMAL else f"{sensor} at {_degrees(heat)}"
        return SafetyDecision(self._level, reason)

    def may_resume(self, now: float, readings: Readings) -> bool:
        """Whether a device that was switched off is cold enough. A device without a valid reading is not."""
        if self._shut_down_at is None:
            return True
        known = [
            value
            for value in (readings.chip_temperature, readings.regulator_temperature)
            if value is not None and PLAUSIBLE_C[0] <= value <= PLAUSIBLE_C[1]
        ]
        if now - self._shut_down_at < MIN_OFF_S or not known or max(known) > self.limits.resume:
            return False
        self._shut_down_at = None
        self._level = SafetyLevel.NORMAL
        return True

    def unlock(self) -> None:
        """Its owner has looked and started it again: old trips are forgiven, but still counted."""
        self._shutdown_times.clear()

    @property
    def is_cooling(self) -> bool:
        """Whether it tripped and may not resume yet; unplugging and restarts by hand change nothing about that."""
        return self._shut_down_at is not None

    @property
    def is_overheated(self) -> bool:
        """Whether it tripped for heat, or for want of a valid temperature, and may not resume yet."""
        return self.is_cooling and self._shut_down_by_heat

    @property
    def is_locked(self) -> bool:
        """Whether it tripped too often."""
        return (
            len(self._shutdown_times) == MAX_SHUTDOWNS
            and self._shutdown_times[-1] - self._shutdown_times[0] <= SHUTDOWNS_WITHIN_S
        )

    def _count(self, readings: Readings, core_voltage: float | None) -> None:
        heat = readings.chip_temperature
        blind = heat is None or not PLAUSIBLE_C[0] <= heat <= PLAUSIBLE_C[1]
        self._blind = self._blind + 1 if blind else 0
        self._hot = self._hot + 1 if heat is not None and not blind and heat >= self.limits.cut_off else 0
        measured, wish = readings.core_voltage, core_voltage or 0.0
        off = measured is not None and wish > 0 and abs(measured - wish) > VOLTAGE_TOLERANCE * wish
        self._low_core = self._low_core + 1 if off else 0
        low = (
            self._minimum_input is not None
            and readings.input_voltage is not None
            and readings.input_voltage < self._minimum_input
        )
        self._low_input = self._low_input + 1 if low else 0

    def _level_of(self, heat: float | None) -> SafetyLevel:
        limits = self.limits
        if heat is None or not PLAUSIBLE_C[0] <= heat <= PLAUSIBLE_C[1]:
            return self._level  # one bad reading changes nothing
        if heat >= limits.throttle or (self._level is SafetyLevel.THROTTLE and heat >= limits.warn):
            return SafetyLevel.THROTTLE
        return SafetyLevel.WARN if heat >= limits.warn else SafetyLevel.NORMAL

    def _shut_down(self, now: float, reason: str, *, power: bool = False) -> SafetyDecision:
        self.shutdowns += 1
        self._shutdown_times.append(now)
        self._shut_down_at = now
        self._shut_down_by_heat = not power
        self._hot = self._blind = self._low_core = self._low_input = 0
        self._level = SafetyLevel.LOCKED if self.is_locked else SafetyLevel.CUT_OFF
        return SafetyDecision(self._level, reason, power)


class FrequencyGovernor:
    """How far below the wanted frequency a device runs, in steps; up again slowly."""

    STEP_MHZ = 25.0
    DOWN_EVERY_S = 10.0
    UP_AFTER_S = 60.0
    UP_AFTER_ERRORS_S = 600.0

    def __init__(self, wanted: float, lowest: float) -> None:
        self._wanted = wanted
        self._lowest = min(lowest, wanted)
        self._steps = 0
        self._changed_at = float("-inf")
        self._up_after = self.UP_AFTER_S
        self._why = ""

    @property
    def frequency(self) -> float:
        """MHz to run at."""
        return max(self._lowest, self._wanted - self._steps * self.STEP_MHZ)

    @property
    def is_throttled(self) -> bool:
        """Whether that is below what was wanted."""
        return self._steps > 0

    @property
    def reason(self) -> str:
        """How far below and why; empty when it is not."""
        return f"{self.frequency:g} MHz instead of {self._wanted:g} MHz: {self._why}" if self.is_throttled else ""

    def heat(self, now: float, decision: SafetyDecision) -> bool:
        """Step down while throttling, up while all is well; True when the frequency changed."""
        level = decision.level
        if level is SafetyLevel.THROTTLE and now - self._changed_at >= self.DOWN_EVERY_S:
            self._why = f"too hot, {decision.reason}"
            return self._step(now, +1, self.UP_AFTER_S)
        if level is SafetyLevel.NORMAL and self._steps and now - self._changed_at >= self._up_after:
            return self._step(now, -1, self._up_after)
        return False

    def lower(self, now: float, why: str) -> bool:
        """A step down for another reason: errors, a trip. False at the bottom."""
        self._why = why
        return self._step(now, +1, self.UP_AFTER_ERRORS_S)

    def _step(self, now: float, direction: int, up_after: float) -> bool:
        before = self.frequency
        if direction > 0 and before <= self._lowest:
            return False
        self._steps += direction
        self._changed_at, self._up_after = now, up_after
        return self.frequency != before


def fan_percent(readings: Readings, limits: TemperatureLimits) -> int:
    """As much air as the heat asks for: little at the resume temperature, all of it from the warning on."""
    heat = readings.chip_temperature
    if heat is None:
        return 100
    share = (heat - limits.resume) / (limits.warn - limits.resume)
    return round(min(100.0, max(QUIET_FAN_PERCENT, QUIET_FAN_PERCENT + share * (100 - QUIET_FAN_PERCENT))))


def _degrees(value: float | None) -> str:
    return "no reading" if value is None else f"{value:.0f} °C"
