"""Serial ports on real pseudo-terminals. Closing the device's end has the effect of unplugging the device."""

import errno
import os
import subprocess
import sys
import termios
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
import serial
import trio
import trio.testing

from stratum_miner.backends.asic import access, serial_port
from stratum_miner.backends.asic.errors import (
    DeviceError,
    DeviceGone,
    DeviceRefused,
    DeviceSilent,
    PortBusy,
)
from stratum_miner.backends.asic.serial_port import SerialPort, open_serial_port
from stratum_miner.backends.asic.terminal import SerialTerminal
from stratum_miner.backends.asic.transport import Transport
from tests.backends.asic.far_side import FarSide, far_side

FRAME = bytes(range(64))


@asynccontextmanager
async def connected(baud: int = 115200) -> AsyncIterator[tuple[FarSide, SerialPort]]:
    with far_side() as side:
        port = await open_serial_port(side.path, baud)
        try:
            yield side, port
        finally:
            port.close()


async def test_it_is_a_transport() -> None:
    async with connected() as (side, port):
        transport: Transport = port
        assert transport.path == side.path


async def test_every_byte_goes_both_ways() -> None:
    everything = bytes(range(256))
    async with connected() as (side, port):
        await port.send(everything)
        assert await side.read(256) == everything
        side.write(everything)
        assert await port.receive() == everything


async def test_a_half_frame_is_handed_over_as_it_is() -> None:
    async with connected() as (side, port):
        side.write(b"\x00\x01")
        assert await port.receive() == b"\x00\x01"
        side.write(b"\x87\xa2\x55")
        assert [await port.receive(2), await port.receive(2)] == [b"\x87\xa2", b"\x55"]


async def test_input_from_before_the_opening_is_gone() -> None:
    with far_side() as side:
        side.write(b"old")
        port = await open_serial_port(side.path)
        side.write(b"new")
        assert await port.receive() == b"new"
        side.write(b"more")
        port.discard_input()
        side.write(b"!")
        assert await port.receive() == b"!"
        port.close()


async def test_unplugged_while_it_waits_for_input() -> None:
    async with connected() as (side, port), trio.open_nursery() as nursery:
        outcome: list[str] = []

        async def wait() -> None:
            with pytest.raises(DeviceGone, match=f"^{side.path}: ") as caught:
                await port.receive()
            outcome.append(str(caught.value))

        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        side.unplug()
    assert outcome


async def test_unplugged_before_any_call() -> None:
    async with connected() as (side, port):
        side.unplug()
        with pytest.raises(DeviceGone):
            await port.receive()
        with pytest.raises(DeviceGone):
            await port.send(FRAME)
        with pytest.raises(DeviceGone):
            await port.drain()
        with pytest.raises(DeviceGone):
            await port.set_baud(1_000_000)
        with pytest.raises(DeviceGone):
            port.discard_input()


async def test_a_full_output_buffer_keeps_only_its_own_task_waiting() -> None:
    async with connected() as (side, port), trio.open_nursery() as nursery:
        nursery.start_soon(port.send, FRAME * 4096)
        await trio.testing.wait_all_tasks_blocked()
        assert await side.read(len(FRAME) * 4096) == FRAME * 4096


async def test_unplugged_with_a_full_output_buffer() -> None:
    async with connected() as (side, port), trio.open_nursery() as nursery:

        async def send() -> None:
            with pytest.raises(DeviceGone):
                await port.send(FRAME * 4096)

        nursery.start_soon(send)
        await trio.testing.wait_all_tasks_blocked()
        side.unplug()


async def test_who_takes_no_output_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serial_port, "SEND_DEADLINE_S", 0.05)
    async with connected() as (_, port):
        with pytest.raises(DeviceSilent, match=r"the port accepted \d+ of 262144 bytes"):
            await port.send(FRAME * 4096)


async def test_a_cancelled_receive_loses_nothing() -> None:
    async with connected() as (side, port):
        with trio.move_on_after(0):
            await port.receive()
        side.write(b"kept")
        assert await port.receive() == b"kept"


@pytest.mark.parametrize("baud", [9600, 115200, 115749, 1_000_000, 1_500_000, 1_562_500, 3_000_000, 3_125_000])
async def test_any_rate_the_kernel_allows(baud: int) -> None:
    async with connected() as (side, port):
        side.write(b"at the old rate")
        await port.set_baud(baud)
        assert side.baud() == baud
        side.write(b"at the new")
        assert await port.receive() == b"at the new"


async def test_opened_at_another_rate() -> None:
    async with connected(3_125_000) as (side, _):
        assert side.baud() == 3_125_000


async def test_a_rate_that_came_out_otherwise_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SerialTerminal, "baud", 2_000_000)
    async with connected(2_000_000) as (side, port):
        with pytest.raises(DeviceRefused, match=f"{side.path}: expected a port that supports 3125000 baud.*2000000"):
            await port.set_baud(3_125_000)


async def test_no_reset_line_on_a_pseudo_terminal() -> None:
    async with connected() as (_, port):
        assert await port.hold_reset(True) is False


async def test_closing_ends_a_wait_and_may_be_done_twice() -> None:
    async with connected() as (_, port), trio.open_nursery() as nursery:

        async def wait() -> None:
            with pytest.raises(trio.ClosedResourceError):
                await port.receive()

        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        port.close()
        port.close()
    with pytest.raises(trio.ClosedResourceError):
        await port.send(b"x")


async def test_closed_after_unplugging() -> None:
    async with connected() as (side, port):
        side.unplug()
        port.close()
        with pytest.raises(trio.ClosedResourceError):
            await port.receive()
        with pytest.raises(trio.ClosedResourceError):
            await port.send(b"x")


async def test_through_a_symlink(tmp_path: Path) -> None:
    with far_side() as side:
        link = tmp_path / "erupter"
        link.symlink_to(side.path)
        port = await open_serial_port(str(link))
        assert port.path == str(link)
        await port.send(FRAME)
        assert await side.read(64) == FRAME
        side.unplug()
        with pytest.raises(DeviceGone, match=f"^{link}: "):
            await port.receive()
        port.close()


async def test_a_port_is_exclusive_and_free_again_when_closed() -> None:
    async with connected() as (side, port):
        with pytest.raises(PortBusy, match="in use by stratum-miner itself, under another path"):
            await open_serial_port(side.path)
        with pytest.raises(serial.SerialException):
            serial.Serial(side.path, exclusive=True)
        port.close()
        again = await open_serial_port(side.path)
        again.close()


@contextmanager
def program(source: str, *arguments: str) -> Iterator[tuple[int, str]]:
    """A program that prints one line when it is ready and ends with the block: its process id and that line."""
    with subprocess.Popen(
        [sys.executable, "-c", source, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process.pid, process.stdout.readline().strip()
        finally:
            process.communicate("\n")


async def test_who_holds_it_is_named() -> None:
    polite = "import serial, sys; port = serial.Serial(sys.argv[1], exclusive=True); print('held', flush=True); input()"
    with far_side() as side:
        with program(polite, side.path) as (pid, _):
            with pytest.raises(PortBusy, match=rf"{side.path}: in use by \S+ \(process {pid}\)"):
                await open_serial_port(side.path)
            assert [holder.pid for holder in access.holders(side.path)] == [pid]
            assert "in use by" in access.examine(side.path).problem
        assert access.holders(side.path) == ()


async def test_what_is_behind_a_pseudo_terminal_does_not_hold_it() -> None:
    both_sides = "import os; master, slave = os.openpty(); print(os.ttyname(slave), flush=True); input()"
    with program(both_sides) as (_, path):
        assert access.holders(path) == ()
        port = await open_serial_port(path)
        port.close()


@pytest.mark.parametrize(
    ("path", "error", "words"),
    [
        ("missing", DeviceGone, "expected a serial port, got nothing"),
        (".", DeviceRefused, "got a directory"),
        ("file", DeviceRefused, "got a file"),
        ("pipe", DeviceRefused, "got a pipe"),
        ("file/port", DeviceGone, "got nothing"),
        ("loop", DeviceRefused, "expected a serial port, got an error: Too many levels of symbolic links"),
        ("null", DeviceRefused, "got another kind of device"),
    ],
)
async def test_what_is_no_serial_port_is_not_opened(
    tmp_path: Path, path: str, error: type[DeviceError], words: str
) -> None:
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "null").symlink_to("/dev/null")
    with pytest.raises(error, match=words):
        await open_serial_port(str(tmp_path / path))


async def test_without_a_table_of_devices_opening_says_what_is_no_serial_port(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "_CHARACTER_DEVICES", tmp_path / "none")
    monkeypatch.setattr(access, "_TERMINAL_DRIVERS", tmp_path / "none")
    with pytest.raises(DeviceRefused, match=r"^/dev/null: expected a serial port, got another kind of device$"):
        await open_serial_port("/dev/null")


@pytest.mark.parametrize(
    ("number", "accepted"),
    [((1, 3), False), ((4, 0), True), ((4, 63), False), ((4, 64), True), ((4, 95), True), ((4, 96), False),
     ((5, 64), False), ((166, 31), True), ((188, 511), True), ((188, 512), False), ((136, 7), True)],
)  # fmt: skip
def test_without_sysfs_the_drivers_say_what_is_a_terminal(
    number: tuple[int, int], accepted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "drivers").write_text(
        "/dev/vc/0            /dev/vc/0       4       0 system:vtmaster\n"
        "acm driver           /dev/ttyACM   166 0-31 serial\n"
        "usbserial            /dev/ttyUSB   188 0-511 serial\n"
        "serial               /dev/ttyS       4 64-95 serial\n"
    )
    monkeypatch.setattr(access, "_CHARACTER_DEVICES", tmp_path / "none")
    monkeypatch.setattr(access, "_TERMINAL_DRIVERS", tmp_path / "drivers")
    assert access._is_terminal(os.makedev(*number)) is accepted


def test_the_system_number_is_found_wherever_it_hides() -> None:
    assert serial_port._errno(OSError(errno.EIO, "x")) == errno.EIO
    assert serial_port._errno(termios.error(errno.EIO, "x")) == errno.EIO
    wrapped = serial.SerialException("Could not configure port")
    wrapped.__context__ = termios.error(errno.ENOTTY, "x")
    assert serial_port._errno(wrapped) == errno.ENOTTY
    assert serial_port._errno(ValueError()) is None


async def until_gone(call: Callable[[], Awaitable[object]]) -> None:
    with pytest.raises(DeviceGone):
        await forever(call)


async def forever(call: Callable[[], Awaitable[object]]) -> None:
    while True:
        await call()


@pytest.mark.parametrize("turns", range(0, 60, 3))
async def test_whenever_it_is_unplugged_it_is_gone_and_nothing_else(turns: int) -> None:
    async with connected() as (side, port), trio.open_nursery() as nursery:

        async def talk() -> None:
            await port.send(FRAME)
            await port.set_baud(1_000_000)
            port.discard_input()
            await port.set_baud(115200)

        nursery.start_soon(until_gone, talk)
        nursery.start_soon(until_gone, port.receive)
        for _ in range(turns):
            await trio.lowlevel.checkpoint()
        side.unplug()
