"""bitaxe-raw and what is behind it: packets, failures, power on and off in the right order, readings in units."""

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.backends.asic import bitaxe_raw
from stratum_miner.backends.asic.bitaxe_raw import BitaxeControl, ControlReply, decode_reply, encode_request
from stratum_miner.backends.asic.boards import board_of
from stratum_miner.backends.asic.errors import DeviceRefused, DeviceSilent, PowerFault
from stratum_miner.backends.asic.peripherals import ds4432u, tps546
from tests.backends.asic.memory_port import MemoryPort
from tests.backends.asic.scripted_bitaxe import (
    DS4432U,
    EMC2101,
    GAMMA_REGISTERS,
    TPS546,
    ULTRA_REGISTERS,
    ScriptedBitaxe,
)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (encode_request(0, 6, 0, b"\0"), "07000000060000"),
        (encode_request(1, 5, 0x10, (100_000).to_bytes(4, "little")), "0a0001000510a0860100"),
        (encode_request(1, 5, 0x20, b"\x4f\xde"), "0800010005204fde"),
        (encode_request(2, 5, 0x40, b"\x4c\xfe\x01"), "0900020005404cfe01"),
        (encode_request(0, 8, 0x10, b"\xff\0\xff"), "0900000008 10ff00ff".replace(" ", "")),
    ],
)
def test_requests(request_: bytes, expected: str) -> None:
    assert request_.hex() == expected


@pytest.mark.parametrize(
    ("reply", "identifier", "expected", "final", "decoded"),
    [
        ("01000000", 0, 1, False, ControlReply(b"\0")),
        ("040001a0860100", 1, 4, False, ControlReply(bytes.fromhex("a0860100"))),
        ("0100025d", 2, 1, False, ControlReply(b"\x5d")),
        ("010002", 2, 1, False, None),
        ("04000210", 2, 1, False, ControlReply(error=0x10)),
        ("04000210", 2, 4, False, None),  # the start of a success, or an error: time will tell
        ("04000210", 2, 4, True, ControlReply(error=0x10)),
        ("0700ff116e6f70", 2, 1, False, ControlReply(error=0x11, text="nop")),
        ("050002005d", 2, 1, False, ControlReply(b"\x5d")),  # firmware that counts the whole packet
        ("", 2, 1, True, None),
    ],
)
def test_replies(reply: str, identifier: int, expected: int, final: bool, decoded: ControlReply | None) -> None:
    assert decode_reply(bytes.fromhex(reply), identifier, expected, final=final) == decoded


@given(st.binary(max_size=40), st.integers(0, 254), st.integers(0, 40), st.booleans())
def test_any_bytes_are_survived(buffer: bytes, identifier: int, expected: int, final: bool) -> None:
    try:
        reply = decode_reply(buffer, identifier, expected, final=final)
    except DeviceSilent:
        return
    assert reply is None or reply.error is not None or len(reply.data) == expected


def control(firmware: ScriptedBitaxe) -> tuple[BitaxeControl, MemoryPort]:
    port = MemoryPort("control", firmware)
    return BitaxeControl(port), port


async def test_a_device_that_does_not_acknowledge_is_named(autojump_clock: object) -> None:
    bus, _ = control(ScriptedBitaxe(GAMMA_REGISTERS))
    with pytest.raises(DeviceRefused, match="control: I²C write to 4f: error 10, timeout"):
        await bus.i2c_write(0x4F, b"\xde")


async def test_silence_ends_after_two_seconds(autojump_clock: object) -> None:
    port = MemoryPort("control")
    started = trio.current_time()
    with pytest.raises(DeviceSilent, match="GPIO 0: no answer within 2 s"):
        await BitaxeControl(port).set_pin(0, False)
    assert trio.current_time() - started == pytest.approx(bitaxe_raw.ANSWER_SECONDS)


async def test_a_reply_that_was_given_up_is_skipped(autojump_clock: object) -> None:
    firmware = ScriptedBitaxe(GAMMA_REGISTERS)
    kept: list[bytes] = []
    firmware.mangle = lambda reply: kept.append(reply) or b""  # type: ignore[func-returns-value]
    bus, port = control(firmware)
    with pytest.raises(DeviceSilent, match="no answer"):
        await bus.i2c_read(EMC2101, b"\xfe", 1)
    firmware.mangle = lambda reply: kept.pop() + reply
    assert await bus.i2c_read(EMC2101, b"\xfd", 1) == b"\x16"
    assert not port.closed


async def test_a_late_reply_is_not_taken_for_the_next(autojump_clock: object) -> None:
    firmware = ScriptedBitaxe(GAMMA_REGISTERS, mangle=lambda reply: reply[:2] + b"\x63" + reply[3:])
    bus, port = control(firmware)
    with pytest.raises(DeviceSilent, match="expected a reply to request 0, got 010063"):
        await bus.set_pin(0, True)
    firmware.mangle = lambda reply: reply
    assert await bus.get_pin(0) is True
    assert not port.closed


def test_pmbus_numbers() -> None:
    assert tps546.ulinear16(1.15) == 0x024D
    assert tps546.from_slinear11(0xD20A) == pytest.approx(8.15625)
    for value in (0, 0.25, 3, 4.5, 4.8, 6.5, 25, 30, 105, 145, 650):
        assert tps546.from_slinear11(tps546.slinear11(value)) == pytest.approx(value, rel=1e-3)


@given(st.floats(-30_000, 30_000))
def test_slinear11_is_as_exact_as_eleven_bits_allow(value: float) -> None:
    assert tps546.from_slinear11(tps546.slinear11(value)) == pytest.approx(value, rel=2e-3, abs=1e-4)


@pytest.mark.parametrize(("volts", "code"), [(1.2, 0xC6), (1.166, 0xD0), (1.4, 0x90)])
def test_current_codes(volts: float, code: int) -> None:
    assert ds4432u.code(volts) == code


def test_a_current_beyond_reach() -> None:
    with pytest.raises(ValueError, match="that this current source can set"):
        ds4432u.code(9.0)


CONFIGURED = "01 02 04 33 35 36 55 56 29 21 24 2b 40 42 25 26 43 44 4a 46 47 51 4f 50 60 61 62 63 64 65 ee"
"""The order of docs/reference/asic.md#regulators-sensors-and-fans."""


async def test_power_on_and_off_of_a_gamma(autojump_clock: object) -> None:
    firmware = ScriptedBitaxe(GAMMA_REGISTERS)
    power = board_of("bitaxe-gamma").power({"control": MemoryPort("control", firmware)})
    await power.on(1.15)
    assert firmware.pins == [False, True]
    assert firmware.written(EMC2101) == ["0304", "4a23", "1724", "1800", "4c3f"]
    sent = firmware.written(TPS546)
    assert [frame[:2] for frame in sent[:-3]] == CONFIGURED.split()
    assert sent[:2] == ["0100", "021f"]
    assert sent[-3:] == ["214d02", "03", "0180"]
    for frame in sent:
        assert not frame.startswith("58"), "docs/reference/asic.md#regulators-sensors-and-fans"
    await power.off()
    assert firmware.pins[-1] is False
    assert firmware.written(TPS546)[-1] == "0100"
    order = [data.hex() for _, data in firmware.writes]
    assert order[-2:] == ["0100", "4c10"]  # voltage off, then the fan down to a quarter


async def test_voltage_goes_off_though_the_reset_pin_does_not_answer(autojump_clock: object) -> None:
    firmware = ScriptedBitaxe(GAMMA_REGISTERS)
    port = MemoryPort("control", firmware)
    power = board_of("bitaxe-gamma").power({"control": port})
    await power.on(1.15)
    answer = firmware.answer
    firmware.answer = lambda page, command, data: None if page == 6 else answer(page, command, data)  # type: ignore[method-assign]
    with pytest.raises(DeviceRefused, match="GPIO 0"):
        await power.off()
    assert firmware.written(TPS546)[-1] == "0100"


async def test_readings_of_a_gamma(autojump_clock: object) -> None:
    firmware = ScriptedBitaxe(GAMMA_REGISTERS)
    power = board_of("bitaxe-gamma").power({"control": MemoryPort("control", firmware)})
    await power.on(1.15)
    readings = await power.read()
    assert (readings.chip_temperature, readings.regulator_temperature) == (50.625, 52)
    assert readings.core_voltage == pytest.approx(1.15, abs=0.002)
    assert (readings.input_voltage, readings.current) == (8.15625, 8.3125)
    assert (readings.fan_rpm, readings.fan_percent) == (5_400_000 // 0x898, 100)
    assert readings.power == pytest.approx(8.3125 * 1.15, rel=0.01)


async def test_power_on_and_readings_of_an_ultra_without_a_regulator_that_talks(autojump_clock: object) -> None:
    firmware = ScriptedBitaxe(ULTRA_REGISTERS)
    power = board_of("bitaxe-ultra").power({"control": MemoryPort("control", firmware)})
    await power.on(1.2)
    assert firmware.written(DS4432U) == ["f8c6"]
    readings = await power.read()
    assert (readings.chip_temperature, readings.core_voltage) == (45, None)
    assert (readings.input_voltage, readings.current, readings.power) == (5.0, 2.5, 10.0)
    await power.off()
    assert firmware.pins == [False, True, False]


@pytest.mark.parametrize("raw", ["7f00", "7fe0"])
async def test_an_open_or_short_diode_is_no_temperature(raw: str, autojump_clock: object) -> None:
    firmware = ScriptedBitaxe(GAMMA_REGISTERS)
    firmware.registers[EMC2101] |= {0x01: bytes.fromhex(raw)[:1], 0x10: bytes.fromhex(raw)[1:]}
    power = board_of("bitaxe-gamma").power({"control": MemoryPort("control", firmware)})
    await power.on(1.15)
    assert (await power.read()).chip_temperature is None


@pytest.mark.parametrize(
    ("register", "value", "message"),
    [
        (0x79, "0800", "core regulator: input voltage too low"),
        (0x79, "1000", "output current too high"),
        (0x8B, "0001", "core voltage: expected 1.150 V, got 0.500 V"),
    ],
)
async def test_power_faults_are_named(register: int, value: str, message: str, autojump_clock: object) -> None:
    firmware = ScriptedBitaxe(GAMMA_REGISTERS)
    firmware.registers[TPS546][register] = bytes.fromhex(value)
    power = board_of("bitaxe-gamma").power({"control": MemoryPort("control", firmware)})
    with pytest.raises(PowerFault, match=message):
        await power.on(1.15)


async def test_a_board_that_restarted_by_itself_is_reported(autojump_clock: object) -> None:
    firmware = ScriptedBitaxe(GAMMA_REGISTERS)
    power = board_of("bitaxe-gamma").power({"control": MemoryPort("control", firmware)})
    await power.on(1.15)
    firmware.pins.append(False)
    with pytest.raises(PowerFault, match="control: the board has restarted by itself"):
        await power.read()
    await power.off()
    assert (await power.read()).chip_temperature == 50.625


async def test_another_fan_controller_is_refused(autojump_clock: object) -> None:
    firmware = ScriptedBitaxe(GAMMA_REGISTERS)
    firmware.registers[EMC2101][0xFD] = b"\x99"
    power = board_of("bitaxe-gamma").power({"control": MemoryPort("control", firmware)})
    with pytest.raises(DeviceRefused, match="expected ids 5d 16 or 5d 28, got 5d 99"):
        await power.on(1.15)


async def test_its_lamp(autojump_clock: object) -> None:
    firmware = ScriptedBitaxe(GAMMA_REGISTERS)
    power = board_of("bitaxe-gamma").power({"control": MemoryPort("control", firmware)})
    assert await power.identify() == "its lamp flashes magenta"
    assert firmware.lamp[0] == b"\xff\0\xff"
    assert firmware.lamp[-1] == bytes(3)
