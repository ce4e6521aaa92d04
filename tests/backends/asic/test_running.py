"""A device from opening to power-down: mining, counted faults, restarts, safety shutdowns, and every way to end."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from math import inf
from typing import ClassVar

import pytest
import trio
from structlog.testing import capture_logs

from stratum_miner.backends.asic.board import Board, Port
from stratum_miner.backends.asic.bringup import CountChips, RampUp
from stratum_miner.backends.asic.device import DeviceIdentity, DeviceState
from stratum_miner.backends.asic.errors import DeviceGone, DeviceSilent, GivenUp, Overheated, WrongChip
from stratum_miner.backends.asic.health import DeviceHealth, HealthProblem
from stratum_miner.backends.asic.options import DeviceOptions
from stratum_miner.backends.asic.power import NoPower, PowerControl
from stratum_miner.backends.asic.readings import Readings
from stratum_miner.backends.asic.restarts import MAX_FAILURES
from stratum_miner.backends.asic.running import RunningDevice
from stratum_miner.backends.base import Backend, WorkSource
from stratum_miner.backends.statistics import BackendStatistics, DeviceStatistics
from stratum_miner.bitcoin.target import MAX_TARGET
from stratum_miner.testing.backend_checks import check_backend
from stratum_miner.testing.work_source import ScriptedWorkSource
from stratum_miner.work.example import unit_of
from stratum_miner.work.share import InvalidNonce, verify
from stratum_miner.work.unit import NonceFound, WorkUnit
from tests.backends.asic.memory_port import MemoryPorts
from tests.backends.asic.scripted_chip import HOT_BOARD, NONCE_DIFFICULTY, TEST_BOARD, ScriptedChip

IDENTITY = DeviceIdentity(kind="test", path="memory", serial_number="1")


class ScriptedPower:
    """Remembers the calls; a test sets its readings."""

    has_sensors = True
    minimum_input_voltage: float | None = 4.6

    def __init__(self) -> None:
        self.log: list[str] = []
        self.fan: list[int] = []
        self.readings = Readings(chip_temperature=50, core_voltage=1.2, input_voltage=5.0)

    async def on(self, voltage: float | None) -> None:
        await trio.lowlevel.checkpoint()
        self.log.append("on")

    async def off(self) -> None:
        await trio.lowlevel.checkpoint()
        self.log.append("off")

    async def read(self) -> Readings:
        await trio.lowlevel.checkpoint()
        return self.readings

    async def set_fan(self, percent: int) -> None:
        await trio.lowlevel.checkpoint()
        self.fan.append(percent)

    async def identify(self) -> str:
        await trio.lowlevel.checkpoint()
        return ""


def device_of(
    ports: MemoryPorts, board: Board = TEST_BOARD, power: PowerControl | None = None, **options: object
) -> RunningDevice:
    return RunningDevice(
        replace(board, power=lambda transports: power or NoPower()),
        IDENTITY,
        ports,
        DeviceOptions(**{"nonce_difficulty": NONCE_DIFFICULTY, "hash_rate": TEST_BOARD.hash_rate(), **options}),  # type: ignore[arg-type]
        trio.current_time,
    )


class OneDevice(Backend):
    """The least around a device that makes a backend of it."""

    name: ClassVar[str] = "one-device"
    exhaustive: ClassVar[bool] = False

    def __init__(self) -> None:
        self.device = device_of(MemoryPorts({"data": ScriptedChip()}))

    @classmethod
    def from_options(cls, options: Mapping[str, str]) -> "OneDevice":
        raise NotImplementedError

    async def run(self, source: WorkSource, found: trio.MemorySendChannel[NonceFound]) -> None:
        async with found:
            await self.device.run(source, found)

    def statistics(self) -> BackendStatistics:
        snapshot = self.device.statistics()
        return BackendStatistics(
            self.name, "", (DeviceStatistics(snapshot.identity.name, snapshot.hashes, snapshot.nonces),)
        )


async def test_the_contract_holds() -> None:
    await check_backend(OneDevice)


@asynccontextmanager
async def mining(device: RunningDevice, source: WorkSource) -> AsyncIterator[trio.MemoryReceiveChannel[NonceFound]]:
    send, receive = trio.open_memory_channel[NonceFound](10_000)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(device.run, source, send)
        yield receive
        nursery.cancel_scope.cancel()


async def until(condition: Callable[[], bool], seconds: float = 600) -> None:
    with trio.fail_after(seconds):
        while not condition():  # noqa: ASYNC110  on a mock clock
            await trio.sleep(0.05)


def units(count: int = 50) -> ScriptedWorkSource:
    return ScriptedWorkSource(unit_of(number, target=MAX_TARGET) for number in range(count))


class EndlessSource(ScriptedWorkSource):
    """A fresh unit for each question."""

    def next_unit(self, rollable: int = 0, at_once: int = 32) -> WorkUnit | None:
        self.asked += 1
        return unit_of(self.asked, target=MAX_TARGET)


FEW = (range(7000, 7032),)
"""About seven nonces a job."""


async def test_every_hit_verifies(autojump_clock: object) -> None:
    device = device_of(MemoryPorts({"data": ScriptedChip()}))
    async with mining(device, units(3)) as found:
        await until(lambda: device.statistics().nonces > 300)
        hits = []
        while True:
            try:
                hits.append(found.receive_nowait())
            except trio.WouldBlock:
                break
    assert len(hits) > 100
    assert not any(isinstance(verify(hit), InvalidNonce) for hit in hits)
    snapshot = device.statistics()
    assert (snapshot.hardware_errors, snapshot.duplicate_nonces, snapshot.crc_errors, snapshot.garbage_bytes) == (
        0,
        0,
        0,
        0,
    )
    assert snapshot.hashes == pytest.approx(2**32 * NONCE_DIFFICULTY * snapshot.nonces, rel=0.001)
    assert snapshot.chips[0] == snapshot.nonces


@pytest.mark.parametrize(
    ("mangle", "counter"),
    [
        (lambda frame: frame[:5] + bytes([frame[5] ^ 0x55]) + frame[6:], "crc_errors"),
        (lambda frame: b"\x01\x60" + frame, "garbage_bytes"),
        (lambda frame: frame + frame, "duplicate_nonces"),
    ],
)
async def test_faults_are_counted_under_their_names(
    mangle: Callable[[bytes], bytes], counter: str, autojump_clock: object
) -> None:
    device = device_of(MemoryPorts({"data": ScriptedChip(mangle=mangle)}))
    async with mining(device, units(1)):
        await until(lambda: getattr(device.statistics(), counter) >= 30)
    snapshot = device.statistics()
    others = {"crc_errors", "garbage_bytes", "duplicate_nonces"} - {counter}
    assert snapshot.hardware_errors == 0 or counter == "crc_errors"
    assert all(getattr(snapshot, other) < 10 for other in others)


async def test_wrong_nonces_are_hardware_errors_and_end_in_a_restart(autojump_clock: object) -> None:
    chip = ScriptedChip()
    chip.nonces = lambda header: [bytes([index, 1, 2, 3]) for index in range(60)]  # type: ignore[method-assign]
    device = device_of(MemoryPorts({"data": chip}))
    async with mining(device, units()):
        await until(lambda: device.statistics().restarts > 0)
    snapshot = device.statistics()
    assert snapshot.hardware_errors > 30
    assert "mostly hardware errors" in snapshot.last_error


async def test_answers_to_replaced_work_are_stale(autojump_clock: object) -> None:
    ports = MemoryPorts({"data": ScriptedChip(windows=())})
    device = device_of(ports)
    source = units(1)
    chip = ScriptedChip()
    async with mining(device, source) as found:
        await until(lambda: device.statistics().work_sent == 1)
        port, frame = ports.opened["data"][-1], ports.opened["data"][-1].sent[-1]
        source.give([], void=True)
        chip(port, frame)  # now, too late
        await until(lambda: device.statistics().stale_nonces > 50)
        with pytest.raises(trio.WouldBlock):
            found.receive_nowait()
    assert device.statistics().hardware_errors == 0


async def test_new_work_goes_out_at_once(autojump_clock: object) -> None:
    ports = MemoryPorts({"data": ScriptedChip(windows=())})
    device, source = device_of(ports), units(1)
    async with mining(device, source):
        await until(lambda: device.statistics().work_sent == 1)
        await trio.sleep(3)
        before = trio.current_time()
        source.give([unit_of(99)], void=True)
        await until(lambda: device.statistics().work_sent == 2)
        assert trio.current_time() - before < 0.1


async def test_a_silent_chip_is_restarted_with_growing_pauses_and_given_up(autojump_clock: object) -> None:
    chip = ScriptedChip()
    chip.silent = True
    device = device_of(MemoryPorts({"data": chip}))
    started = trio.current_time()
    with pytest.RaisesGroup(
        pytest.RaisesExc(GivenUp, match=f"gave up after {MAX_FAILURES} failed attempts: .* got none")
    ):
        async with mining(device, units()):
            await trio.sleep_forever()
    assert trio.current_time() - started > 5 + 10 + 30 + 6 * 60
    snapshot = device.statistics()
    assert (snapshot.state, snapshot.restarts) == (DeviceState.OFF, MAX_FAILURES - 1)


async def test_an_emulator_of_unknown_rate_is_not_judged_by_its_rate(autojump_clock: object) -> None:
    chip = ScriptedChip(FEW)
    device = device_of(MemoryPorts({"data": chip}), hash_rate=None)
    async with mining(device, EndlessSource()):
        await until(lambda: device.statistics().nonces > 0)
        chip.silent = True
        await trio.sleep(300)
        snapshot = device.statistics()
        assert (snapshot.state, snapshot.restarts) == (DeviceState.MINING, 0)


async def test_a_chip_that_falls_silent_comes_back(autojump_clock: object) -> None:
    chip = ScriptedChip(FEW)
    device = device_of(MemoryPorts({"data": chip}))
    async with mining(device, EndlessSource()):
        await until(lambda: device.statistics().nonces > 50)
        chip.silent = True
        await until(lambda: device.statistics().state is DeviceState.DEAD)
        chip.silent = False
        await until(lambda: device.statistics().state is DeviceState.MINING)
        before = device.statistics().nonces
        await until(lambda: device.statistics().nonces > before)
    assert device.statistics().restarts >= 1


async def test_a_dead_device_is_a_warning_and_mining_again_is_none(
    autojump_clock: object,
) -> None:
    chip = ScriptedChip(FEW)
    device = device_of(MemoryPorts({"data": chip}))
    with capture_logs() as logged:
        async with mining(device, EndlessSource()):
            await until(lambda: device.statistics().nonces > 50)
            chip.silent = True
            await until(lambda: device.statistics().state is DeviceState.DEAD)
            chip.silent = False
            await until(lambda: device.statistics().state is DeviceState.MINING)
    lines = [(entry["log_level"], entry["event"], entry.get("state")) for entry in logged]
    assert lines == [
        ("info", "device_state", "starting"),
        ("info", "device_mining", None),
        ("warning", "device_state", "dead"),
        ("info", "device_state", "starting"),
        ("info", "device_mining", None),
        ("info", "device_state", "off"),  # it ended
    ]


async def test_a_slow_device_is_sick_and_its_recovery_is_logged(autojump_clock: object) -> None:
    """The chip is as fast as ever; for a while it is expected to be twice as fast."""
    device = device_of(MemoryPorts({"data": ScriptedChip(FEW)}), hash_rate=None)
    async with mining(device, EndlessSource()):
        await until(lambda: device.statistics().nonces > 0)
        mining_run = device._mining_run
        assert mining_run is not None
        verdicts = iter(
            [DeviceHealth(HealthProblem.SLOW, "50% of what it should be"), DeviceHealth(judged=False), DeviceHealth()]
        )
        assess, mining_run.health.assess = mining_run.health.assess, lambda now: next(verdicts)  # type: ignore[method-assign]
        with capture_logs() as logged:
            await until(lambda: device.statistics().state is DeviceState.SICK)
            await trio.sleep(2)
            mining_run.health.assess = assess  # type: ignore[method-assign]
            await until(lambda: device.statistics().state is DeviceState.MINING)
    lines = [(entry["log_level"], entry["event"], entry.get("state")) for entry in logged]
    assert lines == [("warning", "device_sick", None), ("info", "device_state", "mining")]


async def test_an_unplugged_device_ends_with_its_own_error(autojump_clock: object) -> None:
    ports = MemoryPorts({"data": ScriptedChip()})
    device = device_of(ports)
    with pytest.RaisesGroup(pytest.RaisesExc(DeviceGone, match="unplugged")):
        async with mining(device, units()):
            await until(lambda: device.statistics().nonces > 0)
            ports.opened["data"][-1].unplug()
            await trio.sleep_forever()
    assert device.statistics().state is DeviceState.ABSENT
    assert device.statistics().readings == Readings()  # of what is gone nobody knows the power
    assert ports.opened["data"][-1].closed
    before = device.statistics().nonces
    async with mining(device, units()):  # replugged: totals go on
        await until(lambda: device.statistics().nonces > before)


async def test_another_chip_is_reported_at_once(autojump_clock: object) -> None:
    device = device_of(MemoryPorts({"data": ScriptedChip(chip_id="13700000")}))
    with pytest.RaisesGroup(pytest.RaisesExc(WrongChip, match="expected 1366, got 1370")):
        async with mining(device, units()):
            await trio.sleep_forever()


def hot_device() -> tuple[RunningDevice, ScriptedPower, MemoryPorts]:
    power = ScriptedPower()
    ports = MemoryPorts({"data": ScriptedChip(FEW), "control": lambda port, data: None})
    return device_of(ports, HOT_BOARD, power), power, ports


async def test_heat_slows_down_then_switches_off_and_only_the_cold_resumes(autojump_clock: object) -> None:
    device, power, ports = hot_device()
    async with mining(device, EndlessSource()):
        await until(lambda: device.statistics().state is DeviceState.MINING)
        assert device.statistics().frequency == 500
        power.readings = replace(power.readings, chip_temperature=66)
        await until(lambda: device.statistics().state is DeviceState.THROTTLED)
        await until(lambda: (device.statistics().frequency or 0) < 480)
        power.readings = replace(power.readings, chip_temperature=72)
        await until(lambda: device.statistics().state is DeviceState.OFF)
        assert power.log == ["on", "off"]
        assert device.statistics().safety_shutdowns == 1
        await until(lambda: power.fan[-1] == 100)  # switching off had put it down
        power.readings = replace(power.readings, chip_temperature=50)
        await trio.sleep(300)
        assert 0 < power.fan[-1] < 100
        assert power.log == ["on", "off"]  # below the cut-off, above the resume temperature
        power.readings = replace(power.readings, chip_temperature=44)
        await until(lambda: len(power.log) == 3)
        await until(lambda: device.statistics().state is DeviceState.THROTTLED)
    assert power.log == ["on", "off", "on", "off"]
    assert ports.opened["data"][0].bauds == [115200]  # reset chips start over at their first rate


async def test_heat_is_logged_once_and_the_reason_is_shown_while_it_is_throttled(autojump_clock: object) -> None:
    device, power, _ = hot_device()
    with capture_logs() as logged:
        async with mining(device, EndlessSource()):
            await until(lambda: device.statistics().state is DeviceState.MINING)
            power.readings = replace(power.readings, chip_temperature=61)
            await until(lambda: device.statistics().hot == "chip at 61 °C")
            await trio.sleep(30)
            assert device.statistics().state is DeviceState.MINING
            power.readings = replace(power.readings, chip_temperature=66)
            await until(lambda: device.statistics().state is DeviceState.THROTTLED)
            power.readings = replace(power.readings, chip_temperature=50)
            await trio.sleep(5)
            assert device.statistics().reason == "475 MHz instead of 500 MHz: too hot, chip at 66 °C"
            assert device.statistics().hot == ""
            await until(lambda: device.statistics().state is DeviceState.MINING)
            assert device.statistics().reason == ""
    assert [entry["level"] for entry in logged if entry["event"] == "device_hot"] == ["warn", "throttle"]


async def test_a_hot_device_that_is_started_again_or_replugged_cools_down_first(autojump_clock: object) -> None:
    device, power, _ = hot_device()
    power.readings = replace(power.readings, chip_temperature=80)
    async with mining(device, EndlessSource()):
        await until(lambda: device.statistics().safety_shutdowns == 1)
        await until(lambda: device.statistics().state is DeviceState.OFF)
    power.readings = replace(power.readings, chip_temperature=60)
    async with mining(device, EndlessSource()):
        await trio.sleep(300)
        assert (device.statistics().state, device.statistics().reason) == (DeviceState.OFF, "still cooling down")
        assert power.log.count("on") == 1
        power.readings = replace(power.readings, chip_temperature=44)
        await until(lambda: power.log.count("on") == 2)


async def test_heat_during_bring_up_switches_off_too(autojump_clock: object) -> None:
    board = replace(HOT_BOARD, bring_up=(CountChips(0.2), RampUp(base=50, step=1, pause=0.1)))
    power = ScriptedPower()
    power.readings = replace(power.readings, chip_temperature=90)
    ports = MemoryPorts({"data": ScriptedChip(FEW), "control": lambda port, data: None})
    device = device_of(ports, board, power)
    async with mining(device, EndlessSource()):
        await until(lambda: device.statistics().safety_shutdowns == 1, seconds=5)
        assert power.log[:2] == ["on", "off"]
        assert device.statistics().work_sent == 0


async def test_after_repeated_safety_shutdowns_it_stays_off(autojump_clock: object) -> None:
    device, power, _ = hot_device()

    async def swing() -> None:
        while True:
            power.readings = replace(power.readings, chip_temperature=80 if power.log[-1:] == ["on"] else 30)
            await trio.sleep(1)

    with pytest.RaisesGroup(
        pytest.RaisesExc(Overheated, match="safety shutdown number 3, it stays off"), flatten_subgroups=True
    ):
        async with mining(device, EndlessSource()), trio.open_nursery() as nursery:
            nursery.start_soon(swing)
    assert power.log[-1] == "off"
    assert device.statistics().safety_shutdowns == 3
    power.readings = replace(power.readings, chip_temperature=40)
    async with mining(device, EndlessSource()):  # its owner starts it again
        await until(lambda: device.statistics().state is DeviceState.THROTTLED)
        power.readings = replace(power.readings, chip_temperature=80)
        await until(lambda: device.statistics().state is DeviceState.OFF)
        power.readings = replace(power.readings, chip_temperature=40)
        await until(lambda: device.statistics().state is DeviceState.THROTTLED)


async def test_a_brown_out_is_named(autojump_clock: object) -> None:
    device, power, _ = hot_device()
    async with mining(device, EndlessSource()):
        await until(lambda: device.statistics().state is DeviceState.MINING)
        power.readings = replace(power.readings, input_voltage=4.2)
        await until(lambda: device.statistics().state is DeviceState.OFF)
        assert "power fault: input at 4.20 V: the supply is too weak" in device.statistics().reason


@pytest.mark.parametrize("way", ["cancelled", "neighbour", "unplugged"])
async def test_power_goes_off_on_every_way_out(way: str, autojump_clock: object) -> None:
    device, power, ports = hot_device()

    class NeighbourError(Exception):
        pass

    with trio.CancelScope() as scope:
        try:
            async with mining(device, EndlessSource()):
                await until(lambda: device.statistics().state is DeviceState.MINING)
                if way == "cancelled":
                    scope.cancel()
                elif way == "unplugged":
                    ports.opened["data"][-1].unplug()
                else:
                    raise NeighbourError
                await trio.sleep_forever()
        except* (NeighbourError, DeviceGone):
            pass
    assert power.log == ["on", "off"]  # also when a port is gone: a Bitaxe has a supply of its own
    assert all(port.closed for opened in ports.opened.values() for port in opened)


async def test_without_work_it_is_powered_down_until_there_is_some(autojump_clock: object) -> None:
    device, power, _ = hot_device()
    source = units(1)
    async with mining(device, source):
        await until(lambda: device.statistics().work_sent == 1)
        source.give([], void=True)
        await trio.sleep(DeviceOptions().idle_off + 2)
        assert power.log == ["on", "off"]
        assert (device.statistics().state, device.statistics().reason) == (DeviceState.IDLE, "there is no work")
        source.give([unit_of(5)], void=True)
        await until(lambda: device.statistics().work_sent == 2)
        assert source.taken[-1].job.job_id == "check-5"
    assert device.statistics().restarts == 0


async def test_chips_that_must_wait_for_work_are_logged_once_with_the_reason(autojump_clock: object) -> None:
    fast = replace(TEST_BOARD, fixed_hash_rate=1e13)
    device = device_of(MemoryPorts({"data": ScriptedChip(FEW)}), fast, hash_rate=1e13)
    with capture_logs() as logged:
        async with mining(device, units(5)):
            await until(lambda: device.statistics().work_sent == 5)
    lines = [entry["reason"] for entry in logged if entry["event"] == "device_underfed"]
    assert lines == ["with 0 version bits from the pool, its serial line carries work for only 0 % of the time"]


async def test_a_device_that_is_to_stay_on_waits_for_work(autojump_clock: object) -> None:
    power = ScriptedPower()
    ports = MemoryPorts({"data": ScriptedChip(FEW), "control": lambda port, data: None})
    device = device_of(ports, HOT_BOARD, power, idle_off=inf)
    source = units(1)
    async with mining(device, source):
        await until(lambda: device.statistics().work_sent == 1)
        source.give([], void=True)
        await trio.sleep(3600)
        assert power.log == ["on"]
        source.give([unit_of(5)], void=True)
        await until(lambda: device.statistics().work_sent == 2)


async def test_a_miner_that_takes_no_more_is_not_taken_for_a_silent_device(autojump_clock: object) -> None:
    device = device_of(MemoryPorts({"data": ScriptedChip()}))
    send, receive = trio.open_memory_channel[NonceFound](0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(device.run, EndlessSource(), send)
        await trio.sleep(60)  # and nobody receives
        assert device.statistics().state is DeviceState.MINING
        assert device.statistics().restarts == 0
        before = device.statistics().nonces
        for _ in range(before + 10):
            await receive.receive()
        nursery.cancel_scope.cancel()
    assert device.statistics().nonces > before


async def test_a_port_it_can_do_without_may_be_missing(autojump_clock: object) -> None:
    board = replace(HOT_BOARD, ports=(Port("data"), Port("telemetry", required=False)))
    device = device_of(MemoryPorts({"data": ScriptedChip(FEW)}), board)
    async with mining(device, EndlessSource()):
        await until(lambda: device.statistics().nonces > 0)
    assert device.statistics().readings == Readings()


async def test_sensors_that_fail_now_and_then_are_borne(autojump_clock: object) -> None:
    device, power, _ = hot_device()
    good, calls = power.read, 0

    async def read() -> Readings:
        nonlocal calls
        calls += 1
        if calls % 3:
            raise DeviceSilent("no answer")
        return await good()

    power.read = read  # type: ignore[method-assign]
    async with mining(device, EndlessSource()):
        await until(lambda: calls > 60)
        assert device.statistics().safety_shutdowns == 0
        assert device.statistics().sensor_errors >= 30
        calls = 3
        power.read = silent  # type: ignore[method-assign]
        await until(lambda: device.statistics().safety_shutdowns == 1)
        assert "no valid temperature in three readings" in device.statistics().reason


async def silent() -> Readings:
    await trio.lowlevel.checkpoint()
    raise DeviceSilent("no answer")
