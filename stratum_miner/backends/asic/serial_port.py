"""A serial port as a ``Transport``: ``terminal`` opens and configures it, trio waits on its descriptor.

Reading and writing never block: the descriptor is non-blocking and each wait is trio's. Opening a port, changing its
rate and waiting for the last bit can take a USB bridge a while, and many seconds when it is stuck: they happen in a
worker thread, which nobody waits for once cancelled; what it opened then is closed with the last reference to it. A
device that vanishes shows as a hang-up (a read that returns nothing), as EIO, ENXIO or ENODEV from any call: all of it
becomes ``DeviceGone``.

Whose the port is: ``flock`` keeps out programs that lock politely (bfgminer, pyserial's exclusive mode, ourselves);
TIOCEXCL those that do not, but for root. A pseudo-terminal gets only the former: its exclusive mode would outlive us.
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
"""Limit for the system to take what is sent. Even a long frame is out in 10 ms, so a slower port is stuck."""
RATE_TOLERANCE = 0.05
"""Between the rate asked for and the one the bridge can do; a UART samples ten bits and survives half a bit."""
BITS_A_BYTE = 10
_GONE = frozenset({errno.EIO, errno.ENXIO, errno.ENODEV, errno.ENOENT, errno.EPIPE, errno.ESHUTDOWN})
_BUSY = frozenset({errno.EBUSY, errno.EAGAIN, errno.EWOULDBLOCK})

T = TypeVar("T")


async def open_serial_port(path: str, baud: int = 115200) -> "SerialPort":
    """Open a port, alone, raw, with what had arrived before thrown away.

    Raises DeviceGone when there is none, PortForbidden with the way to get access, PortBusy with who holds it,
    DeviceRefused for what is no serial port and for a rate that it cannot do.
    """
    return SerialPort(path, await trio.to_thread.run_sync(_open, path, baud, abandon_on_cancel=True), baud)


class SerialPort:
    """See ``Transport`` for what each method promises."""

    def __init__(self, path: str, terminal: SerialTerminal, baud: int) -> None:
        self.path = path
        self._terminal = terminal
        self._baud = baud
        self._descriptor = terminal.fileno()
        self._closed = False

    async def receive(self, max_bytes: int = 4096) -> bytes:
        """Wait for input; 1 to ``max_bytes`` bytes."""
        await trio.lowlevel.checkpoint_if_cancelled()
        while True:
            with self._device_errors():
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
                with self._device_errors():
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
                await trio.sleep(max(0.001, waiting * BITS_A_BYTE / self._baud))
            await self._in_thread(lambda: termios.tcdrain(self._descriptor))  # the bridge's own buffer
            return
        raise DeviceSilent(f"{self.path}: {self._output_waiting()} bytes did not leave in {SEND_DEADLINE_S:g} s")

    async def set_baud(self, baud: int) -> None:
        """Drain, switch, discard what came at the old rate."""
        await self.drain()
        await self._in_thread(lambda: _set_baud(self._terminal, self.path, baud))
        self._baud = baud
        self.discard_input()

    async def hold_reset(self, held: bool) -> bool:
        """Through a pin of the USB bridge; False where there is none, or its USB node is not ours."""
        return await self._in_thread(lambda: reset_line.hold_reset(self.path, held))

    def discard_input(self) -> None:
        """Forget what has arrived."""
        with self._device_errors():
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
            self._terminal.close,
        ):
            with contextlib.suppress(OSError, termios.error):
                call()

    # ---- how --------------------------------------------------------------------------------------------------

    def _open_descriptor(self) -> int:
        if self._closed:
            raise trio.ClosedResourceError(f"{self.path}: closed here")
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
        """What the system says of a vanished port, as DeviceGone."""
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
        raise DeviceRefused(f"{path}: expected a port that can do {baud} baud: {error}") from error
    actual = terminal.baud
    if actual is not None and abs(actual / baud - 1) > RATE_TOLERANCE:
        raise DeviceRefused(f"{path}: expected a port that can do {baud} baud, this one does {actual}")


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
    """The system's number, wherever it is kept: by termios in an argument, by others in what the error came from."""
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
