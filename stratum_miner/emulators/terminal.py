"""A pseudo-terminal that looks like a serial port: it has a baud rate and a link whose path stays the same, and can be
unplugged.

The side that a driver opens is in raw mode. Drivers may open and close this side at any time: ``gone`` is True while no
driver has opened it. The emulator's side, the master, is non-blocking. Bytes that do not fit into the buffer of the
terminal are lost, as on a UART.

The module reads the baud rate with TCGETS2, and locks the link with a socket in the abstract namespace. It works on
Linux only, because only Linux has these two. Linux removes such a socket when its process ends, even if the process is
killed.
"""

import array
import fcntl
import os
import select
import socket
import sys
import tty
from hashlib import sha256
from pathlib import Path
from typing import Final

_TCGETS2: Final = 0x802C542A
_SPEED_INDEX: Final = 10
"""Index of c_ospeed in the 32-bit words of struct termios2. Four words of flags, twenty bytes of control characters and
c_ispeed come before it."""


class LinkError(ValueError):
    """The link cannot be made. The text is one line that says why."""


class PseudoTerminal:
    """One pseudo-terminal, and a symbolic link to the side that a driver opens."""

    def __init__(self, link: Path) -> None:
        self.link = link
        self.master: int | None = None
        self.device = ""
        """The device file of the terminal. Its name changes with each ``open``, whereas the link keeps its name."""
        self._link_lock: socket.socket | None = None

    def open(self) -> None:
        """Open the terminal and make the link.

        Raises LinkError on a system other than Linux, if something else is at the path of the link, if another emulator
        uses the link, or if the system has no free pseudo-terminal.
        """
        if sys.platform != "linux":
            raise LinkError(
                f"link: expected Linux, got {sys.platform}, which does not show the baud rate that a driver sets; "
                "emulate devices on Linux, for example in a container"
            )
        if self._link_lock is None:
            self._link_lock = _lock(self.link)
        try:
            master, slave = os.openpty()
        except OSError as error:
            raise LinkError(
                f"link: cannot open a pseudo-terminal for {str(self.link)!r}: {error.strerror or error}"
            ) from None
        try:
            tty.setraw(slave)
            os.set_blocking(master, False)
            self.device = os.ttyname(slave)
            _set_link(self.link, self.device)
        except BaseException:
            os.close(master)
            raise
        finally:
            os.close(slave)
        self.master = master

    def close(self) -> None:
        """Remove the link and close the terminal. A driver that has the terminal open gets errors from it."""
        if self.master is None:
            return
        if self.link.is_symlink() and os.readlink(self.link) == self.device:
            self.link.unlink()
        os.close(self.master)
        self.master = None

    def release(self) -> None:
        """Close the terminal and unlock the link, so that another emulator may use the link."""
        self.close()
        if self._link_lock is not None:
            self._link_lock.close()
            self._link_lock = None

    @property
    def baud(self) -> int:
        """The baud rate that the driver has set on the terminal."""
        assert self.master is not None
        terms = array.array("I", bytes(44))
        fcntl.ioctl(self.master, _TCGETS2, terms)
        return terms[_SPEED_INDEX]

    @property
    def gone(self) -> bool:
        """Whether no driver has the terminal open."""
        assert self.master is not None
        poll = select.poll()
        poll.register(self.master, 0)
        return any(event & select.POLLHUP for _, event in poll.poll(0))

    def read(self) -> bytes | None:
        """Return what drivers have written. Return ``b""`` if that is nothing, and None if no driver has opened the
        terminal."""
        assert self.master is not None
        try:
            return os.read(self.master, 65536)
        except BlockingIOError:
            return b""
        except OSError:
            return None

    def write(self, data: bytes) -> bool:
        """Send bytes to the driver. Return False if some of them did not fit into the buffer and are lost.

        If no driver has opened the terminal, drop the bytes and return True."""
        assert self.master is not None
        if self.gone:
            return True
        try:
            return os.write(self.master, data) == len(data)
        except BlockingIOError:
            return False


def _lock(link: Path) -> socket.socket:
    """Lock a link against other emulators. Raises LinkError if another emulator has locked it."""
    name = os.path.join(os.path.realpath(link.parent), link.name)
    lock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        lock.bind(b"\0stratum-miner-emulate-" + sha256(os.fsencode(name)).hexdigest().encode())
    except OSError:
        lock.close()
        raise LinkError(f"link: expected a free name, but another emulator uses {str(link)!r}") from None
    return lock


def _set_link(link: Path, target: str) -> None:
    """Make a symbolic link, or replace a link to an old terminal. Raises LinkError if anything else is at its path."""
    try:
        if not link.is_symlink():
            link.symlink_to(target)
        elif os.readlink(link).startswith("/dev/pts/"):
            fresh = link.with_name(f".{link.name}.{os.getpid()}")
            fresh.symlink_to(target)
            fresh.replace(link)
        else:
            raise FileExistsError
    except FileExistsError:
        raise LinkError(f"link: expected a free name or an old link to a terminal, got {str(link)!r}") from None
    except OSError as error:
        raise LinkError(f"link: cannot make {str(link)!r}: {(error.strerror or str(error)).lower()}") from None
