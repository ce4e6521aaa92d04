"""What the sensors of a device say."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """What sensors said last; None where there is none or it is not valid now."""

    chip_temperature: float | None = None
    regulator_temperature: float | None = None
    """Degrees Celsius."""
    core_voltage: float | None = None
    input_voltage: float | None = None
    """Volts."""
    current: float | None = None
    """Amperes."""
    power: float | None = None
    """Watts."""
    fan_rpm: int | None = None
    fan_percent: int | None = None
