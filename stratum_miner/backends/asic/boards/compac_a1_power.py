"""Regulator, lamp and sensors of a Compac A1. The second port of its USB bridge takes commands, each of which is a
letter and a byte (docs/reference/asic.md#compac-a1)."""

import trio

from stratum_miner.backends.asic.errors import DeviceRefused, DeviceSilent
from stratum_miner.backends.asic.power import run_all
from stratum_miner.backends.asic.readings import Readings
from stratum_miner.backends.asic.transport import Transport

PAUSE_S = 0.1
"""Pause in seconds after each answer. A reset is held for this time, and followed by a pause of this time. If the size
of an answer is not known, this is also the time to wait for further bytes after its first bytes. When this time has
passed, the answer counts as complete."""
ANSWER_S = 0.5
"""Longest wait for an answer in seconds."""
_VIN, _IIN, _VOUT, _IOUT, _TEMPERATURE, _TEMPERATURE_2, _TACH = range(7)
_HIGH_CURRENT = 0x80
_ALL = 0x7F


class CompacA1Power:
    """Implements ``PowerControl`` for a Compac A1.

    Pins of the USB bridge can hold the chip and the regulator in reset. The pins are set through the data port.
    """

    has_sensors = True
    minimum_input_voltage: float | None = 4.4
    """Input voltage in volts below which the power supply is too weak. USB allows a low-power port to supply as little
    as 4.4 V (USB 2.0, 7.2.2)."""

    def __init__(self, telemetry: Transport, data: Transport) -> None:
        self._telemetry, self._data = telemetry, data
        self._version = 0
        self._present = _ALL

    async def on(self, voltage: float | None) -> None:
        """See ``PowerControl.on``."""
        assert voltage is not None
        if await self._data.hold_reset(True):
            await trio.sleep(PAUSE_S)
            await self._data.hold_reset(False)
            await trio.sleep(PAUSE_S)
        self._version = (await self._ask(b"?v", 1))[0]
        if not 1 <= self._version >> 4 <= 3:
            raise DeviceRefused(f"{self._telemetry.path}: telemetry: expected version 1 to 3, got {self._version:02x}")
        await self._ask(b"V" + bytes([min(100, round(voltage * 200))]), 1)
        await self._ask(b"BO", 1)
        await self._ask(b"LN", 1)
        if self._version >> 4 >= 3:
            self._present = (await self._ask(b"M.", 1))[0]

    async def off(self) -> None:
        """See ``PowerControl.off``. If a step fails, the later steps are still tried."""
        await run_all(self._hold_reset, lambda: self._command(b"B-"), lambda: self._command(b"L-"))

    async def read(self) -> Readings:
        """See ``PowerControl.read``."""
        raw = self._items(await self._ask(b"G.", 0))
        temperatures = [
            _celsius(raw[item]) for item in (_TEMPERATURE, _TEMPERATURE_2) if item in raw and raw[item] != 0
        ]
        volts_in = 6 / 255 if self._version >> 4 == 1 else 2.048 * 12 / 255
        amperes = 2.048 / 255 * (20 if self._present & _HIGH_CURRENT or self._version == 0x20 else 3.125)
        voltage = raw[_VIN] * volts_in if _VIN in raw else None
        current = raw[_IIN] * amperes if _IIN in raw and self._version >> 4 > 1 else None
        return Readings(
            chip_temperature=max(temperatures, default=None),
            core_voltage=raw[_VOUT] * 2.048 / 255 / 2 if _VOUT in raw else None,
            input_voltage=voltage,
            current=current,
            power=voltage * current if voltage is not None and current is not None else None,
            fan_rpm=raw[_TACH] * 30 if _TACH in raw and self._version >> 4 > 1 else None,
        )

    async def set_fan(self, percent: int) -> None:
        """Do nothing: a Compac A1 has no fan that can be set."""

    async def identify(self) -> str:
        """Make the lamp flash."""
        for _ in range(5):
            await self._ask(b"LO", 1)
            await trio.sleep(0.3)
            await self._ask(b"L-", 1)
            await trio.sleep(0.3)
        return "its lamp flashes"

    def _items(self, answer: bytes) -> dict[int, int]:
        """Return the values in an answer by their item number (0 to 6), without items that the device does not measure.

        Most answers contain only the values of the items that the device measures, in the order of the item numbers.
        ``_present`` says which items these are. Some devices send the values of all seven items. The position of a
        value is then its item number.
        """
        present = [item for item in range(7) if self._present >> item & 1]
        order = present if len(answer) == len(present) else list(range(7))
        return {item: answer[index] for index, item in enumerate(order) if index < len(answer) and item in present}

    async def _hold_reset(self) -> None:
        await self._data.hold_reset(True)

    async def _command(self, command: bytes) -> None:
        await self._ask(command, 1)

    async def _ask(self, question: bytes, size: int) -> bytes:
        """Send a question and return the answer. Raises DeviceSilent if nothing comes within ``ANSWER_S``.

        ``size`` is the number of bytes in the answer. If it is 0, the number is not known: the answer is what comes
        until ``PAUSE_S`` after its first bytes.
        """
        self._telemetry.discard_input()
        await self._telemetry.send(question)
        answer = b""
        with trio.move_on_after(ANSWER_S):
            while len(answer) < max(size, 1):
                answer += await self._telemetry.receive(64)
        if not answer:
            raise DeviceSilent(f"{self._telemetry.path}: telemetry: no answer to {question[:1].decode()!r}")
        with trio.move_on_after(PAUSE_S):
            while not size and len(answer) < 64:
                answer += await self._telemetry.receive(64)
            await trio.sleep(PAUSE_S)
        return answer


def _celsius(byte: int) -> float:
    return 125.0 if byte > 218 else byte * 175 / 218 - 50
