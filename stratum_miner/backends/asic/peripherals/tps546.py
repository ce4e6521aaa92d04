"""TPS546D24A: the core regulator of newer Bitaxes, a PMBus device.

An output voltage is a 16-bit number in units of 2^-9 V. The limits and margins of the output (registers 0x40 to 0x44,
0x25 and 0x26) are ratios to the commanded output voltage, in units of 2^-9. All other measured values and limits are
SLINEAR11: a signed 5-bit exponent and a signed 11-bit mantissa.
"""

from dataclasses import dataclass

from stratum_miner.backends.asic.errors import DeviceRefused, PowerFault
from stratum_miner.backends.asic.peripherals.bus import I2cBus

ADDRESS = 0x24
DEVICE_IDS = tuple(bytes.fromhex(text) for text in ("5449546b2441", "5449546d2441", "5449546d2462"))
OPERATION, CLEAR_FAULTS, VOUT_MODE, VOUT_COMMAND, STATUS_WORD = 0x01, 0x03, 0x20, 0x21, 0x79
PHASE, READ_VIN, READ_VOUT, READ_IOUT, READ_TEMPERATURE = 0x04, 0x88, 0x8B, 0x8C, 0x8D
IC_DEVICE_ID = 0xAD
ON, OFF = 0x80, 0x00
_VOUT_MODES = (0x97, 0x17)
FAULTS = {
    0x0008: "input voltage too low",
    0x0010: "output current too high",
    0x0020: "output voltage too high",
    0x0004: "too hot",
    0x0040: "output off",
    0x8000: "output voltage fault",
    0x4000: "output current fault",
    0x2000: "input fault",
}
"""The bits of STATUS_WORD that report a fault, and the meaning of each bit. The worst fault comes first."""


def slinear11(value: float) -> int:
    """Encode a number as SLINEAR11, with the smallest possible exponent, which is the most precise one. Raises
    ValueError for a number that is too large."""
    for exponent in range(-16, 16):
        mantissa = round(value / 2.0**exponent)
        if -1024 <= mantissa <= 1023:
            return (exponent & 0x1F) << 11 | mantissa & 0x7FF
    raise ValueError(f"SLINEAR11: expected at most 33521664, got {value:g}")


def from_slinear11(word: int) -> float:
    """Decode an SLINEAR11 number, which has five bits of exponent and eleven bits of mantissa."""
    exponent = (word >> 11) - 32 if word & 0x8000 else word >> 11
    mantissa = (word & 0x7FF) - 2048 if word & 0x400 else word & 0x7FF
    return float(mantissa) * 2.0**exponent


def ulinear16(volts: float) -> int:
    """Encode an output voltage in volts, or a ratio to the commanded output voltage, as a multiple of 2^-9."""
    return round(volts * 512)


@dataclass(frozen=True, slots=True)
class Setting:
    """One value of the regulator's configuration."""

    command: int
    value: float
    form: str
    """Encoding of the value: "byte", "word" (unchanged), "linear11" or "linear16"."""

    def payload(self) -> bytes:
        """Return the command byte, followed by the value in little-endian order."""
        number = {"linear11": slinear11, "linear16": ulinear16}.get(self.form, int)(self.value)
        return bytes([self.command]) + number.to_bytes(1 if self.form == "byte" else 2, "little")


CONFIGURATION_5V = (
    Setting(PHASE, 0x00, "byte"),
    Setting(0x33, 650, "linear11"),  # switching frequency, kHz
    # command 0x58, which sets the input voltage below which the TPS546 warns, is left out: because of an error of the
    # TPS546, it must not be written (docs/reference/asic.md#regulators-sensors-and-fans)
    Setting(0x35, 4.8, "linear11"),  # switch on above this input voltage, V
    Setting(0x36, 4.5, "linear11"),  # switch off below this input voltage, V
    Setting(0x55, 6.5, "linear11"),  # report a fault above this input voltage, V
    Setting(0x56, 0xB7, "byte"),
    Setting(0x29, 0.25, "linear11"),  # scale of the feedback loop
    Setting(VOUT_COMMAND, 1.15, "linear16"),
    Setting(0x24, 2.0, "linear16"),  # highest voltage that may be commanded, V
    Setting(0x2B, 1.0, "linear16"),  # lowest voltage that may be commanded, V
    Setting(0x40, 1.25, "linear16"),  # report a fault above this output voltage, as a ratio
    Setting(0x42, 1.16, "linear16"),  # warn above this output voltage, as a ratio
    Setting(0x25, 1.10, "linear16"),  # upper margin, as a ratio
    Setting(0x26, 0.90, "linear16"),  # lower margin, as a ratio
    Setting(0x43, 0.90, "linear16"),  # warn below this output voltage, as a ratio
    Setting(0x44, 0.75, "linear16"),  # report a fault below this output voltage, as a ratio
    Setting(0x4A, 25, "linear11"),  # warn above this output current, A
    Setting(0x46, 30, "linear11"),  # report a fault above this output current, A
    Setting(0x47, 0xC0, "byte"),
    Setting(0x51, 105, "linear11"),  # warn above this temperature, °C
    Setting(0x4F, 145, "linear11"),  # report a fault above this temperature, °C
    Setting(0x50, 0xFF, "byte"),
    Setting(0x60, 0, "linear11"),  # delay before the output rises, ms
    Setting(0x61, 3, "linear11"),  # rise time of the output, ms
    Setting(0x62, 0, "linear11"),
    Setting(0x63, 0x3B, "byte"),
    Setting(0x64, 0, "linear11"),  # delay before the output falls, ms
    Setting(0x65, 0, "linear11"),  # fall time of the output, ms
    Setting(0xEE, 0xFFFF, "word"),  # use these settings, not those that resistors at the pins select
)


class Tps546:
    """The TPS546 of a Bitaxe board."""

    def __init__(self, bus: I2cBus) -> None:
        self._bus = bus

    async def is_there(self) -> bool:
        """Return whether a TPS546 answers with its id."""
        try:
            answer = await self._bus.i2c_read(ADDRESS, bytes([IC_DEVICE_ID]), 7)
        except DeviceRefused:
            return False
        return answer[1:7] in DEVICE_IDS

    async def configure(self) -> None:
        """Switch the output off, and write all limits for a board with 5 V input. Raises DeviceRefused if the regulator
        does not use the number format in which this driver writes output voltages."""
        await self._write(OPERATION, bytes([OFF]))
        await self._write(0x02, b"\x1f")
        mode = (await self._bus.i2c_read(ADDRESS, bytes([VOUT_MODE]), 1))[0]
        if mode not in _VOUT_MODES:
            raise DeviceRefused(f"TPS546: VOUT_MODE: expected 0x97 or 0x17, got {mode:#04x}")
        for setting in CONFIGURATION_5V:
            await self._bus.i2c_write(ADDRESS, setting.payload())
        await self._read_word(STATUS_WORD)

    async def switch_on(self, volts: float) -> None:
        """Set the output voltage (volts), clear old faults, and switch the output on."""
        await self._bus.i2c_write(ADDRESS, Setting(VOUT_COMMAND, volts, "linear16").payload())
        await self._write(CLEAR_FAULTS, b"")
        await self._write(OPERATION, bytes([ON]))

    async def switch_off(self) -> None:
        """Switch the output off."""
        await self._write(OPERATION, bytes([OFF]))

    async def check(self) -> None:
        """Raise PowerFault with the worst fault in the status word, if there is any."""
        status = await self._read_word(STATUS_WORD)
        for bit, meaning in FAULTS.items():
            if status & bit:
                raise PowerFault(f"core regulator: {meaning} (status {status:04x})")

    async def output_voltage(self) -> float:
        """Return the output voltage in volts."""
        return await self._read_word(READ_VOUT) / 512

    async def input_voltage(self) -> float:
        """Return the input voltage in volts."""
        return from_slinear11(await self._read_word(READ_VIN))

    async def current(self) -> float:
        """Return the output current of all phases in amperes."""
        await self._write(PHASE, b"\xff")
        return from_slinear11(await self._read_word(READ_IOUT))

    async def temperature(self) -> float:
        """Return the temperature of the regulator in °C."""
        return from_slinear11(await self._read_word(READ_TEMPERATURE))

    async def _write(self, command: int, data: bytes) -> None:
        await self._bus.i2c_write(ADDRESS, bytes([command]) + data)

    async def _read_word(self, command: int) -> int:
        return int.from_bytes(await self._bus.i2c_read(ADDRESS, bytes([command]), 2), "little")
