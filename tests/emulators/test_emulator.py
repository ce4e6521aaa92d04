"""Emulated devices on real pseudo-terminals: paths, baud rates, plugging and unplugging."""

import errno
import os
import termios
import tty
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
import trio
import trio.testing

from stratum_miner.emulators import Emulator, EmulatorError, FaultError, LinkError, emulated

GOLDEN = bytes.fromhex(
    "4679ba4ec99876bf4bfe086082b400254df6c356451471139a3afa71e48f544a" + "00" * 20 + "87320b1a1426674f2fa722ce"
)
ANSWER = bytes.fromhex("000187a2")
WHO_IS_THERE = bytes.fromhex("55aa520500000a")
"""Asks the chips of a BM1397 family for their ids."""
COMPAC_F = "aa5513971800000006"
"""The answer of a Compac F."""
TO_1_5625_MBAUD = bytes.fromhex("55aa51090018000061311c")
"""Makes the chip of a Compac F change its rate from 115200 baud."""


class Port:
    """A driver's side: opened raw, at a speed."""

    def __init__(self, path: str, speed: int = termios.B115200) -> None:
        self.fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(self.fd)
        self.set_speed(speed)
        termios.tcflush(self.fd, termios.TCIOFLUSH)

    def set_speed(self, speed: int) -> None:
        attributes = termios.tcgetattr(self.fd)
        attributes[4] = attributes[5] = speed
        termios.tcsetattr(self.fd, termios.TCSANOW, attributes)

    async def read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            await trio.lowlevel.wait_readable(self.fd)
            data += os.read(self.fd, size - len(data))
        return data

    async def ask_golden(self) -> bytes:
        os.write(self.fd, GOLDEN)
        return await self.read(4)

    def close(self) -> None:
        os.close(self.fd)


@contextmanager
def opened(path: str, speed: int = termios.B115200) -> Iterator[Port]:
    port = Port(path, speed)
    try:
        yield port
    finally:
        port.close()


@asynccontextmanager
async def timely(seconds: float = 30) -> AsyncIterator[None]:
    with trio.fail_after(seconds):
        yield


async def test_drivers_may_come_and_go(tmp_path: Path) -> None:
    link = tmp_path / "erupter"
    async with timely(), emulated("erupter", link=link) as device:
        assert device.path == str(link)
        for _ in range(3):
            with opened(device.path) as port:
                assert await port.ask_golden() == ANSWER
        assert device.statistics().works == 3
        assert device.statistics().bytes_sent == 12
    assert os.listdir(tmp_path) == []


async def test_a_path_is_made_when_none_is_named() -> None:
    async with timely(), emulated("erupter") as device:
        with opened(device.path) as port:
            assert await port.ask_golden() == ANSWER
        directory = Path(device.path).parent
    assert not directory.exists()


async def test_the_speed_of_the_terminal_is_the_speed_of_the_wire() -> None:
    async with timely(), emulated("erupter") as device:
        with opened(device.path, termios.B9600) as port:
            os.write(port.fd, GOLDEN)
            while device.statistics().bytes_received < len(GOLDEN):  # noqa: ASYNC110  no event tells of bytes
                await trio.sleep(0.01)
        with opened(device.path) as port:
            assert await port.ask_golden() == ANSWER
        assert device.statistics().nonces == 1


async def test_unplugged_and_plugged_in_again() -> None:
    async with timely(), emulated("erupter") as device:
        port = Port(device.path)
        assert await port.ask_golden() == ANSWER
        before = os.readlink(device.path)
        holder = os.openpty()  # so that the next terminal has another name
        device.unplug()
        device.unplug()
        assert os.path.basename(device.path) not in os.listdir(os.path.dirname(device.path))
        with pytest.raises(OSError, match="Input/output error") as caught:
            os.write(port.fd, GOLDEN)
        assert caught.value.errno == errno.EIO
        await trio.lowlevel.wait_readable(port.fd)
        port.close()
        device.replug()
        device.replug()
        with opened(device.path) as port:
            assert await port.ask_golden() == ANSWER
        assert before.startswith("/dev/pts/")
        for end in holder:
            os.close(end)


async def test_a_fault_may_come_later() -> None:
    async with timely(), emulated("erupter") as device:
        with opened(device.path) as port:
            assert await port.ask_golden() == ANSWER
            device.inject("wrong-nonces=1")
            assert await port.ask_golden() != ANSWER
            assert device.statistics().faults == {"wrong-nonces": 1}
            device.inject("unplug@0+0.2")
            while device.plugged_in:
                await trio.lowlevel.checkpoint()
            while not device.plugged_in:
                await trio.lowlevel.checkpoint()
        with opened(device.path) as port:
            assert len(await port.ask_golden()) == 4


async def test_a_link_belongs_to_one_emulator_at_a_time(tmp_path: Path) -> None:
    link, other_name = tmp_path / "device", tmp_path / "same" / "device"
    other_name.parent.symlink_to(tmp_path)
    async with timely(), emulated("erupter", link=link) as device:
        target = os.readlink(link)
        for taken in (link, other_name):
            with pytest.raises(LinkError, match="another emulator uses"):
                async with emulated("compac", link=taken):
                    pass
        assert os.readlink(link) == target
        device.unplug()
        with pytest.raises(LinkError, match="another emulator uses"):  # it wants it back
            async with emulated("compac", link=link):
                pass
    async with timely(), emulated("compac", link=link):
        assert link.is_symlink()


@pytest.mark.parametrize(
    ("kind", "fault", "message"),
    [
        ("erupter", "dead-chip=1", "dead-chip: expected a chip from 0 to 0, got 1"),
        ("r606", "silent-chip=12", "silent-chip: expected a chip from 0 to 11, got 12"),
        ("compac", "i2c-errors=0.5", "i2c-errors: expected a Bitaxe, got GekkoScience Compac"),
    ],
)
async def test_faults_that_the_device_cannot_have_are_refused(kind: str, fault: str, message: str) -> None:
    with pytest.raises(FaultError, match=message):
        Emulator(kind, faults=[fault])
    async with timely(), emulated(kind) as device:
        with pytest.raises(FaultError, match=message):
            device.inject(fault)


async def test_old_links_are_renewed_and_files_left_alone(tmp_path: Path) -> None:
    link = tmp_path / "device"
    link.symlink_to("/dev/pts/999999")
    async with timely(), emulated("erupter", link=link) as device:
        with opened(device.path) as port:
            assert await port.ask_golden() == ANSWER
    for other in ("file", "link"):
        taken = tmp_path / other
        if other == "file":
            taken.write_text("precious")
        else:
            taken.symlink_to(tmp_path / "file")
        with pytest.raises(LinkError, match="expected a free name or an old link to a terminal"):
            async with emulated("erupter", link=taken):
                pass
        assert taken.read_text() == "precious"
    with pytest.raises(LinkError, match="no such file or directory"):
        async with emulated("erupter", link=tmp_path / "none" / "device"):
            pass


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"kind": "eruptor"}, "kind: expected one of .*, got 'eruptor': did you mean 'erupter'?"),
        ({"kind": "erupter", "chips": 2}, "chips: expected 1 for erupter, got 2"),
        ({"kind": "icarus", "chips": 3}, "chips: expected 1 or 2 or 4 or 8 for icarus, got 3"),
        ({"kind": "erupter", "hash_rate": 1e12}, "hash rate: expected .* at most .* got 1e.06 MH/s"),
        ({"kind": "erupter", "hash_rate": float("nan")}, "hash rate: expected .* got nan"),
        (
            {"kind": "erupter", "nonce_difficulty": 1e-9},
            "nonce difficulty: expected at least 2.3e-07 at 1 MH/s, .* got 1e-09",
        ),
        (
            {"kind": "erupter", "nonce_difficulty": 0.0},
            "nonce difficulty: expected a number above 0",
        ),
    ],
)
def test_what_cannot_be(arguments: dict[str, object], error: str) -> None:
    with pytest.raises(EmulatorError, match=error):
        Emulator(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("crc-error", "unknown name 'crc-error': did you mean 'crc-errors'?"),
        ("crc-errors=2", "crc-errors: expected a probability from 0 to 1, got '2'"),
        ("crc-errors=--", "crc-errors: expected a probability"),
        ("dead-chip=1.5", "dead-chip: expected a chip's number from 0 to 255, got '1.5'"),
        ("unplug=3", "unplug: expected no value, got '3'"),
        ("unplug@1.2.3", "unplug: start: expected a time from 0s to"),
        ("unplug@", r"expected NAME\[=VALUE\]\[@START\[\+SECONDS\]\], got 'unplug@'"),
        ("x" * 40, "unknown name"),
    ],
)
def test_faults_that_cannot_be(fault: str, error: str) -> None:
    with pytest.raises(FaultError, match=error):
        Emulator("erupter", faults=[fault])


async def test_a_device_with_two_ports_has_two_links(tmp_path: Path) -> None:
    link = tmp_path / "bitaxe"
    async with timely(), emulated("bitaxe-gamma", link=link) as device:
        assert device.path == str(link)
        assert device.paths == {"control": f"{link}-control", "data": f"{link}-data"}
        with opened(f"{link}-control", termios.B9600) as control, opened(f"{link}-data") as data:
            for request, reply in (
                ("0a000100052024214d02", "01000103"),
                ("09000200052024" + "0180", "01000202"),
                ("07000300060001", "01000301"),
            ):
                os.write(control.fd, bytes.fromhex(request))
                assert (await control.read(4)).hex() == reply
            os.write(data.fd, WHO_IS_THERE)
            assert (await data.read(9)).hex() == "aa5513700000000006"
    assert os.listdir(tmp_path) == []


async def test_closing_the_port_resets_chips_that_have_a_reset_line() -> None:
    async with timely(), emulated("compac-f") as device:
        with opened(device.path) as port:
            os.write(port.fd, TO_1_5625_MBAUD)
            while device._model.uarts[""].baud == 115200:
                await trio.lowlevel.checkpoint()
        while device._model.uarts[""].baud != 115200:
            await trio.lowlevel.checkpoint()
        with opened(device.path) as port:
            os.write(port.fd, WHO_IS_THERE)
            assert (await port.read(9)).hex() == COMPAC_F


@pytest.mark.parametrize("read", ["before the driver changes its rate", "only afterwards, as on a busy machine"])
async def test_a_change_of_the_rate_is_understood_whenever_it_is_read(read: str) -> None:
    async with timely(), emulated("compac-f") as device:
        with opened(device.path) as port:
            os.write(port.fd, WHO_IS_THERE)
            assert (await port.read(9)).hex() == COMPAC_F
            os.write(port.fd, TO_1_5625_MBAUD)
            while read.startswith("before") and device._model.uarts[""].baud == 115200:
                await trio.lowlevel.checkpoint()
            port.set_speed(termios.B1500000)
            for _ in range(2):
                os.write(port.fd, WHO_IS_THERE)
                assert (await port.read(9)).hex() == COMPAC_F


async def test_bytes_at_a_wrong_rate_are_not_understood() -> None:
    async with timely(), emulated("compac-f") as device:
        with opened(device.path) as port:
            os.write(port.fd, WHO_IS_THERE)
            assert (await port.read(9)).hex() == COMPAC_F
            port.set_speed(termios.B1500000)
            os.write(port.fd, WHO_IS_THERE)  # the driver may have sent these bytes before it changed its rate
            assert (await port.read(9)).hex() != COMPAC_F
            os.write(port.fd, WHO_IS_THERE)
            while device.statistics().bytes_received < 3 * len(WHO_IS_THERE):
                await trio.lowlevel.checkpoint()
            assert device.statistics().commands == 2


async def test_the_rate_of_a_driver_counts_for_no_later_driver() -> None:
    async with timely(), emulated("compac-f") as device:
        with opened(device.path) as port:
            os.write(port.fd, TO_1_5625_MBAUD)
            while device._model.uarts[""].baud == 115200:
                await trio.lowlevel.checkpoint()
        while device._model.uarts[""].baud != 115200:  # until the emulator has noticed that the port is closed
            await trio.lowlevel.checkpoint()
        with opened(device.path, termios.B9600) as port:
            os.write(port.fd, WHO_IS_THERE)
            while device.statistics().bytes_received < len(TO_1_5625_MBAUD) + len(WHO_IS_THERE):
                await trio.lowlevel.checkpoint()
            assert device.statistics().commands == 1


async def test_a_flood_waits_for_the_wire() -> None:
    async with timely(), emulated("erupter") as device:
        with opened(device.path) as port:
            with trio.move_on_after(0.5):
                while True:
                    try:
                        os.write(port.fd, bytes(4096))
                    except BlockingIOError:
                        await trio.sleep(0.01)
            assert device.statistics().bytes_received < 40_000  # half a second at 115200 baud is 5760
            assert device.statistics().bytes_received > 0


async def test_unplugged_at_the_moment_when_a_driver_writes() -> None:
    for turns in range(24):
        async with emulated("erupter") as device:
            port = os.open(device.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            os.write(port, bytes(64))
            for _ in range(turns):
                await trio.lowlevel.checkpoint()
            device.unplug()
            await trio.testing.wait_all_tasks_blocked()
            device.replug()
            os.close(port)
            with opened(device.path) as again:
                os.write(again.fd, bytes(64))
                await trio.testing.wait_all_tasks_blocked()
            assert device.plugged_in


async def test_unplugged_in_the_middle_of_answers_it_rests() -> None:
    async with timely(), emulated("erupter", hash_rate=2e6, nonce_difficulty=2**-16) as device:
        with opened(device.path) as port:
            os.write(port.fd, bytes(range(64)))
            await port.read(4)
            device.unplug()
            assert device._model.due(trio.current_time()) > trio.current_time()


async def test_a_link_that_was_taken_meanwhile_ends_it_with_a_reason(tmp_path: Path) -> None:
    link = tmp_path / "stick"
    with pytest.RaisesGroup(LinkError):
        async with timely(), emulated("erupter", link=link, faults=["unplug@0+0.2"]) as device:
            while device.plugged_in:
                await trio.lowlevel.checkpoint()
            (tmp_path / "other").write_text("precious")
            os.rename(tmp_path / "other", link)
            await trio.sleep_forever()
    assert link.read_text() == "precious"
