"""The system calls of a serial port, compared with those of pyserial, which shares no code with stratum-miner."""

import array
import fcntl
import os
import pty
import termios
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import serial

from stratum_miner.backends.asic.terminal import SerialTerminal

USES_LINES = {termios.TIOCMBIS, termios.TIOCMBIC, termios.TIOCGSERIAL, termios.TIOCSSERIAL}
"""What a pseudo-terminal does not have, or only pretends to."""


@pytest.fixture
def path() -> Iterator[str]:
    master, slave = pty.openpty()
    try:
        yield os.ttyname(slave)
    finally:
        os.close(master)
        os.close(slave)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, bytes]]:
    """What is asked of the hardware, each with its first bytes; every answer is that it is done."""
    calls: list[tuple[int, bytes]] = []
    real = fcntl.ioctl

    def ioctl(descriptor: int, request: int, argument: Any = 0, *rest: Any) -> Any:
        if request not in USES_LINES:
            return real(descriptor, request, argument, *rest)
        content = argument.tobytes() if isinstance(argument, array.array) else argument
        calls.append((request, content[:32] if isinstance(content, bytes) else b""))
        return 0

    monkeypatch.setattr(fcntl, "ioctl", ioctl)
    return calls


def by_pyserial(path: str, baud: int) -> serial.Serial:
    return serial.Serial(path, baudrate=baud, exclusive=True, inter_byte_timeout=0, timeout=0, write_timeout=0)


def left_by(path: str, open_port: Callable[[], Any]) -> tuple[list[Any], bytes]:
    """What the terminal is set to by a port opened like this: its attributes, and struct termios2."""
    port = open_port()
    try:
        attributes = termios.tcgetattr(port.fileno())
        words = array.array("I", bytes(256))
        fcntl.ioctl(port.fileno(), 0x802C542A, words)
    finally:
        port.close()
    descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY)  # the next port finds it as a shell would have it
    as_found = termios.tcgetattr(descriptor)
    as_found[0] |= termios.ICRNL | termios.IXON
    as_found[1] |= termios.OPOST
    as_found[3] |= termios.ICANON | termios.ECHO | termios.ISIG
    termios.tcsetattr(descriptor, termios.TCSANOW, as_found)
    os.close(descriptor)
    return attributes, words.tobytes()


@pytest.mark.parametrize("baud", [9600, 115200, 1_000_000, 3_000_000, 1_562_500, 250_000, 31_250])
def test_a_terminal_is_set_as_pyserial_sets_it(path: str, baud: int) -> None:
    def ours() -> SerialTerminal:
        terminal = SerialTerminal(path)
        terminal.set_baud(baud)
        assert terminal.baud == baud
        return terminal

    left_by(path, ours)
    theirs = left_by(path, lambda: by_pyserial(path, baud))
    assert left_by(path, ours) == theirs


def test_lines_and_latency_are_asked_for_as_pyserial_does(path: str, asked: list[tuple[int, bytes]]) -> None:
    port = by_pyserial(path, 115200)
    port.set_low_latency_mode(True)
    port.dtr = False
    port.rts = False
    port.close()
    theirs = [
        (request, content[:4] if request in (termios.TIOCMBIS, termios.TIOCMBIC) else content)
        for request, content in asked
    ]
    asked.clear()
    terminal = SerialTerminal(path)
    terminal.answer_at_once()
    assert terminal.set_line(termios.TIOCM_DTR, False)
    assert terminal.set_line(termios.TIOCM_RTS, False)
    terminal.close()
    assert asked == theirs
    assert len(asked) == 6


def test_a_second_one_finds_it_locked(path: str) -> None:
    first = SerialTerminal(path)
    with pytest.raises(BlockingIOError):
        SerialTerminal(path)
    first.close()
    SerialTerminal(path).close()


def test_nothing_stays_open_after_an_opening_that_failed(tmp_path: Any) -> None:
    (tmp_path / "file").touch()
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(termios.error):
        SerialTerminal(str(tmp_path / "file"))
    assert len(os.listdir("/proc/self/fd")) == before
