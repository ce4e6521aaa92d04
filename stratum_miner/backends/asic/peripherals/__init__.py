"""The other chips of a mining board, which are connected to an I²C bus: regulators, thermometers, fan controllers
(docs/reference/asic.md#regulators-sensors-and-fans)."""
