"""What thermometers, fan controllers and regulators say over I2C, and over the telemetry of a CompacA1.

An input is what the bus answers, byte by byte; the first byte chooses the board. Whatever the sensors say, a reading is
a number or a documented error, and what may follow from it (warn, throttle, switch off, set the fan) can be computed.
"""

import math
from contextlib import suppress

import trio
import trio.testing

from stratum_miner.backends.asic.boards import BOARDS
from stratum_miner.backends.asic.errors import DeviceGone, DeviceRefused, DeviceSilent, PowerFault
from stratum_miner.backends.asic.power import PowerControl
from stratum_miner.backends.asic.readings import Readings
from stratum_miner.backends.asic.safety import SafetyGuard, fan_percent
from tests.fuzz.judge import check_shown
from tests.fuzz.port import Port

KINDS = ("bitaxe-gamma", "bitaxe-ultra", "bitaxe-supra", "compac-a1")
DOCUMENTED = (DeviceSilent, DeviceRefused, DeviceGone, PowerFault)
"""WrongChip is a DeviceRefused."""
ROUNDS = 40


def run(data: bytes) -> None:
    choice, body = (data[:1] or b"\0")[0], data[1:]
    board = BOARDS[KINDS[choice % len(KINDS)]]
    trio.run(_use, board.kind, body, bool(choice & 128), clock=trio.testing.MockClock(autojump_threshold=0))


async def _use(kind: str, data: bytes, switch_on: bool) -> None:
    board, power = BOARDS[kind], _power(kind, data)
    assert board.temperature is not None
    guard = SafetyGuard(board.temperature, minimum_input_voltage=power.minimum_input_voltage)
    volts = board.voltage.default if board.voltage else None
    if switch_on:
        with suppress(*DOCUMENTED):
            await power.on(volts)
    for second in range(8):
        try:
            readings = await power.read()
        except DOCUMENTED as error:
            check_shown(str(error))
            continue
        _check(readings)
        decision = guard.update(float(second), readings, volts)
        assert decision.reason.isprintable()
        guard.may_resume(second + 100.0, readings)
        assert 0 <= fan_percent(readings, board.temperature) <= 100
    with suppress(*DOCUMENTED):
        await power.off()


def _power(kind: str, data: bytes) -> PowerControl:
    return BOARDS[kind].power({"control": Port(data, answers=True), "telemetry": Port(data), "data": Port(b"")})


def _check(readings: Readings) -> None:
    for value in (
        readings.chip_temperature,
        readings.regulator_temperature,
        readings.core_voltage,
        readings.input_voltage,
        readings.current,
        readings.power,
        readings.fan_rpm,
        readings.fan_percent,
    ):
        assert value is None or math.isfinite(value)
