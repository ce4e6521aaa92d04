"""Chips beside the mining chips, on an I²C bus: regulators, thermometers, fan controllers (asic.md 5.4)."""
