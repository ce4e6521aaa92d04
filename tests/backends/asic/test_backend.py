"""Supervision and hotplug, with a bus and devices that obey their contracts, on a mock clock."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import trio
from structlog.testing import capture_logs
from structlog.typing import EventDict
from trio.testing import MockClock

from stratum_miner.backends.asic.backend import MAX_DEVICE_RECORDS, AsicBackend
from stratum_miner.backends.asic.device_record import DeviceRecordSnapshot, DeviceRecordState
from stratum_miner.backends.asic.device_spec import DeviceSpec
from stratum_miner.backends.asic.errors import DeviceGone, DeviceSilent, GivenUp, Overheated, PortBusy, PortForbidden
from stratum_miner.backends.asic.port_list import ListedPort
from stratum_miner.backends.base import BackendOptionError
from stratum_miner.testing.work_source import ScriptedWorkSource
from stratum_miner.work.unit import NonceFound
from tests.backends.asic.fakes import Bus

GEKKO = "GekkoScience"


def usb(
    path: str, vid_pid: str, product: str, *, serial: str = "", location: str = "1-1", maker: str = GEKKO
) -> ListedPort:
    vid, pid = (int(part, 16) for part in vid_pid.split(":"))
    return ListedPort(
        path=path, vid=vid, pid=pid, product=product, manufacturer=maker, serial_number=serial, location=location
    )


COMPAC = usb("/dev/ttyUSB0", "10c4:ea60", "Compac BM1384 Bitcoin Miner", serial="10018221", location="1-1")
R606 = usb("/dev/ttyUSB1", "0403:6015", "R606 Bitcoin Miner", serial="DM01", location="1-2")
GPS = usb(
    "/dev/ttyUSB2",
    "10c4:ea60",
    "CP2102 USB to UART Bridge Controller",
    serial="0001",
    location="1-3",
    maker="Silicon Labs",
)
BITAXE = [
    usb(f"/dev/ttyACM{n}", "c0de:cafe", "Bitaxe", serial="2A60E1F0", location=f"1-4:1.{2 * n}", maker="OSMU")
    for n in range(2)
]


@pytest.fixture
def bus() -> Bus:
    return Bus()


@asynccontextmanager
async def mining(bus: Bus, *specs: str) -> AsyncIterator[AsicBackend]:
    backend = AsicBackend(
        [DeviceSpec.parse(text) for text in specs],
        listing=bus.listing,
        open_port=bus.open_port,
        driver=bus.driver,
        clock=trio.current_time,
    )
    send, receive = trio.open_memory_channel[NonceFound](16)
    async with receive, send, trio.open_nursery() as nursery:
        nursery.start_soon(backend.run, ScriptedWorkSource(), send)
        yield backend
        nursery.cancel_scope.cancel()


def only(backend: AsicBackend) -> DeviceRecordSnapshot:
    [record] = backend.device_records()
    return record


async def until(backend: AsicBackend, state: DeviceRecordState, name: str = "") -> DeviceRecordSnapshot:
    """Wait until a record is in a state, and check after each list of the bus."""
    with trio.fail_after(3600):
        while True:
            for record in backend.device_records():
                if record.state is state and name in record.name:
                    return record
            await trio.sleep(0.1)


async def test_auto_runs_what_is_recognised_and_opens_nothing_else(bus: Bus, autojump_clock: MockClock) -> None:
    bus.plug(COMPAC, chip="bm1384")
    bus.plug(GPS)
    async with mining(bus, "auto") as backend:
        await bus.until(lambda: "/dev/ttyUSB0" in bus.running)
        await trio.sleep(60)
        assert [record.name for record in backend.device_records()] == ["compac-10018221"]
    assert set(bus.opened) == {"/dev/ttyUSB0"}
    assert bus.history == ["compac-10018221 runs at /dev/ttyUSB0", "compac-10018221 is off"]


async def test_a_device_that_comes_later_is_taken_in(bus: Bus, autojump_clock: MockClock) -> None:
    async with mining(bus, "auto") as backend:
        await trio.sleep(10)
        assert backend.device_records() == ()
        bus.plug(R606, chip="bm1387", chips=12)
        await bus.until(lambda: "/dev/ttyUSB1" in bus.running)
        assert only(backend).device is not None


async def test_no_recognised_device_is_logged(bus: Bus, autojump_clock: MockClock) -> None:
    bus.plug(GPS)
    with capture_logs() as logged:
        async with mining(bus, "auto"):
            await trio.sleep(30)
    [said] = [entry for entry in logged if entry["event"] == "no_device_found"]
    assert said["to_be_named"] == GPS.path


def listed(backend: AsicBackend) -> list[tuple[str, str, str]]:
    """Name, state and reason of each device as displays get them."""
    return [
        (device.name, device.hardware.state, device.hardware.reason)
        for device in backend.statistics().devices
        if device.hardware is not None
    ]


async def test_a_named_device_that_is_not_there_is_listed_from_the_start(bus: Bus, autojump_clock: MockClock) -> None:
    bus.plug(COMPAC, chip="bm1384")
    with capture_logs() as logged:
        async with mining(bus, "auto", "erupter:/dev/ttyUSB7", R606.path) as backend:
            assert [item[:2] for item in listed(backend)] == [("/dev/ttyUSB7", "starting"), (R606.path, "starting")]
            await bus.until(lambda: COMPAC.path in bus.running)
            await trio.sleep(60)
            assert listed(backend) == [
                ("/dev/ttyUSB7", "absent", "not plugged in"),
                (R606.path, "absent", "not plugged in"),
                ("compac-10018221", "mining", ""),
            ]
            told = [device.hardware for device in backend.statistics().devices if device.hardware is not None]
            assert [hardware.chip for hardware in told[:2]] == ["BE100", ""], "the kind of the second is not known"
            bus.plug(R606, chip="bm1387", chips=12)
            await bus.until(lambda: R606.path in bus.running)
            assert listed(backend)[1] == ("r606-DM01", "mining", "")
            assert backend.statistics().devices[1].listed_as == R606.path
    awaited = {(entry["log_level"], entry["device"]) for entry in logged if entry["event"] == "device_awaited"}
    assert awaited == {("warning", "/dev/ttyUSB7"), ("warning", R606.path)}
    assert sum(entry["event"] == "device_awaited" for entry in logged) == 2  # once each


async def test_a_device_that_is_pulled_out_or_removed_stays_in_the_list(bus: Bus, autojump_clock: MockClock) -> None:
    bus.plug(COMPAC, chip="bm1384")
    with capture_logs() as logged:
        async with mining(bus, "auto") as backend:
            await bus.until(lambda: len(bus.running) == 1)
            bus.unplug(COMPAC)
            gone = await until(backend, DeviceRecordState.WAITING)
            await trio.sleep(60)
            assert listed(backend) == [("compac-10018221", "absent", gone.reason)]
            backend.remove("compac-10018221")
            assert listed(backend) == [("compac-10018221", "removed", "removed")]
    told = [(entry["log_level"], entry["event"]) for entry in logged]
    assert told == [("info", "device_started"), ("warning", "device_gone")]


async def test_what_auto_finds_nothing_of_is_a_problem_until_it_does(bus: Bus, autojump_clock: MockClock) -> None:
    bus.plug(COMPAC, chip="bm1384")
    async with mining(bus, "r606:auto", "auto") as backend:
        assert backend.statistics().problem == ""  # nobody has looked yet
        await bus.until(lambda: COMPAC.path in bus.running)
        assert backend.statistics().problem == "--device r606:auto found no device"
        bus.plug(R606, chip="bm1387", chips=12)
        await bus.until(lambda: R606.path in bus.running)
        assert backend.statistics().problem == ""


async def test_settings_of_a_kind_beside_auto_need_no_device(bus: Bus, autojump_clock: MockClock) -> None:
    bus.plug(COMPAC, chip="bm1384")
    async with mining(bus, "r606:auto,frequency=500", "auto") as backend:
        await bus.until(lambda: COMPAC.path in bus.running)
        assert backend.statistics().problem == ""
    async with mining(bus, "r606:auto,frequency=500") as backend:
        await trio.sleep(3)
        assert backend.statistics().problem == "--device r606:auto,frequency=500 found no device"


async def test_all_that_it_takes_for_auto_to_have_found_something_is_a_device(
    bus: Bus, autojump_clock: MockClock
) -> None:
    bus.plug(COMPAC, chip="bm1384")
    async with mining(bus, COMPAC.path, "auto") as backend:
        await bus.until(lambda: COMPAC.path in bus.running)
        assert backend.statistics().problem == ""
    async with mining(Bus(), "auto") as backend:
        await trio.sleep(3)
        assert backend.statistics().problem == "--device auto found no device"


async def test_two_of_one_path_are_called_apart_before_they_are_known(bus: Bus, autojump_clock: MockClock) -> None:
    path = BITAXE[0].path
    for port in BITAXE:
        bus.trouble[port.path] = PortBusy("x: in use")
    bus.plug(*BITAXE)  # only its chip could tell which of the Bitaxes it is
    async with mining(bus, "auto") as backend:
        await until(backend, DeviceRecordState.TRYING)
        bus.unplug(*BITAXE)
        bus.plug(*(replace(port, serial_number="another") for port in BITAXE))
        await trio.sleep(10)
        assert [name for name, *_ in listed(backend)] == [path, f"{path} (2)"]


async def test_a_kind_narrows_auto(bus: Bus, autojump_clock: MockClock) -> None:
    bus.plug(COMPAC, chip="bm1384")
    bus.plug(R606, chip="bm1387", chips=12)
    async with mining(bus, "r606:auto,frequency=300") as backend:
        await bus.until(lambda: "/dev/ttyUSB1" in bus.running)
        await trio.sleep(10)
        assert only(backend).name == "r606-DM01"
    assert bus.opened == ["/dev/ttyUSB1"]


async def test_a_pattern_names_every_port_that_fits_also_later(bus: Bus, autojump_clock: MockClock) -> None:
    bus.plug(COMPAC, chip="bm1384")
    bus.plug(GPS)
    bus.plug(*BITAXE, chip="bm1370")
    async with mining(bus, "compac:/dev/ttyUSB[01],frequency=200") as backend:
        await until(backend, DeviceRecordState.RUNNING)
        await trio.sleep(5)
        assert only(backend).path == COMPAC.path
        late = replace(COMPAC, path="/dev/ttyUSB1", serial_number="other", location="1-9")
        bus.plug(late, chip="bm1384")
        backend.remove((await until(backend, DeviceRecordState.RUNNING, "other")).name)
        await trio.sleep(5)
        assert len(backend.device_records()) == 2, "a removed device is not added again"
        assert not backend.statistics().problem
    assert set(bus.opened) <= {COMPAC.path, late.path}


async def test_a_pattern_counts_a_device_with_two_ports_once(bus: Bus, autojump_clock: MockClock) -> None:
    bus.plug(*BITAXE, chip="bm1370")
    async with mining(bus, "/dev/ttyACM*", "auto") as backend:
        await until(backend, DeviceRecordState.RUNNING)
        await trio.sleep(5)
        only(backend)


async def test_a_pattern_that_fits_nothing_is_a_problem(bus: Bus, autojump_clock: MockClock) -> None:
    with capture_logs() as logged:
        async with mining(bus, "compac:/dev/ttyUSB*") as backend:
            await trio.sleep(30)
            assert backend.statistics().problem == "--device compac:/dev/ttyUSB* found no device"
    [said] = [entry for entry in logged if entry["event"] == "device_awaited"]
    assert (said["device"], said["reason"]) == ("compac:/dev/ttyUSB*", "no serial port matches this pattern")


async def test_auto_that_finds_nothing_beside_a_named_device_is_not_logged(bus: Bus, autojump_clock: MockClock) -> None:
    bus.plug(GPS, chip="bm1384")
    with capture_logs() as logged:
        async with mining(bus, f"compac:{GPS.path}", "auto") as backend:
            await until(backend, DeviceRecordState.RUNNING)
            await trio.sleep(5)
    assert "no_device_found" not in [entry["event"] for entry in logged]


async def test_all_of_a_kind_are_also_those_that_only_have_its_bridge(bus: Bus, autojump_clock: MockClock) -> None:
    bus.plug(GPS, chip="bm1384")
    bus.plug(R606, chip="bm1384")
    async with mining(bus, "compac:all") as backend:
        await until(backend, DeviceRecordState.RUNNING)
        await trio.sleep(5)
        assert only(backend).path == GPS.path
    async with mining(bus, "compac:auto") as backend:
        await trio.sleep(5)
        assert not backend.device_records()


async def test_a_replugged_stick_is_recognised_by_its_number_and_continues(bus: Bus, autojump_clock: MockClock) -> None:
    bus.plug(COMPAC, chip="bm1384")
    bus.plug(R606, chip="bm1387", chips=12)
    async with mining(bus, "auto") as backend:
        await bus.until(lambda: len(bus.running) == 2)
        bus.unplug(COMPAC)
        gone = await until(backend, DeviceRecordState.WAITING)
        assert gone.name == "compac-10018221"
        assert "gone" in gone.reason
        await trio.sleep(30)
        bus.plug(replace(COMPAC, path="/dev/ttyUSB7", location="3-3"), chip="bm1384")
        await bus.until(lambda: "/dev/ttyUSB7" in bus.running)
        back = await until(backend, DeviceRecordState.RUNNING, "compac")
        assert (back.path, back.unplugged) == ("/dev/ttyUSB7", 1)
        assert back.device is not None
        assert back.device.hashes == 200
        hashes = {device.name: device.hashes for device in backend.statistics().devices}
        assert hashes == {"compac-10018221": 200, "r606-DM01": 100}
        assert bus.history.count("r606-DM01 runs at /dev/ttyUSB1") == 1
        assert "r606-DM01 is off" not in bus.history


async def test_without_a_number_of_its_own_the_socket_recognises(bus: Bus, autojump_clock: MockClock) -> None:
    erupter = usb("/dev/ttyUSB0", "10c4:ea60", "Block Erupter", serial="0001", location="1-5", maker="")
    bus.plug(erupter, chip="icarus")
    async with mining(bus, "auto") as backend:
        await bus.until(lambda: len(bus.running) == 1)
        bus.unplug(erupter)
        await until(backend, DeviceRecordState.WAITING)
        bus.plug(replace(erupter, path="/dev/ttyUSB3"), chip="icarus")
        bus.plug(replace(erupter, path="/dev/ttyUSB4", location="1-6"), chip="icarus")
        await bus.until(lambda: len(bus.running) == 2)
        assert [record.name for record in backend.device_records()] == ["erupter-1-5", "erupter-1-6"]
        assert [record.path for record in backend.device_records()] == ["/dev/ttyUSB3", "/dev/ttyUSB4"]


async def test_a_named_node_means_the_device_that_was_there(bus: Bus, autojump_clock: MockClock) -> None:
    """Another thing that gets its number is not touched."""
    bus.plug(GPS, chip="icarus")
    async with mining(bus, f"erupter:{GPS.path}") as backend:
        await bus.until(lambda: len(bus.running) == 1)
        bus.unplug(GPS)
        await until(backend, DeviceRecordState.WAITING)
        printer = replace(GPS, location="2-2")
        bus.plug(printer)
        await trio.sleep(60)
        assert bus.opened == [GPS.path]
        assert only(backend).state is DeviceRecordState.WAITING
        bus.plug(replace(GPS, path="/dev/ttyUSB5"), chip="icarus")
        await bus.until(lambda: "/dev/ttyUSB5" in bus.running)
        assert only(backend).path == GPS.path  # as the user calls it


async def test_a_symlink_means_what_it_points_at(bus: Bus, autojump_clock: MockClock, tmp_path: Path) -> None:
    link, old, new = tmp_path / "stick", tmp_path / "old", tmp_path / "new"
    old.touch()
    link.symlink_to(old)
    bus.chips[str(link)] = ("icarus", 1)
    async with mining(bus, f"erupter:{link}") as backend:
        await bus.until(lambda: len(bus.running) == 1)
        old.unlink()
        bus.end(str(link), DeviceGone("gone"))
        await until(backend, DeviceRecordState.WAITING)
        new.touch()
        link.unlink()
        link.symlink_to(new)
        await bus.until(lambda: len(bus.running) == 1)
        assert only(backend).unplugged == 1
        assert backend.statistics().devices[0].hashes == 200


async def test_only_the_chip_tells_a_bitaxe(bus: Bus, autojump_clock: MockClock) -> None:
    bus.plug(*BITAXE, chip="bm1368")
    async with mining(bus, "auto") as backend:
        await bus.until(lambda: len(bus.running) == 1)
        assert only(backend).name == "bitaxe-supra-2A60E1F0"
    assert bus.history[:2] == ["asked /dev/ttyACM1 for bm1370", "asked /dev/ttyACM1 for bm1368"]


async def test_a_bitaxe_waits_for_its_second_port(bus: Bus, autojump_clock: MockClock) -> None:
    bus.plug(BITAXE[0], chip="bm1370")
    async with mining(bus, "auto") as backend:
        await trio.sleep(5)
        assert bus.opened == []
        bus.plug(BITAXE[1], chip="bm1370")
        await bus.until(lambda: len(bus.running) == 1)
        assert only(backend).name == "bitaxe-gamma-2A60E1F0"


async def test_a_named_port_without_a_kind_is_asked(bus: Bus, autojump_clock: MockClock) -> None:
    bus.plug(GPS, chip="bm1384", chips=2)
    async with mining(bus, GPS.path) as backend:
        await bus.until(lambda: len(bus.running) == 1)
        assert only(backend).name == "2pac-1-3"


@pytest.mark.parametrize(
    ("chip", "kinds"), [("bm1380", ("antminer-u1", "antminer-u2")), ("icarus", ("icarus", "erupter"))]
)
async def test_what_answers_as_several_kinds_has_to_be_named(
    bus: Bus, autojump_clock: MockClock, tmp_path: Path, chip: str, kinds: tuple[str, ...]
) -> None:
    path = tmp_path / "stick"
    path.touch()
    bus.chips[str(path)] = (chip, 1)
    async with mining(bus, str(path)) as backend:
        record = await until(backend, DeviceRecordState.OFF)
        assert record.reason.endswith("name its kind, " + " or ".join(f"{kind}:{path}" for kind in kinds))


async def test_what_does_not_answer_is_off_and_not_guessed_at(
    bus: Bus, autojump_clock: MockClock, tmp_path: Path
) -> None:
    path = tmp_path / "stick"
    path.touch()
    bus.chips[str(path)] = ("", 0)
    async with mining(bus, str(path)) as backend:
        record = await until(backend, DeviceRecordState.OFF)
        assert "expected an answer from one of" in record.reason


@pytest.mark.parametrize("trouble", [PortBusy("x: in use by bfgminer (process 7)"), PortForbidden("x: not yours")])
async def test_a_port_that_cannot_be_opened_is_tried_again_after_growing_pauses(
    bus: Bus, autojump_clock: MockClock, trouble: Exception
) -> None:
    bus.plug(COMPAC, chip="bm1384")
    bus.trouble[COMPAC.path] = trouble
    with capture_logs() as logged:
        async with mining(bus, "auto") as backend:
            record = await until(backend, DeviceRecordState.TRYING)
            assert record.reason == str(trouble)
            assert listed(backend) == [("compac-10018221", "off", str(trouble))]
            await trio.sleep(2 + 5 + 10 + 30 + 60 * 3 + 5)
            assert len(bus.opened) == 8
            del bus.trouble[COMPAC.path]
            await bus.until(lambda: len(bus.running) == 1)
            assert only(backend).reason == ""
    levels = [entry["log_level"] for entry in logged if entry["event"] == "device_unavailable"]
    assert levels == ["warning", *["info"] * 7]  # a warning once, not for every try


@pytest.mark.parametrize("error", [GivenUp("dead: three restarts"), Overheated("82 °C"), DeviceSilent("no answer")])
async def test_what_stays_off_stays_off_until_it_is_replugged(
    bus: Bus, autojump_clock: MockClock, error: Exception
) -> None:
    bus.plug(COMPAC, chip="bm1384")
    async with mining(bus, "auto") as backend:
        await bus.until(lambda: len(bus.running) == 1)
        bus.end(COMPAC.path, error)
        record = await until(backend, DeviceRecordState.OFF)
        assert record.reason == str(error)
        await trio.sleep(1000)
        assert len(bus.opened) == 1
        bus.unplug(COMPAC)
        await until(backend, DeviceRecordState.WAITING)
        bus.plug(COMPAC, chip="bm1384")
        await bus.until(lambda: len(bus.running) == 1)


async def test_an_internal_error_of_one_driver_stops_no_other_device(bus: Bus, autojump_clock: MockClock) -> None:
    bus.plug(COMPAC, chip="bm1384")
    bus.plug(R606, chip="bm1387", chips=12)
    async with mining(bus, "auto") as backend:
        await bus.until(lambda: len(bus.running) == 2)
        bus.end(COMPAC.path, ZeroDivisionError("oops"))
        record = await until(backend, DeviceRecordState.OFF)
        assert "oops" in record.reason
        assert list(bus.running) == [R606.path]


async def test_a_setting_that_the_board_found_cannot_take_switches_off_that_device_alone(
    bus: Bus, autojump_clock: MockClock
) -> None:
    bus.plug(COMPAC, chip="bm1384")
    bus.plug(GPS, chip="icarus")
    async with mining(bus, "auto", f"{GPS.path},frequency=150") as backend:
        await bus.until(lambda: COMPAC.path in bus.running)
        record = await until(backend, DeviceRecordState.OFF)
        assert "frequency" in record.reason


async def test_devices_are_added_removed_and_restarted_while_mining(bus: Bus, autojump_clock: MockClock) -> None:
    bus.plug(COMPAC, chip="bm1384")
    bus.plug(GPS, chip="icarus")
    async with mining(bus, "auto") as backend:
        await bus.until(lambda: len(bus.running) == 1)
        backend.add(DeviceSpec.parse(f"erupter:{GPS.path},worker=me.gps"))
        await bus.until(lambda: len(bus.running) == 2)
        assert backend.worker_name("erupter-1-3") == "me.gps"
        assert backend.worker_name("compac-10018221") == ""
        backend.remove("compac-10018221")
        await bus.until(lambda: len(bus.running) == 1)
        await trio.sleep(60)
        assert list(bus.running) == [GPS.path]
        backend.restart("erupter-1-3")
        await bus.until_runs(GPS.path, 2)
        assert [record.state for record in backend.device_records()] == [
            DeviceRecordState.REMOVED,
            DeviceRecordState.RUNNING,
        ]
        assert [device.hashes for device in backend.statistics().devices] == [100, 200]
        with pytest.raises(BackendOptionError, match="did you mean 'erupter-1-3'"):
            backend.remove("erupter-1")
        with pytest.raises(BackendOptionError, match="named twice"):
            backend.add(DeviceSpec.parse(f"icarus:{GPS.path}"))
        with pytest.raises(BackendOptionError, match="path of one device"):
            backend.add(DeviceSpec.parse("auto"))


async def test_restarting_wakes_what_was_switched_off(bus: Bus, autojump_clock: MockClock) -> None:
    bus.plug(COMPAC, chip="bm1384")
    async with mining(bus, "auto") as backend:
        await bus.until(lambda: len(bus.running) == 1)
        bus.end(COMPAC.path, Overheated("82 °C"))
        record = await until(backend, DeviceRecordState.OFF)
        backend.restart(record.name)
        await bus.until(lambda: len(bus.running) == 1)


async def test_a_device_both_named_and_found_runs_once_as_named(bus: Bus, autojump_clock: MockClock) -> None:
    bus.plug(COMPAC, chip="bm1384")
    async with mining(bus, f"compac:{COMPAC.path},worker=me.one", "auto") as backend:
        await bus.until(lambda: len(bus.running) == 1)
        await trio.sleep(30)
        assert only(backend).worker_name == "me.one"
        bus.unplug(COMPAC)
        bus.plug(replace(COMPAC, path="/dev/ttyUSB9"), chip="bm1384")
        await bus.until(lambda: "/dev/ttyUSB9" in bus.running)
        assert only(backend).unplugged == 1


async def test_gone_too_often_is_a_power_fault(bus: Bus, autojump_clock: MockClock) -> None:
    bus.plug(COMPAC, chip="bm1384")
    with capture_logs() as logged:
        await _unplug_three_times(bus, logged)
    assert "power_fault" in [entry["event"] for entry in logged]


async def _unplug_three_times(bus: Bus, logged: list[EventDict]) -> None:
    async with mining(bus, "auto"):
        for count in range(1, 4):
            assert "power_fault" not in [entry["event"] for entry in logged]
            await bus.until_runs(COMPAC.path, count)
            bus.unplug(COMPAC)
            bus.plug(COMPAC, chip="bm1384")
        await bus.until(lambda: len(bus.history) == 7)


async def test_what_is_listed_and_cannot_be_opened_is_no_loss(bus: Bus, autojump_clock: MockClock) -> None:
    bus.plug(COMPAC, chip="bm1384")
    bus.trouble[COMPAC.path] = DeviceGone(f"{COMPAC.path}: the device is gone (Input/output error)")
    async with mining(bus, "auto") as backend:
        record = await until(backend, DeviceRecordState.TRYING)
        await trio.sleep(2 + 5 + 10 + 5)
        assert len(bus.opened) == 4
        assert record.unplugged == 0
        del bus.trouble[COMPAC.path]
        await bus.until_runs(COMPAC.path, 1)


async def test_one_serial_number_on_two_sticks(bus: Bus, autojump_clock: MockClock) -> None:
    twin = replace(COMPAC, path="/dev/ttyUSB5", location="1-5")
    bus.plug(COMPAC, chip="bm1384")
    async with mining(bus, "auto") as backend:
        await bus.until_runs(COMPAC.path, 1)
        bus.plug(twin, chip="bm1384")
        await bus.until_runs(twin.path, 1)
        await trio.sleep(30)
        assert len(bus.running) == 2
        assert sorted(record.name for record in backend.device_records()) == ["compac-10018221", "compac-10018221-2"]
        bus.unplug(COMPAC)
        await trio.sleep(30)
        assert list(bus.running) == [twin.path], "the other is not taken for it"
        bus.plug(COMPAC, chip="bm1384")
        await bus.until_runs(COMPAC.path, 2)
        await trio.sleep(30)
        assert len(bus.running) == len(backend.device_records()) == 2


async def test_another_terminal_behind_the_link_is_another_chance(
    bus: Bus, autojump_clock: MockClock, tmp_path: Path
) -> None:
    link, old, new = tmp_path / "stick", tmp_path / "old", tmp_path / "new"
    old.touch()
    new.touch()
    link.symlink_to(old)
    bus.chips[str(link)] = ("icarus", 1)
    async with mining(bus, f"erupter:{link}") as backend:
        await bus.until_runs(str(link), 1)
        bus.end(str(link), GivenUp("dead"))
        await until(backend, DeviceRecordState.OFF)
        link.unlink()
        link.symlink_to(new)
        await bus.until_runs(str(link), 2)


async def test_emulators_called_alike_get_names_apart(bus: Bus, autojump_clock: MockClock, tmp_path: Path) -> None:
    paths = [tmp_path / name / "stick" for name in "ab"]
    for path in paths:
        path.parent.mkdir()
        path.touch()
        bus.chips[str(path)] = ("icarus", 1)
    async with mining(bus, *(f"erupter:{path}" for path in paths)) as backend:
        await bus.until(lambda: len(bus.running) == 2)
        assert sorted(record.name for record in backend.device_records()) == ["erupter-stick", "erupter-stick-2"]


async def test_a_flood_of_serial_numbers_is_bounded(bus: Bus, autojump_clock: MockClock) -> None:
    for number in range(MAX_DEVICE_RECORDS + 10):
        bus.plug(
            replace(COMPAC, path=f"/dev/ttyUSB{number}", serial_number=f"N{number}", location=f"1-{number}"),
            chip="bm1384",
        )
    async with mining(bus, "auto") as backend:
        await bus.until(lambda: len(bus.running) == MAX_DEVICE_RECORDS)
        await trio.sleep(30)
        assert len(backend.device_records()) == MAX_DEVICE_RECORDS


async def test_a_failed_look_changes_nothing(
    bus: Bus, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus.plug(COMPAC, chip="bm1384")
    async with mining(bus, "auto") as backend:
        await bus.until(lambda: len(bus.running) == 1)

        async def fails() -> list[ListedPort]:
            await trio.lowlevel.checkpoint()
            raise OSError("changed while it was read")

        monkeypatch.setattr(backend._hotplug, "_listing", fails)
        await trio.sleep(10)
        assert only(backend).state is DeviceRecordState.RUNNING


def test_from_options() -> None:
    assert (
        AsicBackend.from_options({"devices": "erupter:/tmp/a compac:/tmp/b"}).statistics().detail
        == "asic, 0 of 2 devices"
    )
    with pytest.raises(BackendOptionError, match="did you mean 'devices'"):
        AsicBackend.from_options({"device": "auto"})
    with pytest.raises(BackendOptionError, match="named twice"):
        AsicBackend.from_options({"devices": "erupter:/tmp/a icarus:/tmp/a"})
    with pytest.raises(BackendOptionError, match="expected at least one"):
        AsicBackend.from_options({"devices": ""})
