"""The system calls for a serial terminal of Linux in raw mode. None of these calls waits for the device.

Sources are termios(3), ioctl_tty(2) and struct termios2. Every method may raise OSError or termios.error with the
system's error number, for example if the device was unplugged.
"""

import array
import contextlib
import errno
import fcntl
import os
import termios

_TCGETS2, _TCSETS2 = 0x802C542A, 0x402C542B
"""Request numbers from asm-generic/ioctls.h. Both requests use struct termios2: four words of flags, the line
discipline, 19 control characters, then the two rates. A system without these requests answers with an error."""
_WORDS = 64
"""Number of 32-bit words in a buffer for struct termios2. The structure has only 11 words, and the system does not
write more."""
_FLAGS, _INPUT_RATE, _OUTPUT_RATE = 2, 9, 10
"""Indexes of the words of struct termios2 that hold c_cflag, c_ispeed and c_ospeed."""
_CBAUD, _BOTHER = 0o010017, 0o010000
"""Values from asm-generic/termbits.h: the bits of c_cflag that contain the rate, and the value of these bits that
means that the rate is in c_ispeed and c_ospeed instead."""
_ASYNC_LOW_LATENCY = 1 << 13
"""A flag from linux/tty_flags.h. struct serial_struct holds the flags in its fifth word."""
_SERIAL_FLAGS = 4
_TIOCGSERIAL, _TIOCSSERIAL = 0x541E, 0x541F
_IUCLC = getattr(termios, "IUCLC", 0)
"""A flag that only Linux has. It turns upper case into lower case."""
_NOT_A_UART = frozenset({errno.ENOTTY, errno.EINVAL})


class SerialTerminal:
    """An open terminal, locked with flock, in raw mode: 8 data bits, no parity, one stop bit, no flow control.

    If there are no data yet, a read raises EAGAIN; it returns nothing only after a hang-up. The lines DTR and RTS are
    switched on, as Linux itself does when a port is opened.
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
        """Return the descriptor of the open port."""
        return self._descriptor

    @property
    def baud(self) -> int | None:
        """The rate that the system reports; None if it does not report one."""
        try:
            return self._rates()[_OUTPUT_RATE] or None
        except OSError as error:
            if error.errno in _NOT_A_UART:
                return None
            raise

    def set_baud(self, baud: int) -> None:
        """Set another rate, without waiting for output that was not sent yet. Raises ValueError if the driver of the
        port does not support the rate."""
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
        """Switch the line TIOCM_DTR or TIOCM_RTS on or off. Return False if the port has no such lines."""
        word = array.array("I", [line])
        try:
            fcntl.ioctl(self._descriptor, termios.TIOCMBIS if on else termios.TIOCMBIC, word)
        except OSError as error:
            if error.errno in _NOT_A_UART:
                return False
            raise
        return True

    def answer_at_once(self) -> None:
        """Set an FTDI bridge to pass short replies on at once, instead of after up to 16 ms. Do nothing on a port
        without this setting."""
        words = array.array("i", bytes(4 * _WORDS))
        with contextlib.suppress(OSError):
            fcntl.ioctl(self._descriptor, _TIOCGSERIAL, words)
            words[_SERIAL_FLAGS] |= _ASYNC_LOW_LATENCY
            fcntl.ioctl(self._descriptor, _TIOCSSERIAL, words)

    def output_waiting(self) -> int:
        """Return the number of bytes that the system has not sent yet."""
        count = array.array("i", [0])
        fcntl.ioctl(self._descriptor, termios.TIOCOUTQ, count)
        return count[0]

    def close(self) -> None:
        """Close the port and release its lock."""
        os.close(self._descriptor)

    # ---- inside -----------------------------------------------------------------------------------------------

    def _make_raw(self) -> None:
        iflag, oflag, cflag, lflag, _, _, characters = termios.tcgetattr(self._descriptor)
        iflag &= ~(
            termios.IGNBRK | termios.PARMRK | termios.INPCK | termios.ISTRIP | termios.INLCR | termios.IGNCR
            | termios.ICRNL | _IUCLC | termios.IXON | termios.IXOFF | termios.IXANY
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
