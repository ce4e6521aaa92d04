"""Emulates the registers of the chips on the I²C bus of a Bitaxe. These chips are the fan controller, the regulators
and the power meter (docs/reference/asic.md#regulators-sensors-and-fans).

Each chip reads and changes the physical state of the board, which is in ``Supply``. The classes of the chips do not
depend on the bus, the host or the time.
"""

from dataclasses import dataclass
from math import frexp
from typing import Final, Protocol


@dataclass(slots=True)
class Supply:
    """The physical state of a board (voltages, power, temperature, fan), which all chips of the board share."""

    input_volts: float = 5.1
    core_volts: float = 0.0
    watts: float = 0.0
    """Power at the input, in watts."""
    chip_celsius: float = 25.0
    diode_valid: bool = False
    fan: float = 0.0
    """Speed of the fan, from 0 to 1."""
    input_failed: bool = False
    """Whether the input voltage was too low at any time since the host last cleared the fault bits of the regulator."""


class I2cChip(Protocol):
    """A chip at one address of the bus."""

    def write(self, data: bytes) -> None:
        """Handle bytes that the host writes to the chip: the number of a register, followed by its new value."""
        ...

    def read(self, register: int, count: int) -> bytes:
        """Return the ``count`` bytes that the host reads. They begin with the value of this register."""
        ...


class EmulatedEmc2101:
    """Fan controller, which measures its own temperature and that of a diode in the mining chip."""

    IDENTITY: Final = {0xFE: 0x5D, 0xFD: 0x16, 0xFF: 0x02}
    TOP_RPM: Final = 7000
    TACH_CLOCK: Final = 5_400_000
    OPEN_DIODE: Final = 0x3F8
    WARMER_INSIDE_C: Final = -5.0
    """Temperature of the controller minus that of the mining chip beside it, in °C. It is negative, because the
    controller is cooler."""

    def __init__(self, supply: Supply) -> None:
        self._supply = supply
        self._registers: dict[int, int] = {0x4A: 0x20}

    def write(self, data: bytes) -> None:
        """Set one register. The register of the fan speed has values from 0 (off) to 63 (full speed)."""
        if len(data) < 2:
            return
        self._registers[data[0]] = data[1]
        if data[0] == 0x4C:
            self._supply.fan = min(data[1], 63) / 63

    def read(self, register: int, count: int) -> bytes:
        """Return the values of ``count`` consecutive registers."""
        return bytes(self._value(register + index) for index in range(count))

    def _value(self, register: int) -> int:
        eighths = self.OPEN_DIODE if not self._supply.diode_valid else round(self._supply.chip_celsius * 8) & 0x7FF
        rpm = round(self._supply.fan * self.TOP_RPM)
        tach = self.TACH_CLOCK // rpm if rpm > 82 else 0xFFFF
        match register:
            case 0x00:
                return round(self._supply.chip_celsius + self.WARMER_INSIDE_C) & 0xFF
            case 0x01:
                return eighths >> 3
            case 0x10:
                return (eighths & 7) << 5
            case 0x46:
                return tach & 0xFF
            case 0x47:
                return tach >> 8
        return self.IDENTITY.get(register, self._registers.get(register, 0))


class EmulatedTps546:
    """PMBus regulator that supplies the core voltage. It also measures voltages, current and temperature.

    Output voltages are multiples of 2^-9 V."""

    BLOCK_ID: Final = bytes.fromhex("06 54 49 54 6B 24 41")
    EXPONENT: Final = 9
    OPERATION, CLEAR_FAULTS, VOUT_MODE, VOUT_COMMAND, VOUT_MAX = 0x01, 0x03, 0x20, 0x21, 0x24
    STATUS_BYTE, STATUS_WORD, STATUS_INPUT = 0x78, 0x79, 0x7C
    READ_VIN, READ_VOUT, READ_IOUT, READ_TEMPERATURE, DEVICE_ID = 0x88, 0x8B, 0x8C, 0x8D, 0xAD
    OFF_BIT: Final = 0x0040
    INPUT_BITS: Final = 0x2008
    """Bits of the status word: "input fault or warning" in the high byte, and "input undervoltage" in the low byte."""
    UNDERVOLTAGE: Final = 4.5
    WARMER_C: Final = 8.0
    """Temperature of the regulator minus that of the mining chip, in °C."""

    def __init__(self, supply: Supply) -> None:
        self._supply = supply
        self._registers: dict[int, bytes] = {self.VOUT_COMMAND: b"\0\0", self.VOUT_MAX: (2 << 9).to_bytes(2, "little")}
        self._on = False

    def write(self, data: bytes) -> None:
        """Perform a command. ``data`` is the code of the command, followed by its value; some commands have no
        value."""
        command, value = data[0], data[1:]
        if command == self.CLEAR_FAULTS:
            self._supply.input_failed = self._supply.input_volts < self.UNDERVOLTAGE
        elif command not in (self.VOUT_MODE, self.STATUS_WORD, self.DEVICE_ID):
            self._registers[command] = value
        if command == self.OPERATION and value:
            self._on = bool(value[0] & 0x80)
        self.update_output()

    def update_output(self) -> None:
        """If the input voltage is too low, switch the output off. Then set the core voltage: 0 while the output is off,
        otherwise the voltage that the host chose, but at most VOUT_MAX."""
        if self._supply.input_volts < self.UNDERVOLTAGE:
            self._supply.input_failed = True
            self._on = False
        wish = min(int.from_bytes(self._registers[name], "little") for name in (self.VOUT_COMMAND, self.VOUT_MAX))
        self._supply.core_volts = wish / (1 << self.EXPONENT) if self._on else 0.0

    def read(self, register: int, count: int) -> bytes:
        """Return the value of a register, little-endian. A value of variable length begins with its length."""
        supply = self._supply
        volts = supply.core_volts
        match register:
            case self.DEVICE_ID:
                value = self.BLOCK_ID
            case self.VOUT_MODE:
                value = b"\x97"
            case self.OPERATION:
                value = b"\x80" if self._on else b"\x00"
            case self.STATUS_WORD | self.STATUS_BYTE:
                status = (0 if volts else self.OFF_BIT) | (self.INPUT_BITS if supply.input_failed else 0)
                value = status.to_bytes(2, "little")
            case self.STATUS_INPUT:
                value = b"\x10" if supply.input_failed else b"\x00"
            case self.READ_VIN:
                value = linear11(supply.input_volts)
            case self.READ_VOUT:
                value = round(volts * (1 << self.EXPONENT)).to_bytes(2, "little")
            case self.READ_IOUT:
                value = linear11(supply.watts / volts if volts else 0.0)
            case self.READ_TEMPERATURE:
                value = linear11(supply.chip_celsius + self.WARMER_C)
            case _:
                value = self._registers.get(register, b"\0\0")
        return value[:count].ljust(count, b"\0")


class EmulatedDs4432u:
    """A current source that changes the core voltage, for boards whose regulator is not on the I²C bus."""

    REGISTER: Final = 0xF8
    FULL_SCALE_A: Final = 98.921e-6
    REFERENCE_V, LOWER_OHM, UPPER_OHM = 0.6, 3320.0, 4750.0

    def __init__(self, supply: Supply) -> None:
        self._supply = supply
        self._code = 0
        self.update_output()

    def write(self, data: bytes) -> None:
        """Set the current. ``data`` is the number of the register, followed by its new value.

        The low seven bits of the value are the strength of the current. If its bit 7 is set, the current lowers the
        core voltage below 1.458 V. Otherwise the current raises the core voltage above 1.458 V.
        """
        if len(data) == 2 and data[0] == self.REGISTER:
            self._code = data[1]
            self.update_output()

    def update_output(self) -> None:
        """Set the core voltage that results from the current."""
        amperes = (self._code & 0x7F) / 127 * self.FULL_SCALE_A
        signed = -amperes if self._code & 0x80 else amperes
        self._supply.core_volts = self.REFERENCE_V + self.UPPER_OHM * (self.REFERENCE_V / self.LOWER_OHM + signed)

    def read(self, register: int, count: int) -> bytes:
        """Return the value of the register that sets the current."""
        return bytes([self._code if register == self.REGISTER else 0]).ljust(count, b"\0")[:count]


class EmulatedIna260:
    """Power meter at the input. It returns multiples of 1.25 mA, 1.25 mV and 10 mW, big-endian."""

    def __init__(self, supply: Supply) -> None:
        self._supply = supply

    def write(self, data: bytes) -> None:
        """Do nothing: writing the configuration has no effect in the emulator."""

    def read(self, register: int, count: int) -> bytes:
        """Return the two bytes of one register."""
        supply = self._supply
        value = {
            0x01: supply.watts / supply.input_volts / 1.25e-3,
            0x02: supply.input_volts / 1.25e-3,
            0x03: supply.watts / 10e-3,
        }.get(register, 0.0)
        return min(round(value), 0xFFFF).to_bytes(2, "big").ljust(count, b"\0")[:count]


def linear11(value: float) -> bytes:
    """Encode a value as SLINEAR11 of PMBus, little-endian.

    The format has five bits of exponent and eleven bits of mantissa, both signed."""
    _, exponent = frexp(value)
    power = max(-16, min(15, exponent - 10))
    mantissa = max(-1024, min(1023, round(value / 2.0**power)))
    return ((power & 0x1F) << 11 | mantissa & 0x7FF).to_bytes(2, "little")
