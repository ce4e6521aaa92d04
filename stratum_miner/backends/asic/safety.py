"""Decides from the sensor readings when to warn, slow down or switch off a device, and when it may start again.

The caller passes the time and the readings, and acts on the decision. The rules are:

* A reading of a chip temperature or a voltage is bad if it is beyond its limit or not plausible. Three bad readings in
  a row switch the device off. One is not enough, because a sensor can be wrong once: a diode shows 127 °C after a reset
  (docs/reference/asic.md#heat).
* A device whose regulator is too hot is switched off at once: a single reading is enough.
* A device that was switched off may start again when a minimum time has passed and all plausible temperatures are at
  most the resume temperature.
* After the third safety shutdown within an hour, the device stays off.
"""

from collections import deque
from dataclasses import dataclass
from enum import Enum

from stratum_miner.backends.asic.board import TemperatureLimits
from stratum_miner.backends.asic.readings import Readings

IN_A_ROW = 3
"""Number of consecutive bad readings of a chip temperature or a voltage after which the device is switched off."""
PLAUSIBLE_C = (-20.0, 130.0)
"""Range of plausible temperatures in °C."""
MIN_OFF_S = 30.0
"""Shortest time in seconds for which a device stays off after a safety shutdown. ESP-Miner waits equally long
(docs/reference/asic.md#heat)."""
MAX_SHUTDOWNS = 3
"""Number of safety shutdowns within SHUTDOWNS_WITHIN_S seconds after which the device stays off."""
SHUTDOWNS_WITHIN_S = 3600.0
VOLTAGE_TOLERANCE = 0.10
"""Largest allowed deviation from the requested core voltage, as a fraction of the requested voltage. This limit is
stricter than those of the regulators: a TPS546 reports a fault only below 75 % or above 125 % of the voltage."""
REGULATOR_LIMIT_C = 105.0
"""Temperature of the regulator in °C at which the device is switched off, as in ESP-Miner
(docs/reference/asic.md#heat)."""
QUIET_FAN_PERCENT = 30.0
"""Lowest speed of the fan in percent while the device is on."""


class SafetyLevel(Enum):
    """What must be done with a device because of its sensor readings."""

    NORMAL = "normal"
    WARN = "warn"
    THROTTLE = "throttle"
    CUT_OFF = "cut off"
    """Switch the device off. ``may_resume`` says when to try again."""
    LOCKED = "locked"
    """Keep the device off until the user restarts it or plugs it in again."""


@dataclass(frozen=True, slots=True)
class SafetyDecision:
    """A level and the reading that caused it."""

    level: SafetyLevel
    reason: str = ""
    power_fault: bool = False
    """Whether the cause is a voltage and not a temperature."""


class SafetyGuard:
    """Watches one device over all its restarts. It remembers the safety shutdowns while the process runs."""

    def __init__(self, limits: TemperatureLimits, *, minimum_input_voltage: float | None = None) -> None:
        self.limits = limits
        self._minimum_input = minimum_input_voltage
        self._level = SafetyLevel.NORMAL
        self._hot = self._blind = self._low_core = self._low_input = 0
        self._shutdown_times: deque[float] = deque(maxlen=MAX_SHUTDOWNS)
        self._shut_down_at: float | None = None
        self._shut_down_by_heat = False
        self.shutdowns = 0
        """Number of safety shutdowns so far."""

    def update(self, now: float, readings: Readings, core_voltage: float | None) -> SafetyDecision:
        """Judge the readings of a device that is on. If the decision is to switch it off, count a safety shutdown.
        ``core_voltage`` is the requested voltage in volts; None if it cannot be set."""
        limits, heat, sensor = self.limits, readings.chip_temperature, "chip"
        self._count(readings, core_voltage)
        if self._blind >= IN_A_ROW:
            return self._shut_down(now, "no valid temperature in three readings")
        if self._hot >= IN_A_ROW:
            return self._shut_down(now, f"{sensor} at {_degrees(heat)}, limit {limits.cut_off:g} °C")
        if (readings.regulator_temperature or 0) >= REGULATOR_LIMIT_C:
            return self._shut_down(now, f"regulator at {_degrees(readings.regulator_temperature)}")
        if self._low_input >= IN_A_ROW:
            needed = f"at least {self._minimum_input:g} V are needed"
            reason = f"input at {readings.input_voltage:.2f} V: the supply is too weak, {needed}"
            return self._shut_down(now, reason, power=True)
        if self._low_core >= IN_A_ROW:
            requested = f"{core_voltage:.3f} V" if core_voltage else "off"
            return self._shut_down(now, f"core at {readings.core_voltage:.3f} V, expected {requested}", power=True)
        self._level = self._level_of(heat)
        reason = "" if self._level is SafetyLevel.NORMAL else f"{sensor} at {_degrees(heat)}"
        return SafetyDecision(self._level, reason)

    def may_resume(self, now: float, readings: Readings) -> bool:
        """Return whether the device may start again after a safety shutdown, because it was off long enough and has
        cooled down. A device without a plausible temperature counts as hot. A True result also ends the shutdown:
        ``is_cooling`` is False from then on."""
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
        """Forget the times of earlier safety shutdowns, because the user has restarted the device or plugged it in
        again. ``shutdowns`` still counts them."""
        self._shutdown_times.clear()

    @property
    def is_cooling(self) -> bool:
        """Whether the device was switched off and must still stay off, even if the user restarts it or plugs it in
        again."""
        return self._shut_down_at is not None

    @property
    def is_overheated(self) -> bool:
        """Whether the device was switched off because it was too hot or had no valid temperature, and must still stay
        off."""
        return self.is_cooling and self._shut_down_by_heat

    @property
    def is_locked(self) -> bool:
        """Whether the device was switched off too often and must stay off."""
        return (
            len(self._shutdown_times) == MAX_SHUTDOWNS
            and self._shutdown_times[-1] - self._shutdown_times[0] <= SHUTDOWNS_WITHIN_S
        )

    def _count(self, readings: Readings, core_voltage: float | None) -> None:
        heat = readings.chip_temperature
        blind = heat is None or not PLAUSIBLE_C[0] <= heat <= PLAUSIBLE_C[1]
        self._blind = self._blind + 1 if blind else 0
        self._hot = self._hot + 1 if heat is not None and not blind and heat >= self.limits.cut_off else 0
        measured, requested = readings.core_voltage, core_voltage or 0.0
        off = measured is not None and requested > 0 and abs(measured - requested) > VOLTAGE_TOLERANCE * requested
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
            return self._level  # a single missing or implausible reading changes nothing
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
    """Lowers the frequency of a device below the requested one in steps of 25 MHz, and raises it again slowly."""

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
        """The frequency to run at, in MHz."""
        return max(self._lowest, self._wanted - self._steps * self.STEP_MHZ)

    @property
    def is_throttled(self) -> bool:
        """Whether ``frequency`` is below the requested frequency."""
        return self._steps > 0

    @property
    def reason(self) -> str:
        """A text with the frequency, the requested frequency, and the reason why they differ. It is empty if the two
        frequencies are equal."""
        return f"{self.frequency:g} MHz instead of {self._wanted:g} MHz: {self._why}" if self.is_throttled else ""

    def heat(self, now: float, decision: SafetyDecision) -> bool:
        """Lower the frequency by one step if the device is too hot, or raise it by one step if the device is below the
        warning temperature. Do nothing if the last step was only a short time ago.

        Return True if the frequency changed.
        """
        level = decision.level
        if level is SafetyLevel.THROTTLE and now - self._changed_at >= self.DOWN_EVERY_S:
            self._why = f"too hot, {decision.reason}"
            return self._step(now, +1, self.UP_AFTER_S)
        if level is SafetyLevel.NORMAL and self._steps and now - self._changed_at >= self._up_after:
            return self._step(now, -1, self._up_after)
        return False

    def lower(self, now: float, why: str) -> bool:
        """Lower the frequency by one step because of ``why``, for example hardware errors or a safety shutdown. Return
        False if the frequency is already the lowest one."""
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
    """Return the fan speed in percent for the temperature of the chips: 30 % up to the resume temperature, 100 % from
    the warning temperature on, and evenly rising in between. If there is no reading, it is 100 %.
    """
    heat = readings.chip_temperature
    if heat is None:
        return 100
    share = (heat - limits.resume) / (limits.warn - limits.resume)
    return round(min(100.0, max(QUIET_FAN_PERCENT, QUIET_FAN_PERCENT + share * (100 - QUIET_FAN_PERCENT))))


def _degrees(value: float | None) -> str:
    return "no reading" if value is None else f"{value:.0f} °C"
