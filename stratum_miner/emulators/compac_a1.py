"""Emulates a GekkoScience Compac A1. Its USB bridge has two ports: the first leads to a BM1362 chip, the second to a
regulator and sensors (docs/reference/asic.md#compac-a1).

A request on the second port consists of a letter and a byte. The answer to the request for the measured values has one
byte for each value. Every other answer is a single byte.
"""

from math import inf
from typing import ClassVar, Final

from stratum_miner.emulators.faults import Faults
from stratum_miner.emulators.full_header_chips import Bm1362Device
from stratum_miner.emulators.kind import DeviceKind, UsbTexts
from stratum_miner.emulators.model import Settings
from stratum_miner.emulators.sweep import Searcher
from stratum_miner.emulators.thermal import ThermalModel

TELEMETRY: Final = "telemetry"
VERSION: Final = 0x31
PRESENT: Final = 0b1001_1111
"""Bit mask that tells the host what the device measures: input voltage and current, output voltage and current, and one
temperature. A measured current is one byte, which can cover either of two ranges. The highest bit of the mask is set:
the byte covers the larger range."""
INPUT_VOLTS: Final = 5.0
BROWN_OUT_VOLTS: Final = 3.9
USUAL_VOLTS: Final = 0.3
USUAL_WATTS: Final = 6.0
IDLE_WATTS: Final = 0.4
ENOUGH_VOLTS: Final = 0.2
ANSWER_S: Final = 0.002
GAP_S: Final = 0.05
HEAT_STEP_S: Final = 0.25
FAN: Final = 0.5
"""Airflow from 0 to 1. The device, a USB stick, has no fan; an external fan with this airflow is assumed."""


class CompacA1Device(Bm1362Device):
    """A GekkoScience Compac A1. It has two ports: "" for work, and "telemetry" for the regulator and the sensors."""

    ports: ClassVar[tuple[str, ...]] = ("", TELEMETRY)
    has_sensor: ClassVar[bool] = True

    def __init__(self, settings: Settings, faults: Faults, searcher: Searcher, now: float = 0.0) -> None:
        super().__init__(settings, faults, searcher, now)
        self.heat = ThermalModel(now, resistance=2.0)
        self._plug_in()

    def _plug_in(self) -> None:
        self.regulator_on = True
        self.core_volts = USUAL_VOLTS
        self.input_volts = INPUT_VOLTS
        self._question = b""
        self._asked_at = -inf

    def power_cycle(self, now: float) -> None:
        """Set the power-on state of chip and regulator, because the device was unplugged or plugged in."""
        self._plug_in()
        super().power_cycle(now)

    @property
    def running(self) -> bool:
        """Whether the regulator supplies enough voltage for the chip to work."""
        return self.regulator_on and self.core_volts >= ENOUGH_VOLTS

    def listens(self, port: str) -> bool:
        """Return whether the device receives on a port. The telemetry port always works, because USB powers the bridge
        even if the supply of the chip fails."""
        return port == TELEMETRY or (self.powered and self.running)

    def supply_lost(self, now: float) -> None:
        """Lower the input voltage, and stop the search of the chip."""
        self.input_volts = BROWN_OUT_VOLTS
        super().supply_lost(now)

    def supply_back(self, now: float) -> None:
        """Restore the input voltage, and reset the chip."""
        self.input_volts = INPUT_VOLTS
        super().supply_back(now)

    def reset(self, now: float) -> None:
        """Reset the chip."""
        super().reset(now)
        self.deadline = now + HEAT_STEP_S

    def tick(self, now: float) -> None:
        """Update the temperature, and set the time of the next update."""
        self.deadline = now + HEAT_STEP_S
        self._follow_heat(now)

    def _follow_heat(self, now: float) -> None:
        blocked = self.faults.active("overheating", self.age(now)) is not None
        self.heat.follow(now, self.watts, FAN, blocked=blocked)

    @property
    def watts(self) -> float:
        """Electrical power in watts that the device takes at its input."""
        if not self.running or not self.powered:
            return IDLE_WATTS
        load = self.mhz(self.chain[0]) / self.usual_mhz * (self.core_volts / USUAL_VOLTS) ** 2
        return IDLE_WATTS + USUAL_WATTS * load

    def parse(self, port: str, data: bytes, now: float) -> None:
        """Handle requests on the telemetry port, and frames for the chip on the other port."""
        if port != TELEMETRY:
            super().parse(port, data, now)
            return
        if now - self._asked_at > GAP_S:
            self._question = b""
        self._asked_at = now
        self._question += data
        while len(self._question) >= 2:
            question, self._question = self._question[:2], self._question[2:]
            self._follow_heat(now)
            answer = self._answer_to(question, now)
            if answer:
                self.counts.commands += 1
                self.send(answer, now + ANSWER_S, port=TELEMETRY)
            else:
                self.counts.bad_frames += 1

    def _answer_to(self, question: bytes, now: float) -> bytes:
        letter, operand = chr(question[0]), chr(question[1])
        before = self.running
        match letter, operand:
            case "?", "v":
                return bytes([VERSION])
            case "M", ".":
                return bytes([PRESENT])
            case "G", ".":
                return bytes(max(0, min(255, round(value))) for value in self._measured())
            case "V", _ if question[1] <= 100:
                self.core_volts = question[1] * 5e-3
            case "B", "O" | "-":
                self.regulator_on = operand == "O"
            case "L", "-" | "H" | "N" | "O":
                pass
            case _:
                return b""
        if self.running != before:
            self.reset(now)
        return question[1:]

    def _measured(self) -> list[float]:
        volts = self.core_volts if self.running else 0.0
        return [
            self.input_volts / (2.048 * 12 / 255),
            self.watts / self.input_volts / (2.048 / 255 * 20),
            volts / (2.048 / 255 / 2),
            (self.watts - IDLE_WATTS) / volts / (2.048 / 255 * 20) if volts else 0.0,
            (self.heat.celsius + 50) * 218 / 175,
        ]


COMPAC_A1 = DeviceKind(
    "compac-a1",
    "GekkoScience Compac A1, BM1362",
    CompacA1Device,
    CompacA1Device.units * 300e6,
    UsbTexts(0x10C4, 0xEA70, "Silicon Labs", "GekkoScience Compac A1"),
)
