"""The second port of a Compac A1: letters and bytes, units, three versions of its firmware, silence."""

from collections.abc import Callable

import pytest

from stratum_miner.backends.asic.boards.compac_a1_power import CompacA1Power
from stratum_miner.backends.asic.errors import DeviceRefused, DeviceSilent
from tests.backends.asic.memory_port import MemoryPort

ALL = bytes([212, 100, 75, 60, 125, 0, 90])
"""VIN, IIN, VOUT, IOUT, two temperatures, tachometer."""


def telemetry(version: int = 0x31, mask: int = 0x7F, values: bytes = ALL) -> Callable[[MemoryPort, bytes], None]:
    answers = {b"?v": bytes([version]), b"M.": bytes([mask]), b"G.": values}

    def respond(port: MemoryPort, data: bytes) -> None:
        port.say(answers.get(data, b"\x01"))

    return respond


def power(answer: Callable[[MemoryPort, bytes], None]) -> tuple[CompacA1Power, MemoryPort, MemoryPort]:
    port, data = MemoryPort("telemetry", answer), MemoryPort("data")
    data.has_reset = True
    return CompacA1Power(port, data), port, data


async def test_on_and_off(autojump_clock: object) -> None:
    control, port, data = power(telemetry())
    await control.on(0.3)
    assert port.sent == [b"?v", b"V\x3c", b"BO", b"LN", b"M."]
    assert data.resets == [True, False]
    await control.off()
    assert port.sent[-2:] == [b"B-", b"L-"]
    assert data.resets[-1] is True


@pytest.mark.parametrize(
    ("version", "mask", "values", "volts_in", "amperes"),
    [
        (0x31, 0x7F, ALL, 212 * 2.048 * 12 / 255, 100 * 2.048 / 255 * 3.125),
        (0x31, 0xFF, ALL, 212 * 2.048 * 12 / 255, 100 * 2.048 / 255 * 20),
        (0x31, 0x57, bytes([212, 100, 75, 125, 90]), 212 * 2.048 * 12 / 255, 100 * 2.048 / 255 * 3.125),
        (0x31, 0x57, ALL, 212 * 2.048 * 12 / 255, 100 * 2.048 / 255 * 3.125),  # by position, whatever is present
        (0x20, 0x7F, ALL, 212 * 2.048 * 12 / 255, 100 * 2.048 / 255 * 20),
        (0x10, 0x7F, ALL, 212 * 6 / 255, None),
    ],
)
async def test_readings(
    version: int, mask: int, values: bytes, volts_in: float, amperes: float | None, autojump_clock: object
) -> None:
    control, _, _ = power(telemetry(version, mask, values))
    await control.on(0.3)
    readings = await control.read()
    assert readings.chip_temperature == pytest.approx(125 * 175 / 218 - 50)
    assert readings.core_voltage == pytest.approx(75 * 2.048 / 255 / 2)
    assert readings.input_voltage == pytest.approx(volts_in)
    assert readings.current == (None if amperes is None else pytest.approx(amperes))


@pytest.mark.parametrize(("raw", "celsius"), [(0, None), (219, 125.0), (255, 125.0)])
async def test_a_temperature_that_is_none_or_too_high_to_tell(
    raw: int, celsius: float | None, autojump_clock: object
) -> None:
    control, _, _ = power(telemetry(values=bytes([212, 100, 75, 60, raw, 0, 90])))
    await control.on(0.3)
    assert (await control.read()).chip_temperature == celsius


@pytest.mark.parametrize("values", [b"\x01", ALL[:3], bytes(64)])
async def test_answers_of_any_length_are_survived(values: bytes, autojump_clock: object) -> None:
    control, _, _ = power(telemetry(values=values))
    await control.on(0.3)
    assert (await control.read()).chip_temperature is None


async def test_silence_and_strangers(autojump_clock: object) -> None:
    control, _, _ = power(lambda port, data: None)
    with pytest.raises(DeviceSilent, match=r"telemetry: telemetry: no answer to '\?'"):
        await control.on(0.3)
    control, _, _ = power(telemetry(version=0x7F))
    with pytest.raises(DeviceRefused, match="expected version 1 to 3, got 7f"):
        await control.on(0.3)
