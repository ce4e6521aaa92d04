"""A Bitaxe with the bitaxe-raw firmware: a control port for power, fan and reset, and a data port to the chip.

A request on the control port is ``length | id | bus | page | command | data``. ``page`` is the part of the board that
the request is for (``RequestKind``); ``bus`` is ignored. The answer is ``length | id | data`` or, on failure,
``length | id | code``. The length has two bytes. In requests and in answers on failure, it is the length of the whole
packet. In other answers, it is the length of the data alone
(docs/reference/asic.md#control-channel-of-bitaxe-raw).
"""

from collections.abc import Callable
from enum import IntEnum
from math import inf
from typing import ClassVar, Final

from stratum_miner.emulators.chain import ChainDevice
from stratum_miner.emulators.faults import Faults
from stratum_miner.emulators.full_header_chips import Bm1366Device, Bm1368Device, Bm1370Device
from stratum_miner.emulators.i2c_chips import (
    EmulatedDs4432u,
    EmulatedEmc2101,
    EmulatedIna260,
    EmulatedTps546,
    I2cChip,
    Supply,
)
from stratum_miner.emulators.kind import DeviceKind, UsbTexts
from stratum_miner.emulators.model import Settings
from stratum_miner.emulators.sweep import Searcher
from stratum_miner.emulators.thermal import ThermalModel

CONTROL: Final = "control"
DATA: Final = "data"
SHORTEST_REQUEST: Final = 6
LONGEST_REQUEST: Final = 4096
INCOMPLETE_S: Final = 0.004
"""Seconds of silence after which an incomplete request is dropped."""
TIMED_OUT, INVALID = 0x10, 0x11
UNPARSED: Final = 0xFF
ANSWER_S: Final = 0.0005
EMC2101, TPS546, DS4432U, INA260 = 0x4C, 0x24, 0x48, 0x40
ENOUGH_VOLTS: Final = 0.7
"""Minimum core voltage in volts. Below it, the chip stops and forgets its state."""
BROWN_OUT_VOLTS: Final = 3.9
IDLE_WATTS: Final = 1.5
DIODE_VALID_AFTER_S: Final = 0.5
HEAT_STEP_S: Final = 0.25


class RequestKind(IntEnum):
    """The part of the board that a request is for. Its value is the page number in the request.

    Pin 0 of the GPIO page is the reset line of the chip. The level 0 on this line holds the chip in reset."""

    I2C = 5
    GPIO = 6
    ADC = 7
    LED = 8


class BitaxeDevice(ChainDevice):
    """The board and the firmware of a Bitaxe. A subclass adds the chip and the regulator."""

    ports: ClassVar[tuple[str, ...]] = (CONTROL, DATA)
    work_port: ClassVar[str] = DATA
    has_sensor: ClassVar[bool] = True
    has_reset_line: ClassVar[bool] = False
    has_tps546: ClassVar[bool] = True
    usual_volts: ClassVar[float]
    usual_watts: ClassVar[float]

    def __init__(self, settings: Settings, faults: Faults, searcher: Searcher, now: float = 0.0) -> None:
        super().__init__(settings, faults, searcher, now)
        self.uarts[CONTROL].baud = None
        self.heat = ThermalModel(now)
        self._plug_in()

    def _plug_in(self) -> None:
        self.supply = Supply()
        self.bus: dict[int, I2cChip] = {EMC2101: EmulatedEmc2101(self.supply)}
        self.regulator: EmulatedTps546 | EmulatedDs4432u
        if self.has_tps546:
            self.regulator = self.bus[TPS546] = EmulatedTps546(self.supply)
        else:
            self.regulator = self.bus[DS4432U] = EmulatedDs4432u(self.supply)
            self.bus[INA260] = EmulatedIna260(self.supply)
        self.in_reset = True
        self._requests = bytearray()
        self._last_request = -inf
        self._released_at = inf

    # ---- power, heat, reset -------------------------------------------------------------------------------------

    def power_cycle(self, now: float) -> None:
        """Plug the device in again. Only the temperature is kept, because it changes slowly."""
        self._plug_in()
        super().power_cycle(now)

    @property
    def running(self) -> bool:
        """Whether the chip has power and is not held in reset."""
        return not self.in_reset and self.supply.core_volts >= ENOUGH_VOLTS

    def listens(self, port: str) -> bool:
        """Return whether the device receives on a port. The control port always works, because USB powers the firmware
        even if the supply of the chip fails."""
        return port == CONTROL or (self.powered and self.running)

    def supply_lost(self, now: float) -> None:
        """Lower the input voltage, so that the chip stops. A regulator that measures the input voltage switches off."""
        self.supply.input_volts = BROWN_OUT_VOLTS
        self.regulator.update_output()
        super().supply_lost(now)

    def supply_back(self, now: float) -> None:
        """Restore the input voltage. A regulator that switched off stays off until the host switches it on."""
        self.supply.input_volts = Supply().input_volts
        self.regulator.update_output()
        self.reset(now)

    def reset(self, now: float) -> None:
        """Reset the chip, but not the board."""
        super().reset(now)
        self.deadline = now + HEAT_STEP_S

    def tick(self, now: float) -> None:
        """Update the temperature, and set the time of the next update."""
        self.deadline = now + HEAT_STEP_S
        self._follow_heat(now)

    def _follow_heat(self, now: float) -> None:
        supply, chip = self.supply, self.chain[0]
        load = (supply.core_volts / self.usual_volts) ** 2 * self.mhz(chip) / self.usual_mhz if self.running else 0.0
        supply.watts = IDLE_WATTS + self.usual_watts * load
        blocked = self.faults.active("overheating", self.age(now)) is not None
        supply.chip_celsius = self.heat.follow(now, supply.watts, supply.fan, blocked=blocked)
        supply.diode_valid = self.running and now >= self._released_at + DIODE_VALID_AFTER_S

    def _changed(self, before: bool, now: float) -> None:
        """Update the temperature after a request. If the request has started or stopped the chip, also reset the chip.
        ``before`` says whether the chip was running before the request."""
        self._follow_heat(now)
        if self.running == before:
            return
        self.reset(now)
        self._released_at = now if self.running else inf

    # ---- firmware -----------------------------------------------------------------------------------------------

    def parse(self, port: str, data: bytes, now: float) -> None:
        """Handle requests on the control port, and frames for the chip on the data port."""
        if port == DATA:
            super().parse(port, data, now)
            return
        if now - self._last_request > INCOMPLETE_S and self._requests:
            self.counts.bad_frames += 1
            self._requests.clear()
        self._last_request = now
        self._requests += data
        while len(self._requests) >= 2:
            length = int.from_bytes(self._requests[:2], "little")
            if not SHORTEST_REQUEST <= length <= LONGEST_REQUEST:
                self._requests.clear()
                self.counts.bad_frames += 1
                self._fail(UNPARSED, INVALID, now)
                return
            if len(self._requests) < length:
                return
            request = bytes(self._requests[:length])
            del self._requests[:length]
            self.counts.commands += 1
            self._follow_heat(now)
            self._perform(request[2], request[4], request[5], request[6:], now)

    def _perform(self, identifier: int, page: int, command: int, data: bytes, now: float) -> None:
        before = self.running
        match page, command:
            case (RequestKind.I2C, 0x10) if len(data) == 4:
                self._succeed(identifier, data, now)
            case (RequestKind.I2C, 0x20) if len(data) >= 2:
                self._on_bus(identifier, data[0], now, lambda chip: _written(chip, data[1:]))
            case (RequestKind.I2C, 0x30) if len(data) == 2:
                self._on_bus(identifier, data[0], now, lambda chip: chip.read(0, data[1]))
            case (RequestKind.I2C, 0x40) if len(data) >= 3:
                self._on_bus(identifier, data[0], now, lambda chip: _read(chip, data[1:-1], data[-1]))
            case (RequestKind.GPIO, 0) if len(data) <= 1:
                if data:
                    self.in_reset = data[0] == 0
                self._succeed(identifier, data or bytes([not self.in_reset]), now)
            case (RequestKind.ADC, 0x50) if not data:
                code = min(4095, round(self.supply.core_volts / 3.3 * 4095))
                self._succeed(identifier, code.to_bytes(2, "little"), now)
            case (RequestKind.LED, 0x10) if len(data) == 3:
                self._succeed(identifier, data, now)
            case _:
                self._fail(identifier, INVALID, now)
        self._changed(before, now)

    def _on_bus(self, identifier: int, address: int, now: float, action: Callable[[I2cChip], bytes]) -> None:
        chip = self.bus.get(address)
        if chip is None or self.faults.damages("i2c-errors", self.age(now)):
            self._fail(identifier, TIMED_OUT, now)
        else:
            self._succeed(identifier, action(chip), now)

    def _succeed(self, identifier: int, data: bytes, now: float) -> None:
        self.send(len(data).to_bytes(2, "little") + bytes([identifier]) + data, now + ANSWER_S, port=CONTROL)

    def _fail(self, identifier: int, code: int, now: float) -> None:
        self.send((4).to_bytes(2, "little") + bytes([identifier, code]), now + ANSWER_S, port=CONTROL)


def _written(chip: I2cChip, data: bytes) -> bytes:
    chip.write(data)
    return bytes([len(data)])


def _read(chip: I2cChip, data: bytes, count: int) -> bytes:
    if len(data) > 1:
        chip.write(data)
    return chip.read(data[0], count)


class GammaDevice(BitaxeDevice, Bm1370Device):
    """A Bitaxe Gamma: a BM1370 with a temperature diode, and a TPS546 as regulator."""

    usual_volts: ClassVar[float] = 1.15
    usual_watts: ClassVar[float] = 16.0


class SupraDevice(BitaxeDevice, Bm1368Device):
    """A Bitaxe Supra of the first revisions: BM1368, DS4432U and INA260."""

    has_tps546: ClassVar[bool] = False
    usual_volts: ClassVar[float] = 1.166
    usual_watts: ClassVar[float] = 13.0


class UltraDevice(BitaxeDevice, Bm1366Device):
    """A Bitaxe Ultra: BM1366, DS4432U and INA260."""

    has_tps546: ClassVar[bool] = False
    usual_volts: ClassVar[float] = 1.2
    usual_watts: ClassVar[float] = 11.0


_USB = UsbTexts(0xC0DE, 0xCAFE, "OSMU", "Bitaxe")

BITAXE_GAMMA = DeviceKind("bitaxe-gamma", "Bitaxe Gamma, BM1370", GammaDevice, GammaDevice.units * 525e6, _USB)
BITAXE_SUPRA = DeviceKind("bitaxe-supra", "Bitaxe Supra, BM1368", SupraDevice, SupraDevice.units * 490e6, _USB)
BITAXE_ULTRA = DeviceKind("bitaxe-ultra", "Bitaxe Ultra, BM1366", UltraDevice, UltraDevice.units * 485e6, _USB)
