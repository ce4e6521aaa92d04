"""Chips beside the mining chips on an I²C bus: regulators, thermometers, fan controllers
(docs/reference/asic.md#regulators-sensors-and-fans)."""
