"""Sensor readings of a device."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """The last sensor readings. A value is None if the device has no such sensor, or if the sensor gives no valid
    reading now."""

    chip_temperature: float | None = None
    regulator_temperature: float | None = None
    """In °C, like ``chip_temperature``."""
    core_voltage: float | None = None
    input_voltage: float | None = None
    """In volts, like ``core_voltage``."""
    current: float | None = None
    """Current in amperes. On boards with a TPS546 regulator, it is the output current of the regulator; on other
    boards, it is the input current of the board."""
    power: float | None = None
    """Power in watts."""
    fan_rpm: int | None = None
    fan_percent: int | None = None
