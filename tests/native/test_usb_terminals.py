"""The stand-in for libusb through which cgminer reaches emulated sticks, as a program that links it sees it."""

import ctypes
import fcntl
import os
import pty
import shutil
import subprocess
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

HEADERS = Path("/usr/include/libusb-1.0")
IN, OUT, BULK = 0x81, 0x01, 2
COMPLETED, CANCELLED, NO_DEVICE_STATUS = 0, 3, 5
NO_DEVICE, TIMEOUT = -4, -7


class Transfer(ctypes.Structure):
    """``struct libusb_transfer``."""

    _fields_ = (
        ("dev_handle", ctypes.c_void_p), ("flags", ctypes.c_uint8), ("endpoint", ctypes.c_uint8),
        ("type", ctypes.c_uint8), ("timeout", ctypes.c_uint), ("status", ctypes.c_int), ("length", ctypes.c_int),
        ("actual_length", ctypes.c_int), ("callback", ctypes.c_void_p), ("user_data", ctypes.c_void_p),
        ("buffer", ctypes.c_void_p), ("num_iso_packets", ctypes.c_int),
    )  # fmt: skip


class Interval(ctypes.Structure):
    """``struct timeval``."""

    _fields_ = (("seconds", ctypes.c_long), ("microseconds", ctypes.c_long))


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None or not HEADERS.is_dir():
        pytest.skip("no C compiler, or no headers of libusb (package libusb-1.0-0-dev)")
    target = tmp_path_factory.mktemp("usb") / "libusb-1.0.so.0"
    subprocess.run(
        [compiler, "-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-Wno-deprecated-declarations", "-shared",
         "-fPIC", f"-I{HEADERS}", str(Path(__file__).parent / "usb_terminals.c"), "-o", str(target), "-lpthread"],
        check=True,
    )  # fmt: skip
    return target


class Stick:
    """A terminal and the device that the library makes of it, opened."""

    def __init__(self, library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.master, self.slave = pty.openpty()
        tty.setraw(self.slave)
        self.path = os.ttyname(self.slave)
        monkeypatch.setenv("USB_TERMINALS", f"nonsense=/nowhere,erupter=/nowhere,compac={self.path}")
        self.usb = ctypes.CDLL(str(library))
        self.usb.libusb_alloc_transfer.restype = ctypes.POINTER(Transfer)
        assert self.usb.libusb_init(None) == 0
        listed = ctypes.POINTER(ctypes.c_void_p)()
        assert self.usb.libusb_get_device_list(None, ctypes.byref(listed)) == 1  # the one whose terminal is there
        self.device = ctypes.c_void_p(listed[0])
        self.handle = ctypes.c_void_p()
        assert self.usb.libusb_open(self.device, ctypes.byref(self.handle)) == 0

    def move(self, endpoint: int, data: bytes, room: int = 0) -> tuple[int, bytes]:
        """A synchronous transfer: the result, and what was read."""
        moved, buffer = ctypes.c_int(), ctypes.create_string_buffer(data, max(room, len(data)))
        result = self.usb.libusb_bulk_transfer(
            self.handle, endpoint, buffer, len(buffer), ctypes.byref(moved), ctypes.c_uint(20)
        )
        return result, buffer.raw[: moved.value]

    def events(self) -> None:
        """What cgminer's polling thread does all the time."""
        self.usb.libusb_handle_events_timeout_completed(None, ctypes.byref(Interval(0, 1000)), None)


@pytest.fixture
def stick(library: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stick]:
    made = Stick(library, monkeypatch)
    yield made
    made.usb.libusb_close(made.handle)
    os.close(made.slave)


def test_a_stick_has_the_names_by_which_a_driver_finds_it(stick: Stick) -> None:
    descriptor = ctypes.create_string_buffer(18)
    assert stick.usb.libusb_get_device_descriptor(stick.device, descriptor) == 0
    assert descriptor.raw[8:12] == bytes.fromhex("c41060ea")  # vendor 10c4, product ea60: a CP2102
    texts = []
    for index in (1, 2, 3):
        text = ctypes.create_string_buffer(64)
        assert stick.usb.libusb_get_string_descriptor_ascii(stick.handle, index, text, 64) == len(text.value)
        texts.append(text.value)
    assert texts == [b"GekkoScience", b"Compac BM1384 Bitcoin Miner", b"000000000002"]
    os.close(stick.master)


def test_bytes_go_both_ways_and_the_baud_rate_is_set(stick: Stick) -> None:
    assert stick.move(OUT, b"work\0\xff\n") == (0, b"work\0\xff\n")
    assert os.read(stick.master, 64) == b"work\0\xff\n"
    assert stick.move(IN, b"", room=64) == (TIMEOUT, b"")
    os.write(stick.master, b"\x11nonce\x13")
    assert stick.move(IN, b"", room=64) == (0, b"\x11nonce\x13")
    rate = ctypes.c_uint32(57600)
    assert stick.usb.libusb_control_transfer(stick.handle, 0x41, 0x1E, 0, 0, ctypes.byref(rate), 4, 100) == 4
    terms = bytearray(44)  # struct termios2, whose last two words are the speeds
    fcntl.ioctl(stick.slave, 0x802C542A, terms)  # TCGETS2
    assert int.from_bytes(terms[-4:], "little") == 57600
    os.close(stick.master)
    assert stick.move(OUT, b"x")[0] == NO_DEVICE


def test_a_transfer_waits_for_bytes_is_cancelled_and_learns_that_the_stick_is_gone(stick: Stick) -> None:
    done: list[int] = []
    kind = ctypes.CFUNCTYPE(None, ctypes.POINTER(Transfer))
    callback = kind(lambda transfer: done.append(transfer.contents.status))
    buffer = ctypes.create_string_buffer(64)
    transfer = stick.usb.libusb_alloc_transfer(0)
    one = transfer.contents
    one.dev_handle, one.endpoint, one.type, one.length = stick.handle, IN, BULK, len(buffer)
    one.callback, one.buffer = ctypes.cast(callback, ctypes.c_void_p), ctypes.cast(buffer, ctypes.c_void_p)

    assert stick.usb.libusb_submit_transfer(transfer) == 0
    stick.events()
    assert done == []
    os.write(stick.master, b"nonce")
    stick.events()
    assert (done, one.actual_length, buffer.raw[:5]) == ([COMPLETED], 5, b"nonce")

    assert stick.usb.libusb_submit_transfer(transfer) == 0
    stick.usb.libusb_cancel_transfer(transfer)
    stick.events()
    assert (done, one.actual_length) == ([COMPLETED, CANCELLED], 0)

    assert stick.usb.libusb_submit_transfer(transfer) == 0
    os.close(stick.master)
    stick.events()
    assert done == [COMPLETED, CANCELLED, NO_DEVICE_STATUS]
    stick.usb.libusb_free_transfer(transfer)
