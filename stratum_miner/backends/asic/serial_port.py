"""A serial port as a ``Transport``: ``terminal`` opens and configures it, and trio waits for its descriptor.

Reading and writing never block, because the descriptor is non-blocking and trio does every wait. Opening a port,
changing its rate and waiting for the last bit can take a while, and many seconds if the USB bridge hangs. These calls
therefore run in a worker thread, for which a cancelled caller does not wait. If such a thread opens the port after its
caller was cancelled, the port stays open until the program ends.

After a device has disappeared, a read returns nothing, or a call fails with EIO, ENXIO or ENODEV. Each of these becomes
``DeviceGone``.

Two locks keep other programs from the port. ``flock`` keeps out the programs that also call ``flock`` (bfgminer,
pyserial's exclusive mode, stratum-miner itself). TIOCEXCL keeps out all programs, except those that root runs. TIOCEXCL
is not used for a pseudo-terminal, because it would remain in effect there after stratum-miner has closed the port.
"""

import contextlib
import errno
import fcntl
import os
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

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
from stratum_miner.backends.asic.terminal import SerialTerminal

SEND_DEADLINE_S = 5.0
"""Seconds within which the system must accept what is sent. Even a long frame takes only 10 ms, so a port that needs
longer than this does not work."""
RATE_TOLERANCE = 0.05
"""Largest difference between the requested rate and the one that the bridge can set, as a fraction. A byte has ten bits
on the line. A UART reads it correctly if the error at the last bit is less than half a bit, which is 5 % of ten
bits."""
BITS_A_BYTE = 10
"""Number of bits on the line for each byte: start bit, eight data bits, stop bit."""
_GONE = frozenset({errno.EIO, errno.ENXIO, errno.ENODEV, errno.ENOENT, errno.EPIPE, errno.ESHUTDOWN})
_BUSY = frozenset({errno.EBUSY, errno.EAGAIN, errno.EWOULDBLOCK})

T = TypeVar("T")


async def open_serial_port(path: str, baud: int = 115200) -> "SerialPort":
    """Open a port exclusively in raw mode, and discard input that has already arrived.

    Raises DeviceGone if there is no such port, PortForbidden if the user may not open the port, PortBusy if another
    program has opened the port, and DeviceRefused for something that is not a serial port or for a rate that the port
    cannot set. The message of PortForbidden says how to get access. The message of PortBusy names the other program.
    """
    return SerialPort(path, await trio.to_thread.run_sync(_open, path, baud, abandon_on_cancel=True), baud)


class SerialPort:
    """An open serial port. ``Transport`` documents each method."""

    def __init__(self, path: str, terminal: SerialTerminal, baud: int) -> None:
        self.path = path
        self._terminal = terminal
        self._baud = baud
        self._descriptor = terminal.fileno()
        self._closed = False

    async def receive(self, max_bytes: int = 4096) -> bytes:
        """Wait for input, and return 1 to ``max_bytes`` bytes."""
        await trio.lowlevel.checkpoint_if_cancelled()
        while True:
            with self._device_errors():
                try:
                    data = os.read(self._open_descriptor(), max_bytes)
                except BlockingIOError:
                    await trio.lowlevel.wait_readable(self._descriptor)
                    continue
            if not data:  # with VMIN = 1, a read returns nothing only after a hang-up
                raise DeviceGone(f"{self.path}: the device is no longer connected")
            await trio.lowlevel.cancel_shielded_checkpoint()
            return data

    async def send(self, data: bytes) -> None:
        """Send all bytes. Raises DeviceSilent if the port does not accept them within 5 s."""
        await trio.lowlevel.checkpoint_if_cancelled()
        left = memoryview(data)
        with trio.move_on_after(SEND_DEADLINE_S):
            while left:
                with self._device_errors():
                    try:
                        left = left[os.write(self._open_descriptor(), left) :]
                    except BlockingIOError:
                        await trio.lowlevel.wait_writable(self._descriptor)
        if left:
            raise DeviceSilent(
                f"{self.path}: the port accepted {len(data) - len(left)} of {len(data)} bytes within "
                f"{SEND_DEADLINE_S:g} s: unplug the device and plug it in again"
            )
        await trio.lowlevel.cancel_shielded_checkpoint()

    async def drain(self) -> None:
        """Wait until the last bit has left the computer. Raises DeviceSilent if this takes longer than 5 s."""
        with trio.move_on_after(SEND_DEADLINE_S):
            while waiting := self._output_waiting():  # noqa: ASYNC110  the system has no event for this
                await trio.sleep(max(0.001, waiting * BITS_A_BYTE / self._baud))
            await self._in_thread(lambda: termios.tcdrain(self._descriptor))  # waits for the bridge's buffer, too
            return
        raise DeviceSilent(
            f"{self.path}: the port did not send {self._output_waiting()} bytes within {SEND_DEADLINE_S:g} s: unplug "
            "the device and plug it in again"
        )

    async def set_baud(self, baud: int) -> None:
        """Drain the port, switch the rate, and discard input that arrived at the old rate."""
        await self.drain()
        await self._in_thread(lambda: _set_baud(self._terminal, self.path, baud))
        self._baud = baud
        self.discard_input()

    async def hold_reset(self, held: bool) -> bool:
        """Hold the chips in reset, or release them, through a pin of the USB bridge.

        Return False if there is no such pin, or if the user may not write to the USB device.
        """
        return await self._in_thread(lambda: reset_line.hold_reset(self.path, held))

    def discard_input(self) -> None:
        """Discard input that has arrived but was not read by ``receive``."""
        with self._device_errors():
            termios.tcflush(self._open_descriptor(), termios.TCIFLUSH)

    def close(self) -> None:
        """Close the port, and drop output that was not sent yet: if the device hangs, waiting for it could take 30
        s."""
        if self._closed:
            return
        self._closed = True
        trio.lowlevel.notify_closing(self._descriptor)
        for call in (
            lambda: termios.tcflush(self._descriptor, termios.TCOFLUSH),
            lambda: fcntl.ioctl(self._descriptor, termios.TIOCNXCL),
            self._terminal.close,
        ):
            with contextlib.suppress(OSError, termios.error):
                call()

    # ---- inside -----------------------------------------------------------------------------------------------

    def _open_descriptor(self) -> int:
        if self._closed:
            raise trio.ClosedResourceError(f"{self.path}: expected an open port, but this program has closed it")
        return self._descriptor

    def _output_waiting(self) -> int:
        with self._device_errors():
            self._open_descriptor()
            return self._terminal.output_waiting()

    async def _in_thread(self, call: Callable[[], T]) -> T:
        self._open_descriptor()
        with self._device_errors():
            return await trio.to_thread.run_sync(call, abandon_on_cancel=True)

    @contextmanager
    def _device_errors(self) -> Iterator[None]:
        """Convert an error that the system reports for a port into the DeviceError that explains it."""
        try:
            yield
        except (OSError, termios.error) as error:
            raise _explained(self.path, error) from error


def _open(path: str, baud: int) -> SerialTerminal:
    access.require_serial_port(path)
    try:
        terminal = SerialTerminal(path)
    except (OSError, termios.error) as error:
        raise _explained(path, error) from error
    try:
        if not is_pseudo_terminal(path):
            fcntl.ioctl(terminal.fileno(), termios.TIOCEXCL)
            terminal.answer_at_once()
        _set_baud(terminal, path, baud)
        termios.tcflush(terminal.fileno(), termios.TCIOFLUSH)
    except (OSError, termios.error) as error:
        terminal.close()
        raise _explained(path, error) from error
    except BaseException:
        terminal.close()
        raise
    return terminal


def _set_baud(terminal: SerialTerminal, path: str, baud: int) -> None:
    try:
        terminal.set_baud(baud)
    except ValueError as error:
        raise DeviceRefused(f"{path}: expected a port that supports {baud} baud: {error}") from error
    actual = terminal.baud
    if actual is not None and abs(actual / baud - 1) > RATE_TOLERANCE:
        raise DeviceRefused(f"{path}: expected a port that supports {baud} baud, got {actual} baud")


def _explained(path: str, error: Exception) -> DeviceError:
    """Return the DeviceError that explains an error of the system."""
    number = _errno(error)
    if number in _GONE:
        gone = f"{path}: the device is no longer connected ({_reason(number)})"
        return DeviceGone(gone if os.path.exists(path) else access.absent(path))
    if number in (errno.EACCES, errno.EPERM):
        found = access.examine(path)
        return PortForbidden(f"{path}: {found.problem}: {found.fix}")
    if number == errno.ENOTTY:
        return DeviceRefused(f"{path}: expected a serial port, got another kind of device")
    if number in _BUSY:
        return PortBusy(f"{path}: in use by {access.holders_text(path)}")
    return DeviceRefused(f"{path}: {_reason(number) if number else error}")


def _errno(error: BaseException | None) -> int | None:
    """Return the system's error number for ``error``. A termios.error has this number in an argument; some other errors
    do not have it themselves, but their cause does."""
    while error is not None:
        if isinstance(error, OSError) and error.errno is not None:
            return error.errno
        if isinstance(error, termios.error) and error.args and isinstance(error.args[0], int):
            return error.args[0]
        error = error.__cause__ or error.__context__
    return None


def _reason(number: int | None) -> str:
    return os.strerror(number) if number else "no reason given"
