"""A serial port as a ``Transport``: pyserial opens and configures it, trio waits on its descriptor.

Reading and writing never block: the descriptor is non-blocking and each wait is trio's. Opening a port, changing its
rate and waiting for the last bit can take a USB bridge a while, and many seconds when it is stuck: they happen in a
worker thread, which nobody waits for once cancelled; what it opened then is closed with the last reference to it. A
device that vanishes shows as a hang-up (a read that returns nothing), as EIO, ENXIO or ENODEV from any call: all of it
becomes ``DeviceGone``.

Whose the port is: ``flock`` keeps out programs that lock politely (bfgminer, pyserial's exclusive mode, ourselves);
TIOCEXCL those that do not, but for root. A pseudo-terminal gets only the former: its exclusive mode would outlive us.
"""

import array
import contextlib
import errno
import fcntl
import os
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import serial
import trio

from stratum_miner.backends.asic import access, reset_line
from stratum_miner.backends.asic.errors import (
    DeviceError,
    DeviceGone,
    DeviceRefused,
    DeviceSilent,
    PortBusy,
    PortForbidden,
)
from stratum_miner.backends.asic.port_list import is_pseudo_terminal

SEND_DEADLINE_S = 5.0
"""For the system to take what is sent. Even a long frame is out in 10 ms: who takes none for so long is stuck."""
RATE_TOLERANCE = 0.05
"""Between the rate asked for and the one the bridge can do; a UART samples ten bits and survives half a bit."""
BITS_A_BYTE = 10
_TCGETS2 = 0x802C542A
_GONE = frozenset({errno.EIO, errno.ENXIO, errno.ENODEV, errno.ENOENT, errno.EPIPE, errno.ESHUTDOWN})
_BUSY = frozenset({errno.EBUSY, errno.EAGAIN, errno.EWOULDBLOCK})

T = TypeVar("T")


async def open_serial_port(path: str, baud: int = 115200) -> "SerialPort":
    """Open a port, alone, raw, with what had arrived before thrown away.

    Raises DeviceGone when there is none, PortForbidden with the way to get access, PortBusy with who holds it,
    DeviceRefused for what is no serial port and for a rate that it cannot do.
    """
    return SerialPort(path, await trio.to_thread.run_sync(_open, path, baud, abandon_on_cancel=True))


class SerialPort:
    """See ``Transport`` for what each method promises."""

    def __init__(self, path: str, port: serial.Serial) -> None:
        self.path = path
        self._port = port
        self._descriptor: int = port.fileno()
        self._closed = False

    async def receive(self, max_bytes: int = 4096) -> bytes:
        """Wait for input; 1 to ``max_bytes`` bytes."""
        await trio.lowlevel.checkpoint_if_cancelled()
        while True:
            with self._gone():
                try:
                    data = os.read(self._open_descriptor(), max_bytes)
                except BlockingIOError:
                    await trio.lowlevel.wait_readable(self._descriptor)
                    continue
            if not data:  # with VMIN = 1 that is a hang-up and nothing else
                raise DeviceGone(f"{self.path}: the device is gone")
            await trio.lowlevel.cancel_shielded_checkpoint()
            return data

    async def send(self, data: bytes) -> None:
        """Hand over all of it. DeviceSilent when the port does not take it."""
        await trio.lowlevel.checkpoint_if_cancelled()
        left = memoryview(data)
        with trio.move_on_after(SEND_DEADLINE_S):
            while left:
                with self._gone():
                    try:
                        left = left[os.write(self._open_descriptor(), left) :]
                    except BlockingIOError:
                        await trio.lowlevel.wait_writable(self._descriptor)
        if left:
            raise DeviceSilent(
                f"{self.path}: took {len(data) - len(left)} of {len(data)} bytes in {SEND_DEADLINE_S:g} s"
            )
        await trio.lowlevel.cancel_shielded_checkpoint()

    async def drain(self) -> None:
        """Wait until the last bit has left the host. DeviceSilent when it does not leave."""
        with trio.move_on_after(SEND_DEADLINE_S):
            while waiting := self._output_waiting():  # noqa: ASYNC110  the system tells nobody when it is out
                await trio.sleep(max(0.001, waiting * BITS_A_BYTE / int(self._port.baudrate)))
            await self._in_thread(lambda: termios.tcdrain(self._descriptor))  # the bridge's own buffer
            return
        raise DeviceSilent(f"{self.path}: {self._output_waiting()} bytes did not leave in {SEND_DEADLINE_S:g} s")

    async def set_baud(self, baud: int) -> None:
        """Drain, switch, discard what came at the old rate."""
        await self.drain()
        await self._in_thread(lambda: _set_baud(self._port, self.path, baud))
        self.discard_input()

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> bool:
        """Modem control lines; False where there are none."""
        with self._gone():
            try:
                self._open_descriptor()
                if dtr is not None:
                    self._port.dtr = dtr
                if rts is not None:
                    self._port.rts = rts
            except OSError as error:
                if error.errno not in (errno.ENOTTY, errno.EINVAL):
                    raise
                return False
        return True

    async def send_break(self, seconds: float = 0.25) -> bool:
        """Hold the line low; False on a pseudo-terminal, whose system call only pretends."""
        if is_pseudo_terminal(self.path):
            return False
        with self._gone():
            self._open_descriptor()
            self._port.break_condition = True
            try:
                await trio.sleep(seconds)
            finally:
                if not self._closed:
                    self._port.break_condition = False
        return True

    async def hold_reset(self, held: bool) -> bool:
        """Through a pin of the USB bridge; False where there is none, or its USB node is not ours."""
        return await self._in_thread(lambda: reset_line.hold_reset(self.path, held))

    def discard_input(self) -> None:
        """Forget what has arrived."""
        with self._gone():
            termios.tcflush(self._open_descriptor(), termios.TCIFLUSH)

    def close(self) -> None:
        """Give it back. Output that did not leave is dropped, or a stuck device would hold us for half a minute."""
        if self._closed:
            return
        self._closed = True
        trio.lowlevel.notify_closing(self._descriptor)
        for call in (
            lambda: termios.tcflush(self._descriptor, termios.TCOFLUSH),
            lambda: fcntl.ioctl(self._descriptor, termios.TIOCNXCL),
            self._port.close,
        ):
            with contextlib.suppress(OSError, termios.error):
                call()

    # ---- how --------------------------------------------------------------------------------------------------

    def _open_descriptor(self) -> int:
        if self._closed:
            raise trio.ClosedResourceError(f"{self.path}: closed here")
        return self._descriptor

    def _output_waiting(self) -> int:
        with self._gone():
            self._open_descriptor()
            return int(self._port.out_waiting)

    async def _in_thread(self, call: Callable[[], T]) -> T:
        self._open_descriptor()
        with self._gone():
            return await trio.to_thread.run_sync(call, abandon_on_cancel=True)

    @contextmanager
    def _gone(self) -> Iterator[None]:
        """What the system says of a vanished port, as DeviceGone."""
        try:
            yield
        except (OSError, termios.error) as error:
            raise _explained(self.path, error) from error


def _open(path: str, baud: int) -> serial.Serial:
    access.require_serial_port(path)
    try:
        # inter_byte_timeout 0 is VMIN = 1, VTIME = 0: a read without data then says so, and only a hang-up returns none
        port = serial.Serial(path, baudrate=115200, exclusive=True, inter_byte_timeout=0, timeout=0, write_timeout=0)
    except (OSError, termios.error) as error:
        raise _explained(path, error) from error
    try:
        if not is_pseudo_terminal(path):
            fcntl.ioctl(port.fileno(), termios.TIOCEXCL)
            with contextlib.suppress(ValueError, NotImplementedError):  # an FTDI bridge holds short replies for 16 ms
                port.set_low_latency_mode(True)
        _set_baud(port, path, baud)
        termios.tcflush(port.fileno(), termios.TCIOFLUSH)
    except (OSError, termios.error) as error:
        port.close()
        raise _explained(path, error) from error
    except BaseException:
        port.close()
        raise
    return port


def _set_baud(port: serial.Serial, path: str, baud: int) -> None:
    try:
        port.baudrate = baud
    except ValueError as error:  # the driver behind the port does not know it
        raise DeviceRefused(f"{path}: expected a port that can do {baud} baud: {error}") from error
    actual = _actual_baud(port.fileno())
    if actual is not None and abs(actual / baud - 1) > RATE_TOLERANCE:
        raise DeviceRefused(f"{path}: expected a port that can do {baud} baud, this one does {actual}")


def _actual_baud(descriptor: int) -> int | None:
    """What the kernel says the rate came to; None where it cannot be asked."""
    words = array.array("I", bytes(256))
    try:
        fcntl.ioctl(descriptor, _TCGETS2, words)
    except OSError as error:
        if error.errno in (errno.ENOTTY, errno.EINVAL) or sys.platform != "linux":
            return None
        raise
    return words[10] or None


def _explained(path: str, error: Exception) -> DeviceError:
    """The DeviceError behind what the system said."""
    number = _errno(error)
    if number in _GONE:
        return DeviceGone(f"{path}: the device is gone ({_reason(number)})" if os.path.exists(path) else _absent(path))
    if number in (errno.EACCES, errno.EPERM):
        found = access.examine(path)
        return PortForbidden(f"{path}: {found.problem}: {found.fix}")
    if number in _BUSY:
        return PortBusy(f"{path}: in use by {access.holders_text(path)}")
    return DeviceRefused(f"{path}: {_reason(number) if number else error}")


def _errno(error: BaseException | None) -> int | None:
    """The system's number, wherever pyserial and termios keep it: in an argument, in what the error came from."""
    while error is not None:
        if isinstance(error, OSError) and error.errno is not None:
            return error.errno
        if isinstance(error, termios.error) and error.args and isinstance(error.args[0], int):
            return error.args[0]
        error = error.__cause__ or error.__context__
    return None


def _reason(number: int | None) -> str:
    return os.strerror(number) if number else "no reason given"


def _absent(path: str) -> str:
    return f"{path}: expected a serial port, there is nothing"
