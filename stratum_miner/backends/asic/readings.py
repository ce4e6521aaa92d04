"""Sensor readings of a device."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """The last sensor readings. A value is None if the device has no such sensor or it gives no valid reading now."""

    chip_temperature: float | None = None
    regulator_temperature: float | None = None
    """Both temperatures are in °C."""
    core_voltage: float | None = None
    input_voltage: float | None = None
    """Both voltages are in volts."""
    current: float | None = None
    """Current in amperes: of the output on a TPS546 board, otherwise of the input."""
    power: float | None = None
    """Power in watts."""
    fan_rpm: int | None = None
    fan_percent: int | None = None
