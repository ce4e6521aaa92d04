"""A pseudo-terminal that looks like a serial port: a stable link to it, the speed that its user set, unplugging.

The side that a driver opens is raw, and drivers may come and go: `gone` tells when the last one has closed it. The
master is non-blocking: what does not fit is lost, as with a UART. Linux only: the speed is asked with TCGETS2.
"""

import array
import fcntl
import os
import select
import tty
from pathlib import Path
from typing import Final

_TCGETS2: Final = 0x802C542A
_SPEED_INDEX: Final = 10
"""Of c_ospeed: after four words of flags, twenty bytes of control characters and c_ispeed."""


class LinkError(ValueError):
    """The link cannot be made; one line says why."""


class Terminal:
    """One pseudo-terminal and a link to it."""

    def __init__(self, link: Path) -> None:
        self.link = link
        self.master: int | None = None
        self.device = ""
        """The terminal's own name: another one after each `open`."""

    def open(self) -> None:
        """Appear. LinkError when something else is where the link should be, or there is no terminal left."""
        try:
            master, slave = os.openpty()
        except OSError as error:
            raise LinkError(f"link: no pseudo-terminal for {str(self.link)!r}: {error.strerror or error}") from None
        try:
            tty.setraw(slave)
            os.set_blocking(master, False)
            self.device = os.ttyname(slave)
            _point(self.link, self.device)
        except BaseException:
            os.close(master)
            raise
        finally:
            os.close(slave)
        self.master = master

    def close(self) -> None:
        """Vanish: whoever has it open gets errors, and the link is gone."""
        if self.master is None:
            return
        if self.link.is_symlink() and os.readlink(self.link) == self.device:
            self.link.unlink()
        os.close(self.master)
        self.master = None

    @property
    def baud(self) -> int:
        """The speed that the driver set."""
        assert self.master is not None
        terms = array.array("I", bytes(44))
        fcntl.ioctl(self.master, _TCGETS2, terms)
        return terms[_SPEED_INDEX]

    @property
    def gone(self) -> bool:
        """Whether no driver has it open."""
        assert self.master is not None
        poll = select.poll()
        poll.register(self.master, 0)
        return any(event & select.POLLHUP for _, event in poll.poll(0))

    def read(self) -> bytes | None:
        """What the driver has written; empty when there is nothing, None when the last driver has closed it."""
        assert self.master is not None
        try:
            return os.read(self.master, 65536)
        except BlockingIOError:
            return b""
        except OSError:
            return None

    def write(self, data: bytes) -> bool:
        """Hand bytes to the driver; False when there was no room for all of them. Without a driver they are gone."""
        assert self.master is not None
        if self.gone:
            return True
        try:
            return os.write(self.master, data) == len(data)
        except BlockingIOError:
            return False


def _point(link: Path, target: str) -> None:
    """Make or renew a symbolic link; anything else there is left alone."""
    if not (os.readlink(link).startswith("/dev/pts/") if link.is_symlink() else not link.exists()):
        raise LinkError(f"link: expected a free name or an old link to a terminal, got {str(link)!r}")
    fresh = link.with_name(f".{link.name}.{os.getpid()}")
    try:
        fresh.symlink_to(target)
        fresh.replace(link)
    except OSError as error:
        raise LinkError(f"link: cannot make {str(link)!r}: {(error.strerror or str(error)).lower()}") from None
