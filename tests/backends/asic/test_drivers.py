"""Drivers of devices that do not mine: probe, identify, reset, configure. The ports are closed every time."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from stratum_miner.backends.asic.boards import BOARDS, board_of
from stratum_miner.backends.asic.device import DeviceIdentity, DeviceState
from stratum_miner.backends.asic.drivers import driver_of
from stratum_miner.backends.asic.errors import DeviceGone, DeviceRefused, DeviceSilent, WrongChip
from stratum_miner.backends.asic.options import DeviceOptions
from stratum_miner.emulators import KINDS
from tests.backends.asic.memory_port import Answer, MemoryPort, MemoryPorts
from tests.backends.asic.scripted_bitaxe import GAMMA_REGISTERS, TPS546, ScriptedBitaxe
from tests.backends.asic.vectors import VECTORS, unhex

GOLDEN = VECTORS["icarus"]["golden"]


def answering(**answers: str) -> Answer:
    table = {unhex(question.lstrip("q")): unhex(answer) for question, answer in answers.items()}

    def respond(port: MemoryPort, data: bytes) -> None:
        port.say(table.get(data, b""))

    return respond


QUESTIONS = {
    "erupter": (GOLDEN, "000187a2", 1),
    "antminer-u1": (GOLDEN, "000187a280", 1),
    "compac": ("84000011", "1384000013", 1),
    "2pac": ("84000011", "1384000013" * 2, 2),
    "newpac": ("5405000019", "13879000000007" * 2, 2),
    "r606": ("5405000019", "13879000000007" * 12, 12),
    "compac-f": ("55aa520500000a", VECTORS["chip_ids"]["bm1397"][0], 1),
    "compac-a1": ("55aa520500000a", VECTORS["chip_ids"]["bm1362"][1], 1),
}


@pytest.mark.parametrize("kind", QUESTIONS)
async def test_probe(kind: str, autojump_clock: object) -> None:
    question, answer, chips = QUESTIONS[kind]
    ports = MemoryPorts({"data": answering(**{"q" + question: answer})})
    probed = await driver_of(board_of(kind)).probe(ports)
    assert (probed.chip, probed.chips) == (board_of(kind).chip, chips)
    assert all(port.closed for port in ports.opened["data"])


async def test_probe_of_a_bitaxe_switches_its_power_on_and_off(autojump_clock: object) -> None:
    firmware = ScriptedBitaxe(GAMMA_REGISTERS)
    ports = MemoryPorts({
        "data": answering(q55aa520500000a=VECTORS["chip_ids"]["bm1370"][1]),
        "control": firmware,
    })  # fmt: skip
    assert (await driver_of(board_of("bitaxe-gamma")).probe(ports)).chip == "bm1370"
    assert firmware.pins[0] is False
    assert True in firmware.pins
    assert firmware.pins[-1] is False
    assert firmware.written(TPS546)[-1] == "0100"
    with pytest.raises(WrongChip, match="expected 1368, got 1370"):
        await driver_of(board_of("bitaxe-supra")).probe(ports)
    assert all(port.closed for opened in ports.opened.values() for port in opened)


@pytest.mark.parametrize("kind", ["erupter", "compac", "newpac", "compac-f"])
async def test_probe_of_nothing(kind: str, autojump_clock: object) -> None:
    ports = MemoryPorts({"data": lambda port, data: None})
    with pytest.raises(DeviceSilent):
        await driver_of(board_of(kind)).probe(ports)
    ports.gone = True
    with pytest.raises(DeviceGone):
        await driver_of(board_of(kind)).probe(ports)


async def test_identify(autojump_clock: object) -> None:
    ports = MemoryPorts({"data": lambda port, data: None})
    assert "flashes" in await driver_of(board_of("antminer-u1")).identify(ports)
    assert len(ports.opened["data"][0].sent) == 10
    assert "lamp" in await driver_of(board_of("erupter")).identify(ports)
    with pytest.raises(DeviceRefused, match="cannot switch an LED on the GekkoScience Compac"):
        await driver_of(board_of("compac")).identify(ports)


async def test_reset(autojump_clock: object) -> None:
    ports = MemoryPorts({"data": lambda port, data: None})
    assert "nothing to reset" in await driver_of(board_of("erupter")).reset(ports)
    assert "no reset line: the clock is set to its lowest frequency, 50 MHz" in await driver_of(
        board_of("newpac")
    ).reset(ports)
    ports.has_reset = True
    assert await driver_of(board_of("newpac")).reset(ports) == "chips reset"
    assert ports.opened["data"][-1].resets == [True, False]


async def test_configure(autojump_clock: object) -> None:
    firmware = ScriptedBitaxe(GAMMA_REGISTERS)
    ports = MemoryPorts({
        "data": answering(q55aa520500000a=VECTORS["chip_ids"]["bm1370"][1]),
        "control": firmware,
    })  # fmt: skip
    driver = driver_of(board_of("bitaxe-gamma"))
    assert await driver.configure(ports, DeviceOptions(frequency=400, voltage=1.15)) == "1 chip at 400 MHz, 1.150 V"
    assert firmware.pins[-1] is False
    with pytest.raises(DeviceRefused, match="expected a frequency or a voltage"):
        await driver.configure(ports, DeviceOptions())


@pytest.mark.parametrize("kind", BOARDS)
def test_every_board_has_a_driver_and_its_device_is_absent_at_first(kind: str) -> None:
    identity = DeviceIdentity(kind=kind, path="/dev/x", serial_number="7")
    device = driver_of(board_of(kind)).device(identity, MemoryPorts({}), DeviceOptions(), lambda: 0.0)
    told = device.statistics()
    assert (told.state, told.hashes, told.identity.name) == (DeviceState.ABSENT, 0, f"{kind}-7")
    assert told.expected_hash_rate == board_of(kind).hash_rate()


@pytest.mark.parametrize(
    ("kind", "chip", "voltage"),
    [
        ("bitaxe-gamma", "BM1370", 1.15), ("bitaxe-supra", "BM1368", 1.166), ("bitaxe-ultra", "BM1366", 1.2),
        ("compac-f", "BM1397", None), ("compac-a1", "BM1362", 0.3), ("newpac", "BM1387", None),
        ("compac", "BM1384", None), ("antminer-u1", "BM1380", None), ("erupter", "BE100", None), ("icarus", "", None),
    ],
)  # fmt: skip
def test_a_device_tells_its_chip_and_the_voltage_asked_for(kind: str, chip: str, voltage: float | None) -> None:
    driver, ports = driver_of(board_of(kind)), MemoryPorts({})
    identity = DeviceIdentity(kind=kind, path="/dev/x")
    hardware = driver.device(identity, ports, DeviceOptions(), lambda: 0.0).statistics().hardware
    assert (hardware.chip, hardware.core_voltage_asked) == (chip, voltage)
    other = driver.device(identity, ports, DeviceOptions(voltage=1.1), lambda: 0.0).statistics().hardware
    assert other.core_voltage_asked == 1.1


@pytest.mark.parametrize(("page", "kinds"), [("use-devices.md", BOARDS), ("use-emulators.md", KINDS)])
def test_the_documentation_names_every_kind(page: str, kinds: Iterable[str]) -> None:
    text = (Path(__file__).parents[3] / "docs" / "how-to" / page).read_text(encoding="utf-8")
    assert [kind for kind in kinds if f"`{kind}`" not in text] == [], f"docs/how-to/{page}: expected these to be named"
