"""A serial terminal of Linux, raw: the system calls of one, and nothing that waits.

termios(3), ioctl_tty(2) and ioctl_tty's struct termios2 are the sources. Every method may raise OSError or
termios.error with the system's number; a device that was pulled out shows as one.
"""

import array
import contextlib
import errno
import fcntl
import os
import termios

_TCGETS2, _TCSETS2 = 0x802C542A, 0x402C542B
"""asm-generic/ioctls.h, for struct termios2: four flags, the line, 19 control characters, then the two rates."""
_WORDS = 64
"""Words of a buffer for that structure: it has 11, and the system may write no more than its own."""
_FLAGS, _INPUT_RATE, _OUTPUT_RATE = 2, 9, 10
"""The words of struct termios2 that hold c_cflag, c_ispeed and c_ospeed."""
_CBAUD, _BOTHER = 0o010017, 0o010000
"""asm-generic/termbits.h: the bits of a rate in c_cflag, and the one that says that the two rates hold it."""
_ASYNC_LOW_LATENCY = 1 << 13
"""linux/tty_flags.h; struct serial_struct holds it in its fifth word."""
_SERIAL_FLAGS = 4
_NOT_A_UART = frozenset({errno.ENOTTY, errno.EINVAL})


class SerialTerminal:
    """Opened, locked against programs that lock politely, raw: 8 bits, no parity, one stop bit, no flow control.

    A read without data says so (EAGAIN), and returns nothing only after a hang-up. DTR and RTS are set, as after any
    opening of a port.
    """

    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._make_raw()
            self.set_line(termios.TIOCM_DTR, True)
            self.set_line(termios.TIOCM_RTS, True)
        except BaseException:
            self.close()
            raise

    def fileno(self) -> int:
        """The descriptor of the open port."""
        return self._descriptor

    @property
    def baud(self) -> int | None:
        """What the system says the rate came to; None where it cannot be asked."""
        try:
            return self._rates()[_OUTPUT_RATE] or None
        except OSError as error:
            if error.errno in _NOT_A_UART:
                return None
            raise

    def set_baud(self, baud: int) -> None:
        """Another rate, at once. ValueError for one that the driver behind the port does not know."""
        known = getattr(termios, f"B{baud}", None)
        if known is not None:
            attributes = termios.tcgetattr(self._descriptor)
            attributes[4] = attributes[5] = known
            termios.tcsetattr(self._descriptor, termios.TCSANOW, attributes)
            return
        try:
            words = self._rates()
            words[_FLAGS] = words[_FLAGS] & ~_CBAUD | _BOTHER
            words[_INPUT_RATE] = words[_OUTPUT_RATE] = baud
            fcntl.ioctl(self._descriptor, _TCSETS2, words)
        except OSError as error:
            if error.errno in _NOT_A_UART:
                raise ValueError(f"{baud} baud: {os.strerror(error.errno)}") from error
            raise

    def set_line(self, line: int, on: bool) -> bool:
        """TIOCM_DTR or TIOCM_RTS; False where there are no such lines."""
        word = array.array("I", [line])
        try:
            fcntl.ioctl(self._descriptor, termios.TIOCMBIS if on else termios.TIOCMBIC, word)
        except OSError as error:
            if error.errno in _NOT_A_UART:
                return False
            raise
        return True

    def answer_at_once(self) -> None:
        """An FTDI bridge holds short replies for 16 ms unless told; nothing happens where nobody can be told."""
        words = array.array("i", bytes(4 * _WORDS))
        with contextlib.suppress(OSError):
            fcntl.ioctl(self._descriptor, termios.TIOCGSERIAL, words)
            words[_SERIAL_FLAGS] |= _ASYNC_LOW_LATENCY
            fcntl.ioctl(self._descriptor, termios.TIOCSSERIAL, words)

    def output_waiting(self) -> int:
        """Bytes that have not left the system."""
        count = array.array("i", [0])
        fcntl.ioctl(self._descriptor, termios.TIOCOUTQ, count)
        return count[0]

    def close(self) -> None:
        """Give it back, with the lock."""
        os.close(self._descriptor)

    # ---- how --------------------------------------------------------------------------------------------------

    def _make_raw(self) -> None:
        iflag, oflag, cflag, lflag, _, _, characters = termios.tcgetattr(self._descriptor)
        iflag &= ~(
            termios.IGNBRK | termios.PARMRK | termios.INPCK | termios.ISTRIP | termios.INLCR | termios.IGNCR
            | termios.ICRNL | termios.IUCLC | termios.IXON | termios.IXOFF | termios.IXANY
        )  # fmt: skip
        oflag &= ~(termios.OPOST | termios.ONLCR | termios.OCRNL)
        cflag &= ~(termios.CSIZE | termios.CSTOPB | termios.PARENB | termios.PARODD | termios.CRTSCTS)
        cflag |= termios.CS8 | termios.CLOCAL | termios.CREAD
        lflag &= ~(
            termios.ICANON | termios.ECHO | termios.ECHOE | termios.ECHOK | termios.ECHONL | termios.ECHOCTL
            | termios.ECHOKE | termios.ISIG | termios.IEXTEN
        )  # fmt: skip
        characters[termios.VMIN], characters[termios.VTIME] = 1, 0
        attributes = [iflag, oflag, cflag, lflag, termios.B115200, termios.B115200, characters]
        termios.tcsetattr(self._descriptor, termios.TCSANOW, attributes)

    def _rates(self) -> "array.array[int]":
        words = array.array("I", bytes(4 * _WORDS))
        fcntl.ioctl(self._descriptor, _TCGETS2, words)
        return words
